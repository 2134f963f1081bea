"""Real files, imported: the same content ids as the JS importer, and work that is bounded."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.files.dag import trees
from tests.services.files.pair import write_tree
from tests.support import run
from warren.core.cid import Cid
from warren.core.errors import NotFound, StorageError
from warren.runtime.real import RealRuntime
from warren.services.files import hashing, importer
from warren.services.files.dag.build import FileBuilder
from warren.services.files.importer import BATCH_FILES_MAX, SPAN_BYTES, Importer
from warren.services.files.index import KnownFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.services.files.importer import Imported
    from warren.services.files.index import EntryRow
    from warren.services.files.types import Progress

MIB = 1024 * 1024
VECTORS = json.loads((Path(__file__).parent / "vectors" / "vectors.json").read_text())
SMALL = [case for case in VECTORS if case["tree"].get("bytes", 0) < 1 << 30]
LARGE = [case for case in VECTORS if case not in SMALL]


def write(path: Path, tree: dict[str, Any]) -> None:
    """Make a tree of the vectors from real files, with hidden ones that must be left out."""
    if "link" in tree:
        path.symlink_to(tree["link"])
        return
    if "folder" not in tree:
        write_file(path, tree["bytes"], tree["seed"])
        return
    path.mkdir()
    write_tree(path, {".hidden": b"x", ".git/config": b"x"})
    for name, child in tree["folder"].items():
        write(path / name, child)
    many: dict[str, Any] = tree.get("many", {"count": 0})
    for number in range(many["count"]):
        name = many["pattern"].replace("#", f"{number:06}")
        (path / name).write_bytes(trees.content(0, many["bytes"], many["seed"] + number))


def write_file(path: Path, size: int, seed: int, start: int = 0) -> None:
    """Write a file of the vectors from `start` on."""
    with path.open("ab") as file:
        for at in range(start, size, MIB):
            file.write(trees.content(at, min(size, at + MIB), seed))


def take_in(path: Path, jobs: int = 3, **options: Any) -> tuple[Imported, list[EntryRow]]:
    """Import what lies at `path`; returns the outcome and all rows."""
    rows: list[EntryRow] = []

    async def keep(more: Sequence[EntryRow]) -> None:
        rows.extend(more)

    async def main() -> Imported:
        runtime = RealRuntime()
        try:
            return await Importer(runtime, jobs, keep=keep, **options).run(str(path))
        finally:
            await runtime.close()

    return run(main()), rows


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case["name"])
def test_same_ids_as_the_js_importer(tmp_path: Path, case: dict[str, Any]) -> None:
    write(tmp_path / "it", case["tree"])
    done, rows = take_in(tmp_path)  # from one above, so that no symlink of the vectors leads out
    (row,) = [row for row in rows if (row.folder, row.name) == ("", "it")]
    assert (str(Cid.from_bytes(row.cid)), row.total, done.skipped) == (case["cid"], case["size"], ())
    if case["name"] != "symlinks":
        done, _ = take_in(tmp_path / "it")
        assert (str(Cid.from_bytes(done.root.cid)), done.root.size) == (case["cid"], case["size"])


@pytest.mark.slow
def test_same_ids_as_the_js_importer_around_1024_chunks(tmp_path: Path) -> None:
    path, size = tmp_path / "it", 0
    for case in LARGE:
        write_file(path, case["tree"]["bytes"], case["tree"]["seed"], size - size % 1024)
        size = case["tree"]["bytes"]
        done, _ = take_in(path)
        assert (str(Cid.from_bytes(done.root.cid)), done.root.size) == (case["cid"], case["size"])
        os.truncate(path, size - size % 1024)
    path.unlink()


@pytest.mark.parametrize("size", [1024 * MIB, 1024 * MIB + 1])
def test_around_1024_chunks_of_a_sparse_file(tmp_path: Path, size: int) -> None:
    path = tmp_path / "sparse"
    path.touch()
    os.truncate(path, size)
    builder = FileBuilder()
    zeros, last = (hashlib.sha256(bytes(length)).digest() for length in (MIB, 1))
    for _ in range(1024):
        builder.add(zeros, MIB)
    if size % MIB:
        builder.add(last, 1)
    done, _ = take_in(path)
    assert done.root == builder.finish()


@pytest.mark.parametrize("size", [SPAN_BYTES - 1, SPAN_BYTES, SPAN_BYTES + 1, 3 * SPAN_BYTES + MIB + 5])
def test_a_file_of_several_parts(tmp_path: Path, size: int) -> None:
    write_file(tmp_path / "large", size, 5)
    expected = trees.file(size, 5, [])
    for jobs in (1, 3):
        done, rows = take_in(tmp_path / "large", jobs)
        assert done.root == expected
        assert sum(length for _, length in rows[0].leaves) == size


def test_what_is_left_out_is_told_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(tmp_path, {"a": b"a", "grows": b"x", "large": bytes(SPAN_BYTES + 1), "sub/b": b"b"})
    os.close(os.open(os.fsencode(tmp_path) + b"/caf\xe9", os.O_CREAT))
    hash_range = hashing._hash_range

    def grow(file: Any, start: int, end: int) -> list[tuple[bytes, int]] | None:
        if end == SPAN_BYTES:
            with (tmp_path / "large").open("ab") as more:
                more.write(b"more")
        if file.stat().size == 1 and file.pread(0, 1) == b"x":
            (tmp_path / "grows").write_bytes(b"xx")
        return hash_range(file, start, end)

    monkeypatch.setattr(hashing, "_hash_range", grow)
    done, rows = take_in(tmp_path)
    assert [(one.path, one.reason) for one in sorted(done.skipped, key=lambda one: one.path)] == [
        ("caf\\xe9", "its name is not UTF-8"),
        ("grows", hashing.CHANGED),
        ("large", hashing.CHANGED),
    ]
    assert (done.files, done.bytes, done.skipped_count) == (2, 2, 3)
    assert sorted((row.folder, row.name) for row in rows) == [("", ""), ("", "a"), ("", "sub"), ("sub", "b")]


def test_what_cannot_be_shared_at_all(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="No such file"):
        take_in(tmp_path / "nothing")
    (tmp_path / "link").symlink_to("nothing")
    with pytest.raises(NotFound, match="neither"):
        take_in(tmp_path / "link")


def test_a_top_that_vanishes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "top").mkdir()
    (tmp_path / "file").write_bytes(b"x")

    def gone(*_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(importer, "scan_folder", gone)
    with pytest.raises(StorageError, match="cannot be shared: it cannot be read"):
        take_in(tmp_path / "top")
    monkeypatch.setattr(importer, "hash_files", lambda *_: ["it cannot be read: Permission denied"])
    with pytest.raises(StorageError, match="Permission denied"):
        take_in(tmp_path / "file")


def test_what_is_known_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(tmp_path, {"same": b"1", "other": b"22"})
    _, rows = take_in(tmp_path)
    same = next(row for row in rows if row.name == "same")

    async def known(folder: str) -> dict[str, KnownFile]:
        assert folder == ""
        stale = known_of(same, 8)._replace(mtime_ns=1)
        return {"same": known_of(same, 7), "other": stale}

    read: list[str] = []
    hash_files = hashing.hash_files

    def tell(disk: Any, top: str, files: Any, now_ns: int) -> Any:
        read.extend(file.name for file in files)
        return hash_files(disk, top, files, now_ns)

    monkeypatch.setattr(importer, "hash_files", tell)
    _, rows = take_in(tmp_path, known=known)
    assert read == ["other"]
    assert {row.name: row.copied_from for row in rows} == {"same": 7, "other": 0, "": 0}


def known_of(row: EntryRow, number: int) -> KnownFile:
    return KnownFile(number, row.size, row.mtime_ns, row.cid, row.total)


def count_jobs(monkeypatch: pytest.MonkeyPatch, name: str, during: Callable[[], None]) -> list[int]:
    """Wrap a job of `importer`; the list grows by how many of it run, whenever one begins."""
    counts: list[int] = []
    running = 0
    lock = threading.Lock()
    job = getattr(hashing, name)

    def counted(*arguments: object) -> object:
        nonlocal running
        with lock:
            running += 1
            counts.append(running)
        try:
            during()
            return job(*arguments)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(importer, name, counted)
    return counts


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_more_jobs_run_at_once_than_may(
    tmp_path: Path, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each holds a chunk: that many, and no more, are in memory."""
    write_tree(tmp_path, {f"{number:05}": b"%d" % number for number in range(5 * BATCH_FILES_MAX)})
    os.truncate(tmp_path / "00000", 4 * SPAN_BYTES)
    small = count_jobs(monkeypatch, "hash_files", lambda: None)
    large = count_jobs(monkeypatch, "hash_span", lambda: None)
    done, _ = take_in(tmp_path, jobs)
    assert done.files == 5 * BATCH_FILES_MAX
    assert max(small + large) <= jobs
    assert (len(small), len(large)) == (5, 4)


