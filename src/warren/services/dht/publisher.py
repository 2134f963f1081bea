"""`Publisher`: what this node put into the DHT stays there, until the user takes it back.

In:  records and content ids that the user publishes; the DHT; time and chance. Out: rows in `state.db`,
committed before anything is put; values and announcements in the DHT, put again when `Republish` says so,
over restarts too.

Refuses what published.py refuses. What nobody takes now is put later, and the caller told so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, NamedTuple, Protocol

from warren.core.errors import ConnectionFailed, InvalidRecord, StorageError, WarrenError
from warren.services.dht import published
from warren.services.dht.republish import Publish, Republish, RepublishPolicy, Wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.protocols.kad.kad import PutReport
    from warren.protocols.kad.store import Providers, Records
    from warren.runtime.seam import Clock, Database, Entropy

_log = logging.getLogger(__name__)


class Putting(Protocol):
    """What is needed of the DHT."""

    async def put_value(self, key: bytes, value: bytes) -> PutReport: ...

    async def provide(self, key: bytes) -> PutReport: ...


class Published(NamedTuple):
    """Something that this node publishes. key: of a record, or the multihash of content, which has a `cid`.

    put_at: when others last took it, in Unix seconds; None: not yet. next_in_s: until it is put again; None:
    that is under way.
    """

    key: bytes
    cid: Cid | None
    put_at: float | None
    next_in_s: float | None = None


class _Item(NamedTuple):
    key: bytes
    is_content: bool


class Publisher:
    """Load once, then run as one task."""

    __slots__ = (
        "_alone",
        "_changed",
        "_clock",
        "_content",
        "_kad",
        "_knows",
        "_me",
        "_providers",
        "_put_at",
        "_records",
        "_schedule",
        "_state",
        "_values",
    )

    def __init__(
        self,
        kad: Putting,
        records: Records,
        providers: Providers,
        me: PeerId,
        state: Database,
        clock: Clock,
        entropy: Entropy,
        knows: Callable[[bytes], bool],
        policy: RepublishPolicy | None = None,
    ) -> None:
        """knows: whether a key is of this DHT; what was published in another one waits for its return."""
        self._kad = kad
        self._records = records
        self._providers = providers
        self._me = me
        self._state = state
        self._clock = clock
        self._knows = knows
        self._schedule: Republish[_Item] = Republish(policy or RepublishPolicy(), entropy)
        self._values: dict[bytes, bytes] = {}
        self._content: dict[bytes, Cid] = {}
        self._put_at: dict[_Item, float] = {}
        self._changed = asyncio.Event()
        self._alone = False
        """There was nobody to give something to."""

    def __len__(self) -> int:
        """How much is published."""
        return len(self._values) + len(self._content)

    async def load(self) -> None:
        """Take up what was published before, and keep it here too. Raises `StorageError`."""
        now, wall = self._clock.now(), self._clock.wall()
        for key, value, put_at in await self._state.run(published.load_records):
            if not self._knows(key):
                continue
            self._values[key] = value
            self._take_up(_Item(key, is_content=False), put_at, now, wall)
            if self._records.get(key, now) is None:
                self._records.put(key, value, now)
        for multihash, cid, put_at in await self._state.run(published.load_provided):
            self._content[multihash] = cid
            self._take_up(_Item(multihash, is_content=True), put_at, now, wall)
            self._providers.add(multihash, self._me, (), now)

    async def run(self) -> None:
        """Put again what is due, until cancelled. May be run again after a fault."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._changed.clear()
                match self._schedule.next(self._clock.now()):
                    case Publish(item):
                        tasks.create_task(self._put_again(item))
                    case Wait(until):
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout_at(until):
                                await self._changed.wait()

    def met_somebody(self) -> None:
        """There may be somebody now to give things to."""
        if self._alone:
            self._alone = False
            self._schedule.retry_soon(self._clock.now())
            self._changed.set()

    async def sequence_for(self, name: bytes, least: int) -> int:
        """The sequence for a new value of a name of ours: above all before, and `least` or more. The clock
        helps where the numbers were lost. Raises `StorageError`.
        """
        least = max(least, int(self._clock.wall() * 1000))
        return await self._state.run(lambda db: published.next_sequence(db, name, least))

    async def put(self, key: bytes, value: bytes) -> PutReport:
        """Publish a record from now on. Raises `ConnectionFailed` where nobody took it yet, `LimitReached`,
        `StorageError`.
        """
        await self._state.run(lambda db: published.keep_record(db, key, value))
        self._values[key] = value
        return await self._put_first(_Item(key, is_content=False))

    async def provide(self, multihash: bytes, cid: Cid) -> PutReport:
        """Publish from now on that this node has content. Raises what `put` raises."""
        await self._state.run(lambda db: published.keep_provided(db, multihash, cid))
        self._content[multihash] = cid
        return await self._put_first(_Item(multihash, is_content=True))

    async def take_back(self, key: bytes) -> bool:
        """Publish a record no longer. Returns whether it was."""
        known = await self._state.run(lambda db: published.drop_record(db, key))
        if self._values.pop(key, None) is not None:
            self._records.remove(key)
        self._forget(_Item(key, is_content=False))
        return known

    async def stop_providing(self, multihash: bytes) -> bool:
        """Say no longer that this node has content. Returns whether it did."""
        known = await self._state.run(lambda db: published.drop_provided(db, multihash))
        if self._content.pop(multihash, None) is not None:
            self._providers.remove(multihash, self._me)
        self._forget(_Item(multihash, is_content=True))
        return known

    def all(self) -> list[Published]:
        """What is published: records by key, then content by multihash."""
        items = [_Item(key, is_content=False) for key in sorted(self._values)]
        items += [_Item(key, is_content=True) for key in sorted(self._content)]
        now = self._clock.now()
        dues = [self._schedule.due(item) for item in items]
        return [
            Published(
                item.key,
                self._content[item.key] if item.is_content else None,
                self._put_at.get(item),
                max(due - now, 0.0) if due is not None else None,
            )
            for item, due in zip(items, dues, strict=True)
        ]

    def _take_up(self, item: _Item, put_at: float | None, now: float, wall: float) -> None:
        if put_at is not None:
            self._put_at[item] = put_at
        self._schedule.add(item, now, age_s=None if put_at is None else wall - put_at)

    def _forget(self, item: _Item) -> None:
        self._schedule.remove(item)
        self._put_at.pop(item, None)

    async def _put_first(self, item: _Item) -> PutReport:
        self._put_at.pop(item, None)
        self._schedule.add(item, self._clock.now(), age_s=0.0)
        try:
            return await self._put_now(item)
        except BaseException:
            self._schedule.failed(item, self._clock.now())
            raise
        finally:
            self._changed.set()

    async def _put_again(self, item: _Item) -> None:
        try:
            await self._put_now(item)
        except InvalidRecord as error:
            _log.warning("a record is published no longer, because it is valid no longer: %s", error)
            await self.take_back(item.key)
        except WarrenError as error:
            _log.debug("nobody took %s: %s", item.key.hex(), error)
            self._schedule.failed(item, self._clock.now())
        except BaseException:
            self._schedule.failed(item, self._clock.now())
            raise
        finally:
            self._changed.set()

    async def _put_now(self, item: _Item) -> PutReport:
        """Raises `ConnectionFailed` where nobody took it."""
        value = self._values.get(item.key, b"")
        if item.is_content:
            report = await self._kad.provide(item.key)
        else:
            report = await self._kad.put_value(item.key, value)
        if not report.stored:
            self._alone = not report.asked
            raise ConnectionFailed(
                f"none of {report.asked} peers took it"
                if report.asked
                else "no peer of the DHT is known yet",
                hint="it is kept here, and put as soon as somebody is there to take it",
            )
        self._schedule.published(item, self._clock.now())
        await self._remember(item, value)
        return report

    async def _remember(self, item: _Item, value: bytes) -> None:
        """A disk that refuses costs one more put after the next start, and nothing else."""
        now = self._clock.wall()
        self._put_at[item] = now
        try:
            if item.is_content:
                await self._state.run(lambda db: published.mark_provided(db, item.key, now))
            else:
                await self._state.run(lambda db: published.mark_put(db, item.key, value, now))
        except StorageError as error:
            _log.warning("that something was put into the DHT could not be stored: %s", error)
