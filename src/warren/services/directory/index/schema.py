"""The tables of the index. They can be made again from what the owners register.

A document is indexed once, however many hold it. Most have one holder, who stands in the row itself; all
others are in `holder`, and in `slot` is what each registration has, by path. A registration is filled under a
number that nobody knows, so that a new one takes the place of an old one in no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

_FORGET: Final = """
    DELETE FROM registration;
    DELETE FROM document;
    DELETE FROM holder;
    DELETE FROM slot;
    DELETE FROM run;
    """
_MERGE_SELDOM: Final = """
    INSERT INTO term (term, rank) VALUES ('automerge', 64);
    INSERT INTO term (term, rank) VALUES ('crisismerge', 256);
    INSERT INTO term (term, rank) VALUES ('usermerge', 2);
    """
"""Once while it fills, to the end when there is time."""

MIGRATIONS: Final = (
    """
    CREATE TABLE registration (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        owner BLOB NOT NULL,
        epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
        size INTEGER NOT NULL,      -- entries
        state INTEGER NOT NULL      -- see FILLING, CURRENT and RETIRED
    );
    CREATE TABLE document (
        id INTEGER PRIMARY KEY,     -- its rank in the upper bits
        key INTEGER NOT NULL,       -- stands for all of it
        registration INTEGER NOT NULL, audience INTEGER NOT NULL,  -- of one holder; VACANT: of none
        shared INTEGER NOT NULL,    -- there may be others in `holder`
        cid BLOB NOT NULL, kind TEXT NOT NULL, size INTEGER NOT NULL, path TEXT NOT NULL,
        name TEXT NOT NULL, rest TEXT NOT NULL,  -- words
        metadata TEXT               -- JSON
    );
    CREATE TABLE holder (
        document INTEGER NOT NULL, registration INTEGER NOT NULL, audience INTEGER NOT NULL,
        PRIMARY KEY (document, registration)
    ) WITHOUT ROWID;
    CREATE TABLE slot (
        registration INTEGER NOT NULL,
        path INTEGER NOT NULL,      -- stands for it
        document INTEGER NOT NULL, audience INTEGER NOT NULL,
        PRIMARY KEY (registration, path)
    ) WITHOUT ROWID;
    CREATE VIRTUAL TABLE term USING fts5 (
        name, rest, content = '', columnsize = 0, detail = column, prefix = '2 3 4',
        tokenize = "ascii tokenchars '_'"
    );
    """,
    _MERGE_SELDOM,
    """
    CREATE TABLE run (
        start INTEGER PRIMARY KEY,      -- ordinals from here to the next run
        registration INTEGER NOT NULL   -- it made the documents that have them
    );
    """,
    # Words and keys are others since: all register again.
    "UPDATE registration SET state = 2;",
    # Contents are found by their ids since: all register again.
    f"{_FORGET} INSERT INTO term (term) VALUES ('delete-all');",  # noqa: S608 (fixed)
    # Beginnings of five letters have lists of their own since, or most of a search would be to merge those of
    # all words that begin so; contents are found by one character. All register again.
    f"""
    {_FORGET}
    DROP TABLE term;
    CREATE VIRTUAL TABLE term USING fts5 (
        name, rest, content = '', columnsize = 0, detail = column, prefix = '2 3 4 5',
        tokenize = "ascii tokenchars '_'"
    );
    {_MERGE_SELDOM}
    """,
)

FILLING: Final = 0
CURRENT: Final = 1
RETIRED: Final = 2
VACANT: Final = 0

RANK_SHIFT: Final = 40
"""Bits of a document's number below its rank: its ordinal."""
ORDINALS: Final = (1 << RANK_SHIFT) - 1


def check(db: sqlite3.Connection) -> None:
    """Read a little of each table. Raises where this is no index."""
    for table in ("registration", "document", "holder", "slot", "run"):
        db.execute(f"SELECT * FROM {table} LIMIT 1").fetchall()  # noqa: S608 (fixed names)
    db.execute("SELECT rowid FROM term WHERE term MATCH 'a' LIMIT 1").fetchall()
