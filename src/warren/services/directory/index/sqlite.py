"""`SqliteIndex`: an index in one SQLite file with FTS5.

In:  calls of `interface.Index`. Out: functions over a transaction. Whatever changes it waits in one queue;
large snapshots come in pieces and take turns with the others, so that nobody waits long for theirs. Searches
go on beside it, on what is committed.

In memory: whose registrations count, which changes at once, and the numbers of all documents. Rows that count
no more are swept out in pieces.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from warren.core.errors import InputError, StorageError
from warren.core.peer_id import PeerId
from warren.runtime.rebuildable import open_rebuildable
from warren.runtime.waiting import run_out
from warren.services.directory.index import reading, schema
from warren.services.directory.index.documents import NUMBER_MAX, path_key, to_put
from warren.services.directory.index.interface import Position, check_span
from warren.services.directory.index.public import SqlitePublicWords, read_page
from warren.services.directory.index.queue import Queue
from warren.services.directory.index.reading import Owner, View
from warren.services.directory.index.writing import SWEEP_ROWS, Known, Registration, clear_up
from warren.services.directory.locks import Locks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from warren.core.query import Query
    from warren.protocols.directory.entries import Registered
    from warren.runtime.gate import Gate
    from warren.runtime.seam import Database, Runtime, StrPath
    from warren.services.directory.index.documents import Put
    from warren.services.directory.index.interface import Admits, Results
    from warren.services.directory.index.writing import Batch

logger = logging.getLogger(__name__)

FILLINGS_MAX: Final = 8
"""Snapshots of which a piece is in memory: one is read while others wait or are written. Fault: a thousand
peers that register at once, and all that they have is in memory."""
CALM_S: Final = 60.0
"""So long at most public words wait for snapshots."""
PIECE: Final = 1000
"""Entries of a snapshot that go in at once."""
PIECE_CHARS: Final = 1 << 20
"""Of their paths and words, after which a piece is long enough. Attack: entries of 24 KB."""
SLICE: Final = 20
"""Entries that are taken apart between two looks at the gate: 0.2 ms."""


class SqliteIndex:
    """See `interface.Index`. Made by `open`; `close` closes the file."""

    def __init__(
        self, runtime: Runtime, database: Database, known: Known, registrations: Iterable[Registration]
    ) -> None:
        self._runtime = runtime
        self._database = database
        self._queue = Queue(database, known)
        self._runs = known.runs
        self._admits: Admits | None = None
        self._owners: dict[PeerId, Owner] = {}
        self._registrations: dict[PeerId, Registration] = {}
        self._visible: Mapping[int, Owner] = {}
        """Of each registration that counts, by number. Another one after each change: a search keeps its."""
        self._turns: Locks[PeerId] = Locks()
        """One change of an owner at a time, in the order in which they came."""
        self._fillings = asyncio.Semaphore(FILLINGS_MAX)
        self._reading = asyncio.Lock()
        """One snapshot is taken apart at a time: more would only take turns at the interpreter."""
        self._searches: set[asyncio.Future[None]] = set()
        self._views: WeakSet[SqlitePublicWords] = WeakSet()
        self._abandoned: list[int] = []
        """Registrations that were being filled, and are not any more."""
        self._sweeping: asyncio.Task[None] | None = None
        self._is_unswept = False
        self._is_closed = False
        for registration in registrations:
            self._count(registration)

    @classmethod
    async def open(cls, runtime: Runtime, path: StrPath) -> SqliteIndex:
        """Open the index at `path`, or begin one; a damaged one is set aside. Raises `StorageError`."""
        database = await open_rebuildable(runtime, path, schema.MIGRATIONS, schema.check)
        try:
            registrations = await database.run(clear_up)
            index = cls(runtime, database, await database.read(Known), registrations)
        except BaseException:
            await database.close()
            raise
        index._sweep()
        return index

    async def close(self) -> None:
        """See `interface.Index`. What is queued is finished."""
        self._is_closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait([self._sweeping])
        await self._queue.close()
        await self._database.close()

    # --- registrations ------------------------------------------------------------------------------------

    async def replace(self, owner: PeerId, epoch: int, seq: int, entries: Iterable[Registered]) -> None:
        """See `interface.Index`."""
        filling = _Filling(owner.to_bytes(), _position(epoch, seq), entries, self._queue.gate)
        async with self._turns.hold(owner), self._fillings:
            try:
                while not filling.is_full:
                    async with self._reading:
                        await run_out(self._runtime, filling.read)
                    await self._queue.do(filling.step, PIECE, partial(self._stepped, filling))
            except BaseException:
                self._abandon(filling)
                raise

    async def apply(
        self,
        owner: PeerId,
        epoch: int,
        from_seq: int,
        to_seq: int,
        added: Sequence[Registered],
        removed: Sequence[str],
    ) -> None:
        """See `interface.Index`."""
        _position(epoch, from_seq)
        _position(epoch, to_seq)
        check_span(from_seq, to_seq)
        raw = owner.to_bytes()

        def change(batch: Batch) -> Registration:
            puts = [to_put(listed) for listed in added]
            return batch.apply(raw, epoch, from_seq, to_seq, puts, [path_key(path) for path in removed])

        async with self._turns.hold(owner):
            await self._queue.do(change, len(added) + len(removed) + 1, self._count)

    async def forget(self, owner: PeerId) -> None:
        """See `interface.Index`."""
        self._discount(owner)
        async with self._turns.hold(owner):
            self._discount(owner)
            raw = owner.to_bytes()
            await self._queue.do(lambda batch: batch.forget(raw), 1)
        self._sweep()

    def position(self, owner: PeerId) -> Position | None:
        """See `interface.Index`."""
        registration = self._registrations.get(owner)
        return registration.position if registration else None

    def owners(self) -> list[PeerId]:
        """See `interface.Index`."""
        return list(self._registrations)

    def size(self, owner: PeerId) -> int:
        """See `interface.Index`."""
        registration = self._registrations.get(owner)
        return registration.size if registration else 0

    # --- searching ----------------------------------------------------------------------------------------

    def set_online(self, owner: PeerId, online: bool) -> None:
        """See `interface.Index`."""
        known = self._owners.get(owner)
        if known is None and not online:
            return
        self._owner(owner).online = online
        self._tidy(owner)
        self._mark(owner)

    def set_admits(self, admits: Admits) -> None:
        """See `interface.Index`."""
        self._admits = admits

    async def search(self, query: Query, asker: PeerId | None) -> Results:
        """See `interface.Index`."""
        view = View(self._visible, self._admits, asker, query.online, self._runs)
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._searches.add(ended)
        try:
            return await self._database.read_soon(partial(reading.search, query=query, view=view))
        finally:
            self._searches.discard(ended)
            ended.set_result(None)

    def public_words(self) -> SqlitePublicWords:
        """See `interface.Index`."""
        online = [peer for peer, owner in self._owners.items() if owner.online]
        view = SqlitePublicWords(online, self._words_of, self._calm)
        self._views.add(view)
        return view

    async def _calm(self) -> None:
        """Wait until no snapshots wait for their turn: to find them comes before to tell of them."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CALM_S):
                while self._fillings.locked():
                    async with self._fillings:  # behind all who wait now
                        pass

    async def _words_of(self, peer: PeerId) -> set[str]:
        owner, registration = self._owners.get(peer), self._registrations.get(peer)
        if owner is None or not owner.online or registration is None:
            return set()
        read = partial(read_page, registration=registration.id)
        words, after = await self._database.read(read)
        while after is not None:
            more, after = await self._database.read(partial(read, after=after))
            words |= more
        return words

    # --- what counts --------------------------------------------------------------------------------------

    def _count(self, registration: Registration) -> None:
        """Let a registration count, with its new position and size."""
        peer = PeerId(registration.owner)
        self._registrations[peer] = registration
        if registration.id not in self._visible:
            self._visible = {**self._visible, registration.id: self._owner(peer)}
        self._mark(peer)

    def _count_instead(self, registration: Registration) -> None:
        """The same, instead of its owner's other one."""
        old = self._registrations.get(PeerId(registration.owner))
        if old is not None:
            self._visible = {number: owner for number, owner in self._visible.items() if number != old.id}
        self._count(registration)
        if old is not None:
            self._sweep()

    def _discount(self, peer: PeerId) -> None:
        registration = self._registrations.pop(peer, None)
        if registration is not None:
            self._visible = {
                number: owner for number, owner in self._visible.items() if number != registration.id
            }
            self._tidy(peer)
            self._mark(peer)

    def _owner(self, peer: PeerId) -> Owner:
        owner = self._owners.get(peer)
        if owner is None:
            owner = self._owners[peer] = Owner(peer)
        return owner

    def _tidy(self, peer: PeerId) -> None:
        """Attack: no end of identities that were online once."""
        if peer not in self._registrations and not self._owner(peer).online:
            del self._owners[peer]

    def _mark(self, peer: PeerId) -> None:
        for view in self._views:
            view.mark(peer)

    # --- filling ------------------------------------------------------------------------------------------

    def _stepped(self, filling: _Filling, outcome: Registration | int) -> None:
        if isinstance(outcome, Registration):
            filling.is_full = True
            self._count_instead(outcome)
        else:
            filling.number = outcome
            if filling.is_abandoned:
                self._abandon(filling)

    def _abandon(self, filling: _Filling) -> None:
        filling.is_abandoned = True
        if filling.number is not None:
            self._abandoned.append(filling.number)
            self._sweep()

    # --- sweeping -----------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        self._is_unswept = True
        if self._sweeping is None and not self._is_closed:
            self._sweeping = asyncio.create_task(self._sweep_all())

    async def settle(self) -> None:
        """Wait until the room of all that counts no more is free, and what there is to merge is merged."""
        while self._sweeping is not None:
            await asyncio.wait([self._sweeping])
        await self._queue.settle()

    async def _sweep_all(self) -> None:
        try:
            while self._is_unswept:
                self._is_unswept = False
                while not await self._sweep_some():
                    pass
        except StorageError as error:
            logger.warning("cannot free the room of old entries in the index: %s", error)
        finally:
            self._sweeping = None

    async def _sweep_some(self) -> bool:
        if self._searches:  # which may still show what is swept
            await asyncio.wait(self._searches.copy())
        abandoned, self._abandoned = self._abandoned, []
        return await self._queue.do(lambda batch: batch.sweep(abandoned), SWEEP_ROWS)


