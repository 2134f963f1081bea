"""Pulling chunks when the connection breaks, the disk fails, or the peer lies."""

from __future__ import annotations

import asyncio
import errno
import os
from typing import TYPE_CHECKING

import pytest

from tests.protocols.transfer.fakes import PEER, FakeSource
from tests.services.files.parts import Held, add_block, add_chunk, add_folder, cancel_while_held, parts
from tests.support import run
from warren.core.errors import BadContent, DiskFull, StreamReset
from warren.protocols.transfer.messages import Status
from warren.protocols.transfer.server import Part
from warren.runtime.real.disk import RealFile
from warren.services.files.dag import pb, unixfs

if TYPE_CHECKING:
    from pathlib import Path

    from warren.services.files.dag.pb import Link

MIB = 1024 * 1024


def add_file(source: FakeSource, chunks: list[bytes], claimed: list[int] | None = None) -> Link:
    """Serve a file of these chunks; `claimed` is what its node says of their lengths."""
    sizes = claimed or [len(chunk) for chunk in chunks]
    links = [add_chunk(source, chunk, size=size) for chunk, size in zip(chunks, sizes, strict=True)]
    return add_block(source, pb.encode_block(links, unixfs.encode_file(sizes)))


def test_a_cancel_while_chunks_are_written_keeps_them_and_the_files_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        source = FakeSource()
        chunks = [os.urandom(MIB) for _ in range(4)]
        async with parts(tmp_path, source, add_file(source, chunks)) as made:
            await made.pull_nodes()
            held = Held(made.staging.store)
            monkeypatch.setattr(made.staging, "store", held)
            await cancel_while_held(asyncio.create_task(made.source.run()), held)
            kept = made.ledger.chunks_fetched
            assert kept >= 1
            await made.source.run()
            assert made.ledger.chunks_fetched == 4
            assert (made.ledger.done_files, made.ledger.done_bytes) == (1, 4 * MIB)

    run(main())


def test_a_broken_stream_asks_again_for_what_was_lost_alone(tmp_path: Path) -> None:
    async def main() -> None:
        source = FakeSource()
        links = [add_chunk(source, b"%d" % number, f"{number}") for number in range(700)]
        async with parts(tmp_path, source, add_folder(source, links)) as made:
            await made.pull_nodes()
            source.gate.clear()
            task = asyncio.create_task(made.source.run())
            for _ in range(200):
                await asyncio.sleep(0)
            assert source.reading
            made.streams[-1].reset()
            with pytest.raises(StreamReset):
                await task
            source.gate.set()
            await made.source.run()
            assert (made.ledger.chunks_fetched, made.ledger.done_files) == (700, 700)

    run(main())


def test_a_failure_of_the_last_close_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close = RealFile.close

    def failing(file: RealFile) -> None:
        was_open = file._fd >= 0
        close(file)
        if was_open:
            raise OSError(errno.ENOSPC, "No space left on device")

    async def main() -> None:
        source = FakeSource()
        async with parts(tmp_path, source, add_file(source, [b"a" * 10, b"b" * 10])) as made:
            await made.pull_nodes()
            monkeypatch.setattr(RealFile, "close", failing)
            with pytest.raises(DiskFull, match="no room left"):
                await made.source.run()
            assert made.ledger.done_files == 0
            with pytest.raises(DiskFull):  # and it stays one
                await made.source.run()
            monkeypatch.undo()

    run(main())


def test_an_unexpected_error_ends_the_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("a fault of our own")

    async def main() -> None:
        source = FakeSource()
        async with parts(tmp_path, source, add_file(source, [b"a", b"b"])) as made:
            monkeypatch.setattr(made.staging, "store", broken)
            with pytest.raises(ExceptionGroup) as caught:
                await made.run()
            assert caught.group_contains(ValueError, match="a fault of our own")

    run(main())


def test_a_chunk_that_does_not_fit_is_asked_for_once_more_and_then_blamed(tmp_path: Path) -> None:
    async def main() -> None:
        source = FakeSource()
        data = b"right"
        link = add_chunk(source, data, "file")
        source.chunks[link.cid[4:]] = Part(Status.OK, (5,), b"wrong")
        async with parts(tmp_path, source, add_folder(source, [link])) as made:
            await made.pull_nodes()
            with pytest.raises(BadContent) as caught:
                await made.source.run()
            assert caught.value.peer == str(PEER)
            assert [check for _, check in source.asked] == [False, True]
            assert made.ledger.done_files == 0

    run(main())


@pytest.mark.parametrize("claimed", [[1000, 20], [20, 10], [1, 10], [MIB, 10]])
def test_a_chunk_of_another_length_than_its_node_says_is_never_written(
    tmp_path: Path, claimed: list[int]
) -> None:
    chunks = [b"A" * 1000, b"B" * 10]

    async def main() -> None:
        source = FakeSource()
        async with parts(tmp_path, source, add_file(source, chunks, claimed)) as made:
            await made.pull_nodes()
            with pytest.raises(BadContent) as caught:
                await made.source.run()
            assert caught.value.peer == str(PEER)
            assert made.ledger.done_files == 0

    run(main())
    content = next(tmp_path.iterdir()) / "content"
    right = [chunk for chunk, size in zip(chunks, claimed, strict=True) if len(chunk) == size]
    assert not content.exists() or content.read_bytes().strip(b"\0") in {b"", *right}


def test_many_links_to_one_chunk_that_claim_little_fill_no_disk(tmp_path: Path) -> None:
    async def main() -> None:
        source = FakeSource()
        data = os.urandom(MIB)
        links = [add_chunk(source, data, f"{number}", size=1) for number in range(300)]
        async with parts(tmp_path, source, add_folder(source, links)) as made:
            await made.pull_nodes()
            with pytest.raises(BadContent):
                await made.source.run()

    run(main())
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) == 0


@pytest.mark.parametrize("size", [4, 6, MIB])
def test_a_lone_chunk_of_another_size_than_was_listed(tmp_path: Path, size: int) -> None:
    async def main() -> None:
        source = FakeSource()
        async with parts(tmp_path, source, add_chunk(source, b"12345", size=size)) as made:
            with pytest.raises(ExceptionGroup) as caught:
                await made.run()
            assert caught.group_contains(BadContent)

    run(main())
