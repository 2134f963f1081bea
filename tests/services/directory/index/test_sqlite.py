"""`SqliteIndex` keeps the promises of `Index`, on a file and in the simulation; and what is its own."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services.directory.conformance_index import (
    ALICE,
    BOB,
    CAROL,
    REPORT,
    IndexConformance,
    find,
    paths,
)
from tests.services.directory.naive_index import FRIENDS, listed, peer
from tests.support import run
from warren.core.cid import Cid
from warren.core.entry import Entry
from warren.core.errors import DiskFull
from warren.core.query import Query, terms_of
from warren.protocols.directory.entries import Registered
from warren.runtime.real import RealRuntime
from warren.runtime.simulated import World
from warren.runtime.sqlite import Stopped
from warren.services.directory.index import queue, reading, schema, sqlite, writing
from warren.services.directory.index.interface import PUBLIC
from warren.services.directory.index.queue import MERGE_AFTER
from warren.services.directory.index.sqlite import SqliteIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from tests.services.directory.conformance_index import Main
    from warren.runtime.seam import Runtime
    from warren.services.directory.index.writing import Batch


async def with_index(
    runtime: Runtime, path: str, main: Callable[[SqliteIndex], Coroutine[object, object, None]]
) -> None:
    index = await SqliteIndex.open(runtime, path)
    try:
        await main(index)
    finally:
        await index.close()


def run_on_file(path: Path, main: Callable[[SqliteIndex], Coroutine[object, object, None]]) -> None:
    async def whole() -> None:
        runtime = RealRuntime()
        try:
            await with_index(runtime, str(path), main)
        finally:
            await runtime.close()

    run(whole())


class TestOnAFile(IndexConformance):
    def run(self, main: Main, tmp_path: Path) -> None:
        run_on_file(tmp_path / "directory.db", main)


class TestInASimulation(IndexConformance):
    def run(self, main: Main, tmp_path: Path) -> None:
        world = World(seed=1)
        runtime = world.runtime("super")
        runtime.disk.make_dirs("/home")
        try:
            world.run(with_index(runtime, "/home/directory.db", main), limit_s=3600.0)
        finally:
            world.close()


def test_all_is_there_again_after_a_restart(tmp_path: Path) -> None:
    async def before(index: SqliteIndex) -> None:
        index.set_online(ALICE, online=True)
        await index.replace(ALICE, 1, 1, [listed("S/report.txt"), listed("S/other.txt")])
        await index.replace(BOB, 1, 4, [listed("S/report.txt")])

    async def after(index: SqliteIndex) -> None:
        assert (index.position(ALICE), index.size(ALICE), index.position(BOB)) == ((1, 1), 2, (1, 4))
        hits = (await index.search(REPORT, None)).hits
        assert {(hit.owner, hit.online) for hit in hits} == {(ALICE, False), (BOB, False)}
        await index.apply(BOB, 1, 4, 5, [listed("S/other.txt")], [])
        assert len((await index.search(Query(terms_of("other")), None)).hits) == 2

    run_on_file(tmp_path / "directory.db", before)
    run_on_file(tmp_path / "directory.db", after)
    with sqlite3.connect(tmp_path / "directory.db") as db:
        assert db.execute("SELECT count(*) FROM document").fetchone() == (2,)


def test_the_room_of_what_is_gone_is_freed(tmp_path: Path) -> None:
    many = [listed(f"S/report {n}.txt") for n in range(1300)]

    def counts(db: sqlite3.Connection) -> list[int]:
        tables = ("registration", "slot", "document", "holder")
        return [db.execute(f"SELECT count(*) FROM {one}").fetchone()[0] for one in tables]  # noqa: S608

    async def main(index: SqliteIndex) -> None:
        await index.replace(ALICE, 1, 1, many)
        await index.replace(BOB, 1, 1, many)
        await index.replace(ALICE, 1, 2, many[:700])
        replacing = asyncio.ensure_future(index.replace(peer("c"), 1, 1, many))
        for _ in range(3):
            await asyncio.sleep(0)
        replacing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await replacing
        await index.forget(BOB)
        await index.settle()
        assert await index._database.read(counts) == [1, 700, 700, 0]
        assert (await index.search(Query(REPORT.terms, limit=500), None)).total >= 500
        await index.forget(ALICE)
        await index.settle()
        assert await index._database.read(counts) == [0, 0, 0, 0]
        words = "SELECT count(*) FROM term WHERE term MATCH '\"report\"'"
        assert await index._database.read(lambda db: db.execute(words).fetchone()) == (0,)

    run_on_file(tmp_path / "directory.db", main)


def test_what_a_search_still_shows_is_not_swept(tmp_path: Path) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def admits(*_: object) -> bool:
        if threading.current_thread() is threading.main_thread():
            raise Stopped  # the search takes long, and goes on beside the loop
        asked.set()
        return go_on.wait(20)

    async def main(index: SqliteIndex) -> None:
        index.set_admits(admits)
        await index.replace(ALICE, 1, 1, [listed("S/report.txt", audience=FRIENDS)])
        searching = asyncio.ensure_future(index.search(REPORT, BOB))
        await asyncio.get_running_loop().run_in_executor(None, asked.wait, 20)
        await index.replace(ALICE, 1, 2, [])
        slots = "SELECT count(*) FROM slot"
        for _ in range(5):  # turns in which a sweep could have come
            assert await index._database.run(lambda db: db.execute(slots).fetchone()) == (1,)
        go_on.set()
        assert paths(await searching) == ["S/report.txt"]
        await index.settle()
        assert await index._database.run(lambda db: db.execute(slots).fetchone()) == (0,)

    run_on_file(tmp_path / "directory.db", main)


@pytest.mark.parametrize("online", [True, False])
def test_what_may_not_be_shown_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, online: bool
) -> None:
    """Entries for nobody, or of somebody who is offline, that come before the others in every order."""
    monkeypatch.setattr(reading, "STEPS_MAX", 1000)
    audience = PUBLIC if online else FRIENDS

    async def main(index: SqliteIndex) -> None:
        index.set_admits(lambda _owner, _audience, _asker: False)
        for owner in (ALICE, CAROL):  # pieces of the two take turns
            many = [listed(f"{n}/report", str(n), audience=audience) for n in range(2400)]
            await index.replace(owner, 1, 1, many[:1200])
            await index.apply(owner, 1, 1, 2, many[1200:], [])
        await index.replace(BOB, 1, 1, [listed("S/report.txt"), listed("S/the report of the year.txt")])
        index.set_online(BOB, online=True)
        query = Query(REPORT.terms, online=online)
        results = await index.search(query, BOB)
        assert (paths(results), results.total) == (["S/report.txt", "S/the report of the year.txt"], 2)
        assert results.exact

    run_on_file(tmp_path / "directory.db", main)
    run_on_file(tmp_path / "directory.db", lambda index: main_again(index, query_online=online))


async def main_again(index: SqliteIndex, *, query_online: bool) -> None:
    """After a restart it is known who made what."""
    index.set_online(BOB, online=True)
    results = await index.search(Query(REPORT.terms, online=query_online), None)
    assert "S/report.txt" in paths(results)


def test_holders_who_may_not_be_shown_hide_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "HOLDERS_READ_MIN", 4)

    async def main(index: SqliteIndex) -> None:
        for number in range(20):
            await index.replace(peer(number), 1, 1, [listed("S/report.txt", audience=FRIENDS)])
        await index.replace(ALICE, 1, 1, [listed("S/report.txt")])
        (hit,) = (await index.search(REPORT, None)).hits
        assert hit.owner == ALICE

    run_on_file(tmp_path / "directory.db", main)


def test_segments_are_merged_when_there_is_time(tmp_path: Path) -> None:
    async def main(index: SqliteIndex) -> None:
        await index.replace(ALICE, 1, 0, [])
        for seq in range(MERGE_AFTER + 8):
            await index.apply(ALICE, 1, seq, seq + 1, [listed(f"S/report {seq}.txt")], [])
        await index.settle()
        count = "SELECT count(DISTINCT segid) FROM term_idx"
        (segments,) = await index._database.read(lambda db: db.execute(count).fetchone())
        assert segments <= 16
        assert (await index.search(Query(REPORT.terms, limit=100), None)).total == MERGE_AFTER + 8

    run_on_file(tmp_path / "directory.db", main)


def test_a_change_that_comes_during_the_last_merge_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MERGE_AFTER", 1)

    async def main(index: SqliteIndex) -> None:
        loop, changes = asyncio.get_running_loop(), []

        def merge(_: object) -> bool:
            async def change() -> None:
                changes.append(asyncio.create_task(index.replace(BOB, 1, 1, [listed("S/report.txt")])))
                while not index._queue._large:  # noqa: ASYNC110 - a turn of the loop
                    await asyncio.sleep(0)

            if not changes:
                asyncio.run_coroutine_threadsafe(change(), loop).result()
            return False

        monkeypatch.setattr(queue, "merge_some", merge)
        await index.replace(ALICE, 1, 1, [])
        await index.settle()
        await changes[0]
        assert index.size(BOB) == 1

    run_on_file(tmp_path / "directory.db", main)


def test_an_index_that_cannot_be_merged_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: object) -> bool:
        raise DiskFull("the disk is full")

    monkeypatch.setattr(queue, "MERGE_AFTER", 1)
    monkeypatch.setattr(queue, "merge_some", fails)

    async def main(index: SqliteIndex) -> None:
        await index.replace(ALICE, 1, 1, [listed("S/report.txt")])
        await index.settle()
        assert "the disk is full" in caplog.text
        assert await find(index, "report") == ["S/report.txt"]

    run_on_file(tmp_path / "directory.db", main)


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "directory.db"
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)

    async def main(index: SqliteIndex) -> None:
        await index.replace(ALICE, 1, 1, [listed("S/report.txt")])
        assert await find(index, "report") == ["S/report.txt"]

    run_on_file(path, main)
    assert path.with_name("directory.db.damaged").exists()


KILLED = """
import asyncio, os, signal, sys
from tests.services.directory.naive_index import listed, peer
from warren.runtime.real import RealRuntime
from warren.services.directory.index import queue, reading
from warren.services.directory.index.interface import PUBLIC
from warren.services.directory.index.queue import MERGE_AFTER
from warren.services.directory.index.sqlite import SqliteIndex

