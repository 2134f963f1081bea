"""The tables of peers, written: each function is (part of) one transaction over `state.db`.

In:  a connection inside a transaction, and values. Out: values. The caller commits and supplies time and
chance. Schema: schema/0003_peers.sql. Reading is in reading.py.

Room: `PEERS_MAX` peers in all. Who is wanted in stays out unless somebody of no more worth can go for it. Of
least worth is who was only heard of, then who was met, then who was measured; of equals the one of whom
nothing was learnt for longest goes. Contacts, blocked peers and what the user put there never go. So records
of strangers, however many, drive out nothing but such records, and the many names of one host each other.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from warren.core.errors import LimitReached
from warren.services.peers.notes import ADDRESSES_MAX, Note

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.services.peers.model import Figure
    from warren.services.peers.notes import Signed

# Attack: made-up peers without end. About 1 KiB of disk each, 8 KiB at the very most, and nothing in memory.
PEERS_MAX: Final = 131_072
# Attack: one host with many keys that pushes out all who were met or measured.
HOST_PEERS_MAX: Final = 256
# Fault: a program that blocks in a loop; all are kept in memory.
BLOCKED_MAX: Final = 10_000
# Attack: records as long as they may be. One of 32 addresses takes about 2 KiB.
RECORD_BYTES_MAX: Final = 4096
SOURCES_MAX: Final = 8
"""Words on how a peer became known; the first ones stay."""
KNOWN_WORTH: Final = 3
WORTH: Final = (
    "CASE WHEN name_key IS NOT NULL OR kept OR blocked THEN 3"
    " WHEN latency IS NOT NULL OR download IS NOT NULL OR upload IS NOT NULL THEN 2"
    " WHEN last_seen IS NOT NULL THEN 1 ELSE 0 END"
)
# Room is made for so many at once: to find who goes costs more than to let go.
_ROOM_AT_ONCE: Final = 64


class Room:
    """The places of the table during one transaction. draw: chance, once for each newcomer."""

    __slots__ = ("_count", "_db", "_draw", "_peers_max")

    def __init__(self, db: sqlite3.Connection, draw: Callable[[], int], peers_max: int = PEERS_MAX) -> None:
        self._db = db
        self._draw = draw
        self._peers_max = peers_max
        self._count: int | None = None

    def take_in(self, peer: PeerId, worth: int, now: float) -> int | None:
        """Begin a row for a newcomer and return its number; None where there is no room for its like."""
        if not self._has_place(worth):
            return None
        row = self._db.execute(
            "INSERT INTO peers (peer_id, draw, first_seen, touched_at) VALUES (?, ?, ?, ?)",
            (peer.to_bytes(), self._draw(), now, now),
        )
        assert self._count is not None  # noqa: S101  `_has_place` has counted
        self._count += 1
        return row.lastrowid

    def _has_place(self, worth: int) -> bool:
        if self._count is None:
            (self._count,) = self._db.execute("SELECT count(*) FROM peers").fetchone()
        if self._count >= self._peers_max:
            self._count -= self._db.execute(
                f"DELETE FROM peers WHERE id IN (SELECT id FROM peers WHERE {WORTH} <= ?"  # noqa: S608
                f" ORDER BY {WORTH}, touched_at LIMIT ?)",
                (min(worth, KNOWN_WORTH - 1), _ROOM_AT_ONCE),
            ).rowcount
        return self._count < self._peers_max


def apply(db: sqlite3.Connection, notes: Mapping[PeerId, Note], room: Room) -> None:
    """Write what was noted."""
    for peer, note in notes.items():
        row = db.execute(
            "SELECT id, blocked, sources, host FROM peers WHERE peer_id = ?", (peer.to_bytes(),)
        ).fetchone()
        if row is None and note.introduces:
            number = room.take_in(peer, 0 if note.seen_at is None else 1, note.began_at)
            row = None if number is None else (number, 0, "", None)
        if row is None or row[1]:
            continue
        number, _, sources, host = row
        _update(db, number, note, sources)
        _write_addresses(db, number, note)
        if note.host and note.host != host:
            _keep_host_small(db, note.host)
        _write_signed(db, number, note)


def block(db: sqlite3.Connection, peer: PeerId, now: float, room: Room) -> None:
    """Mark a peer as unwanted, and take it up for that if need be. Raises LimitReached."""
    if db.execute("SELECT 1 FROM peers WHERE peer_id = ? AND blocked", (peer.to_bytes(),)).fetchone():
        return
    (count,) = db.execute("SELECT count(*) FROM peers WHERE blocked").fetchone()
    if count >= BLOCKED_MAX:
        raise LimitReached("blocked_max", f"{count} peers are blocked, more are not kept")
    keep(db, peer, now, room)
    db.execute("UPDATE peers SET blocked = 1 WHERE peer_id = ?", (peer.to_bytes(),))


def unblock(db: sqlite3.Connection, peer: PeerId) -> bool:
    """Take a mark back; False if there was none."""
    changed = db.execute(
        "UPDATE peers SET blocked = 0 WHERE peer_id = ? AND blocked", (peer.to_bytes(),)
    ).rowcount
    return changed > 0


def keep(db: sqlite3.Connection, peer: PeerId, now: float, room: Room) -> int:
    """Make sure that a peer is in the table, and return its number. Raises LimitReached."""
    row = db.execute("SELECT id FROM peers WHERE peer_id = ?", (peer.to_bytes(),)).fetchone()
    number = row[0] if row is not None else room.take_in(peer, KNOWN_WORTH, now)
    if number is None:
        raise LimitReached(
            "peers_max",
            f"the peer table is full: all its {PEERS_MAX} peers were put there by you",
            hint="warren peer rm removes one",
        )
    return int(number)


def forget(db: sqlite3.Connection, peer: PeerId) -> bool:
    """Drop what is known of a peer; False if that was nothing. Contacts and blocked peers stay as such."""
    key = peer.to_bytes()
    row = db.execute(
        "SELECT id, name_key IS NOT NULL OR blocked FROM peers WHERE peer_id = ?", (key,)
    ).fetchone()
    if row is None:
        return False
    number, stays = row
    if not stays:
        db.execute("DELETE FROM peers WHERE id = ?", (number,))
        return True
    for table in ("peer_addresses", "peer_records", "peer_metadata"):
        db.execute(f"DELETE FROM {table} WHERE peer = ?", (number,))  # noqa: S608  names of our own
    db.execute(
        "UPDATE peers SET last_seen = NULL, latency = NULL, latency_at = NULL, jitter = NULL,"
        " response = NULL, response_at = NULL,"
        " download = NULL, download_at = NULL, upload = NULL, upload_at = NULL, state = 'new',"
        " public = NULL, host = NULL, agent = '', roles = '', kept = 0 WHERE id = ?",
        (number,),
    )
    return True


def follow_contact(
    db: sqlite3.Connection,
    peer: PeerId,
    name_key: str | None,
    addresses: Iterable[Multiaddr],
    now: float,
    room: Room,
) -> None:
    """Somebody became a contact, changed its petname, or (name_key: None) is no contact any more."""
    key = peer.to_bytes()
    if name_key is None:
        db.execute("UPDATE peers SET name_key = NULL WHERE peer_id = ?", (key,))
        return
    try:
        number = keep(db, peer, now, room)
    except LimitReached:  # a table full of what the user put there must not keep anybody from being a contact
        return
    db.execute("UPDATE peers SET name_key = ? WHERE id = ?", (name_key, number))
    note = Note(touched_at=now, sources=("contact",))
    note.tell(addresses, now)
    (sources,) = db.execute("SELECT sources FROM peers WHERE id = ?", (number,)).fetchone()
    _update(db, number, note, sources)
    _write_addresses(db, number, note)


def write_addresses(
    db: sqlite3.Connection, number: int, told: Mapping[Multiaddr, float], proven: Mapping[Multiaddr, float]
) -> None:
    """Remember addresses of the peer of that number, each with the time at which it was told or proven."""
    for address, at in told.items():
        db.execute(
            "INSERT INTO peer_addresses VALUES (?, ?, 0, ?, NULL)"
            " ON CONFLICT (peer, address) DO UPDATE SET told_at = excluded.told_at",
            (number, address.to_bytes(), at),
        )
    for address, at in proven.items():
        _prove(db, number, address.to_bytes(), at)
    if told or proven:
        _trim_addresses(db, number)


def _update(db: sqlite3.Connection, number: int, note: Note, sources: str) -> None:
    words = tuple(dict.fromkeys((*sources.split(), *note.sources)))[:SOURCES_MAX]
    db.execute(
        "UPDATE peers SET touched_at = ?, last_seen = coalesce(?, last_seen), host = coalesce(?, host),"
        " latency = coalesce(?, latency), latency_at = coalesce(?, latency_at), jitter = coalesce(?, jitter),"
        " response = coalesce(?, response), response_at = coalesce(?, response_at),"
        " download = coalesce(?, download), download_at = coalesce(?, download_at),"
        " upload = coalesce(?, upload), upload_at = coalesce(?, upload_at),"
        " state = coalesce(?, state), public = coalesce(?, public), agent = coalesce(?, agent),"
        " roles = coalesce(?, roles), sources = ? WHERE id = ?",
        (
            note.touched_at,
            note.seen_at,
            note.host,
            *_pair(note.latency),
            note.jitter_s,
            *_pair(note.response),
            *_pair(note.download),
            *_pair(note.upload),
            note.state,
            note.public,
            note.agent,
            None if note.roles is None else " ".join(note.roles),
            " ".join(words),
            number,
        ),
    )


def _pair(figure: Figure | None) -> tuple[float | None, float | None]:
    return (None, None) if figure is None else (figure.value, figure.measured_at)


def _write_addresses(db: sqlite3.Connection, number: int, note: Note) -> None:
    write_addresses(db, number, note.told, note.proven)


def _prove(db: sqlite3.Connection, number: int, raw: bytes, at: float) -> None:
    """The address now belongs to this peer alone; figures that waited for its owner are the owner's."""
    db.execute(
        "UPDATE peer_addresses SET proven_at = NULL"
        " WHERE address = ? AND peer <> ? AND proven_at IS NOT NULL",
        (raw, number),
    )
    db.execute(
        "DELETE FROM peer_addresses WHERE address = ? AND told_at IS NULL AND proven_at IS NULL", (raw,)
    )
    db.execute(
        "INSERT INTO peer_addresses VALUES (?, ?, 0, NULL, ?)"
        " ON CONFLICT (peer, address) DO UPDATE SET proven_at = excluded.proven_at",
        (number, raw, at),
    )
    _follow_lead(db, number, raw)


