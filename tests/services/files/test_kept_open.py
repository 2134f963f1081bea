"""Files that stay open between reads: what is read on the loop, what in a thread, when they are closed."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.files.pair import write_tree
from tests.support import keep_cancelling
from warren import testing
from warren.core.errors import Closed
from warren.protocols.transfer.messages import Status
from warren.runtime.real.disk import RealDisk, RealFile
from warren.services.files import serving
from warren.services.files.index import Place
from warren.services.files.kept_open import KEPT_MAX, KEPT_S, KeptOpen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PIECE = 1000
DATA = bytes(range(250)) * 12


class Clockwork:
    """As much of a runtime as is wanted here: the real disk, in virtual time. Counts reads in threads."""

    def __init__(self) -> None:
        self.disk = RealDisk()
        self.reads = self.closings = 0
        self.gate: asyncio.Event | None = None
        self.is_closed = False

    async def offload(self, work: Callable[..., Any], *arguments: object) -> Any:
        if self.is_closed:
            raise Closed("the runtime is closed")
        self.reads += work is serving.read
        self.closings += work is serving.close_all
        if self.gate is not None:
            await self.gate.wait()
        return work(*arguments)


@pytest.fixture(autouse=True)
def open_files(monkeypatch: pytest.MonkeyPatch) -> set[RealFile]:
    """What is open now of what was opened to be read."""
    opened: set[RealFile] = set()
    begin, close = RealFile.__init__, RealFile.close

    def read_at_once(self: RealFile, offset: int, length: int) -> bytearray | None:
        data = self.pread(offset, length)  # not every file system that tests run on can tell
        return bytearray(data) if len(data) == length else None

    def note_open(self: RealFile, fd: int) -> None:
        begin(self, fd)
        opened.add(self)

    def note_close(self: RealFile) -> None:
        close(self)
        opened.discard(self)

    monkeypatch.setattr(RealFile, "__init__", note_open)
    monkeypatch.setattr(RealFile, "close", note_close)
    monkeypatch.setattr(RealFile, "pread_nowait", read_at_once)
    return opened


def job_of(path: Path, *pieces: int, check: bool = False, broken: bool = False) -> serving.ReadChunks:
    """To read pieces of a file, as the index has it now."""
    status = path.stat()
    whole = Place(7, str(path.parent), "", path.name, status.st_size, status.st_mtime_ns, 0, PIECE, broken)
    places = [whole._replace(start=n * PIECE) for n in pieces]
    digests = [hashlib.sha256(piece(n)).digest() for n in pieces]
    (job,) = serving.plan(digests, [[place] for place in places], check=check)
    return job


def piece(number: int) -> bytes:
    return DATA[number * PIECE : (number + 1) * PIECE]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "top", {"file": DATA}) / "file"


@pytest.fixture
def runtime() -> Any:
    return Clockwork()


@pytest.fixture
def kept(runtime: Any) -> KeptOpen:
    return KeptOpen(runtime)


def fail(error: BaseException) -> Callable[..., Any]:
    """Something that raises `error`."""

    def failing(*_: object, **__: object) -> Any:
        raise error

    return failing


async def read(kept: KeptOpen, job: serving.ReadChunks) -> list[tuple[Status, bytes]]:
    return [(part.status, bytes(part.payload)) for part in await kept.read(job)]


def test_only_the_first_read_of_a_file_goes_to_a_thread(
    path: Path, open_files: set[RealFile], runtime: Any, kept: KeptOpen
) -> None:
    async def main() -> None:
        assert await read(kept, job_of(path, 0)) == [(Status.OK, piece(0))]
        assert await read(kept, job_of(path, 2)) == [(Status.OK, piece(2))]
        assert await read(kept, job_of(path, 1, 0)) == [(Status.OK, piece(1) + piece(0))]
        assert runtime.reads == len(open_files) == 1
        await kept.close()
        assert not open_files

    testing.run(main())


def test_the_last_chunk_of_a_file_leaves_nothing_open(
    path: Path, open_files: set[RealFile], runtime: Any, kept: KeptOpen
) -> None:
    async def main() -> None:
        for _ in range(2):
            assert await read(kept, job_of(path, 2)) == [(Status.OK, piece(2))]
            assert not open_files
        assert runtime.reads == 2
        await kept.close()

    testing.run(main())


@pytest.mark.parametrize(
    ("happens", "status"),
    [
        (lambda path: path.unlink(), Status.VANISHED),
        (lambda path: path.write_bytes(DATA[::-1]), Status.CHANGED),
        (lambda path: os.truncate(path, 10), Status.CHANGED),
        (lambda path: os.replace(write_tree(path.parent / "n", {"f": b"other"}) / "f", path), Status.CHANGED),
        (lambda path: os.utime(path, ns=(0, 0)), Status.CHANGED),
    ],
    ids=["removed", "changed", "cut off", "replaced", "touched"],
)
def test_what_happened_to_the_file_is_noticed(
    path: Path, happens: Callable[[Path], None], status: Status, runtime: Any, kept: KeptOpen
) -> None:
    async def main() -> None:
        first, second = job_of(path, 0), job_of(path, 1)
        await kept.read(first)
        happens(path)
        assert await read(kept, second) == [(status, b"")]
        assert second.broken == {7}
        assert runtime.reads == 2
        await kept.close()

    testing.run(main())


def test_what_is_not_in_memory_is_read_in_a_thread(
    path: Path, monkeypatch: pytest.MonkeyPatch, open_files: set[RealFile], runtime: Any, kept: KeptOpen
) -> None:
    def only_what_was_read(_: RealFile, _offset: int, length: int) -> bytearray | None:
        return bytearray(length) if length == 1 else None

    async def main() -> None:
        monkeypatch.setattr(RealFile, "pread_nowait", only_what_was_read)
        for number in (0, 1, 0):
            assert await read(kept, job_of(path, number)) == [(Status.OK, piece(number))]
        assert (runtime.reads, runtime.closings, len(open_files)) == (3, 0, 1)
        await kept.close()
        assert (runtime.closings, len(open_files)) == (1, 0)

    testing.run(main())


def test_nothing_stays_open_where_no_read_can_be_without_waiting(
    path: Path, monkeypatch: pytest.MonkeyPatch, open_files: set[RealFile], runtime: Any, kept: KeptOpen
) -> None:
    async def main() -> None:
        monkeypatch.setattr(RealFile, "pread_nowait", lambda *_: None)
        for number in (0, 1):
            assert await read(kept, job_of(path, number)) == [(Status.OK, piece(number))]
            assert not open_files
        assert (runtime.reads, runtime.closings) == (2, 0)
        await kept.close()

    testing.run(main())


def test_two_that_open_a_file_at_once_leave_one_open(
    path: Path, open_files: set[RealFile], runtime: Any, kept: KeptOpen
) -> None:
    async def main() -> None:
        runtime.gate = asyncio.Event()
        both = [asyncio.create_task(kept.read(job_of(path, number))) for number in (0, 1)]
        await asyncio.sleep(0)
        runtime.gate.set()
        await asyncio.gather(*both)
        await asyncio.sleep(0.1 * KEPT_S)
        assert len(open_files) == 1
        await kept.close()
        assert not open_files

    testing.run(main())


def test_an_error_that_is_met_on_the_loop_is_looked_into_in_a_thread(
    path: Path, monkeypatch: pytest.MonkeyPatch, runtime: Any, kept: KeptOpen
) -> None:
    async def main() -> None:
        await kept.read(job_of(path, 0))
        job = job_of(path, 1)
        monkeypatch.setattr(RealFile, "stat", fail(OSError(errno.ESTALE, "gone")))
        assert await read(kept, job) == [(Status.UNREADABLE, b"")]
        assert (runtime.reads, job.broken) == (2, {7})
        await kept.close()

    testing.run(main())


def test_a_reading_that_fails_loses_no_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, open_files: set[RealFile], kept: KeptOpen
) -> None:
    async def main() -> None:
        monkeypatch.setattr(serving, "Part", fail(MemoryError()))
        with pytest.raises(MemoryError):
            await kept.read(job_of(path, 0))
        await kept.close()
        assert not open_files

    testing.run(main())


def test_a_file_is_closed_that_is_read_when_the_threads_are_gone(
    path: Path, open_files: set[RealFile], runtime: Any, kept: KeptOpen
) -> None:
    async def main() -> None:
        runtime.gate = asyncio.Event()
        reading = asyncio.create_task(kept.read(job_of(path, 0)))
        await asyncio.sleep(0.1 * KEPT_S)
        await kept.close()
        runtime.gate.set()
        runtime.is_closed = True
        await reading
        await asyncio.sleep(0.1 * KEPT_S)
        assert not open_files

    testing.run(main())


@pytest.mark.parametrize("special", [{"check": True}, {"broken": True}])
def test_what_is_to_be_looked_into_goes_to_a_thread(
    path: Path, special: dict[str, bool], runtime: Any, kept: KeptOpen
) -> None:
    async def main() -> None:
        await kept.read(job_of(path, 0))
        job = job_of(path, 1, **special)
        assert await read(kept, job) == [(Status.OK, piece(1))]
        assert runtime.reads == 2
        assert job.sound == ({7} if "broken" in special else set())
        await kept.close()

    testing.run(main())


def test_files_are_closed_after_a_while(
    path: Path, open_files: set[RealFile], runtime: Any, kept: KeptOpen
) -> None:
    async def main() -> None:
        await kept.read(job_of(path, 0))
        await asyncio.sleep(0.9 * KEPT_S)
        await kept.read(job_of(path, 1))
        assert len(open_files) == runtime.reads == 1
        await asyncio.sleep(0.2 * KEPT_S)
        assert not open_files
        await kept.read(job_of(path, 1))
        assert len(open_files) == 1
        await asyncio.sleep(1.1 * KEPT_S)
        assert not open_files
        await kept.close()

    testing.run(main())


def test_few_files_are_kept_open(
    tmp_path: Path, path: Path, open_files: set[RealFile], runtime: Any, kept: KeptOpen
) -> None:
    async def main() -> None:
        names = [f"file{number}" for number in range(KEPT_MAX + 3)]
        top = write_tree(tmp_path / "many", dict.fromkeys(names, DATA))
        await kept.read(job_of(path, 0))
        open_files.clear()
        for name in names:
            await kept.read(job_of(top / name, 0))
        await asyncio.sleep(0)
        assert len(open_files) == KEPT_MAX
        reads = runtime.reads
        await kept.read(job_of(top / names[-1], 1))
        assert runtime.reads == reads
        await kept.read(job_of(top / names[0], 1))
        assert runtime.reads == reads + 1
        await kept.close()
        assert not open_files

    testing.run(main())


@pytest.mark.parametrize("closed_before", [False, True])
def test_a_cancelled_read_loses_no_file(
    path: Path, open_files: set[RealFile], closed_before: bool, runtime: Any, kept: KeptOpen
) -> None:
    async def main() -> None:
        runtime.gate = asyncio.Event()
        reading = asyncio.create_task(kept.read(job_of(path, 0)))
        await keep_cancelling(reading)
        assert not reading.done()
        closing = asyncio.create_task(kept.close()) if closed_before else None
        await asyncio.sleep(0)
        runtime.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await (closing or kept.close())
        await asyncio.sleep(0)
        assert not open_files

    testing.run(main())
