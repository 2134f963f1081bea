"""What an import brings into the table: (part of) one transaction over `state.db`.

In:  a connection inside a transaction, an entry, the time. Out: what became of the entry. Nothing that is
known is lost to older or lesser knowledge: the newer figure, the later time, the record with the higher
number holds, and an address stays with whoever proved it last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from warren.core.peer_metadata import PeerMetadata
from warren.core.peer_record import PeerRecord
from warren.services.peers import leads, store
from warren.services.peers.notes import Signed

if TYPE_CHECKING:
    import sqlite3

    from warren.core.multiaddr import Multiaddr
    from warren.services.peers.model import Figure, Kept, Lead
    from warren.services.peers.store import Room

Became: TypeAlias = Literal["added", "known", "lead"]
# Fault: a list that fills the table with what never goes. Beyond so many, imported peers count like others.
KEPT_MAX: Final = store.PEERS_MAX // 2


def merge_peer(db: sqlite3.Connection, kept: Kept, now: float, room: Room) -> Became:
    """Take in a peer. Raises LimitReached."""
    peer = kept.peer
    known = db.execute("SELECT 1 FROM peers WHERE peer_id = ?", (peer.peer_id.to_bytes(),)).fetchone()
    number = store.keep(db, peer.peer_id, now, room)
    _merge_facts(db, number, kept, now)
    figures = {"latency": peer.latency, "response": peer.response}
    for name, figure in (figures | {"download": peer.download, "upload": peer.upload}).items():
        _merge_figure(db, number, name, figure, now)
    told = dict.fromkeys(peer.addresses, now)
    proven = {address: min(at, now) for address, at in kept.proven.items() if _is_later(db, address, at)}
    store.write_addresses(db, number, told, proven)
    _merge_signed(db, number, kept, now)
    if peer.blocked:
        store.block(db, peer.peer_id, now, room)
    return "known" if known else "added"


def merge_lead(db: sqlite3.Connection, lead: Lead, now: float) -> Became:
    """Take in an address: what came with it goes to whoever proved it, else it is to be dialled.

    Raises LimitReached.
    """
    raw = lead.address.to_bytes()
    owner = db.execute(
        "SELECT peer FROM peer_addresses WHERE address = ? AND proven_at IS NOT NULL", (raw,)
    ).fetchone()
    if owner is None:
        return "lead" if leads.add(db, lead) else "known"
    for name, figure in (("latency", lead.latency), ("download", lead.download), ("upload", lead.upload)):
        (has,) = db.execute(f"SELECT {name} IS NOT NULL FROM peers WHERE id = ?", owner).fetchone()  # noqa: S608
        if not has:
            _merge_figure(db, owner[0], name, figure, now)
    return "known"


def _merge_facts(db: sqlite3.Connection, number: int, kept: Kept, now: float) -> None:
    """Times, words, and what the later of both sides holds."""
    peer = kept.peer
    (last_seen, agent, roles, state, public, words) = db.execute(
        "SELECT last_seen, agent, roles, state, public, sources FROM peers WHERE id = ?", (number,)
    ).fetchone()
    theirs_later = (peer.last_seen or 0.0) > (last_seen or 0.0)
    if theirs_later or state == "new":
        state = peer.state
    if theirs_later or not agent:
        agent, roles = peer.agent or agent, " ".join(peer.roles) or roles
    if public is None or (theirs_later and peer.public is not None):
        public = peer.public
    sources = tuple(dict.fromkeys((*words.split(), *peer.sources, "import")))[: store.SOURCES_MAX]
    db.execute(
        "UPDATE peers SET first_seen = min(first_seen, ?), last_seen = ?, state = ?, agent = ?, roles = ?,"
        " public = ?, sources = ?, touched_at = max(touched_at, ?),"
        " kept = kept OR (SELECT count(*) FROM peers WHERE kept) < ? WHERE id = ?",
        (
            peer.first_seen or now,
            min(peer.last_seen, now) if theirs_later and peer.last_seen is not None else last_seen,
            state,
            agent,
            roles,
            public,
            " ".join(sources),
            min(peer.last_seen or 0.0, now),
            KEPT_MAX,
            number,
        ),
    )
    if peer.jitter_s is not None:
        db.execute("UPDATE peers SET jitter = coalesce(jitter, ?) WHERE id = ?", (peer.jitter_s, number))


def _merge_figure(db: sqlite3.Connection, number: int, name: str, figure: Figure | None, now: float) -> None:
    if figure is not None:
        at = min(figure.measured_at, now)
        db.execute(
            f"UPDATE peers SET {name} = ?, {name}_at = ?"  # noqa: S608  names of our own
            f" WHERE id = ? AND ({name}_at IS NULL OR {name}_at < ?)",
            (figure.value, at, number, at),
        )


def _is_later(db: sqlite3.Connection, address: Multiaddr, at: float) -> bool:
    """Whether that proof is newer than any that is here."""
    (newest,) = db.execute(
        "SELECT max(proven_at) FROM peer_addresses WHERE address = ?", (address.to_bytes(),)
    ).fetchone()
    return newest is None or newest < at


def _merge_signed(db: sqlite3.Connection, number: int, kept: Kept, now: float) -> None:
    if kept.record is not None and len(kept.record) <= store.RECORD_BYTES_MAX:
        record = PeerRecord.open(kept.record)
        useful = tuple(one.without_peer() for one in record.addrs if not one.is_unspecified)
        if store.is_newer(db, "peer_records", number, record.seq):
            store.write_record(db, number, Signed(record.seq, kept.record, addresses=useful), now)
    if kept.metadata is not None:
        metadata = PeerMetadata.open(kept.metadata)
        if store.is_newer(db, "peer_metadata", number, metadata.seq):
            signed = Signed(metadata.seq, kept.metadata, entries=metadata.entries)
            store.write_metadata(db, number, signed)
