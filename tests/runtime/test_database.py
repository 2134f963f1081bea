"""Conformance of `seam.Database`: the same promises on SQLite files and in the simulation."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from warren.core.errors import Closed, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runtime.settings import Setting

FIRST = "CREATE TABLE note (text TEXT NOT NULL);"
SECOND = "ALTER TABLE note ADD COLUMN author TEXT; INSERT INTO note VALUES ('hello', 'us');"

LONG = 1_000_000
COUNT_UP = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT count(*) FROM n
"""


def insert(text: str) -> Callable[[sqlite3.Connection], int | None]:
    return lambda c: c.execute("INSERT INTO note (text) VALUES (?)", (text,)).lastrowid


def rows(connection: sqlite3.Connection) -> list[Any]:
    return connection.execute("SELECT * FROM note ORDER BY rowid").fetchall()


def count_up(connection: sqlite3.Connection) -> list[Any]:
    """What takes SQLite a tenth of a second or more."""
    return connection.execute(COUNT_UP, (LONG,)).fetchall()


def version(connection: sqlite3.Connection) -> int:
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


@pytest.mark.parametrize("durable", [True, False])
def test_what_was_run_is_there_after_reopening(setting: Setting, durable: bool) -> None:
    async def main() -> None:
        path = setting.path("state.db")
        database = await setting.server.open_database(path, [FIRST], durable=durable)
        assert await database.run(insert("one")) == 1
        await database.close()
        await database.close()
        database = await setting.server.open_database(path, [FIRST], durable=durable)
        assert await database.run(rows) == [("one",)]
        await database.close()
        assert setting.server.disk.stat(path).kind == "file"

    setting.run(main())


def test_migrations_are_applied_once_and_in_order(setting: Setting) -> None:
    async def main() -> None:
        path = setting.path("state.db")
        for migrations, expected in (
            ([FIRST], 1),
            ([FIRST, SECOND], 2),
            ([FIRST, SECOND], 2),
        ):
            database = await setting.server.open_database(path, migrations)
            assert await database.run(version) == expected
            await database.close()
        database = await setting.server.open_database(path, [FIRST, SECOND])
        assert await database.run(rows) == [("hello", "us")]
        await database.close()

    setting.run(main())


def test_a_newer_file_is_refused(setting: Setting) -> None:
    async def main() -> None:
        path = setting.path("state.db")
        await (await setting.server.open_database(path, [FIRST, SECOND])).close()
        with pytest.raises(StorageError, match="newer version") as caught:
            await setting.server.open_database(path, [FIRST])
        assert caught.value.hint

    setting.run(main())


def test_a_failed_migration_changes_nothing(setting: Setting) -> None:
    async def main() -> None:
        path = setting.path("state.db")
        await (await setting.server.open_database(path, [FIRST])).close()
        broken = "INSERT INTO note VALUES ('half'); CREATE TABLE oops (;"
        with pytest.raises(sqlite3.OperationalError):
            await setting.server.open_database(path, [FIRST, broken])
        database = await setting.server.open_database(path, [FIRST])
        assert (await database.run(version), await database.run(rows)) == (1, [])
        await database.close()

    setting.run(main())


def test_a_run_is_all_or_nothing(setting: Setting) -> None:
    def half(connection: sqlite3.Connection) -> None:
        insert("half")(connection)
        raise LookupError("changed my mind")

    async def main() -> None:
        database = await setting.server.open_database(setting.path("state.db"), [FIRST])
        with pytest.raises(LookupError):
            await database.run(half)
        with pytest.raises(sqlite3.IntegrityError):
            await database.run(lambda c: c.execute("INSERT INTO note VALUES (NULL)"))
        assert await database.run(rows) == []
        await database.close()

    setting.run(main())


def test_runs_follow_one_another_in_order(setting: Setting) -> None:
    async def main() -> None:
        database = await setting.server.open_database(setting.path("state.db"), [FIRST])
        await asyncio.gather(*(database.run(insert(str(n))) for n in range(50)))
        assert await database.run(rows) == [(str(n),) for n in range(50)]
        await database.close()

    setting.run(main())


@pytest.mark.parametrize("way", ["read", "read_soon"])
def test_reading_sees_what_was_committed_before(setting: Setting, way: str) -> None:
    async def main() -> None:
        database = await setting.server.open_database(setting.path("state.db"), [FIRST])
        for number in range(20):
            await database.run(insert(str(number)))
            found = await asyncio.gather(*(getattr(database, way)(rows) for _ in range(3)))
            assert [len(one) for one in found] == [number + 1] * 3
        await database.close()
        with pytest.raises(Closed):
            await getattr(database, way)(rows)

    setting.run(main())


def test_what_is_read_soon_may_take_long(setting: Setting) -> None:
    async def main() -> None:
        database = await setting.server.open_database(setting.path("state.db"), [FIRST])
        assert await database.read_soon(count_up) == [(LONG,)]
        with pytest.raises(sqlite3.OperationalError, match="decode"):
            await database.read_soon(lambda c: c.execute("SELECT CAST(x'ff' AS TEXT)").fetchall())
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            await database.read_soon(lambda c: c.execute("SELECT * FROM nowhere"))
        await database.run(insert("after"))
        assert await database.read_soon(rows) == [("after",)]
        await database.close()

    setting.run(main())


def test_a_database_in_memory_is_read_as_well(setting: Setting) -> None:
    async def main() -> None:
        database = await setting.server.open_database(":memory:", [FIRST])
        await database.run(insert("one"))
        assert await database.read(rows) == await database.read_soon(rows) == [("one",)]
        await database.close()

    setting.run(main())


def test_closing_finishes_what_is_queued(setting: Setting) -> None:
    async def main() -> None:
        path = setting.path("state.db")
        database = await setting.server.open_database(path, [FIRST])
        runs = [asyncio.ensure_future(database.run(insert("queued"))) for _ in range(20)]
        reads = [asyncio.ensure_future(database.read(rows)) for _ in range(3)]
        reads += [asyncio.ensure_future(database.read_soon(rows)) for _ in range(3)]
        long = [asyncio.ensure_future(database.read_soon(count_up)) for _ in range(3)]
        await asyncio.sleep(0)
        await database.close()
        await asyncio.gather(*runs, *reads)
        assert await asyncio.gather(*long) == [[(LONG,)]] * 3
        with pytest.raises(Closed):
            await database.run(rows)
        database = await setting.server.open_database(path, [FIRST])
        assert len(await database.run(rows)) == 20
        await database.close()

    setting.run(main())


def test_a_database_in_memory_is_gone_when_closed(setting: Setting) -> None:
    async def main() -> None:
        for _ in range(2):
            database = await setting.server.open_database(":memory:", [FIRST])
            await database.run(insert("fleeting"))
            assert len(await database.run(rows)) == 1
            await database.close()

    setting.run(main())


def test_a_database_needs_its_folder(setting: Setting) -> None:
    async def main() -> None:
        with pytest.raises(StorageError, match="cannot open"):
            await setting.server.open_database(setting.path("no/such/folder/state.db"), [FIRST])

    setting.run(main())
