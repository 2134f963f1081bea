"""The tables of who was heard of to have what, and of tickets for it.

In:  a connection inside a transaction to the durable database. Out: holders of a root; tickets that are good
still. Schema: schema/0012_holders.sql. Refuses to grow beyond its bounds: what was heard of longest ago goes
first, and what nothing came from goes before what something did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.errors import InvalidPeerId
from warren.core.peer_id import PeerId

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

ROOT_HOLDERS_MAX: Final = 32
"""Of one root. Attack: a super-peer that names holders without end."""
HOLDERS_MAX: Final = 20_000
"""Of all roots; some 3 MB on the disk. Fault: a node that searches all day."""
TICKETS_MAX: Final = 1024
"""Each is checked at the start of the node, in 0.1 ms."""
KEPT_S: Final = 90 * 86_400.0
"""Whom nobody confirmed for so long is forgotten."""


class Heard(NamedTuple):
    """Somebody has it, or said so. root: binary content id. proven: something of it came from there. at: when
    it was heard, Unix seconds.
    """

    root: bytes
    peer: PeerId
    proven: bool
    at: float


def known(db: sqlite3.Connection, root: bytes) -> list[Heard]:
    """The holders of a root: proven ones first, then those heard of last."""
    rows = db.execute(
        "SELECT peer, proven, heard_at FROM holder WHERE root = ? ORDER BY proven DESC, heard_at DESC",
        (root,),
    )
    found = []
    for peer, proven, at in rows:
        try:
            found.append(Heard(root, PeerId(peer), bool(proven), at))
        except InvalidPeerId:
            continue  # a damaged row costs itself alone
    return found


def keep(
    db: sqlite3.Connection, heard: Iterable[Heard], struck: Iterable[tuple[bytes, PeerId]], now: float
) -> None:
    """Note who has what, which stays proven once it is, and who has what no more."""
    for root, peer in struck:
        db.execute("DELETE FROM holder WHERE root = ? AND peer = ?", (root, peer.to_bytes()))
    roots = set()
    for one in heard:
        roots.add(one.root)
        db.execute(
            "INSERT INTO holder (root, peer, proven, heard_at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (root, peer) DO UPDATE SET proven = max(proven, excluded.proven),"
            " heard_at = max(heard_at, excluded.heard_at)",
            (one.root, one.peer.to_bytes(), one.proven, one.at),
        )
    for root in roots:
        db.execute(
            "DELETE FROM holder WHERE root = ?1 AND peer IN (SELECT peer FROM holder WHERE root = ?1"
            " ORDER BY proven DESC, heard_at DESC LIMIT -1 OFFSET ?2)",
            (root, ROOT_HOLDERS_MAX),
        )
    db.execute("DELETE FROM holder WHERE heard_at < ?", (now - KEPT_S,))
    (count,) = db.execute("SELECT count(*) FROM holder").fetchone()
    if count > HOLDERS_MAX:
        db.execute(
            "DELETE FROM holder WHERE (root, peer) IN"
            " (SELECT root, peer FROM holder ORDER BY proven, heard_at LIMIT ?)",
            (count - HOLDERS_MAX,),
        )


class Held(NamedTuple):
    """A ticket that this node was given. root, origin: binary ids. expires_at: Unix seconds."""

    root: bytes
    origin: bytes
    sealed: bytes
    expires_at: int


def keep_tickets(db: sqlite3.Connection, tickets: Iterable[Held], now: float) -> None:
    """Keep these, each in place of an older one of the same origin for the same root."""
    db.executemany("INSERT OR REPLACE INTO ticket VALUES (?, ?, ?, ?)", tickets)
    db.execute("DELETE FROM ticket WHERE expires_at <= ?", (now,))
    db.execute(
        "DELETE FROM ticket WHERE (root, origin) IN"
        " (SELECT root, origin FROM ticket ORDER BY expires_at DESC LIMIT -1 OFFSET ?)",
        (TICKETS_MAX,),
    )


def tickets(db: sqlite3.Connection, now: float) -> list[Held]:
    """Those that are good still; the one that is so the longest comes last."""
    rows = db.execute(
        "SELECT root, origin, sealed, expires_at FROM ticket WHERE expires_at > ? ORDER BY expires_at", (now,)
    )
    return [Held(*row) for row in rows]
