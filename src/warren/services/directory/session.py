"""Being registered with one super-peer.

In:  the catalog, the key of this node. Out: signs of life, and what that super-peer may see of the catalog:
all of it, or what changed since it was told last. Raises what goes wrong; who calls decides what then.

What is sent is acknowledged once it is kept there, and the next delta begins where the last one ended. So
after any failure the answer to the next sign of life says where to go on.

Where there is room for some of it only, that is what comes first in the order of paths. What a super-peer
says of itself is not believed further than it concerns itself: it can neither number the log nor the leases
for others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.entry import is_entry_path
from warren.core.errors import LimitReached, ProtocolViolation
from warren.core.lease import Lease
from warren.protocols.directory.messages import Held, LeaseCall, Reason, RefusedAnswer, RegistrationCall
from warren.protocols.directory.registration import Registration, fit
from warren.services.directory.catalog import BATCH
from warren.services.directory.index.interface import Position

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId
    from warren.protocols.directory.messages import Answer, Call
    from warren.protocols.directory.protocol import DirectoryProtocol
    from warren.runtime.seam import Clock
    from warren.services.directory.catalog import Catalog
    from warren.services.directory.choosing import Chance

RENEWALS: Final = 3
"""Signs of life while one lease is good."""
EARLIEST: Final = 0.8
"""A sign of life may come so much of its time after the last one, by chance. Fault: all who registered after
a restart of their super-peer renew in the same second for ever."""
ROUNDS_MAX: Final = 8
"""Snapshots of one attempt. Fault: a super-peer that says each time that it has something else."""
REFUSALS_MAX: Final = 15
"""Renewals of the lease at which nothing is taken; then another super-peer is tried, if there is one. Fault:
one that is full for ever."""
SLACK: Final = 16
"""One part in so many of the room is left where there is more than fits. Fault: a snapshot for each new
file."""
NUMBERED_MAX: Final = 256
"""Super-peers whose leases have numbers of their own. Attack: one after the other asks for that."""
NUMBER_MAX: Final = 1 << 62
"""Attack: a super-peer that claims to know a number near the last makes this node run out of them."""
_NOT_NOW: Final = frozenset({Reason.FULL, Reason.BUSY, Reason.TOO_OFTEN, Reason.NOT_KEPT})
_NO_END: Final = 1 << 62
_log = logging.getLogger(__name__)


class Talk(Protocol):
    """A stream to a super-peer; see `protocols.directory.protocol.Talk`."""

    async def ask(self, call: Call) -> Answer: ...


class NotTaken(LimitReached):
    """A super-peer does not take a registration now. The lease that it took is none the worse for it."""

    def __init__(self, peer: PeerId, answer: RefusedAnswer) -> None:
        text = f"{peer} refused: {answer.why or answer.reason.name.lower()}"
        super().__init__("directory", text, hint="it is tried again by itself")
        self.reason = answer.reason


class LeaseNumbers:
    """The numbers of the leases of one node: they rise over restarts, too, while the clock does. Where it was
    set back, each super-peer says itself which number it knows.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._since = clock.now()
        self._lasts: dict[PeerId, int] = {}
        """Of super-peers that know later ones than the clock gives."""

    def seal(self, key: PrivateKey, super_peer: PeerId, valid_s: int) -> bytes:
        """A lease for one super-peer."""
        self._last = max(self._last + 1, int(self._clock.wall() * 1000))
        number = max(self._last, self._lasts.get(super_peer, 0) + 1)
        if super_peer in self._lasts:
            self._lasts[super_peer] = number
        held_s = int(self._clock.now() - self._since)
        return Lease(key.peer_id, number, valid_s, held_s, super_peer).seal(key)

    def go_above(self, super_peer: PeerId, number: int) -> bool:
        """A super-peer says that it was shown a lease of that number; whether that may be.

        It is believed for its own leases alone: no other one takes them.
        """
        if number >= NUMBER_MAX:
            return False
        self._lasts.pop(super_peer, None)
        self._lasts[super_peer] = number
        if len(self._lasts) > NUMBERED_MAX:
            del self._lasts[next(iter(self._lasts))]
        return True


