"""The tables of what a node keeps of the DHT for others: each function is one transaction over `dht.db`.

In:  a connection inside a transaction, rows. Out: rows, oldest first, a page at a time. All of it comes again
by itself: the database can be thrown away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.peer_id import PeerId
from warren.protocols.kad.store import KeptProvider, KeptRecord

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

MIGRATIONS: Final = (
    """
    CREATE TABLE record (
        id INTEGER PRIMARY KEY,
        key BLOB NOT NULL UNIQUE,
        value BLOB NOT NULL,
        received_at REAL NOT NULL,      -- Unix seconds
        peer BLOB,                      -- who put it; NULL: this node itself
        subnet TEXT NOT NULL            -- from which neighbourhood
    );
    CREATE INDEX record_by_time ON record (received_at);
    CREATE TABLE provider (
        id INTEGER PRIMARY KEY,
        key BLOB NOT NULL,
        peer BLOB NOT NULL,
        received_at REAL NOT NULL,
        subnet TEXT,                    -- NULL: this node itself
        UNIQUE (key, peer)
    );
    CREATE INDEX provider_by_time ON provider (received_at);
    """,
)


class Place(NamedTuple):
    """Where a page begins: after the row with this time and number."""

    received_at: float = float("-inf")
    id: int = 0


def check(db: sqlite3.Connection) -> None:
    """Read a little of each table. Raises where this is no such database."""
    db.execute("SELECT id, key, value, received_at, peer, subnet FROM record LIMIT 1").fetchall()
    db.execute("SELECT id, key, peer, received_at, subnet FROM provider LIMIT 1").fetchall()


def read_records(
    db: sqlite3.Connection, after: Place, limit: int
) -> tuple[list[tuple[bytes, KeptRecord]], Place | None]:
    """A page of records, and where the next one begins; None: nowhere."""
    rows = db.execute(
        "SELECT received_at, id, key, value, peer, subnet FROM record WHERE (received_at, id) > (?, ?)"
        " ORDER BY received_at, id LIMIT ?",
        (*after, limit),
    ).fetchall()
    page = [
        (key, KeptRecord(value, received_at, PeerId(peer) if peer is not None else None, subnet))
        for received_at, _, key, value, peer, subnet in rows
    ]
    return page, Place(*rows[-1][:2]) if len(rows) == limit else None


def read_providers(
    db: sqlite3.Connection, after: Place, limit: int
) -> tuple[list[tuple[bytes, PeerId, KeptProvider]], Place | None]:
    """A page of providers, and where the next one begins; None: nowhere."""
    rows = db.execute(
        "SELECT received_at, id, key, peer, subnet FROM provider WHERE (received_at, id) > (?, ?)"
        " ORDER BY received_at, id LIMIT ?",
        (*after, limit),
    ).fetchall()
    page = [
        (key, PeerId(peer), KeptProvider(received_at, subnet)) for received_at, _, key, peer, subnet in rows
    ]
    return page, Place(*rows[-1][:2]) if len(rows) == limit else None


def write_records(db: sqlite3.Connection, rows: Sequence[tuple[bytes, KeptRecord | None]]) -> None:
    """Bring records to what is kept now; None: nothing."""
    for key, kept in rows:
        if kept is None:
            db.execute("DELETE FROM record WHERE key = ?", (key,))
            continue
        peer = kept.peer.to_bytes() if kept.peer is not None else None
        db.execute(
            "INSERT OR REPLACE INTO record (key, value, received_at, peer, subnet) VALUES (?, ?, ?, ?, ?)",
            (key, kept.value, kept.time_received, peer, kept.subnet),
        )


def write_providers(
    db: sqlite3.Connection, rows: Sequence[tuple[bytes, PeerId, KeptProvider | None]]
) -> None:
    """Bring providers to what is kept now; None: nothing."""
    for key, peer, kept in rows:
        if kept is None:
            db.execute("DELETE FROM provider WHERE key = ? AND peer = ?", (key, peer.to_bytes()))
            continue
        db.execute(
            "INSERT OR REPLACE INTO provider (key, peer, received_at, subnet) VALUES (?, ?, ?, ?)",
            (key, peer.to_bytes(), kept.time_received, kept.subnet),
        )