async def main():
    index = await SqliteIndex.open(RealRuntime(), sys.argv[1])
    async def register(owner):
        await index.replace(peer(owner), 1, 1, [listed(f"S/{owner} report {n}.txt") for n in range(300)])
        print(owner, flush=True)
    tasks = [asyncio.create_task(register(owner)) for owner in range(8)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "directory.db"
    root = Path(__file__).parents[4]
    killed = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{KILLED}", str(path)],
        stdout=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    acknowledged = killed.stdout.decode().split()
    assert killed.returncode < 0
    assert acknowledged

    async def main(index: SqliteIndex) -> None:
        for owner in range(8):
            whole = index.position(peer(owner)) == (1, 1)
            found = await index.search(Query(terms_of(f'report "{owner}"'), limit=500), None)
            mine = [hit for hit in found.hits if hit.owner == peer(owner)]
            assert (index.size(peer(owner)), len(mine)) == ((300, 300) if whole else (0, 0))
            assert whole or str(owner) not in acknowledged
        await index.replace(peer(0), 1, 2, [])

    run_on_file(path, main)


def test_an_index_of_an_earlier_version_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "directory.db"
    with sqlite3.connect(path) as db:
        for script in schema.MIGRATIONS[:-1]:
            db.executescript(script)
        db.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS) - 1}")
        db.execute("INSERT INTO registration VALUES (1, ?, 1, 1, 1, ?)", (ALICE.to_bytes(), schema.CURRENT))
        db.execute("INSERT INTO term (rowid, name, rest) VALUES (1, ' old report ', ' ')")
    db.close()

    async def main(index: SqliteIndex) -> None:
        assert (index.owners(), await find(index, "report")) == ([], [])
        await index.replace(ALICE, 1, 2, [listed("S/new report.txt")])
        assert await find(index, "repor") == ["S/new report.txt"]

    run_on_file(path, main)