class _Filling:
    """A snapshot on its way in, piece after piece: `read` takes the next one apart, in a thread, while pieces
    of others are written; `step` puts it in.
    """

    __slots__ = (
        "_ahead",
        "_gate",
        "_owner",
        "_position",
        "_puts",
        "_rest",
        "is_abandoned",
        "is_full",
        "number",
    )

    def __init__(self, owner: bytes, position: Position, entries: Iterable[Registered], gate: Gate) -> None:
        self._gate = gate
        self._owner = owner
        self._position = position
        self._rest: Iterator[Registered] = iter(entries)
        self._ahead: Registered | None = None
        """The first of the next piece."""
        self._puts: list[Put] = []
        self.number: int | None = None
        self.is_full = False
        self.is_abandoned = False

    def read(self) -> None:
        """Raises what reading the entries raises, and `InputError`."""
        rest = self._rest if self._ahead is None else chain((self._ahead,), self._rest)
        puts: list[Put] = []
        chars = 0
        while len(puts) < PIECE and chars < PIECE_CHARS:
            some = [to_put(listed) for listed in islice(rest, SLICE)]
            puts += some
            chars += sum(document.chars for _, document, _ in some)
            if len(some) < SLICE:
                break
            self._gate.wait()
        self._puts = puts
        self._ahead = next(self._rest, None)

    def step(self, batch: Batch) -> Registration | int:
        """Put a piece in. Returns the registration once it counts, its number before. Raises `Stale`."""
        number = self.number
        if number is None:
            number = batch.begin(self._owner, self._position)
        puts, self._puts = self._puts, []
        batch.fill(number, puts)
        return batch.publish(number) if self._ahead is None else number


def _position(epoch: int, seq: int) -> Position:
    if not (0 <= epoch <= NUMBER_MAX and 0 <= seq <= NUMBER_MAX):
        raise InputError("a position in a log is out of range")
    return Position(epoch, seq)