def test_rows_are_handed_on_while_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "ROWS_MAX", 10)
    write_tree(tmp_path, {f"{number:05}": b"%d" % number for number in range(95)})
    sizes: list[int] = []

    async def keep(rows: Sequence[EntryRow]) -> None:
        sizes.append(len(rows))

    async def main() -> None:
        runtime = RealRuntime()
        await Importer(runtime, 2, keep=keep).run(str(tmp_path))
        await runtime.close()

    run(main())
    assert sizes == [10] * 9 + [6]


@pytest.mark.parametrize("name", ["hash_files", "hash_span"])
def test_nothing_is_begun_after_it_was_cancelled(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(tmp_path, {f"{number:05}": b"%d" % number for number in range(20 * BATCH_FILES_MAX)})
    (tmp_path / "0").touch()
    if name == "hash_span":
        os.truncate(tmp_path / "0", 50 * SPAN_BYTES)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        runtime = RealRuntime()
        begun = asyncio.Event()
        go_on = threading.Event()

        def hold() -> None:
            loop.call_soon_threadsafe(begun.set)
            go_on.wait(10)

        counts = count_jobs(monkeypatch, name, hold)
        kept: list[object] = []

        async def keep(rows: Sequence[EntryRow]) -> None:
            kept.append(rows)

        task = asyncio.create_task(Importer(runtime, 2, keep=keep).run(str(tmp_path)))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        await runtime.close()  # waits for what runs in threads
        assert len(counts) <= 2
        assert kept == []

    run(main())


def test_progress_grows_to_all_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "PROGRESS_EVERY_S", 0.0)
    write_tree(tmp_path, {"a": b"aa", "sub/b": bytes(SPAN_BYTES + 1)})
    seen: list[Progress] = []
    done, _ = take_in(tmp_path, report=seen.append)
    assert {one.phase for one in seen} == {"listing", "hashing"}
    assert [one.done_bytes for one in seen] == sorted(one.done_bytes for one in seen)
    assert (seen[-1].done_bytes, seen[-1].total_bytes) == (done.bytes, done.bytes)
    assert (seen[-1].done_files, seen[-1].total_files) == (2, 2)
