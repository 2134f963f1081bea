"""get: fetch a file or folder."""

from __future__ import annotations

import contextlib
import math
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from warren.core.errors import (
    ConnectionFailed,
    InputError,
    IntegrityError,
    LimitReached,
    NotFound,
    RemoteError,
    SourceChanged,
    SourceVanished,
)
from warren.frontends.cli import offers, units
from warren.frontends.cli.base import Command, Session
from warren.frontends.cli.notes import left_out, renamed
from warren.frontends.cli.progress import follow

if TYPE_CHECKING:
    from warren.frontends.cli.client import Client

# The body of a request to fetch; of a hit, with the kind of what it is.
Way = dict[str, Any]
# What says nothing of whether somebody else can give it.
_OF_THE_OTHER = (
    ConnectionFailed,
    IntegrityError,
    LimitReached,
    NotFound,
    RemoteError,
    SourceChanged,
    SourceVanished,
)


@click.command(
    cls=Command,
    examples=[
        "warren get anna/Photos",
        "warren get 3 -o ~/Desktop",
        "warren get bafybei... --from anna",
        "warren get anna/notes.txt -o - | less",
    ],
    exits=(4, 5, 6, 7, 8),
)
@click.argument("ref", shell_complete=offers.places)
@click.option(
    "-o",
    "--output",
    metavar="DIR|-",
    help="Folder to put it into; - writes a file to stdout.  [default: ~/Warren, or download_dir]",
)
@click.option(
    "--from",
    "source",
    metavar="PEER",
    shell_complete=offers.peers,
    help="Fetch from this peer; REF is then a path there, or a content id.",
)
@click.pass_obj
def get(session: Session, ref: str, output: str | None, source: str | None) -> None:
    """Fetch a file or folder, verified, and print its final path.

    REF is PEER/PATH, a number of the last warren search or warren ls, or with --from a content id. A hit of a
    search comes from the quickest who is there, and from the next one if that fails. Every chunk is verified
    before it is written. What was fetched before an interruption is not fetched again. A file appears under
    its name when it is whole; an existing one is never overwritten.
    """
    if output == "-" and session.as_json:
        raise click.UsageError("-o - and --json both want stdout; choose one")
    ways = _ways(session, ref, session.peer(source) if source else None)
    if output == "-":
        _to_stdout(session, ways)
        return
    if output:
        ways = [{**way, "output": str(folder_of(output))} for way in ways]
    done = _fetch(session, ways, quiet=session.as_json)
    session.show(done, [done["path"]])


def folder_of(output: str) -> Path:
    """The folder that -o names. Raises InputError for a file."""
    path = Path(output).expanduser().absolute()
    if path.exists() and not path.is_dir():
        cure = f"-o names the folder to put it into, for instance {path.parent}"
        raise InputError(f"{path} is a file", hint=cure)
    return path


def _ways(session: Session, ref: str, source: str | None) -> list[Way]:
    """How to get REF, the best way first: of a hit there are as many as hold it."""
    listed = session.home.listed("files", ref)
    if isinstance(listed, dict) and listed.get("holders"):
        peers = [source] if source else quickest_first(session.client, listed["holders"])
        hit = {"ref": listed["cid"], "name": listed["name"], "kind": listed["kind"]}
        return [{**hit, "from_peer": peer} for peer in peers]
    way = {"ref": _meant(session, ref, listed)}
    return [way | ({"from_peer": source} if source else {})]


def quickest_first(client: Client, holders: list[dict[str, Any]]) -> list[str]:
    """The peers that hold a hit: those that are connected by their round trip, then those that were there
    when they were found, then the others.
    """

    def rank(one: dict[str, Any]) -> tuple[bool, bool, float]:
        try:
            now = client.get("peers", one["peer"])
        except NotFound:
            return True, not one["online"], math.inf
        took_ms = now["rtt_ms"] if now["rtt_ms"] is not None else now["latency_ms"]
        return not now["connected"], not one["online"], math.inf if took_ms is None else took_ms

    return [one["peer"] for one in sorted(holders, key=rank)]


def _meant(session: Session, ref: str, listed: Any) -> str:
    """What REF stands for: numbers come from the last listing, peers may be numbers too."""
    if isinstance(listed, dict):
        if "ref" not in listed:
            raise NotFound(
                f"number {ref} of the last listing is your own share", hint="it is on this disk already"
            )
        return str(listed["ref"])
    if ref.isascii() and ref.isdecimal():
        raise NotFound(
            f"the last listing has no line {ref}",
            hint="list again with: warren ls PEER, or warren search WORDS",
        )
    peer, slash, path = ref.partition("/")
    return session.peer(peer) + slash + path if slash else ref


def _fetch(session: Session, ways: list[Way], *, quiet: bool) -> dict[str, Any]:
    """Fetch it the first way that works. Raises what the last one failed with."""
    for way in ways[:-1]:
        try:
            return _fetch_so(session, way, quiet=quiet)
        except _OF_THE_OTHER as error:
            session.note(f"{error}; trying the next who has it")
    return _fetch_so(session, ways[-1], quiet=quiet)


def _fetch_so(session: Session, way: Way, *, quiet: bool) -> dict[str, Any]:
    start = time.monotonic()
    body = {name: value for name, value in way.items() if name != "kind"}
    done = follow(session.client.stream("POST", "transfers", body=body), quiet=quiet)
    session.note(_summary(done, time.monotonic() - start))
    for line in (*left_out(done), *renamed(done)):
        session.note(line)
    return done


def _summary(done: dict[str, Any], took: float) -> str:
    amount = f"{units.count(done['files'], 'file')}, {units.size(done['bytes'])}"
    if done["already_there"]:
        return f"{amount}: already there, verified; nothing was fetched"
    reused = done["chunks_reused"]
    before = f"; {units.count(reused, 'chunk')} were here from before" if reused else ""
    speed = f" ({units.rate(done['bytes'], took)})" if done["bytes"] >= units.RATED_BYTES_MIN else ""
    return f"{amount} in {units.span(took)}{speed}, verified{before}"


def _to_stdout(session: Session, ways: list[Way]) -> None:
    """Through a folder within the data folder, so that only verified bytes come out.

    It is called by the content id: an interrupted attempt stays there, and the next goes on from it.
    """
    cid = _cid_of_file(session, ways[0])
    session.home.make()
    folder = session.home.path / f".stdout-{cid}"
    done = _fetch(session, [{**way, "output": str(folder)} for way in ways], quiet=False)
    try:
        path = Path(done["path"])
        if not path.is_file():
            raise _no_file()
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
        sys.stdout.buffer.flush()
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)


def _cid_of_file(session: Session, way: Way) -> str:
    """The content id of what is to be fetched, asked before it is. Raises InputError if it is no file."""
    ref, peer = way["ref"], way.get("from_peer")
    if "kind" in way:
        if way["kind"] != "file":
            raise _no_file()
        return str(ref)
    if peer is None:
        peer, _, ref = ref.partition("/")
    elif "/" not in ref and ref.startswith(("bafk", "bafy")):
        shared = session.client.get("files", peer=peer, path="")["items"]
        kinds = {one["kind"] for one in shared if one["cid"] == ref} or {"file"}
        if "file" not in kinds:
            raise _no_file()
        return str(ref)
    path = ref.strip("/")
    found = session.client.get("files", peer=peer, path=path)["items"]
    if len(found) != 1 or found[0]["kind"] != "file" or found[0]["path"] != path:
        raise _no_file()
    return str(found[0]["cid"])


def _no_file() -> InputError:
    return InputError("only a file can be written to stdout", hint="name a folder to put it into: -o DIR")
