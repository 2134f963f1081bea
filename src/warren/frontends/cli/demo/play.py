"""The demo's steps, one function each, and what they say.

In:  a `Stage` and a folder. Out: lines for people as things happen, and the facts as one document at the end.
Each refusal is a real one on the path that users take: the demo only arranges what an attacker or a bad disk
would.
Raises WarrenError if anything does not turn out as promised.
"""

from __future__ import annotations

import filecmp
import os
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from warren.core.errors import IntegrityError, PeerIdMismatch, SourceChanged, WarrenError
from warren.core.keys import PrivateKey
from warren.frontends.cli import units
from warren.frontends.cli.demo import material
from warren.frontends.cli.demo.material import Folder
from warren.frontends.cli.demo.stage import Actor, Stage
from warren.frontends.cli.notes import left_out
from warren.frontends.cli.progress import follow
from warren.frontends.cli.units import RATED_BYTES_MIN


class Play:
    """One performance. say: shows a line. quiet: no progress either."""

    def __init__(self, stage: Stage, say: Callable[[str], None], *, quiet: bool) -> None:
        self._stage = stage
        self._say_line = say
        self._quiet = quiet
        self._step = 0
        self.facts: dict[str, Any] = {}

    def perform(self, given: Path | None) -> dict[str, Any]:
        """All steps in order."""
        folder = material.choose(given, self._stage.folder)
        material.check_room(folder, self._stage.folder)
        alice, bob = self.start()
        self.meet(alice, bob)
        shared = self.share(alice, folder)
        copy = self.fetch(alice, bob, shared)
        self.verify(bob, folder, copy, shared)
        self.refuse_wrong_key(alice, bob)
        self.refuse_bad_data(alice, bob)
        self.point_to_check(alice, folder, shared)
        return self.facts

    def start(self) -> tuple[Actor, Actor]:
        """Two nodes in two processes."""
        start = time.monotonic()
        alice, bob = self._stage.start("alice", "bob")
        took = time.monotonic() - start
        self._say("start", f"two nodes in two processes, ready in {units.span(took)}")
        for actor in (alice, bob):
            self._more(f"{actor.name:<5} {actor.address}")
        self.facts["start"] = {"alice": alice.peer_id, "bob": bob.peer_id, "seconds": round(took, 3)}
        return alice, bob

    def meet(self, alice: Actor, bob: Actor) -> None:
        """One invites, the other joins."""
        start = time.monotonic()
        code = alice.client.post("invites")["code"]
        contact = bob.client.post("join", body={"code": code})
        took = time.monotonic() - start
        self._say(
            "invite", f"alice made a code, bob joined with it: contacts of each other in {took * 1000:.0f} ms"
        )
        self._more(f"the code: {code[:32]}... ({len(code)} characters)")
        self.facts["join"] = {"contact": contact["peer_id"], "seconds": round(took, 3)}

    def share(self, alice: Actor, folder: Folder) -> dict[str, Any]:
        """Alice shares the folder from where it lies."""
        shared = self._share(alice, folder.path)
        speed = _speed(shared["bytes"], shared["hash_s"])
        self._say("share", f"alice shares {folder.path}: {_amount(shared)}")
        self._more(f"hashed in {units.span(shared['hash_s'])}{speed}; no copy is made")
        for line in left_out(shared):
            self._more(line)
        self.facts["share"] = shared
        return shared

    def fetch(self, alice: Actor, bob: Actor, shared: dict[str, Any]) -> Path:
        """Bob fetches it whole; the system copies what he got, for comparison: the very same files."""
        start = time.monotonic()
        done = self._get(bob, alice, shared)
        took = time.monotonic() - start
        program, copied = material.copy_seconds(Path(done["path"]), self._stage.folder / "copied")
        size = done["bytes"]
        self._say("fetch", f"bob fetched {_amount(done)} in {units.span(took)}{_speed(size, took)}")
        self._more(f"each chunk encrypted on the way, and verified before it was written to {done['path']}")
        self._more(
            f"{program} of the same files: {units.span(copied)}{_speed(size, copied)},"
            " neither encrypted nor verified"
        )
        self.facts["fetch"] = {
            "files": done["files"],
            "bytes": done["bytes"],
            "seconds": round(took, 3),
            "copy_program": program,
            "copy_seconds": round(copied, 3),
        }
        return Path(done["path"])

    def verify(self, bob: Actor, folder: Folder, copy: Path, shared: dict[str, Any]) -> None:
        """Compare byte by byte; and let bob compute the content id again from his copy."""
        skipped = {one["path"] for one in shared["skipped"]}
        differs = material.difference(folder.path, copy, skipped)
        if differs:
            raise WarrenError(f"bob's copy differs from the original at {differs}")
        again = self._share(bob, copy)["cid"]
        if again != shared["cid"]:
            raise WarrenError(f"bob's copy has the content id {again}, alice's has {shared['cid']}")
        self._say("verify", "both folders are equal, byte by byte")
        self._more("bob hashed his copy anew: it has the same content id")
        self.facts["verify"] = {"equal": True, "cid": again}

    def refuse_wrong_key(self, alice: Actor, bob: Actor) -> None:
        """Bob dials alice's address and expects somebody else: what an impostor at an address comes to."""
        other = PrivateKey.from_seed(os.urandom(32)).peer_id
        place = alice.address.rpartition("/p2p/")[0]
        try:
            list(bob.client.stream("POST", "ping", body={"peer": f"{place}/p2p/{other}", "count": 1}))
        except PeerIdMismatch as error:
            self._say("wrong key", "bob dialled alice's address for another peer: refused")
            self._more(str(error))
            self.facts["wrong_key"] = {"refused": True, "error": str(error)}
            return
        raise WarrenError("bob spoke with a peer whose key is not the one he asked for")

    def refuse_bad_data(self, alice: Actor, bob: Actor) -> None:
        """A byte of a shared file changes behind alice's back: what a bad disk or a liar comes to."""
        letter = material.write_letter(self._stage.folder)
        shared = self._share(alice, letter)
        place = bob.downloads / shared["name"]
        damage = material.flip_a_byte(letter)
        try:
            self._get(bob, alice, shared)
        except (IntegrityError, SourceChanged) as error:
            refusal = str(error)
        else:
            raise WarrenError("bob accepted data that is not what he asked for")
        if place.exists():
            raise WarrenError("bad data got its final name")
        self._say("bad data", "a byte of a file changed on alice's disk after she shared it: bob refused it")
        self._more(refusal)
        self._more(f"its chunk {damage.number} of {damage.count} now hashes to {damage.cid}")
        self._more("nothing of it stands under its final name")
        material.flip_a_byte(letter)
        done = self._get(bob, alice, shared)
        if not filecmp.cmp(letter, place, shallow=False):
            raise WarrenError("bob's letter differs from alice's")
        self._more(
            f"the byte put back, bob fetched it: {units.count(done['chunks_reused'], 'chunk')} "
            f"from before, {units.count(done['chunks_fetched'], 'chunk')} anew"
        )
        self.facts["bad_data"] = {"refused": True, "error": refusal, "chunk_cid": damage.cid}

    def point_to_check(self, alice: Actor, folder: Folder, shared: dict[str, Any]) -> None:
        """How to compute a content id with a program that is not ours."""
        cid, path = shared["cid"], str(folder.path)
        self._say("check", f"content id {cid}")
        if folder.is_sample:
            self._more("the sample goes with the demo; warren demo FOLDER shares one of yours, to check with")
            path = "FOLDER"
        elif shared["skipped_count"]:
            # ipfs keeps the links that lead out of the folder, so the folder's own id cannot be the same.
            files = alice.client.get("files", path=shared["name"])["items"]
            one = max(files, key=lambda one: one["size"] if one["kind"] == "file" else -1)
            cid, path = one["cid"], str(folder.path / one["name"])
            self._more(f"as something was left out of the folder, check a file of it: {cid}")
        # A repository of its own for once: the reader's IPFS settings stay as they are.
        command = (
            "(export IPFS_PATH=$(mktemp -d); ipfs init --profile=unixfs-v1-2025 >&2; "
            f'ipfs add -r -Q --only-hash {shlex.quote(path)}; rm -r "$IPFS_PATH")'
        )
        self._more("any IPFS node (kubo 0.40 or newer) computes the same, for instance by:")
        self._more(command)
        self.facts["check"] = {"cid": cid, "command": command}

    def _share(self, actor: Actor, path: Path) -> dict[str, Any]:
        lines = actor.client.stream("POST", "shares", body={"path": str(path.absolute())})
        return follow(lines, quiet=self._quiet)

    def _get(self, actor: Actor, source: Actor, shared: dict[str, Any]) -> dict[str, Any]:
        """From the source alone: nobody else is looked for where it fails."""
        body = {"ref": shared["name"], "from_peer": source.peer_id}
        lines = actor.client.stream("POST", "transfers", body=body)
        return follow(lines, quiet=self._quiet)

    def _say(self, what: str, text: str) -> None:
        self._step += 1
        self._say_line(f"{self._step}  {what:<10} {text}")

    def _more(self, text: str) -> None:
        self._say_line(f"{'':<13} {text}")


def _speed(count: float, seconds: float) -> str:
    """In brackets; nothing for so few bytes that a rate would be that of the steps around them."""
    return f" ({units.rate(count, seconds)})" if count >= RATED_BYTES_MIN else ""


def _amount(document: dict[str, Any]) -> str:
    return f"{units.count(document['files'], 'file')}, {units.size(document['bytes'])}"