def test_what_shares_the_word_of_a_content_is_not_found_by_its_id(tmp_path: Path) -> None:
    mine, other = (Cid.raw_sha256(hashlib.sha256(one).digest()[:28] + b"same") for one in (b"mine", b"other"))

    async def main(index: SqliteIndex) -> None:
        entries = [Entry("S/mine.txt", "file", 1, mine), Entry("S/other.txt", "file", 1, other)]
        await index.replace(ALICE, 1, 1, [Registered(one) for one in entries])
        results = await index.search(Query((), cid=mine), None)
        assert paths(results) == ["S/mine.txt"]

    run_on_file(tmp_path / "directory.db", main)


def test_a_piece_of_long_entries_has_few_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "PIECE_CHARS", 1000)
    read: list[int] = []
    at_once: list[int] = []
    step = sqlite._Filling.step

    def entries() -> Iterator[Registered]:
        for number in range(130):
            read.append(number)
            yield listed(f"S/report {number} {'x' * 100}.txt")

    def counted(filling: sqlite._Filling, batch: Batch) -> object:
        at_once.append(len(read))
        return step(filling, batch)

    monkeypatch.setattr(sqlite._Filling, "step", counted)

    async def main(index: SqliteIndex) -> None:
        await index.replace(ALICE, 1, 1, entries())
        assert index.size(ALICE) == 130
        assert at_once == [21, 41, 61, 81, 101, 121, 130]  # with the first of the next piece

    run_on_file(tmp_path / "directory.db", main)


def test_a_cancelled_snapshot_is_over_once_its_thread_has_ended(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    later: list[str] = []

    def slow() -> Iterator[Registered]:
        begun.set()
        assert go_on.wait(10)
        later.append("the first ends")
        yield listed("S/first.txt")

    def next_one() -> Iterator[Registered]:
        later.append("the second begins")
        yield listed("S/second.txt")

    async def main(index: SqliteIndex) -> None:
        first = asyncio.ensure_future(index.replace(ALICE, 1, 1, slow()))
        await asyncio.to_thread(begun.wait, 10)
        first.cancel()
        second = asyncio.ensure_future(index.replace(BOB, 1, 1, next_one()))
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        await second
        assert later == ["the first ends", "the second begins"]
        assert (await find(index, "first"), await find(index, "second")) == ([], ["S/second.txt"])

    run_on_file(tmp_path / "directory.db", main)


def test_long_entries_in_one_change_are_all_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_LONG_CHARS", 1000)

    async def main(index: SqliteIndex) -> None:
        await index.replace(ALICE, 1, 1, [listed(f"S/report {number}.txt") for number in range(1234)])
        for number in (0, 99, 100, 1199, 1200, 1233):
            assert f"S/report {number}.txt" in await find(index, f"report {number}")

    run_on_file(tmp_path / "directory.db", main)
