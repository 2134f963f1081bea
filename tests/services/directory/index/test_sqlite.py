"""`SqliteIndex` keeps the promises of `Index`, on a file and in the simulation; and what is its own."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services.directory.conformance_index import ALICE, BOB, REPORT, IndexConformance, find, paths
from tests.services.directory.naive_index import FRIENDS, listed, peer
from tests.support import run
from warren.core.query import Query, terms_of
from warren.runtime.real import RealRuntime
from warren.runtime.simulated import World
from warren.services.directory.index.sqlite import SqliteIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.services.directory.conformance_index import Main
    from warren.runtime.seam import Runtime


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
        await index.swept()
        assert await index._database.read(counts) == [1, 700, 700, 0]
        assert (await index.search(Query(REPORT.terms, limit=500), None)).total >= 500
        await index.forget(ALICE)
        await index.swept()
        assert await index._database.read(counts) == [0, 0, 0, 0]
        words = "SELECT count(*) FROM term WHERE term MATCH '\"report\"'"
        assert await index._database.read(lambda db: db.execute(words).fetchone()) == (0,)

    run_on_file(tmp_path / "directory.db", main)


def test_what_a_search_still_shows_is_not_swept(tmp_path: Path) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def admits(*_: object) -> bool:
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
        await index.swept()
        assert await index._database.run(lambda db: db.execute(slots).fetchone()) == (0,)

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
