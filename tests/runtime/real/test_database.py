"""What only files can show: a reader does not wait for a writer."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from tests.support import run
from warren.runtime.real import RealRuntime

if TYPE_CHECKING:
    import sqlite3
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