def _follow_lead(db: sqlite3.Connection, number: int, raw: bytes) -> None:
    lead = db.execute(
        "SELECT added_at, latency, download, upload FROM peer_leads WHERE address = ?", (raw,)
    ).fetchone()
    if lead is None:
        return
    added_at, *figures = lead
    for name, value in zip(("latency", "download", "upload"), figures, strict=True):
        if value is not None:
            db.execute(
                f"UPDATE peers SET {name} = ?, {name}_at = ? WHERE id = ? AND {name} IS NULL",  # noqa: S608
                (value, added_at, number),
            )
    (sources,) = db.execute("SELECT sources FROM peers WHERE id = ?", (number,)).fetchone()
    words = tuple(dict.fromkeys((*sources.split(), "import")))[:SOURCES_MAX]
    db.execute("UPDATE peers SET kept = 1, sources = ? WHERE id = ?", (" ".join(words), number))
    db.execute("DELETE FROM peer_leads WHERE address = ?", (raw,))


def _trim_addresses(db: sqlite3.Connection, number: int) -> None:
    db.execute(
        "DELETE FROM peer_addresses WHERE peer = ? AND address IN (SELECT address FROM peer_addresses"
        " WHERE peer = ? ORDER BY proven_at DESC, signed DESC, told_at DESC, address LIMIT -1 OFFSET ?)",
        (number, number, ADDRESSES_MAX),
    )


