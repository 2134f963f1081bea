"""What is wrong with a database file is named, and the file is its owner's alone."""

from __future__ import annotations

import os
import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

from warren.core.errors import DiskFull, ReadOnlyTarget, StorageError
from warren.runtime import sqlite as module
from warren.runtime.sqlite import MEMORY, SqliteFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA = ["CREATE TABLE note (text TEXT)"]


@pytest.fixture
def memory() -> Iterator[SqliteFile]:
    file = SqliteFile(MEMORY, label="state.db")
    file.migrate(SCHEMA, durable=True)
    yield file
    file.close()


def test_the_file_and_its_log_are_private(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    file = SqliteFile(path)
    file.migrate(SCHEMA, durable=True)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in os.listdir(tmp_path)}
    assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}
    assert file.run(lambda c: c.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
    assert file.run(lambda c: c.execute("PRAGMA synchronous").fetchone()) == (2,)
    file.close()


def test_a_full_disk(memory: SqliteFile) -> None:
    memory._connection.execute("PRAGMA max_page_count = 3")
    with pytest.raises(DiskFull, match=r"state\.db"):
        memory.run(lambda c: c.execute("INSERT INTO note VALUES (?)", ("x" * 100_000,)))
    assert memory.run(lambda c: c.execute("SELECT count(*) FROM note").fetchone()) == (0,)


def test_a_read_only_file(memory: SqliteFile) -> None:
    memory._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(ReadOnlyTarget):
        memory.run(lambda c: c.execute("INSERT INTO note VALUES ('x')"))


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"certainly not a database" * 100)
    file = SqliteFile(tmp_path / "state.db")
    with pytest.raises(StorageError, match="damaged"):
        file.migrate(SCHEMA, durable=True)
    file.close()


def test_a_file_that_another_process_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BUSY_TIMEOUT_S", 0.0)
    file = SqliteFile(tmp_path / "state.db")
    file.migrate(SCHEMA, durable=False)
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="locked"):
        file.run(lambda c: c.execute("INSERT INTO note VALUES ('x')"))
    other.close()
    file.close()


def test_a_file_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError, match="cannot open"):
        SqliteFile(tmp_path)

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ReadOnlyTarget, match="no permission"):
        SqliteFile(tmp_path / "state.db")


def test_a_mistake_in_the_sql_stays_what_it_is(memory: SqliteFile) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        memory.run(lambda c: c.execute("SELECT * FROM nowhere"))