class Session:
    """`run` as long as this node is to be registered there."""

    def __init__(
        self,
        peer: PeerId,
        protocol: DirectoryProtocol,
        catalog: Catalog,
        key: PrivateKey,
        numbers: LeaseNumbers,
        lease_s: int,
        chance: Chance,
        on_registered: Callable[[], None],
    ) -> None:
        """on_registered: called once the super-peer has had all there was for the first time."""
        self._peer = peer
        self._protocol = protocol
        self._catalog = catalog
        self._key = key
        self._numbers = numbers
        self._lease_s = lease_s
        self._chance = chance
        self._on_registered = on_registered
        self._changed = asyncio.Event()
        self._renew_now = False
        self._held: Position | None = None
        """Where the super-peer is."""
        self._looked_to = 0
        """Up to there nothing else in the log is for it."""
        self._scope: frozenset[int] = frozenset()
        self._who = b""
        """Whom the table that it was sent admits; empty: it was sent none."""
        self._room = 0
        """So many entries it takes; 0: it did not say."""
        self._until = ""
        """It was told what comes up to this path; empty: all of it."""
        self._refusals = 0
        """Of registrations, since the last one that was taken."""
        self.is_registered = False
        """Whether it has had all there was that it has room for."""

    def wake(self) -> None:
        """Something changed: what is shared, or whom it is for."""
        self._changed.set()

    def renew(self) -> None:
        """Show a fresh lease now."""
        self._renew_now = True
        self._changed.set()

    async def run(self) -> None:
        """Stay registered until cancelled. Raises `WarrenError` where that does not work."""
        self._catalog.on_changed.append(self.wake)
        try:
            loop = asyncio.get_running_loop()
            while True:
                due = loop.time() + self._lease_s / RENEWALS * self._chance.uniform(EARLIEST, 1.0)
                self._changed.clear()
                self._renew_now = False
                async with self._protocol.talk(self._peer) as talk:
                    await self.tell_all(talk)
                if not self._refusals and not self.is_registered:
                    self.is_registered = True
                    self._on_registered()
                await self._follow(due)
        finally:
            self._catalog.on_changed.remove(self.wake)
            self.is_registered = False

    async def tell_all(self, talk: Talk) -> None:
        """A sign of life, and all that is new since the last one. Raises `WarrenError`."""
        await self._renew(talk)
        await self._tell_news(talk)

    async def _follow(self, until: float) -> None:
        """Send what changes until the lease is to be renewed."""
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout_at(until):
                    await self._changed.wait()
                self._changed.clear()
                if self._renew_now:
                    return
                if self._has_news() and not self._refusals:
                    async with self._protocol.talk(self._peer) as talk:
                        await self._tell_news(talk)

    async def _tell_news(self, talk: Talk) -> None:
        """Send what is new. If it is not taken, it is tried again with the next sign of life: who renews its
        lease stays there. Raises `NotTaken` after too many refusals.
        """
        try:
            await self._send_news(talk)
        except NotTaken as error:
            self.is_registered = False
            self._refusals += 1
            if self._refusals == 1:
                _log.warning("what this node shares is not found by everybody yet: %s", error)
            if self._refusals >= REFUSALS_MAX:
                raise
        else:
            self._refusals = 0

    async def _renew(self, talk: Talk) -> None:
        answer = await self._show_lease(talk)
        last = answer.lease_seq if isinstance(answer, RefusedAnswer) else None
        if last is not None and self._numbers.go_above(self._peer, last):
            answer = await self._show_lease(talk)  # our clock was set back since
        held = self._held_of(answer)
        self._take(held)
        self._room = held.entries_max
        if not held.audiences:
            self._who = b""
        if self._held is not None and self._is_beyond(self._held):
            await self._catalog.begin_later_epoch(self._held)

    async def _show_lease(self, talk: Talk) -> Answer:
        return await talk.ask(LeaseCall(self._numbers.seal(self._key, self._peer, self._lease_s)))

    def _is_beyond(self, held: Position) -> bool:
        """Whether it knows of changes that are not in our log."""
        now = self._catalog.position
        return held.epoch > now.epoch or (held.epoch == now.epoch and held.seq > now.seq)

    def _has_news(self) -> bool:
        scope = self._catalog.scope(self._peer)
        return (
            self._looked_to != self._catalog.position.seq
            or scope != self._scope
            or self._catalog.who(scope) != self._who
        )

    async def _send_news(self, talk: Talk) -> None:
        """All that it may see and has not: a table, and a snapshot or deltas."""
        snapshots = 0
        while True:
            scope = self._catalog.scope(self._peer)
            await self._send_table(talk, scope)
            if await self._needs_snapshot(scope):
                snapshots += 1
                if snapshots > ROUNDS_MAX:
                    raise ProtocolViolation(f"{self._peer} takes no snapshot for what it is")
                await self._send_snapshot(talk, scope)
            elif await self._send_delta(talk, scope):
                return

    async def _needs_snapshot(self, scope: frozenset[int]) -> bool:
        held = self._held
        self._scope = scope
        if held is None:
            self._looked_to = 0
            return bool(await self._catalog.page("", scope, 1))
        self._until = await self._catalog.told_until(self._peer)
        return (
            held.epoch != self._catalog.position.epoch
            or not self._catalog.reaches(max(held.seq, self._looked_to))
            or not await self._catalog.is_scope_of(self._peer, scope)
            or (bool(self._until) and await self._fits(scope))
        )

    async def _fits(self, scope: frozenset[int]) -> bool:
        """Whether there is room for all of it again, and some to spare."""
        return not self._room or await self._catalog.count(scope) <= _spared(self._room)

    async def _send_table(self, talk: Talk, scope: frozenset[int]) -> None:
        who = self._catalog.who(scope)
        if who == self._who:
            return
        if scope - {0}:
            at = self._held or self._catalog.position
            table = self._catalog.audiences(scope)
            await self._register(talk, Registration(at.epoch, at.seq, at.seq, audiences=table))
        self._who = who

    async def _send_snapshot(self, talk: Talk, scope: frozenset[int]) -> None:
        at, anew = self._catalog.position, self._held is not None and self._is_beyond(self._held)
        await self._catalog.note_scope(self._peer, None)  # until it is whole, what is there is of no scope
        self._looked_to = 0
        left, last = await self._count_to_send(scope), ""
        page = await self._catalog.page("", scope, min(BATCH, left))
        while True:
            count = fit(page)
            part, page = tuple(page[:count]), page[count:]
            left -= count
            if part:
                last = part[-1].entry.path
            if part and left and not page:
                page = await self._catalog.page(last, scope, min(BATCH, left))
            registration = Registration(at.epoch, 0, at.seq, part, snapshot=True, more=bool(page), anew=anew)
            if not await self._register(talk, registration):
                return
            if not page:
                break
        if anew and self._held is not None and self._is_beyond(self._held):
            raise ProtocolViolation(f"{self._peer} says that it has changes which never were")
        until = "" if left else last
        if until:
            _log.warning(
                "%s takes %d entries of one node and this one shares more: what comes behind %.200s is found "
                "by those alone who ask this node itself",
                *(self._peer, self._room, until),
            )
        await self._catalog.note_scope(self._peer, scope, until)

    async def _count_to_send(self, scope: frozenset[int]) -> int:
        if not self._room or await self._catalog.count(scope) <= self._room:
            return _NO_END
        return _spared(self._room)

    async def _send_delta(self, talk: Talk, scope: frozenset[int]) -> bool:
        """Send the next of what changed; return whether that was all."""
        held = self._held
        if held is None:  # and there is nothing that it may see
            self._looked_to = self._catalog.position.seq
            return True
        after = max(held.seq, self._looked_to)
        if after == self._catalog.position.seq:
            self._looked_to = after
            return True
        changes = await self._catalog.changes(after, scope)
        if changes is None:
            return False
        added = tuple(one for one in changes.added if self._is_told(one.entry.path))
        removed = tuple(path for path in changes.removed if self._is_told(path))
        if added or removed:
            delta = Registration(held.epoch, held.seq, changes.to_seq, added, removed)
            try:
                if not await self._register(talk, delta):
                    return False
            except NotTaken as error:
                if error.reason is not Reason.FULL or not self._room:
                    raise
                await self._catalog.note_scope(self._peer, None)  # so it gets as much as there is room for
                return False
        self._looked_to = changes.looked_to
        return False

    def _is_told(self, path: str) -> bool:
        return is_entry_path(path) and (not self._until or path <= self._until)

    async def _register(self, talk: Talk, registration: Registration) -> bool:
        """Send it; return whether it was taken. What does not follow is brought in line by the next."""
        answer = await talk.ask(RegistrationCall(registration.seal(self._key)))
        if isinstance(answer, RefusedAnswer) and answer.reason in (Reason.GAP, Reason.STALE):
            self._held = Position(*answer.position) if answer.position is not None else None
            self._looked_to = 0
            if self._held is not None and self._is_beyond(self._held):
                await self._catalog.begin_later_epoch(self._held)
            return False
        if isinstance(answer, RefusedAnswer) and answer.reason in _NOT_NOW:
            raise NotTaken(self._peer, answer)
        self._take(self._held_of(answer))
        return True

    def _held_of(self, answer: Answer) -> Held:
        if isinstance(answer, RefusedAnswer):
            raise answer.to_error(self._peer)
        if not isinstance(answer, Held):
            raise ProtocolViolation(f"{self._peer} answers what it was not asked")
        return answer

    def _take(self, held: Held) -> None:
        self._held = Position(*held.position) if held.position is not None else None


def _spared(room: int) -> int:
    return room - room // SLACK
