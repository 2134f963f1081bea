"""One part of the store, and a super-peer's work with it.

In:  what owners of the part told here, leases that were taken here; what others put into the store. Out: both
there, and in the index. `run` as long as the node lives: where the store cannot be reached it is tried again,
and then all is compared: what changed on either side meanwhile is brought in line, whatever was missed, and
whatever the store has lost. So changes are but hints, and none must be kept for who is away.

It is not waited for: who registers is answered once it is kept here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import InputError, ProtocolViolation, WarrenError
from warren.services.directory.fleet.elsewhere import Elsewhere
from warren.services.directory.fleet.keys import Place, shard_of
from warren.services.directory.fleet.pending import Delta, Pending
from warren.services.directory.fleet.reading import catch_up
from warren.services.directory.fleet.records import pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.peer_id import PeerId
    from warren.protocols.directory.registration import Registration
    from warren.services.directory.fleet.index import SharedIndex
    from warren.services.directory.fleet.pending import Work
    from warren.services.directory.fleet.records import Record
    from warren.services.directory.fleet.store import Change, Listing, Store

RETRY_S: Final = (0.2, 5.0)
"""Before the first and the later attempts to reach the store."""
COMPARE_EVERY_S: Final = 60.0
"""Fault: a hint that was cut off before it was read."""
WAIT_S: Final = 5.0
"""For changes, before they are asked for again."""
HINTS: Final = 500
LEASES_AT_ONCE: Final = 200
LOG_MIN_BYTES: Final = 256 * 1024
"""Deltas of one owner in the store that are let be; beyond that they are put together when they take more
than the snapshot. Attack: an owner who changes without end."""
_log = logging.getLogger(__name__)


class Around(Protocol):
    """The fleet, as each part of it needs it."""

    me: PeerId
    index: SharedIndex

    def now(self) -> float: ...

    def token(self) -> str:
        """Another one each time."""
        ...

    def set_elsewhere(self, owner: PeerId, there: bool) -> None:
        """An owner has, or has no more, a lease at another super-peer."""
        ...

    def went_on(self, shard: int) -> None: ...

    def failed(self, shard: int, error: WarrenError) -> None: ...


class Shard:
    """See above. number: which part it is."""

    def __init__(self, number: int, store: Store, around: Around) -> None:
        self._number = number
        self._store = store
        self._around = around
        self._index = around.index
        self.pending = Pending()
        self.elsewhere = Elsewhere()
        self._born: bytes | None = None
        self._is_putting = False
        self._leases: dict[PeerId, float] = {}
        """Until when leases last that were taken here."""
        self._untold: dict[PeerId, None] = {}
        """Whose leases here are another than in the store."""
        self._unread: dict[PeerId, None] = {}
        """Whose registration in the store may be a later one."""
        self._odd: set[PeerId] = set()
        """Whose registration in the store makes no sense, and was named."""
        self._to_put, self._to_read = asyncio.Event(), asyncio.Event()
        self._to_tell, self._to_look = asyncio.Event(), asyncio.Event()

    # --- what happens here ----------------------------------------------------------------------------------

    def delta(self, owner: PeerId, registration: Registration) -> None:
        """See `index.Outbox`."""
        numbers = registration.epoch, registration.from_seq, registration.to_seq
        self.pending.add_delta(owner, Delta(*numbers, pack(registration)))
        self._to_put.set()

    def snapshot(self, owner: PeerId) -> None:
        """See `index.Outbox`."""
        self.pending.add_snapshot(owner)
        self._to_put.set()

    def forgotten(self, owner: PeerId) -> None:
        """See `index.Outbox`."""
        self.pending.add_forgotten(owner)
        self._to_put.set()

    def lease(self, owner: PeerId, valid_s: float) -> None:
        """A lease was taken here, or renewed."""
        self._leases[owner] = self._around.now() + valid_s
        self._tell(owner)

    def leave(self, owner: PeerId) -> None:
        """A lease here is over."""
        if self._leases.pop(owner, None) is not None:
            self._tell(owner)

    @property
    def waiting(self) -> int:
        """Owners whose changes are not in the store yet."""
        return len(self.pending) + self._is_putting

    def _tell(self, owner: PeerId) -> None:
        self._untold[owner] = None
        self._to_tell.set()

    # --- life -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled."""
        pause_s = RETRY_S[0]
        while True:
            began = self._around.now()
            failure = await self._attempt()
            self._around.failed(self._number, failure)
            if self._around.now() - began > RETRY_S[1]:
                pause_s = RETRY_S[0]
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, RETRY_S[1])
            for place in self.elsewhere.due(self._around.now()):  # nobody can say that they are longer
                self._end(place)

    async def _attempt(self) -> WarrenError:
        """Work with the store until that fails; return why."""
        try:
            last = await self._compare()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow(last))
                for work in (self._put_all, self._read_all, self._tell_all, self._look_all):
                    tasks.create_task(work())
        except WarrenError as error:
            return error
        except BaseExceptionGroup as errors:
            failed, others = errors.split(WarrenError)
            if others is not None or failed is None:
                raise
            return _first_of(failed)
        raise AssertionError("the works of a part end by failures alone")

    async def close(self) -> None:
        """Tell that all leases here are over. Raises what the store raises."""
        for owner in list(self._leases):
            self.leave(owner)
        while self._untold:
            await self._tell_some()

    # --- comparing ------------------------------------------------------------------------------------------

    async def _compare(self) -> str:
        """Find what is to be read, put and told; return from where on to follow the changes."""
        listing = await self._store.listing(self._around.token())
        lost = self._born not in (None, listing.born)
        self._born = listing.born
        here = {owner for owner in self._index.owners() if shard_of(owner) == self._number}
        for owner in sorted(here | listing.records.keys()):
            await self._compare_one(owner, listing.records.get(owner), lost=lost)
        self._untold |= dict.fromkeys(self._leases)
        await self._compare_leases(listing)
        for event in (self._to_put, self._to_read, self._to_tell):
            event.set()
        return listing.last

    async def _compare_one(self, owner: PeerId, record: Record | None, *, lost: bool) -> None:
        mine = self._index.public_position(owner)
        if mine is None or (record is not None and mine < record.position):
            self._unread[owner] = None
        elif record is not None and mine == record.position:
            return
        elif record is not None or lost or self._index.position(owner) is not None:
            if owner not in self.pending:
                self.pending.add_snapshot(owner)
        elif owner not in self.elsewhere:  # the others have forgotten it
            await self._index.drop_untold(owner)

    async def _compare_leases(self, listing: Listing) -> None:
        theirs = {place for place in listing.leases if place.super_peer != self._around.me}
        for place in self.elsewhere.places():
            if place not in theirs:
                self._end(place)
        await self._look_at(sorted(theirs))

    # --- following ------------------------------------------------------------------------------------------

    async def _follow(self, last: str) -> None:
        while True:
            last, changes = await self._store.wait(last, wait_s=WAIT_S, count=HINTS)
            for change in changes:
                if change.super_peer != self._around.me:
                    await self._heed(change)

    async def _heed(self, change: Change) -> None:
        owner, place = change.owner, Place(change.owner, change.super_peer)
        match change.kind:
            case "registered":
                self._unread[owner] = None
                self._to_read.set()
            case "forgotten" if owner in self._leases:
                self.snapshot(owner)
            case "forgotten":
                await self._index.drop(owner)
            case "leased":
                self._note(place, change.valid_s)
            case "left":
                self._end(place)

    async def _read_all(self) -> None:
        while True:
            self._to_read.clear()
            while self._unread:
                await self._read(next(iter(self._unread)))
            await self._to_read.wait()

    async def _read(self, owner: PeerId) -> None:
        self._unread.pop(owner)
        try:
            await catch_up(self._store, self._index, owner)
        except (ProtocolViolation, InputError) as error:
            if owner not in self._odd:
                self._odd.add(owner)
                _log.warning("what the store has of %s is left out: %s", owner, error)
            return
        except BaseException:
            self._unread[owner] = None
            raise
        self._odd.discard(owner)
        if owner not in self._leases:
            self._around.set_elsewhere(owner, owner in self.elsewhere)

    # --- putting --------------------------------------------------------------------------------------------

    async def _put_all(self) -> None:
        while True:
            self._to_put.clear()
            while self.pending:
                owner, work = self.pending.take()
                self._is_putting = True
                try:
                    await self._put(owner, work)
                except BaseException:
                    self.pending.put_back(owner, work)
                    raise
                finally:
                    self._is_putting = False
            self._around.went_on(self._number)
            await self._to_put.wait()

    async def _put(self, owner: PeerId, work: Work) -> None:
        while work.deltas:
            outcome = await self._store.push(owner, *work.deltas[0])
            if outcome.verdict == "gap":
                work.deltas.clear()
                work.what = "snapshot"
                break
            work.deltas.pop(0)
            record = outcome.record
            if outcome.verdict == "ok" and record is not None and not work.deltas:
                await self._put_shorter(owner, record)
        if work.what == "snapshot":
            await self._put_snapshot(owner)
        elif work.what == "forget" and owner not in self.elsewhere:
            await self._store.drop(owner)

    async def _put_snapshot(self, owner: PeerId) -> None:
        record, _ = await self._store.read(owner, "+")
        mine = self._index.public_position(owner)
        if mine is None or (record is not None and record.position == mine):
            return
        if record is None or record.position < mine:
            made = await self._index.snapshot(owner)
            if made is None:
                return
            (epoch, seq), pieces = made
            outcome = await self._store.put(owner, epoch, seq, pieces, self._around.token(), compact=False)
            if outcome.verdict != "stale":
                return
        self._unread[owner] = None
        self._to_read.set()

    async def _put_shorter(self, owner: PeerId, record: Record) -> None:
        """Put deltas together with their snapshot, where there are too many."""
        if record.log_bytes <= max(LOG_MIN_BYTES, record.base_bytes):
            return
        made = await self._index.snapshot(owner)
        if made is not None and made[0] == record.position:
            await self._store.put(owner, *made[0], made[1], self._around.token(), compact=True)

    # --- leases ---------------------------------------------------------------------------------------------

    async def _tell_all(self) -> None:
        while True:
            self._to_tell.clear()
            while self._untold:
                await self._tell_some()
            await self._to_tell.wait()

    async def _tell_some(self) -> None:
        some = list(islice(self._untold, LEASES_AT_ONCE))
        for owner in some:
            del self._untold[owner]
        now, me = self._around.now(), self._around.me
        lasting = {
            Place(owner, me): until - now for owner in some if (until := self._leases.get(owner, now)) > now
        }
        over = [place for owner in some if (place := Place(owner, me)) not in lasting]
        try:
            if lasting:
                await self._store.lease(lasting)
            if over:
                await self._store.leave(over)
        except BaseException:
            self._untold |= dict.fromkeys(some)
            raise

    async def _look_all(self) -> None:
        """Look again at leases whose time is over as far as is known here; compare all now and then."""
        compare_at = self._around.now() + COMPARE_EVERY_S
        while True:
            self._to_look.clear()
            look_at = min(compare_at, self.elsewhere.next_at or compare_at)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(look_at):
                    await self._to_look.wait()
            now = self._around.now()
            await self._look_at(self.elsewhere.due(now))
            if now >= compare_at:
                await self._compare()
                compare_at = now + COMPARE_EVERY_S

    async def _look_at(self, places: Sequence[Place]) -> None:
        for start in range(0, len(places), LEASES_AT_ONCE):
            some = places[start : start + LEASES_AT_ONCE]
            try:
                rests = await self._store.rest(some)
            except BaseException:
                for place in places[start:]:
                    self.elsewhere.recall(place, self._around.now())
                raise
            for place, rest_s in zip(some, rests, strict=True):
                if rest_s is None:
                    self._end(place)
                else:
                    self._note(place, rest_s)

    def _note(self, place: Place, valid_s: float) -> None:
        if self.elsewhere.note(place, self._around.now() + valid_s):
            self._around.set_elsewhere(place.owner, True)
        self._to_look.set()

    def _end(self, place: Place) -> None:
        if self.elsewhere.end(place):
            self._around.set_elsewhere(place.owner, False)


def _first_of(errors: BaseExceptionGroup[WarrenError]) -> WarrenError:
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    assert isinstance(first, WarrenError)  # noqa: S101
    return first
