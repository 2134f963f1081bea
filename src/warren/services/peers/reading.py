"""The tables of peers, read: pages, single peers, who is worth a dial.

In:  a connection inside a transaction, and what to look for. Out: values. Each order has an index, so the
first page of a hundred thousand peers costs no more than that of a hundred.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from warren.core.multiaddr import Multiaddr
from warren.core.peer_id import PeerId
from warren.services.peers.model import Figure, Kept, Peer
from warren.services.peers.prefix import fits, ranges

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

    from warren.services.peers.model import Sort, State

_COLUMNS: Final = (
    "id, peer_id, first_seen, last_seen, latency, latency_at, jitter, response, response_at, download,"
    " download_at, upload, upload_at, state, public, agent, roles, sources, blocked,"
    " name_key IS NOT NULL OR kept"
)
_AMONG: Final = "peer IN (SELECT value FROM json_each(?))"
_BY_NAME: Final = "name_key IS NULL, name_key, last_seen DESC, id"
_ORDERS: Final[dict[Sort | None, str]] = {
    None: _BY_NAME,
    "name": _BY_NAME,
    "seen": "last_seen DESC, id",
    "latency": "latency IS NULL, latency, id",
    "download": "download DESC, id",
    "upload": "upload DESC, id",
}
# How many are looked at, beyond those wanted, to find some that fit.
_LOOKED_AT_MAX: Final = 4096


def page(db: sqlite3.Connection, sort: Sort | None, offset: int, limit: int) -> list[Peer]:
    """`limit` peers from number `offset` on, in an order of `_ORDERS`."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM peers ORDER BY {_ORDERS[sort]} LIMIT ? OFFSET ?",  # noqa: S608
        (limit, offset),
    ).fetchall()
    return _peers(db, rows)


def get(db: sqlite3.Connection, peers: Iterable[PeerId]) -> list[Peer]:
    """Those of `peers` that the table holds, in that order."""
    statement = f"SELECT {_COLUMNS} FROM peers WHERE peer_id = ?"  # noqa: S608
    rows = [db.execute(statement, (peer.to_bytes(),)).fetchone() for peer in peers]
    return _peers(db, [row for row in rows if row is not None])


def count(db: sqlite3.Connection) -> int:
    """How many peers there are."""
    (number,) = db.execute("SELECT count(*) FROM peers").fetchone()
    return int(number)


def blocked(db: sqlite3.Connection) -> list[PeerId]:
    """Every blocked peer."""
    return [PeerId(raw) for (raw,) in db.execute("SELECT peer_id FROM peers WHERE blocked ORDER BY peer_id")]


def starting_with(db: sqlite3.Connection, text: str, limit: int) -> list[PeerId]:
    """Peers whose id begins with `text`, `limit` at most."""
    found: dict[PeerId, None] = {}
    for low, high in ranges(text):
        rows = db.execute(
            "SELECT peer_id FROM peers WHERE peer_id BETWEEN ? AND ? ORDER BY peer_id LIMIT ?",
            (low, high, limit),
        )
        found |= dict.fromkeys(peer for (raw,) in rows if fits(text, peer := PeerId(raw)))
    return sorted(found)[:limit]


def candidates(
    db: sqlite3.Connection,
    limit: int,
    states: Collection[State],
    exclude: Collection[PeerId],
    start: int | None,
) -> list[Peer]:
    """Peers that are not blocked and have an address. start: where an order by chance begins; None: last seen
    first.
    """
    fit = _fit(states)
    if start is None:
        rows = _some(db, f"{fit} ORDER BY last_seen DESC, id", (), limit, exclude)
    else:
        rows = _some(db, f"{fit} AND draw >= ? ORDER BY draw, id", (start,), limit, exclude)
        if len(rows) < limit:
            more = f"{fit} AND draw < ? ORDER BY draw, id"
            rows += _some(db, more, (start,), limit - len(rows), exclude)
    return _peers(db, rows)


