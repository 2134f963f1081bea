"""The tables of what this node itself put into the DHT: each function is (part of) one transaction over
`state.db`.

In:  a connection inside a transaction, and values. Out: values. Schema: schema/0004_dht.sql.
Refuses more than the bound below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.cid import Cid
from warren.core.errors import LimitReached

if TYPE_CHECKING:
    import sqlite3

# Fault: a script that publishes in a loop. Each is put again every day, at some 20 peers.
PUBLISHED_MAX: Final = 10_000


class OwnRecord(NamedTuple):
    """A record of ours. put_at: when others last took it, in Unix seconds; None: never."""

    key: bytes
    value: bytes
    put_at: float | None


class Provided(NamedTuple):
    """Content that this node says it has."""

    multihash: bytes
    cid: Cid
    put_at: float | None


def next_sequence(db: sqlite3.Connection, name: bytes, least: int) -> int:
    """The sequence for a new value of `name`: above all that it had, and `least` or more."""
    row = db.execute("SELECT sequence FROM dht_sequences WHERE name = ?", (name,)).fetchone()
    sequence = max(row[0] + 1 if row else 0, least)
    db.execute(
        "INSERT INTO dht_sequences VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET sequence = excluded.sequence",
        (name, sequence),
    )
    return sequence


def keep_record(db: sqlite3.Connection, key: bytes, value: bytes) -> None:
    """Keep a record, in place of the one before it. Raises `LimitReached`."""
    _check_room(db, "SELECT 1 FROM dht_records WHERE key = ?", key)
    db.execute(
        "INSERT INTO dht_records VALUES (?, ?, NULL)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value, put_at = NULL",
        (key, value),
    )


def keep_provided(db: sqlite3.Connection, multihash: bytes, cid: Cid) -> None:
    """Keep that content is provided. Raises `LimitReached`."""
    _check_room(db, "SELECT 1 FROM dht_provided WHERE multihash = ?", multihash)
    db.execute(
        "INSERT INTO dht_provided VALUES (?, ?, NULL)"
        " ON CONFLICT (multihash) DO UPDATE SET cid = excluded.cid",
        (multihash, cid.to_bytes()),
    )


def drop_record(db: sqlite3.Connection, key: bytes) -> bool:
    """Put a record no longer. Returns whether it was."""
    return db.execute("DELETE FROM dht_records WHERE key = ?", (key,)).rowcount > 0


def drop_provided(db: sqlite3.Connection, multihash: bytes) -> bool:
    """Provide content no longer. Returns whether it was."""
    return db.execute("DELETE FROM dht_provided WHERE multihash = ?", (multihash,)).rowcount > 0


def mark_put(db: sqlite3.Connection, key: bytes, value: bytes, now: float) -> None:
    """Others took this value of a record; a newer one meanwhile stays unmarked."""
    db.execute("UPDATE dht_records SET put_at = ? WHERE key = ? AND value = ?", (now, key, value))


def mark_provided(db: sqlite3.Connection, multihash: bytes, now: float) -> None:
    """Others took note that content is provided."""
    db.execute("UPDATE dht_provided SET put_at = ? WHERE multihash = ?", (now, multihash))


def load_records(db: sqlite3.Connection) -> list[OwnRecord]:
    """All records, by key."""
    return [OwnRecord(*row) for row in db.execute("SELECT key, value, put_at FROM dht_records ORDER BY key")]


def load_provided(db: sqlite3.Connection) -> list[Provided]:
    """All content that is provided, by multihash."""
    rows = db.execute("SELECT multihash, cid, put_at FROM dht_provided ORDER BY multihash")
    return [Provided(multihash, Cid.from_bytes(cid), put_at) for multihash, cid, put_at in rows]


def _check_room(db: sqlite3.Connection, known: str, key: bytes) -> None:
    if db.execute(known, (key,)).fetchone():
        return
    (count,) = db.execute(
        "SELECT (SELECT count(*) FROM dht_records) + (SELECT count(*) FROM dht_provided)"
    ).fetchone()
    if count >= PUBLISHED_MAX:
        raise LimitReached(
            "published_max",
            f"{count} things are published, more are not",
            hint="warren dht rm takes one back",
        )
