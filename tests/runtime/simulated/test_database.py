"""Databases of many hosts: few are open in SQLite, and none loses anything by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from warren.core.errors import StorageError
from warren.runtime.simulated import World
from warren.runtime.simulated.database import DatabasePool, DatabaseShelf
from warren.runtime.simulated.disk import SimulatedDisk

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

FIRST = "CREATE TABLE note (text TEXT NOT NULL);"
SECOND = "CREATE TABLE author (name TEXT PRIMARY KEY);"


def insert(text: str) -> Callable[[sqlite3.Connection], object]:
    return lambda c: c.execute("INSERT INTO note (text) VALUES (?)", (text,))


def texts(connection: sqlite3.Connection) -> list[str]:
    return [text for (text,) in connection.execute("SELECT text FROM note ORDER BY rowid")]


def shelves(count: int, awake_max: int) -> tuple[DatabasePool, list[DatabaseShelf]]:
    pool = DatabasePool(awake_max)
    return pool, [DatabaseShelf(SimulatedDisk(lambda: 0.0), pool) for _ in range(count)]


def test_a_new_one_is_opened_by_its_first_use() -> None:
    async def main() -> None:
        database = shelf.open("/state.db", [FIRST])
        assert pool.awake == 0
        assert await database.run(texts) == []
        assert pool.awake == 1

    with World() as world:
        pool, (shelf,) = shelves(1, 4)
        world.run(main())
        pool.close()
    assert pool.awake == 0


def test_what_sleeps_has_forgotten_nothing() -> None:
    async def main() -> None:
        databases = [host.open("/state.db", [FIRST]) for host in hosts]
        for turn in range(3):
            for number, database in enumerate(databases):
                await database.run(insert(f"{turn} on {number}"))
                assert pool.awake <= 2
        for number, database in enumerate(databases):
            assert await database.run(texts) == [f"{turn} on {number}" for turn in range(3)]

    with World() as world:
        pool, hosts = shelves(5, 2)
        world.run(main())
        pool.close()


def test_one_in_memory_sleeps_too_and_ends_with_its_closing() -> None:
    async def main() -> None:
        fleeting = shelf.open(":memory:", [FIRST])
        kept = shelf.open("/state.db", [FIRST])
        await fleeting.run(insert("fleeting"))
        assert await kept.run(texts) == []
        assert await fleeting.run(texts) == ["fleeting"]
        await fleeting.close()
        assert pool.awake == 0
        assert await shelf.open(":memory:", [FIRST]).run(texts) == []

    with World() as world:
        pool, (shelf,) = shelves(1, 1)
        world.run(main())
        pool.close()


def test_what_sleeps_is_migrated_when_a_newer_version_opens_it() -> None:
    async def main() -> None:
        await old.open("/state.db", [FIRST]).run(insert("before"))
        await other.open("/state.db", [FIRST]).run(texts)
        newer = old.open("/state.db", [FIRST, SECOND])
        assert await newer.run(texts) == ["before"]
        with pytest.raises(StorageError, match="newer version"):
            old.open("/state.db", [FIRST])
        await newer.run(lambda c: c.execute("INSERT INTO author VALUES ('us')"))

    with World() as world:
        pool, (old, other) = shelves(2, 1)
        world.run(main())
        pool.close()


@pytest.mark.parametrize("awake_max", [1, 4])
def test_what_a_killed_program_goes_on_to_write_is_lost(awake_max: int) -> None:
    async def main() -> None:
        old = shelf.open("/state.db", [FIRST])
        await old.run(insert("before"))
        await shelf.open("/other.db", [FIRST]).run(insert("other"))
        shelf.part()
        await old.run(insert("after"))
        assert await old.run(texts) == ["before", "after"]
        assert await shelf.open("/state.db", [FIRST]).run(texts) == ["before"]

    with World() as world:
        pool, (shelf,) = shelves(1, awake_max)
        world.run(main())
        pool.close()
