"""The part of a super-peer: what weak peers register with it, and who of them is there.

In:  sealed leases and registrations of the peers of connections, goodbyes, lost connections. Out: an index
and an online set that answers of searches come from; acknowledgements, once what they acknowledge is
committed.

There is neither a task nor a timer for a peer: one timer for the next lease that ends. Refuses leases and
registrations that another signed, that are old, that are too many, or for which there is no room; whoever
sends such is named in the log, once a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from warren.core.errors import ProtocolViolation, StorageError
from warren.core.lease import Lease
from warren.network.places import place_of
from warren.protocols.directory.messages import Held, Reason, RefusedAnswer
from warren.protocols.directory.registration import Registration
from warren.services.directory.budgets import CHANGES, LEASES, Budget
from warren.services.directory.index.interface import Gap, Stale
from warren.services.directory.leases import Leases, Taken
from warren.services.directory.room import Room

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from warren.core.peer_id import PeerId
    from warren.protocols.directory.audiences import Audiences
    from warren.protocols.directory.entries import Registered
    from warren.protocols.directory.messages import Answer
    from warren.services.directory.config import DirectoryConfig
    from warren.services.directory.index.interface import Index

GRACE_S: Final = 5.0
"""For which a peer whose connection broke counts as there. Fault: who changes the network flickers."""
KEEP_S: Final = 7 * 86400.0
"""For which entries of who went are kept, to be shown as what nobody there holds. Fault: an index full of
peers that never come back."""
TIDY_EVERY_S: Final = 3600.0
TABLES_BYTES_MAX: Final = 64 << 20
"""Tables of audiences of all peers together; those of peers that have gone make room first. Attack: large
tables of many identities."""
SNAPSHOT_BYTES_MAX: Final = 48 << 20
"""Parts of one snapshot that wait for the last one. Attack: snapshots without an end."""
SNAPSHOTS_BYTES_MAX: Final = 128 << 20
"""The same of all peers together."""
SNAPSHOT_S: Final = 300.0
"""From the first part of a snapshot to its last. Attack: snapshots that hold their room for ever."""
MESSAGE_COST: Final = 200
"""What a registration costs besides its changes: its signature and its commit."""
_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Parts:
    """The parts of a snapshot that came on one stream, as they were sealed: that takes the least room.
    began_at: when the first one came.
    """

    envelopes: list[bytes] = field(default_factory=list)
    size: int = 0
    entries: int = 0
    began_at: float = 0.0


class SuperPeer:
    """Takes registrations while it is `active`. `run` lets leases end."""

    def __init__(self, index: Index, config: DirectoryConfig, me: PeerId, now: Callable[[], float]) -> None:
        """now: monotonic seconds."""
        self.active = False
        """Whether this node is a super-peer now."""
        self.leases = Leases(config.peers_max)
        self._index = index
        self._config = config
        self._me = me
        self._now = now
        self._gone: dict[PeerId, float] = {}
        """Whose entries are kept although they are not there, who went first before the others."""
        self._tables: dict[PeerId, Audiences] = {}
        self._tables_room: Room[PeerId] = Room(TABLES_BYTES_MAX)
        self._waiting: Room[Parts] = Room(SNAPSHOTS_BYTES_MAX)
        self._entries: Room[PeerId] = Room(config.entries_total_max)
        self._busy: set[PeerId] = set()
        self._changes = Budget(CHANGES, now())
        self._lease_budget = Budget(LEASES, now())
        self._wake = asyncio.Event()
        self._silent: set[PeerId] = set()
        """Whom others cannot reach, and who did not answer: not there, although their leases last."""
        self.on_lease: Callable[[PeerId, bool], object] = lambda _peer, _is_new: None
        """Called with whose lease was taken, and whether that peer was not there before."""
        self.on_went: Callable[[PeerId, bool], object] = lambda _peer, _said_so: None
        """Called with who is there no more, and whether it said so itself."""
        self.on_valid: list[Callable[[PeerId, float], object]] = []
        """Called with each peer whose lease was taken, and for how many seconds it is good."""
        self.on_over: list[Callable[[PeerId], object]] = []
        """Called with each peer that has no lease here any more."""
        self._elsewhere: set[PeerId] = set()
        """Who has a lease at another super-peer that shares its index with this one."""

    # --- who is there ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Let leases end, and forget who does not come back, until cancelled."""
        self._gone.clear()
        for owner in self._index.owners():
            self._keep(owner)
        for owner in self._gone:
            self._entries.hold(owner, None, self._index.size(owner))
        while True:
            self._wake.clear()
            now = self._now()
            for peer in self.leases.expire(now):
                self._went(peer, said_so=False)
            await self._tidy(now)
            tidy_at = now + TIDY_EVERY_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(tidy_at, self.leases.next_at or tidy_at)):
                    await self._wake.wait()

    async def _tidy(self, now: float) -> None:
        """Forget who has been gone for long, and everybody where this node is no super-peer."""
        while self._gone:
            peer, at = next(iter(self._gone.items()))
            too_many = len(self._gone) + len(self.leases) > 2 * self._config.peers_max
            if self.active and at + KEEP_S > now and not too_many:
                return
            await self._forget(peer)

    async def _forget(self, peer: PeerId) -> None:
        self._gone.pop(peer, None)
        self._drop_table(peer)
        self._entries.free(peer)
        await self._index.forget(peer)

    def is_online(self, peer: PeerId) -> bool:
        """Whether a peer is there, as far as anybody knows."""
        return (peer in self.leases or peer in self._elsewhere) and peer not in self._silent

    def set_silent(self, peer: PeerId, silent: bool) -> None:
        """Others cannot reach a peer and it did not answer, or that is over."""
        there = peer in self.leases or peer in self._elsewhere
        (self._silent.add if silent and there else self._silent.discard)(peer)
        self._index.set_online(peer, self.is_online(peer))

    def set_elsewhere(self, peer: PeerId, there: bool) -> None:
        """A peer has, or has no more, a lease at another super-peer that shares its index with this one."""
        (self._elsewhere.add if there else self._elsewhere.discard)(peer)
        if not there and peer not in self.leases:
            self._silent.discard(peer)
        self._index.set_online(peer, self.is_online(peer))
        self._keep(peer)

    def _went(self, peer: PeerId, *, said_so: bool) -> None:
        self._silent.discard(peer)
        self._index.set_online(peer, self.is_online(peer))
        self._keep(peer)
        for tell in self.on_over:
            tell(peer)
        self.on_went(peer, said_so)

    def _keep(self, peer: PeerId) -> None:
        """From when on its entries are kept although it is not there."""
        if peer in self.leases or peer in self._elsewhere or peer == self._me:
            self._gone.pop(peer, None)
        else:
            self._gone.setdefault(peer, self._now())

    def lease(self, peer: PeerId, group: Hashable | None, envelope: bytes, host: str | None = None) -> Answer:
        """A sign of life, from a connection with `host`. The answer tells where the registration of the peer
        stands.
        """
        if not self._lease_budget.take(peer, group, self._now()):
            return self._refuse(peer, Reason.TOO_OFTEN, "leases too often", self._lease_budget)
        try:
            lease = Lease.open(envelope)
        except ProtocolViolation as error:
            return self._refuse(peer, Reason.BAD, str(error))
        if lease.peer_id != peer or not lease.is_for(self._me):
            return self._refuse(peer, Reason.BAD, "a lease of another peer, or for another one")
        taken = self.take_lease(lease, host)
        if taken is Taken.OLD:
            refused = self._refuse(peer, Reason.BAD, "a lease that was shown before")
            return replace(refused, lease_seq=self.leases.number_of(peer))
        if taken is Taken.FULL:
            return RefusedAnswer(Reason.FULL, "there is no room for another peer")
        return replace(self.held(peer), entries_max=self._config.entries_max)

    def take_lease(self, lease: Lease, host: str | None) -> Taken:
        """A lease that was checked, of the peer of a connection with `host`, and for this node."""
        peer = lease.peer_id
        valid_s = min(lease.valid_s, self._config.lease_s * 2)
        taken = self.leases.take(peer, lease.seq, valid_s, self._now(), place_of(peer, host))
        if taken is Taken.NEW:
            self._index.set_online(peer, True)
            self._gone.pop(peer, None)
            self._wake.set()
        if taken in (Taken.NEW, Taken.RENEWED):
            for tell in self.on_valid:
                tell(peer, valid_s)
            self.on_lease(peer, taken is Taken.NEW)
        return taken

    def leave(self, peer: PeerId) -> None:
        """It said that it goes: nothing of it is found as online from now on."""
        if self.leases.leave(peer):
            self._went(peer, said_so=True)

    def disconnected(self, peer: PeerId) -> None:
        """The last connection with it is gone. It may come back at once, and be there all the time."""
        if peer in self.leases:
            self.leases.shorten(peer, self._now() + GRACE_S)
            self._wake.set()

    def close(self) -> None:
        """Take no more, and forget who is there."""
        self.active = False
        for peer in self.leases.peers():
            self.leave(peer)
        self._wake.set()

    # --- what they share ------------------------------------------------------------------------------------

    def held(self, peer: PeerId) -> Held:
        """Where the registration of a peer stands."""
        table = self._tables.get(peer)
        return Held(self._index.position(peer), table.digest if table is not None else b"")

    def admits(self, owner: PeerId, audience: int, asker: PeerId) -> bool:
        """Whether a peer may see what another one registered for an audience."""
        table = self._tables.get(owner)
        return owner == asker or (table is not None and table.admits(audience, asker))

    async def register(self, peer: PeerId, group: Hashable | None, envelope: bytes, parts: Parts) -> Answer:
        """Take a registration. parts: those of a snapshot that came before on the same stream."""
        if peer not in self.leases:
            return RefusedAnswer(Reason.BAD, "a registration without a lease")
        if not self._changes.take(peer, group, self._now(), MESSAGE_COST):
            return self._refuse(peer, Reason.TOO_OFTEN, "registers too much", self._changes)
        try:
            registration = Registration.open(envelope, peer)
        except ProtocolViolation as error:
            return self._refuse(peer, Reason.BAD, str(error))
        self._name_left_out(peer, registration.left_out)
        cost = len(registration.added) + len(registration.removed) + registration.left_out
        if not self._changes.take(peer, group, self._now(), cost):
            return self._refuse(peer, Reason.TOO_OFTEN, "registers too much", self._changes)
        if peer in self._busy:
            return RefusedAnswer(Reason.BUSY, "another registration of this peer is under way")
        self._busy.add(peer)
        try:
            return await self._take(peer, group, registration, envelope, parts)
        except StorageError as error:
            _log.warning("what %s registers cannot be kept: %s", peer, error)
            return RefusedAnswer(Reason.NOT_KEPT, "it cannot be kept here now")
        finally:
            self._busy.discard(peer)

    def drop(self, parts: Parts) -> None:
        """A stream is over: an unfinished snapshot on it is of no use."""
        self._waiting.free(parts)
        parts.envelopes.clear()
        parts.size = parts.entries = 0

    async def _take(
        self,
        peer: PeerId,
        group: Hashable | None,
        registration: Registration,
        envelope: bytes,
        parts: Parts,
    ) -> Answer:
        if registration.audiences is not None and not self._keep_table(peer, group, registration.audiences):
            return RefusedAnswer(Reason.FULL, "there is no room for another table of audiences")
        if registration.snapshot:
            return await self._take_snapshot(peer, group, registration, envelope, parts)
        if registration.from_seq == registration.to_seq:
            return self.held(peer)  # a table alone
        size = self._index.size(peer) + len(registration.added)
        if size > self._config.entries_max:
            return self._too_many(peer)
        if registration.added and not await self._make_room(peer, group, size):
            return _no_room()
        added = list(registration.added)
        try:
            await self._index.apply(
                peer,
                registration.epoch,
                registration.from_seq,
                registration.to_seq,
                added,
                registration.removed,
            )
        except Gap as gap:
            return RefusedAnswer(Reason.GAP, "it does not follow", gap.position)
        self._entries.hold(peer, group, self._index.size(peer))
        return self.held(peer)

    async def _take_snapshot(
        self,
        peer: PeerId,
        group: Hashable | None,
        registration: Registration,
        envelope: bytes,
        parts: Parts,
    ) -> Answer:
        entries = parts.entries + len(registration.added)
        if entries > self._config.entries_max:
            return self._too_many(peer)
        if not await self._make_room(peer, group, entries):
            return _no_room()
        if registration.more:
            now, size = self._now(), parts.size + len(envelope)
            if not parts.envelopes:
                parts.began_at = now
            if size > SNAPSHOT_BYTES_MAX or now >= parts.began_at + SNAPSHOT_S:
                self.drop(parts)
                return self._refuse(peer, Reason.BUSY, "a snapshot without an end")
            if self._waiting.to_free(parts, group, size) is None:
                self.drop(parts)
                return RefusedAnswer(Reason.BUSY, "too much is being registered at once")
            parts.envelopes.append(envelope)
            parts.size, parts.entries = size, entries
            self._waiting.hold(parts, group, size)
            return self.held(peer)
        position = self._index.position(peer)
        if (
            registration.anew
            and position is not None
            and position > (registration.epoch, registration.to_seq)
        ):
            await self._index.forget(peer)
        whole = _Whole([*parts.envelopes], peer, registration)
        try:
            await self._index.replace(peer, registration.epoch, registration.to_seq, iter(whole))
        except Stale as stale:
            return self._refuse(peer, Reason.STALE, "it is older than what is known", None, stale.position)
        except Gap as gap:
            return RefusedAnswer(Reason.GAP, "another super-peer was told more", gap.position)
        finally:
            self.drop(parts)
        self._name_left_out(peer, whole.left_out)
        self._entries.hold(peer, group, self._index.size(peer))
        return self.held(peer)

    async def _make_room(self, peer: PeerId, group: Hashable | None, size: int) -> bool:
        """Whether a peer may have so many entries, once those are forgotten who have been gone for
        longest.
        """
        freed = self._entries.to_free(peer, group, size, self._gone)
        for one in freed or ():
            if one in self._gone:  # it may have come back meanwhile
                await self._forget(one)
        return freed is not None

    def _keep_table(self, peer: PeerId, group: Hashable | None, table: Audiences) -> bool:
        freed = self._tables_room.to_free(peer, group, table.size, self._gone)
        if freed is None:
            return False
        for one in freed:
            self._drop_table(one)
        self._tables[peer] = table
        self._tables_room.hold(peer, group, table.size)
        return True

    def _drop_table(self, peer: PeerId) -> None:
        self._tables.pop(peer, None)
        self._tables_room.free(peer)

    def _name_left_out(self, peer: PeerId, count: int) -> None:
        if count and self._changes.is_to_be_named(peer, self._now()):
            _log.warning("%s registers %d entries that are none: they are left out", peer, count)

    def _too_many(self, peer: PeerId) -> RefusedAnswer:
        why = f"a peer may register {self._config.entries_max} entries here"
        return self._refuse(peer, Reason.FULL, why)

    def _refuse(
        self,
        peer: PeerId,
        reason: Reason,
        why: str,
        budget: Budget | None = None,
        position: tuple[int, int] | None = None,
    ) -> RefusedAnswer:
        if (budget or self._changes).is_to_be_named(peer, self._now()):
            _log.warning("%s is refused: %s", peer, why)
        return RefusedAnswer(reason, why, position)


def _no_room() -> RefusedAnswer:
    return RefusedAnswer(Reason.FULL, "there is no room for more entries")


class _Whole:
    """All entries of a snapshot, which are read as one goes through them. left_out: of those that were read,
    what was none.
    """

    def __init__(self, envelopes: list[bytes], peer: PeerId, last: Registration) -> None:
        self.left_out = 0
        self._envelopes = envelopes
        self._peer = peer
        self._last = last

    def __iter__(self) -> Iterator[Registered]:
        for envelope in self._envelopes:
            yield from self._read(Registration.open(envelope, self._peer))
        yield from self._read(self._last)

    def _read(self, part: Registration) -> Iterator[Registered]:
        count = 0
        for count, one in enumerate(part.added, start=1):  # noqa: B007 (counted to the end)
            yield one
        self.left_out += len(part.added) - count
