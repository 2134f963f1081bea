"""`PeerTable`: who is out there, where, how near and how fast. The facade over the tables of store.py.

In:  what the network, the measurements and others tell; what the user decides. Out: peers, by page, by id or
as candidates for a dial; events: `PeerBlocked`, `PeerUnblocked`, `PeerForgotten`.

One entry for each peer id. An address belongs to whoever last proved it by a handshake. Of signed records the
one with the highest number holds, and nobody else can change it. Addresses are taken in from whoever may
tell of them (`core/reach.py`), so all that are read here may be dialled. What the user is told was done is
committed before (blocks, removals, imports). Figures, addresses, signed records and times of meeting wait for
up to `WRITE_AFTER_S` and are written together; whoever reads sees them at once.

Refuses what store.py has no room for, and news of this node itself or of blocked peers.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, TypeVar

from warren.core.errors import InputError, StorageError, WarrenError
from warren.core.peer_metadata import PeerMetadata
from warren.core.peer_record import PeerRecord
from warren.core.reach import Reach, believable
from warren.network.limits import ip_group
from warren.services.peers import reading, store
from warren.services.peers.leads import Leads
from warren.services.peers.model import Figure, PeerBlocked, PeerForgotten, PeerUnblocked
from warren.services.peers.notes import Notes, Signed, offer
from warren.services.peers.own import OwnMetadata

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Sequence

    from warren.core.keys import PrivateKey
    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Clock, Database, Entropy
    from warren.services.peers.model import Kept, Peer, Sort, State
    from warren.services.peers.notes import Note

T = TypeVar("T")

WRITE_AFTER_S: Final = 30.0
"""What was noted is on disk after so long at the latest; a kill loses no more of it."""
NOTES_MAX: Final = 1024
"""Peers of which something waits. Fault: a disk that is full for hours. The oldest are dropped."""
DRAWS: Final = 1 << 62
_log = logging.getLogger(__name__)


class PeerTable:
    """The peers of one node. `load` before anything else, `run` as long as it lives, `close` at its end."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        entropy: Entropy,
        key: PrivateKey,
        *,
        emit: Callable[[object], None] = lambda _: None,
        expel: Callable[[PeerId], None] = lambda _: None,
        peers_max: int = store.PEERS_MAX,
    ) -> None:
        """`emit` takes the events; `expel` ends all sockets with a peer that was just blocked."""
        self._database = database
        self._clock = clock
        self._entropy = entropy
        self.me = key.peer_id
        """This node itself, which is not in the table."""
        self._emit = emit
        self._expel = expel
        self._peers_max = peers_max
        self._blocked: set[PeerId] = set()
        self._notes = Notes()
        self._noted = asyncio.Event()
        self._writing = asyncio.Lock()
        self._writes: set[asyncio.Task[Any]] = set()
        self.leads = Leads(lambda fn: self.transact(lambda db, _: fn(db)), clock)
        """Addresses of which nobody knows yet whose they are."""
        self.own = OwnMetadata(database, key, clock)
        """What this node says of itself."""

    # --- life ---------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Read what must be known at once: who is blocked, and what this node says of itself."""
        self._blocked = set(await self._database.run(reading.blocked))
        await self.own.load()

    async def run(self) -> None:
        """Write what was noted, every now and then, until cancelled."""
        while True:
            await self._noted.wait()
            await asyncio.sleep(WRITE_AFTER_S)
            self._noted.clear()
            await self._write_notes()

    async def close(self) -> None:
        """Write what was noted, and wait for what is under way. The database is the caller's to close."""
        await self._write_notes()
        while self._writes:
            await asyncio.wait(self._writes)

    # --- questions ----------------------------------------------------------------------------------------

    async def page(self, sort: Sort | None = None, offset: int = 0, limit: int = 100) -> list[Peer]:
        """Some peers in an order. None: contacts by petname, then the rest, last seen first."""
        return await self.read(lambda db: reading.page(db, sort, offset, limit))

    async def get(self, peer: PeerId) -> Peer | None:
        """One peer; None if the table does not hold it."""
        found = await self.read(lambda db: reading.get(db, [peer]))
        return found[0] if found else None

    async def count(self) -> int:
        """How many peers the table holds."""
        return await self.read(reading.count)

    async def starting_with(self, text: str, limit: int = 20) -> list[PeerId]:
        """The peers whose id begins with `text` in either form, or after what all Ed25519 ids begin with."""
        return await self.read(lambda db: reading.starting_with(db, text, limit))

    async def candidates(
        self,
        limit: int,
        *,
        states: Collection[State] = ("new", "reachable", "suspect"),
        exclude: Collection[PeerId] = (),
        at_random: bool = False,
    ) -> list[Peer]:
        """Peers worth a dial or a probe: not blocked, with an address; seen last first, or at random."""
        start = self._entropy.below(DRAWS) if at_random else None
        return await self.read(lambda db: reading.candidates(db, limit, states, exclude, start))

    async def kept_after(self, number: int, limit: int) -> tuple[list[Kept], int]:
        """All that is kept of some peers, from the oldest entry on; and the number to go on after."""
        return await self.read(lambda db: reading.kept_after(db, number, limit))

    def is_blocked(self, peer: PeerId) -> bool:
        """Whether the user blocked it; answers at once."""
        return peer in self._blocked

    # --- what the network tells: written soon, not at once -----------------------------------------------

    async def seen(
        self,
        peer: PeerId,
        address: Multiaddr | None = None,
        proven: bool = False,
        *,
        source: str = "",
        host: str = "",
    ) -> None:
        """It was met just now.

        address: where. proven: our dial of that address met its key. source: a word for how it became known.
        host: the numeric address that it came from.
        """
        note = self._note(peer)
        if note is None:
            return
        now = note.touched_at
        note.introduces, note.seen_at, note.state = True, now, "reachable"
        note.add_source(source)
        if address is not None and proven:
            note.prove(address, now)
            note.public = True if address.is_global else note.public
        elif address is not None:
            note.tell([address], now)
        host = host or (address.host or "" if address is not None and proven else "")
        if host and not _is_loopback(host):
            note.host = ip_group(host)
        await self._make_room()

    async def parted(self, peer: PeerId) -> None:
        """It was met until just now. Whoever was forgotten meanwhile stays so."""
        note = self._note(peer)
        if note is not None:
            note.seen_at = note.touched_at
            await self._make_room()

    async def heard(
        self, peer: PeerId, addresses: Iterable[Multiaddr], source: str, teller: Reach = Reach.PUBLIC
    ) -> None:
        """Somebody, or a discovery, said that it may be reached there; nobody here has met it by that.

        teller: how near that one speaks from.
        """
        note = self._note(peer)
        if note is not None:
            note.introduces = True
            note.tell(believable(tuple(addresses), teller), note.touched_at)
            note.add_source(source)
            await self._make_room()

    async def note_latency(self, peer: PeerId, rtt_s: float, jitter_s: float | None) -> None:
        """Its smoothed round trip and the deviation, in seconds, measured now."""
        note = self._note(peer)
        if note is not None:
            note.latency, note.jitter_s = Figure(rtt_s, note.touched_at), jitter_s
            await self._make_room()

    async def note_response(self, peer: PeerId, response_s: float) -> None:
        """How long it took to answer a question just now, in seconds."""
        note = self._note(peer)
        if note is not None:
            note.response = Figure(response_s, note.touched_at)
            await self._make_room()

    async def note_speed(
        self, peer: PeerId, download_bytes_per_s: float | None, upload_bytes_per_s: float | None
    ) -> None:
        """What a test or a transfer measured now, in each direction that it measured."""
        note = self._note(peer)
        if note is None:
            return
        if download_bytes_per_s is not None:
            note.download = Figure(download_bytes_per_s, note.touched_at)
        if upload_bytes_per_s is not None:
            note.upload = Figure(upload_bytes_per_s, note.touched_at)
        await self._make_room()

    async def note_state(self, peer: PeerId, state: State) -> None:
        """Whether it can be reached, as the probing found. To be `seen` makes a peer reachable, too."""
        note = self._note(peer)
        if note is not None:
            note.state = state
            await self._make_room()

    async def note_identity(self, peer: PeerId, agent: str, roles: Sequence[str]) -> None:
        """What it says that it runs, and does for others."""
        note = self._note(peer)
        if note is not None:
            note.agent, note.roles = agent, tuple(roles)
            await self._make_room()

    async def note_record(self, envelope: bytes, source: str, teller: Reach = Reach.PUBLIC) -> bool:
        """Its signed record, which is kept if it is newer than what is known; teller: how near whoever told
        speaks from.

        False if it names addresses that somebody nearer may tell of. Raises ProtocolViolation for a record
        that its peer did not sign.
        """
        if len(envelope) > store.RECORD_BYTES_MAX:
            return True
        record = PeerRecord.open(envelope)
        note = self._note(record.peer_id)
        if note is None:
            return True
        useful = tuple(one.without_peer() for one in record.addrs if not one.is_unspecified)
        signed = Signed(record.seq, envelope, addresses=useful, told_from=teller)
        note.introduces = True
        note.record = offer(note.record, signed)
        note.add_source(source)
        await self._make_room()
        return signed.believed.issuperset(believable(signed.addresses, Reach.LOOPBACK))

    async def note_metadata(self, envelope: bytes) -> None:
        """The same for what it says of itself. Only of peers that the table holds."""
        metadata = PeerMetadata.open(envelope)
        note = self._note(metadata.peer_id)
        if note is not None:
            note.metadata = offer(note.metadata, Signed(metadata.seq, envelope, entries=metadata.entries))
            await self._make_room()

    # --- committed when they return -----------------------------------------------------------------------

    async def forget(self, peer: PeerId) -> bool:
        """Drop what is known of a peer; a block and a contact stay. False if there was nothing."""
        known = await self.transact(lambda db, _: store.forget(db, peer))
        if known:
            self._emit(PeerForgotten(peer))
        return known

    async def block(self, peer: PeerId) -> None:
        """Have nothing to do with a peer: sockets with it end, new ones are refused, also after a restart.

        Raises InputError for this node itself, LimitReached.
        """
        if peer == self.me:
            raise InputError("a node cannot block itself", hint="name another peer")
        now = self._clock.wall()
        await self.transact(lambda db, room: store.block(db, peer, now, room))
        self.show_blocked([peer])

    async def unblock(self, peer: PeerId) -> bool:
        """Take that back. False if it was not blocked."""
        was = await self.transact(lambda db, _: store.unblock(db, peer))
        self._blocked.discard(peer)
        if was:
            self._emit(PeerUnblocked(peer))
        return was

    async def commit(self) -> None:
        """All that was noted so far is on disk when this returns. Raises StorageError."""
        if len(self._notes) or self._writes:
            await self.transact(lambda _, __: None)

    async def transact(self, fn: Callable[[sqlite3.Connection, store.Room], T]) -> T:
        """Run `fn` over all that was noted before, in one transaction with it. Raises what `fn` raises.

        Whoever is cancelled meanwhile leaves it to its end: others may wait for the same commit.
        """
        write = asyncio.get_running_loop().create_task(self._transact(fn))
        self._writes.add(write)
        write.add_done_callback(self._wrote)
        return await asyncio.shield(write)

    async def read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Run `fn` over what is written and what is noted; a full disk does not keep anybody from reading."""
        if len(self._notes):
            try:
                return await self.transact(lambda db, _: fn(db))
            except StorageError as error:
                _log.warning("peers are read without the latest news: %s", error)
        return await self._database.run(fn)

    def show_blocked(self, peers: Iterable[PeerId]) -> None:
        """It is committed that `peers` are blocked: let it have its effect."""
        for peer in peers:
            if peer not in self._blocked:
                self._blocked.add(peer)
                self._emit(PeerBlocked(peer))
            self._notes.drop(peer)
            self._expel(peer)

    def room(self, db: sqlite3.Connection) -> store.Room:
        """The places of the table, for one transaction."""
        return store.Room(db, lambda: self._entropy.below(DRAWS), self._peers_max)

    # --- inside -------------------------------------------------------------------------------------------

    async def _transact(self, fn: Callable[[sqlite3.Connection, store.Room], T]) -> T:
        async with self._writing:
            taken = self._notes.take()

            def work(db: sqlite3.Connection) -> T:
                room = self.room(db)
                store.apply(db, taken, room)
                return fn(db, room)

            try:
                return await self._database.run(work)
            except WarrenError:
                self._notes.put_back(taken)
                raise

    def _wrote(self, write: asyncio.Task[Any]) -> None:
        self._writes.discard(write)
        if not write.cancelled():
            write.exception()  # seen, also where whoever waited for it was cancelled

    def _note(self, peer: PeerId) -> Note | None:
        """Where news of `peer` are written down now; None for whoever is of no concern."""
        if peer == self.me or peer in self._blocked:
            return None
        self._noted.set()
        return self._notes.of(peer, self._clock.wall())

    async def _make_room(self) -> None:
        if len(self._notes) >= NOTES_MAX:
            await self._write_notes()

    async def _write_notes(self) -> None:
        try:
            await self.commit()
        except StorageError as error:
            dropped = self._notes.drop_oldest(NOTES_MAX // 2)
            self._noted.set()
            _log.warning("news of peers could not be written: %s (%d dropped)", error, dropped)


def _is_loopback(host: str) -> bool:
    return host == "::1" or host.startswith("127.")