def kept_after(db: sqlite3.Connection, number: int, limit: int) -> tuple[list[Kept], int]:
    """All that is kept of some peers, in the order in which they came, after that number; the last number."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM peers WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608
        (number, limit),
    ).fetchall()
    numbers = json.dumps([row[0] for row in rows])
    proven: dict[int, dict[Multiaddr, float]] = {}
    for owner, raw, at in db.execute(
        f"SELECT peer, address, proven_at FROM peer_addresses WHERE proven_at IS NOT NULL AND {_AMONG}",  # noqa: S608
        (numbers,),
    ):
        proven.setdefault(owner, {})[Multiaddr.from_bytes(raw)] = at
    records, metadata = (
        dict(db.execute(f"SELECT peer, envelope FROM {table} WHERE {_AMONG}", (numbers,)))  # noqa: S608
        for table in ("peer_records", "peer_metadata")
    )
    found = [
        Kept(peer, proven.get(row[0], {}), records.get(row[0]), metadata.get(row[0]))
        for row, peer in zip(rows, _peers(db, rows), strict=True)
    ]
    return found, rows[-1][0] if rows else number


def _fit(states: Collection[State]) -> str:
    # Written out, and in the order of the index over those in doubt: a few among many thousands.
    among = ", ".join(f"'{state}'" for state in sorted(states))
    return (
        f"SELECT {_COLUMNS} FROM peers WHERE NOT blocked AND state IN ({among})"  # noqa: S608
        " AND EXISTS (SELECT 1 FROM peer_addresses WHERE peer = id)"
    )


def _some(
    db: sqlite3.Connection,
    statement: str,
    values: tuple[object, ...],
    limit: int,
    exclude: Collection[PeerId],
) -> list[Any]:
    left_out = {peer.to_bytes() for peer in exclude}
    rows = db.execute(f"{statement} LIMIT ?", (*values, min(limit + len(left_out), limit + _LOOKED_AT_MAX)))
    return [row for row in rows if row[1] not in left_out][:limit]


def _peers(db: sqlite3.Connection, rows: Sequence[Any]) -> list[Peer]:
    numbers = json.dumps([row[0] for row in rows])
    addresses: dict[int, list[Multiaddr]] = {}
    met_at: dict[int, list[Multiaddr]] = {}
    for owner, raw, proven in db.execute(
        f"SELECT peer, address, proven_at IS NOT NULL FROM peer_addresses WHERE {_AMONG}"  # noqa: S608
        " ORDER BY peer, proven_at DESC, signed DESC, told_at DESC, address",
        (numbers,),
    ):
        address = Multiaddr.from_bytes(raw)
        addresses.setdefault(owner, []).append(address)
        if proven:
            met_at.setdefault(owner, []).append(address)
    told = f"SELECT peer, entries FROM peer_metadata WHERE {_AMONG}"  # noqa: S608
    metadata = dict(db.execute(told, (numbers,)))
    return [
        _peer(row, addresses.get(row[0], ()), met_at.get(row[0], ()), metadata.get(row[0], "{}"))
        for row in rows
    ]


def _peer(row: Any, addresses: Sequence[Multiaddr], met_at: Sequence[Multiaddr], metadata: str) -> Peer:
    _, raw, first_seen, last_seen, latency, latency_at, jitter, response, response_at = row[:9]
    download, download_at, upload, upload_at, state, public, agent, roles, sources = row[9:18]
    is_blocked, is_the_users = row[18:]
    return Peer(
        peer_id=PeerId(raw),
        addresses=tuple(addresses),
        first_hand=tuple(addresses if is_the_users else met_at),
        first_seen=first_seen,
        last_seen=last_seen,
        latency=_figure(latency, latency_at),
        jitter_s=jitter,
        response=_figure(response, response_at),
        download=_figure(download, download_at),
        upload=_figure(upload, upload_at),
        state=state,
        public=None if public is None else bool(public),
        roles=tuple(roles.split()),
        metadata=MappingProxyType(json.loads(metadata)),
        blocked=bool(is_blocked),
        agent=agent,
        sources=tuple(sources.split()),
    )


def _figure(value: float | None, measured_at: float | None) -> Figure | None:
    return None if value is None or measured_at is None else Figure(value, measured_at)
