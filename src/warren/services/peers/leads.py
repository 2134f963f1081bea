"""Leads: addresses that the user brought, of which nobody knows yet whose they are.

In:  addresses, with the figures that came with them; how dialling them went. Out: those that are due. A lead
ends when a handshake at its address meets a key: then its figures are that peer's (store.py). Until then it
is kept, and dialled again after waits that double.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from warren.core.errors import LimitReached
from warren.core.multiaddr import Multiaddr
from warren.services.peers.model import Figure, Lead

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Protocol, TypeVar

    from warren.runtime.seam import Clock

    T = TypeVar("T")

    class Transact(Protocol):
        """Runs a function over a connection as one transaction."""

        def __call__(self, fn: Callable[[sqlite3.Connection], T]) -> Awaitable[T]: ...


Row: TypeAlias = "tuple[bytes, float, float | None, float | None, float | None]"

# Fault: a list of all addresses there are. About 100 bytes of disk each.
LEADS_MAX: Final = 131_072
# The waits between two tries of one address: the first, doubled with each failure up to the last.
RETRY_FIRST_S: Final = 60.0
RETRY_MAX_S: Final = 6 * 3600.0
_DOUBLINGS_MAX: Final = 20


class Leads:
    """Part of `PeerTable`."""

    __slots__ = ("_clock", "_transact")

    def __init__(self, transact: Transact, clock: Clock) -> None:
        self._transact = transact
        self._clock = clock

    async def due(self, limit: int) -> list[Multiaddr]:
        """Those to dial now, the one that waits for longest first."""
        now = self._clock.wall()
        return await self._transact(lambda db: due(db, now, limit))

    async def wait_s(self) -> float | None:
        """Seconds until the next is due; None: there is none."""
        now = self._clock.wall()
        return await self._transact(lambda db: wait_s(db, now))

    async def failed(self, addresses: Iterable[Multiaddr]) -> None:
        """Nobody was met there: they wait longer than before."""
        now, missed = self._clock.wall(), list(addresses)
        await self._transact(lambda db: postpone(db, missed, now))

    async def page(self, after: Multiaddr | None, limit: int) -> list[Lead]:
        """Some of all, in the order of their addresses, behind `after`."""
        return await self._transact(lambda db: page(db, after, limit))

    async def count(self) -> int:
        """How many there are."""
        return await self._transact(count)

    async def remove(self, address: Multiaddr) -> bool:
        """Dial it no more. False if it was none."""
        raw = address.without_peer().to_bytes()
        return await self._transact(
            lambda db: db.execute("DELETE FROM peer_leads WHERE address = ?", (raw,)).rowcount > 0
        )


def add(db: sqlite3.Connection, lead: Lead) -> bool:
    """Keep a lead, to be dialled soon; False if it was known. What it brings fills what is missing.

    Raises LimitReached.
    """
    raw = lead.address.to_bytes()
    known = db.execute("SELECT 1 FROM peer_leads WHERE address = ?", (raw,)).fetchone()
    if known is None and count(db) >= LEADS_MAX:
        raise LimitReached("leads_max", f"{LEADS_MAX} addresses wait to be dialled, more are not kept")
    db.execute(
        "INSERT INTO peer_leads (address, added_at, latency, download, upload, due_at)"
        " VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (address) DO UPDATE SET latency = coalesce(latency, excluded.latency),"
        " download = coalesce(download, excluded.download), upload = coalesce(upload, excluded.upload)",
        (
            raw,
            lead.added_at,
            *(one and one.value for one in (lead.latency, lead.download, lead.upload)),
            lead.added_at,
        ),
    )
    return known is None


def due(db: sqlite3.Connection, now: float, limit: int) -> list[Multiaddr]:
    """Those whose time has come; also those that a clock which was ahead has put off for too long."""
    rows = db.execute(
        "SELECT address FROM peer_leads WHERE due_at <= ? OR due_at > ? ORDER BY due_at, address LIMIT ?",
        (now, now + 2 * RETRY_MAX_S, limit),
    )
    return [Multiaddr.from_bytes(raw) for (raw,) in rows]


def wait_s(db: sqlite3.Connection, now: float) -> float | None:
    """See `Leads.wait_s`; no longer than the longest wait, whatever the clock did."""
    (first,) = db.execute("SELECT min(due_at) FROM peer_leads").fetchone()
    return None if first is None else min(max(first - now, 0.0), RETRY_MAX_S)


def postpone(db: sqlite3.Connection, addresses: Iterable[Multiaddr], now: float) -> None:
    """Each waits twice as long as the last time."""
    for address in addresses:
        raw = address.to_bytes()
        row = db.execute("SELECT failures FROM peer_leads WHERE address = ?", (raw,)).fetchone()
        if row is not None:
            failures = min(row[0] + 1, _DOUBLINGS_MAX)
            wait_s = min(RETRY_FIRST_S * 2.0 ** (failures - 1), RETRY_MAX_S)
            db.execute(
                "UPDATE peer_leads SET failures = ?, due_at = ? WHERE address = ?",
                (failures, now + wait_s, raw),
            )


def page(db: sqlite3.Connection, after: Multiaddr | None, limit: int) -> list[Lead]:
    """See `Leads.page`."""
    rows = db.execute(
        "SELECT address, added_at, latency, download, upload FROM peer_leads WHERE address > ?"
        " ORDER BY address LIMIT ?",
        (after.to_bytes() if after is not None else b"", limit),
    )
    return [_lead(row) for row in rows]


def count(db: sqlite3.Connection) -> int:
    """How many there are."""
    (number,) = db.execute("SELECT count(*) FROM peer_leads").fetchone()
    return int(number)


def _lead(row: Row) -> Lead:
    raw, added_at, *values = row
    figures = [None if value is None else Figure(value, added_at) for value in values]
    return Lead(Multiaddr.from_bytes(raw), added_at, *figures)
