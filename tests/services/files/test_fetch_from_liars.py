"""Whole fetches from peers that lie, name oddly, lead astray or are busy."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from tests.services.files.liar import PEER, Liar, lying
from tests.services.files.pair import pair, read_tree, write_tree
from tests.services.files.parts import add_block, add_chunk, add_folder
from tests.support import run
from warren.core.errors import BadContent, IntegrityError, LimitReached, ProtocolViolation
from warren.protocols.transfer.messages import Kind, Status
from warren.protocols.transfer.server import Part, ServerLimits
from warren.services.files.dag import pb, unixfs
from warren.services.files.dag.build import build_symlink
from warren.services.files.links import LEADS_OUT
from warren.services.files.names import NOT_ALLOWED, TAKEN, TOO_LONG, NameRules
from warren.services.files.nodes import NodePuller
from warren.services.files.staging import staging
from warren.services.files.swarm import swarm, tree
from warren.services.files.walk import EMPTY_DIGEST

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from warren.services.files.dag.pb import Link
    from warren.services.files.types import Fetched


def fetched(source: Liar, folder: Path, limits: ServerLimits | None = None) -> Fetched:
    async def main() -> Fetched:
        async with lying(source, limits) as two:
            return await two.fetch(folder)

    return run(main())


def visible(folder: Path) -> list[str]:
    """What lies in the target folder under a final name."""
    return [name for name in os.listdir(folder) if not name.startswith(".warren-")]


# --- bad data ---------------------------------------------------------------------------------------------


def spoil_chunk(source: Liar, root: Link, chunk: Link) -> Link:
    source.chunks[chunk.cid[4:]] = Part(Status.OK, (5,), b"wrong")
    return root


def spoil_node(source: Liar, root: Link, _: Link) -> Link:
    source.nodes[root.cid] = (b"wrong", [])
    return root


def lie_of_a_length(source: Liar, root: Link, chunk: Link) -> Link:
    links = [chunk._replace(name="a", size=chunk.size + 1)]
    return add_block(source, pb.encode_block(links, unixfs.DIRECTORY_DATA))


def offer_a_chunk_of_another_size(source: Liar, root: Link, chunk: Link) -> Link:
    return chunk._replace(name="", size=3)


@pytest.mark.parametrize("lie", [spoil_chunk, spoil_node, lie_of_a_length, offer_a_chunk_of_another_size])
def test_bad_data_is_refused_and_the_peer_is_named(
    tmp_path: Path, lie: Callable[[Liar, Link, Link], Link]
) -> None:
    source = Liar()
    chunk = add_chunk(source, b"right", "a")
    root = lie(source, add_folder(source, [chunk]), chunk)
    source.offer(root, 3 if root.is_raw else 5)
    with pytest.raises(BadContent) as caught:
        fetched(source, tmp_path)
    assert caught.value.peer == str(PEER)
    assert visible(tmp_path) == []
    assert b"wrong" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_graph_against_the_rules_is_refused_and_the_peer_is_named(tmp_path: Path) -> None:
    source = Liar()
    chunk = add_chunk(source, b"right", "")
    source.offer(add_block(source, pb.encode_block([chunk], unixfs.DIRECTORY_DATA)), 5)
    with pytest.raises(ProtocolViolation, match=r"cannot be fetched.*no name"):
        fetched(source, tmp_path)
    source.offer(chunk, 0)
    with pytest.raises(ProtocolViolation, match=r"cannot be fetched.*not empty"):
        fetched(source, tmp_path)


# --- names ------------------------------------------------------------------------------------------------


def offer_names(source: Liar, names: list[str], top: str = "top") -> None:
    links = [add_chunk(source, name.encode(), name) for name in names]
    block = pb.encode_block(links, unixfs.DIRECTORY_DATA)
    source.offer(add_block(source, block), sum(link.size for link in links), top)


def test_odd_names_land_in_their_folder_under_safe_ones(tmp_path: Path) -> None:
    source = Liar()
    names = ["a\nb", "back\\slash", "n" * 255, "n" * 256, "..", ".", "../up", "x\0y", "\x9b31m", "a\u202eb"]
    offer_names(source, names, "..")
    outcome = fetched(source, tmp_path / "to")
    assert outcome.path == tmp_path / "to" / "_"
    assert os.listdir(tmp_path) == ["to"]
    found = {data.decode(): name for name, data in read_tree(outcome.path).items() if isinstance(data, bytes)}
    assert set(found) == set(names)
    assert found.pop("n" * 256).startswith("n" * 200)
    assert found.pop(".").startswith("_~")
    assert found == {
        "a\nb": "a_b",
        "back\\slash": "back\\slash",
        "n" * 255: "n" * 255,
        "..": "_",
        "../up": ".._up",
        "x\0y": "x_y",
        "\x9b31m": "_31m",
        "a\u202eb": "a_b" + found["a\u202eb"][3:],
    }
    reasons = {renamed.path: renamed.reason for renamed in outcome.renamed}
    assert reasons.pop("n" * 256) == TOO_LONG
    assert reasons.pop(".") == reasons.pop("a\u202eb") == TAKEN
    assert set(reasons.values()) == {NOT_ALLOWED}
    assert outcome.renamed_count == 9


def test_names_that_differ_by_case_where_the_disk_tells_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "NameRules", lambda **_: NameRules(windows=False, case_insensitive=True))
    source = Liar()
    names = ["README", "Readme", "e\u0301", "\u00e9", "other"]
    offer_names(source, names)
    outcome = fetched(source, tmp_path)
    found = {data.decode(): name for name, data in read_tree(outcome.path).items() if isinstance(data, bytes)}
    assert set(found) == set(names)
    assert len({name.casefold() for name in found.values()}) == 5
    assert {renamed.path: renamed.reason for renamed in outcome.renamed} == {
        "Readme": TAKEN, "\u00e9": TAKEN
    }  # fmt: skip


# --- symlinks ---------------------------------------------------------------------------------------------


def test_symlinks_lead_nowhere_but_into_what_was_fetched(tmp_path: Path) -> None:
    """Not at the staging place, and not at the final one, which lies a level higher."""
    home = write_tree(tmp_path / "home", {".ssh/id_rsa": b"KEY", "Warren/secret.txt": b"SECRET"})
    source = Liar()
    up = add_block(source, build_symlink("../../.."), "s")
    inner = add_folder(source, [up], "c")
    outer = add_folder(source, [add_folder(source, [inner], "b")], "a")
    targets = {
        "t": "a/b/c/s/../../.ssh/id_rsa",
        "u": "a/b/c/s/../secret.txt",
        "v": "../content/a",
        "w": "a/b/c/s/a/b",
        "x": "/etc/passwd",
    }
    links = [add_block(source, build_symlink(target), name) for name, target in targets.items()]
    source.offer(add_folder(source, [outer, *links]), 0)
    outcome = fetched(source, home / "Warren")
    assert {skipped.path for skipped in outcome.skipped if skipped.reason == LEADS_OUT} == {"t", "u", "v"}
    assert outcome.skipped_count == 4
    assert sorted(os.listdir(outcome.path)) == ["a", "w"]
    assert (outcome.path / "w").resolve() == outcome.path / "a" / "b"


# --- busy, and broken -------------------------------------------------------------------------------------


def test_a_busy_peer_says_so(tmp_path: Path) -> None:
    source = Liar()
    offer_names(source, ["a"])
    with pytest.raises(LimitReached, match=f"{PEER} has too many transfers now"):
        fetched(source, tmp_path, ServerLimits(streams_max=0))


def test_a_peer_with_one_place_is_fetched_from_in_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (swarm, tree):
        monkeypatch.setattr(module, "RETRY_DELAYS_S", (0.02,) * 20)
    source = Liar()
    offer_names(source, [f"{number}" for number in range(50)])
    outcome = fetched(source, tmp_path, ServerLimits(streams_per_peer=1))
    assert outcome.files == len(os.listdir(outcome.path)) == 50


def test_what_is_incomplete_gets_no_final_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the fault: here, one of our own that forgets the empty files."""
    monkeypatch.setattr(NodePuller, "_hand_over", lambda *_: None)
    source = Liar()
    source.offer(add_folder(source, [add_chunk(source, b"", "a")]), 0)
    assert EMPTY_DIGEST in source.chunks
    with pytest.raises(IntegrityError, match="only 0 of 1 files"):
        fetched(source, tmp_path)
    assert visible(tmp_path) == []