def _keep_host_small(db: sqlite3.Connection, host: str) -> None:
    db.execute(
        f"DELETE FROM peers WHERE id IN (SELECT id FROM peers WHERE host = ? AND {WORTH} < ?"  # noqa: S608
        " ORDER BY touched_at DESC LIMIT -1 OFFSET ?)",
        (host, KNOWN_WORTH, HOST_PEERS_MAX),
    )


def _write_signed(db: sqlite3.Connection, number: int, note: Note) -> None:
    if note.record is not None:
        if is_newer(db, "peer_records", number, note.record.seq):
            write_record(db, number, note.record, note.touched_at)
        else:
            _bring_nearer(db, number, note.record, note.touched_at)
    if note.metadata is not None and is_newer(db, "peer_metadata", number, note.metadata.seq):
        write_metadata(db, number, note.metadata)


def is_newer(db: sqlite3.Connection, table: str, number: int, seq: int) -> bool:
    """Whether an envelope of that sequence takes the place of what `table` has of the peer."""
    row = db.execute(f"SELECT seq FROM {table} WHERE peer = ?", (number,)).fetchone()  # noqa: S608
    return row is None or int.from_bytes(row[0]) < seq


def write_record(db: sqlite3.Connection, number: int, record: Signed, now: float) -> None:
    """Keep a record instead of the last one; addresses that only the last one named go.

    Of those that it names this node remembers the ones that are believed; and those that were before, when
    somebody nearer told of the last record.
    """
    before = db.execute("SELECT address FROM peer_addresses WHERE peer = ? AND signed", (number,)).fetchall()
    known = {raw for (raw,) in before}
    db.execute("DELETE FROM peer_addresses WHERE peer = ? AND signed AND proven_at IS NULL", (number,))
    db.execute("UPDATE peer_addresses SET signed = 0, told_at = NULL WHERE peer = ? AND signed", (number,))
    named = [one for one in record.addresses if one in record.believed or one.to_bytes() in known]
    _write_signed_addresses(db, number, named, now)
    db.execute(
        "INSERT OR REPLACE INTO peer_records (peer, seq, envelope, told_from) VALUES (?, ?, ?, ?)",
        (number, record.seq.to_bytes(8), record.envelope, record.told_from),
    )


