"""What lies at the index's place is an index afterwards, or it is said why there can be none."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.support import run
from warren.core.errors import StorageError
from warren.runtime.real import RealRuntime
from warren.services.files import index
from warren.services.files.index_file import ASIDE, open_index

if TYPE_CHECKING:
    from pathlib import Path


def open_at(path: Path) -> None:
    async def main() -> None:
        runtime = RealRuntime()
        try:
            database = await open_index(runtime, path)
            await database.run(index.check)
            await database.close()
        finally:
            await runtime.close()

    run(main())


def test_a_good_index_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    open_at(path)
    with closing(sqlite3.connect(path)) as db:
        index.begin(db, "/a")
        db.commit()
    open_at(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT path FROM share").fetchall() == [(b"/a",)]
    assert not (tmp_path / f"index.db{ASIDE}").exists()


def test_what_is_damaged_is_set_aside_with_nothing_left_beside(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    for content in (b"one" * 1000, b"two" * 1000):
        path.write_bytes(content)
        (tmp_path / "index.db-wal").write_bytes(b"stale")
        open_at(path)
        assert (tmp_path / f"index.db{ASIDE}").read_bytes() == content
        assert not (tmp_path / "index.db-wal").exists()


def test_what_is_no_fault_of_the_file_is_told(tmp_path: Path) -> None:
    """A newer index, or a folder that is missing, is not thrown away."""
    path = tmp_path / "index.db"
    open_at(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StorageError, match="newer version"):
        open_at(path)
    assert not (tmp_path / f"index.db{ASIDE}").exists()
    with pytest.raises(StorageError, match="cannot open"):
        open_at(tmp_path / "missing" / "index.db")
