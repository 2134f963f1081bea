"""What only files can show: a reader does not wait for a writer, and threads end."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.support import run, wait_ended
from warren.core.errors import StorageError
from warren.runtime import sqlite
from warren.runtime.real import RealRuntime
from warren.runtime.sqlite import SqliteFile

if TYPE_CHECKING:
    from pathlib import Path


SCRIPT = "CREATE TABLE note (text TEXT NOT NULL);"


def count(db: sqlite3.Connection) -> int:
    found: int = db.execute("SELECT count(*) FROM note").fetchone()[0]
    return found


def test_what_is_being_written_is_not_seen_and_not_waited_for(tmp_path: Path) -> None:
    written, go_on = threading.Event(), threading.Event()

    def write(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO note VALUES ('new')")
        written.set()
        assert go_on.wait(20)

    async def main() -> None:
        runtime = RealRuntime()
        database = await runtime.open_database(tmp_path / "state.db", [SCRIPT])
        writing = asyncio.ensure_future(database.run(write))
        await runtime.offload(written.wait, 20)
        assert await database.read(count) == 0
        go_on.set()
        await writing
        assert await database.read(count) == 1
        await database.close()
        await runtime.close()

    run(main())


def test_what_nobody_waits_for_any_more_is_not_done_and_the_rest_goes_on(tmp_path: Path) -> None:
    begun, go_on, done = threading.Event(), threading.Event(), []

    def hold(_: sqlite3.Connection) -> None:
        begun.set()
        assert go_on.wait(20)

    async def main() -> None:
        runtime = RealRuntime()
        database = await runtime.open_database(tmp_path / "state.db", [SCRIPT])
        holding = asyncio.ensure_future(database.run(hold))
        given_up = asyncio.ensure_future(database.run(lambda _: done.append("given up")))
        await runtime.offload(begun.wait, 20)
        holding.cancel()
        given_up.cancel()
        for one in (holding, given_up):
            with pytest.raises(asyncio.CancelledError):
                await one
        go_on.set()
        await database.run(lambda _: done.append("after"))
        assert done == ["after"]
        await database.close()
        await runtime.close()

    run(main())


@pytest.mark.parametrize("closes", [True, False])
def test_its_threads_end_with_it_closed_or_not(tmp_path: Path, closes: bool) -> None:
    before = set(threading.enumerate())

    async def main() -> list[threading.Thread]:
        runtime = RealRuntime()
        database = await runtime.open_database(tmp_path / "state.db", [SCRIPT])
        assert await database.read(count) == 0
        ours = [one for one in threading.enumerate() if one not in before and "warren-db" in one.name]
        if closes:
            await database.close()
        await runtime.close()
        return ours

    ours = run(main())
    gc.collect()
    assert len(ours) == 2
    wait_ended(ours)


def test_the_thread_of_one_that_cannot_be_opened_ends(tmp_path: Path) -> None:
    before = set(threading.enumerate())

    async def main() -> StorageError:
        runtime = RealRuntime()
        with pytest.raises(StorageError) as refused:
            await runtime.open_database(tmp_path, [SCRIPT])
        await runtime.close()
        return refused.value

    error = run(main())  # it holds all that it went through
    wait_ended(set(threading.enumerate()) - before)
    del error


def test_a_reader_that_nobody_waited_for_and_that_failed_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, real = threading.Event(), threading.Event(), SqliteFile.open_to_read

    def fail(_path: str) -> SqliteFile:
        begun.set()
        assert go_on.wait(20)
        raise StorageError("the disk is away")

    async def main() -> None:
        runtime = RealRuntime()
        database = await runtime.open_database(tmp_path / "state.db", [SCRIPT])
        monkeypatch.setattr(SqliteFile, "open_to_read", fail)
        given_up = asyncio.ensure_future(database.read(count))
        await runtime.offload(begun.wait, 20)
        given_up.cancel()
        opening = database._reading
        assert opening is not None
        go_on.set()
        await asyncio.wait([opening])
        monkeypatch.setattr(SqliteFile, "open_to_read", real)
        with pytest.raises(StorageError):
            await database.read(count)
        assert await database.read(count) == 0
        await database.close()
        await runtime.close()

    run(main())


OTHER = """
import contextlib, sqlite3, sys
with contextlib.closing(sqlite3.connect(sys.argv[1])) as db:
    print(db.execute("SELECT count(*) FROM note").fetchone()[0])
"""


@pytest.mark.parametrize("way", ["read", "read_soon"])
def test_another_process_may_open_and_close_it_meanwhile(tmp_path: Path, way: str) -> None:
    """Who thinks that it is the last one takes the log away, to which we go on writing."""
    path = tmp_path / "state.db"

    def count_elsewhere() -> int:
        ran = subprocess.run([sys.executable, "-c", OTHER, str(path)], check=True, capture_output=True)
        return int(ran.stdout)

    async def main() -> None:
        runtime = RealRuntime()
        database = await runtime.open_database(path, [SCRIPT])
        for number in range(3):
            assert await getattr(database, way)(count) == number
            assert await runtime.offload(count_elsewhere) == number
            await database.run(lambda c: c.execute("INSERT INTO note VALUES ('one more')"))
        assert (tmp_path / "state.db-wal").exists()
        await database.close()
        await runtime.close()

    run(main())


def test_where_the_loop_cannot_read_the_thread_does(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "state.db"
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
            other.executescript(f"{SCRIPT} PRAGMA user_version = 1")  # with a journal that keeps readers out
            runtime = RealRuntime()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sqlite, "_configure", lambda *_, durable: None)
                database = await runtime.open_database(path, [SCRIPT])
            assert await database.read(count) == 0
            other.execute("BEGIN EXCLUSIVE")
            reading = asyncio.ensure_future(database.read_soon(count))
            await asyncio.wait([reading], timeout=0.1)
            assert not reading.done()
            other.execute("ROLLBACK")
            assert await reading == 0
            assert await database.read_soon(count) == 0
        await database.close()
        await runtime.close()

    run(main())
