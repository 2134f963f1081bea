"""Reads on the loop: they end in time, wait for no thread, and leave the loop its turns."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import run
from warren.runtime.real import RealRuntime
from warren.runtime.real import brief as module
from warren.runtime.real.brief import BriefReader
from warren.runtime.sqlite import SqliteFile, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SCRIPT = "CREATE VIRTUAL TABLE note USING fts5 (text, prefix = '2');"
COMMON = 20_000
FIND = 'SELECT rowid FROM note WHERE note MATCH \'"al"* AND "odd"\''


def fill(db: sqlite3.Connection) -> None:
    texts = ((f"all {number} {'odd' if number % 2 else 'even'}",) for number in range(COMMON))
    db.executemany("INSERT INTO note VALUES (?)", texts)


def find(db: sqlite3.Connection) -> list[Any]:
    return db.execute(FIND).fetchall()


def one(db: sqlite3.Connection) -> object:
    return db.execute("SELECT 1").fetchone()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("brief") / "index.db")
    with closing(SqliteFile(path)) as file:
        file.migrate([SCRIPT], durable=False)
        file.run(fill)
    return path


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock says, from the last one on; what is before it was said already."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[-1])
    return now


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=6))
def test_wherever_it_is_stopped_the_next_one_finds_everything(path: str, stops: list[int]) -> None:
    asked: Iterator[int]
    with closing(SqliteFile(path)) as file:
        whole = file.read(find)
        assert len(whole) == COMMON // 2
        for stop in stops:
            asked = iter(range(1000))
            try:
                found = file.read(find, lambda stop=stop, asked=asked: next(asked, 1000) >= stop)  # type: ignore[misc]
            except Stopped:
                assert next(asked, 1000) > stop
            else:
                assert found == whole
        assert file.read(find) == whole


def test_it_is_stopped_when_its_time_is_over(path: str, clock: list[float]) -> None:
    def dawdle(db: sqlite3.Connection) -> object:
        clock.append(clock[-1] + module.BRIEF_S * 1.5)
        return find(db)

    async def main() -> None:
        reader = BriefReader.open(path)
        with pytest.raises(Stopped):
            await reader.read(dawdle)
        assert len(await reader.read(find)) == COMMON // 2
        reader.close()

    run(main())


def test_after_one_that_was_slow_none_is_tried_for_a_while(path: str, clock: list[float]) -> None:
    def wait_for_the_disk(db: sqlite3.Connection) -> object:
        clock.append(clock[-1] + module.SLOW_S * 1.5)
        return one(db)

    async def main() -> None:
        reader, (first_s, most_s) = BriefReader.open(path), module.PAUSE_S
        for pause_s in (first_s, 2 * first_s, 4 * first_s):
            await reader.read(wait_for_the_disk)
            clock.append(clock[-1] + pause_s * 0.99)
            with pytest.raises(Stopped):
                await reader.read(one)
            clock.append(clock[-1] + pause_s * 0.02)
        assert await reader.read(one) == (1,)
        await reader.read(wait_for_the_disk)
        clock.append(clock[-1] + first_s)
        for _ in range(10):
            await reader.read(wait_for_the_disk)
            clock.append(clock[-1] + most_s)
        assert await reader.read(one) == (1,)
        reader.close()

    run(main())


def test_the_loop_has_its_turns_between_many(path: str, clock: list[float]) -> None:
    def takes(share: float) -> Callable[[sqlite3.Connection], object]:
        def read(db: sqlite3.Connection) -> object:
            clock.append(clock[-1] + module.BRIEF_S * share)
            return one(db)

        return read

    async def most_in_a_turn(share: float) -> int:
        reader, turns, most = BriefReader.open(path), 0, 0
        reads = [asyncio.ensure_future(reader.read(takes(share))) for _ in range(24)]
        while not all(read.done() for read in reads):
            before = sum(read.done() for read in reads)
            await asyncio.sleep(0)
            turns += 1
            most = max(most, sum(read.done() for read in reads) - before)
        reader.close()
        return most

    assert run(most_in_a_turn(1.0)) == 1
    assert run(most_in_a_turn(0.4)) == 3
    assert run(most_in_a_turn(0.1)) == 10


def test_what_is_read_soon_waits_for_no_thread(path: str, clock: list[float]) -> None:
    """The loop is never idle, so that a thread may wait for the interpreter for long."""

    async def main() -> None:
        assert clock
        runtime, loop = RealRuntime(), asyncio.get_running_loop()
        database = await runtime.open_database(path, [SCRIPT])
        await database.read_soon(one)  # which opens it

        turns = [loop.call_soon(lambda: None)]

        def spin() -> None:
            turns.append(loop.call_soon(spin))

        spin()
        for _ in range(20):
            before = len(turns)
            assert await database.read_soon(one) == (1,)
            assert len(turns) <= before + 2
        turns[-1].cancel()
        await database.close()
        await runtime.close()

    run(main())


def test_another_process_that_holds_the_file_is_not_waited_for(tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "index.db")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.executescript(SCRIPT)  # with a journal that keeps readers out
            reader = BriefReader.open(path)
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(Stopped):
                await reader.read(find)
        assert await reader.read(find) == []
        reader.close()

    run(main())


def test_what_came_too_late_for_it_is_for_others(path: str, clock: list[float]) -> None:
    def takes_the_turn(db: sqlite3.Connection) -> object:
        clock.append(clock[-1] + module.BRIEF_S)
        return one(db)

    async def main() -> None:
        reader = BriefReader.open(path)
        waiting = [asyncio.ensure_future(reader.read(fn)) for fn in (takes_the_turn, one, one, one)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        reader.close()
        with pytest.raises(Stopped):
            await reader.read(one)
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(one) for one in outcomes] == [tuple, asyncio.CancelledError, Stopped, Stopped]

    run(main())