def test_a_connection_that_breaks_again_and_again_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut whenever folders are made, which is where what was found was lost once."""
    for module in (swarm, tree):
        monkeypatch.setattr(module, "RETRY_DELAYS_S", (0.01,) * 50)
    source = write_tree(
        tmp_path / "shared", {f"d{i:03}/f{j}": os.urandom(1 + i) for i in range(150) for j in range(10)}
    )
    (source / "large").write_bytes(os.urandom(12 << 20))
    make_folders = staging.Staging.make_folders
    cuts = 0

    async def main() -> Fetched:
        async with pair(tmp_path) as two:
            loop = asyncio.get_running_loop()

            def cut() -> None:
                for socket in two.networks[1].sockets(two.sharer):
                    socket.abort()

            def cutting(self: staging.Staging, paths: list[str]) -> None:
                nonlocal cuts
                if paths and cuts < 3:
                    cuts += 1
                    loop.call_soon_threadsafe(cut)
                make_folders(self, paths)

            monkeypatch.setattr(staging.Staging, "make_folders", cutting)
            two.networks[1].add_addresses(two.sharer, two.networks[0].listen_addrs)
            await two.library.share(source)
            return await two.fetch("shared", tmp_path / "to")

    outcome = run(main())
    assert cuts > 0
    assert read_tree(outcome.path) == read_tree(source)
    assert outcome.files == 1501


def test_a_listed_kind_is_not_believed(tmp_path: Path) -> None:
    source = Liar()
    offer_names(source, ["a"])
    source.kind = Kind.FILE
    assert fetched(source, tmp_path).path.is_dir()
