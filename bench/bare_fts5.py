"""What the index of a super-peer is compared with: the same names in a table of FTS5, and nothing else.

No owners, audiences, content ids or metadata; nobody reads beside the writer, and all goes in by one
transaction.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.core.query import Query

FIND = "SELECT name FROM bare WHERE bare MATCH ?"


def fill(folder: str, names: Iterable[str]) -> float:
    """Seconds to put names into a new table; they are made before."""
    rows = [(name,) for name in names]
    with closing(sqlite3.connect(f"{folder}/bare.db")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("DROP TABLE IF EXISTS bare")
        db.execute("CREATE VIRTUAL TABLE bare USING fts5 (name, prefix = '2 3 4')")
        begun = time.perf_counter()
        with db:
            db.executemany("INSERT INTO bare VALUES (?)", rows)
        return time.perf_counter() - begun


def ask(db: sqlite3.Connection, queries: Iterable[Query], *, ranked: bool) -> list[float]:
    """Seconds for each query of 50 names, whichever come first, or ranked by bm25()."""
    find, took = f"{FIND}{' ORDER BY rank' if ranked else ''} LIMIT 50", []
    for query in queries:
        text = " ".join(f'"{term.word}"*' for term in query.terms)
        begun = time.perf_counter()
        db.execute(find, (text,)).fetchall()
        took.append(time.perf_counter() - begun)
    return took


def opened(folder: str) -> closing[sqlite3.Connection]:
    """The table that `fill` made, as SQLite opens it: with 2 MB for its pages."""
    return closing(sqlite3.connect(f"{folder}/bare.db"))
