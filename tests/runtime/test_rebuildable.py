"""What lies at its place is such a database afterwards, or it is said why there can be none."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.support import run
from warren.core.errors import StorageError
from warren.runtime.real import RealRuntime
from warren.runtime.rebuildable import ASIDE, open_rebuildable

if TYPE_CHECKING:
    from pathlib import Path

MIGRATIONS = ("CREATE TABLE thing (name TEXT)",)


def check(db: sqlite3.Connection) -> None:
    db.execute("SELECT name FROM thing LIMIT 1").fetchall()


def open_at(path: Path) -> None:
    async def main() -> None:
        runtime = RealRuntime()
        try:
            database = await open_rebuildable(runtime, path, MIGRATIONS, check)
            await database.run(check)
            await database.close()
        finally:
            await runtime.close()

    run(main())


def test_a_good_one_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    open_at(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO thing VALUES ('a')")
        db.commit()
    open_at(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM thing").fetchall() == [("a",)]
    assert not (tmp_path / f"things.db{ASIDE}").exists()


def test_what_is_damaged_is_set_aside_with_nothing_left_beside(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    for content in (b"one" * 1000, b"two" * 1000):
        path.write_bytes(content)
        (tmp_path / "things.db-wal").write_bytes(b"stale")
        open_at(path)
        assert (tmp_path / f"things.db{ASIDE}").read_bytes() == content
        assert not (tmp_path / "things.db-wal").exists()


def test_what_is_no_fault_of_the_file_is_told(tmp_path: Path) -> None:
    """A newer one, or a folder that is missing, is not thrown away."""
    path = tmp_path / "things.db"
    open_at(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StorageError, match="newer version"):
        open_at(path)
    assert not (tmp_path / f"things.db{ASIDE}").exists()
    with pytest.raises(StorageError, match="cannot open"):
        open_at(tmp_path / "missing" / "things.db")


def test_another_kind_of_database_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript("CREATE TABLE other (name TEXT); PRAGMA user_version = 1")
    open_at(path)
    assert (tmp_path / f"things.db{ASIDE}").exists()