def _bring_nearer(db: sqlite3.Connection, number: int, record: Signed, now: float) -> None:
    """Somebody told again of the record that is kept: if he is nearer, more of it is believed."""
    changed = db.execute(
        "UPDATE peer_records SET told_from = ? WHERE peer = ? AND told_from > ? AND envelope = ?",
        (record.told_from, number, record.told_from, record.envelope),
    ).rowcount
    if changed:
        _write_signed_addresses(db, number, [one for one in record.addresses if one in record.believed], now)


def _write_signed_addresses(
    db: sqlite3.Connection, number: int, addresses: Sequence[Multiaddr], now: float
) -> None:
    db.executemany(
        "INSERT INTO peer_addresses VALUES (?, ?, 1, ?, NULL)"
        " ON CONFLICT (peer, address) DO UPDATE SET signed = 1, told_at = excluded.told_at",
        [(number, address.to_bytes(), now) for address in addresses[:ADDRESSES_MAX]],
    )
    _trim_addresses(db, number)


def write_metadata(db: sqlite3.Connection, number: int, metadata: Signed) -> None:
    """Keep what a peer says of itself instead of what it said last."""
    entries = json.dumps(dict(metadata.entries), ensure_ascii=False)
    db.execute(
        "INSERT OR REPLACE INTO peer_metadata VALUES (?, ?, ?, ?)",
        (number, metadata.seq.to_bytes(8), metadata.envelope, entries),
    )
