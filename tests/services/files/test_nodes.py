"""Pulling nodes when the connection breaks at the worst moment, and from peers that lie."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.protocols.transfer.fakes import PEER, FakeSource
from tests.services.files.parts import Held, add_block, add_chunk, add_folder, cancel_while_held, parts
from tests.support import run
from warren.core.errors import BadContent, ContentUnknown, InputError, ProtocolViolation
from warren.services.files.dag import pb, unixfs
from warren.services.files.dag.build import build_symlink
from warren.services.files.nodes import CHECK_LEAVES
from warren.services.files.swarm.picker import Request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.files.parts import Parts
    from warren.services.files.dag.pb import Link

FILES = 30


def tree(source: FakeSource, empty: int = 1) -> Link:
    """Folders with files of one chunk each, and empty ones."""
    folders = []
    for number in range(3):
        links = [add_chunk(source, b"%d" % (number * 10 + i), f"f{i}") for i in range(FILES // 3)]
        links += [add_chunk(source, b"", f"empty{i}") for i in range(empty)]
        folders.append(add_folder(source, links, f"d{number}"))
    return add_folder(source, folders)


def wanted(made: Parts) -> int:
    """How many places the picker asks for."""
    count = 0
    while isinstance(decision := made.picker.next(made.source.offer, 1 << 30), Request):
        count += sum(len(piece.targets) for piece in decision.pieces)
    return count


@pytest.mark.parametrize("method", ["make_folders", "make_empty_file"])
def test_a_cancel_while_folders_are_made_loses_no_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    async def main() -> None:
        source = FakeSource()
        async with parts(tmp_path, source, tree(source)) as made:
            held = Held(getattr(made.staging, method))
            monkeypatch.setattr(made.staging, method, held)
            await cancel_while_held(asyncio.create_task(made.pull_nodes()), held)
            await made.pull_nodes()
            assert made.nodes.done
            assert wanted(made) == FILES
            assert (made.walk.files, made.ledger.done_files) == (FILES + 3, 3)

    run(main())
    assert len(list(tmp_path.rglob("empty0"))) == 3


def test_a_cancel_while_nodes_are_read_blames_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        source = FakeSource()
        async with parts(tmp_path, source, tree(source)) as made:
            held = Held(made.walk.receive)
            monkeypatch.setattr(made.walk, "receive", held)
            await cancel_while_held(asyncio.create_task(made.pull_nodes()), held)
            await made.pull_nodes()
            assert wanted(made) == FILES

    run(main())


def test_a_cancel_while_what_is_there_is_checked_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FakeSource()
    root = tree(source)

    async def fill() -> None:
        async with parts(tmp_path, source, root) as made:
            await made.run()

    async def main() -> None:
        async with parts(tmp_path, source, root) as made:
            assert made.staging.resumed
            held = Held(made.staging.find_present)
            monkeypatch.setattr(made.staging, "find_present", held)
            await cancel_while_held(asyncio.create_task(made.pull_nodes()), held)
            assert made.ledger.chunks_reused == 0
            await made.pull_nodes()
            assert wanted(made) == 0
            assert made.ledger.chunks_reused == FILES
            assert made.ledger.done_files == made.walk.files

    run(fill())
    run(main())


def test_what_is_there_is_checked_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = FakeSource()
    links = [add_chunk(source, b"%d" % number, f"{number:04}") for number in range(CHECK_LEAVES + 1)]
    root = add_folder(source, links)

    async def main() -> tuple[int, int]:
        async with parts(tmp_path, source, root) as made:
            batches = Held(made.staging.make_folders)  # called once for each
            batches.let_go()
            monkeypatch.setattr(made.staging, "make_folders", batches)
            await made.run()
            return batches.calls, made.ledger.chunks_reused

    assert run(main()) == (1, 0)
    assert run(main()) == (2, len(links))


def test_another_attempt_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    async def main() -> None:
        source = FakeSource()
        root = tree(source)
        kept = dict(source.nodes)
        lost = next(cid for cid in kept if cid != root.cid)
        async with parts(tmp_path, source, root) as made:
            del source.nodes[lost]
            with pytest.raises(ContentUnknown):
                await made.pull_nodes()
            source.nodes[lost] = kept[lost]
            await made.pull_nodes()
            assert wanted(made) == FILES

    run(main())


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_node_that_does_not_fit_names_the_peer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cancelled: bool
) -> None:
    async def main() -> None:
        source = FakeSource()
        root = tree(source)
        source.nodes[root.cid] = (b"something else", [])
        async with parts(tmp_path, source, root) as made:
            if cancelled:  # what was found out at the end of a cancelled attempt is not forgotten
                held = Held(made.walk.receive)
                monkeypatch.setattr(made.walk, "receive", held)
                await cancel_while_held(asyncio.create_task(made.pull_nodes()), held)
            with pytest.raises(BadContent) as caught:
                await made.pull_nodes()
            assert (caught.value.peer, caught.value.cid) == (str(PEER), str(made.wanted.cid))

    run(main())


def test_a_graph_that_breaks_the_rules_names_the_peer(tmp_path: Path) -> None:
    async def main() -> None:
        source = FakeSource()
        link = add_chunk(source, b"chunk")
        root = add_block(source, pb.encode_block([link], unixfs.encode_file([link.size + 1])))
        async with parts(tmp_path, source, root) as made:
            with pytest.raises(ProtocolViolation, match=f"{made.wanted.cid} cannot be fetched"):
                await made.pull_nodes()

    run(main())


def test_a_lone_symlink_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        source = FakeSource()
        root = add_block(source, build_symlink("target"))
        async with parts(tmp_path, source, root) as made:
            with pytest.raises(InputError, match="symlink"):
                await made.pull_nodes()

    run(main())
