"""`Transfers`: what is to be fetched, over restarts; at most so many run at once.

In:  what users want, and want to change; who comes. Out: fetches, one attempt after the other as `machine.py`
decides; rows in `state.db`, committed before anything is acknowledged; `TransferChanged`, `TransferRemoved`.

What a transfer has so far lies beside its target, and stays there whatever happens, but for `cancel`. Ended
ones stay in the list for some days.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.core.errors import (
    ContentUnknown,
    InputError,
    LimitReached,
    NotFound,
    SourceChanged,
    StorageError,
    WarrenError,
)
from warren.runtime.waiting import finish, run_out, settle
from warren.services.files.queue import store
from warren.services.files.queue.item import Item
from warren.services.files.queue.machine import ENDED, Place, Queue, check_priority
from warren.services.files.queue.model import QueuedTransfer, TransferRemoved
from warren.services.files.queue.outcomes import judge
from warren.services.files.queue.staged import discard, room
from warren.services.files.queue.window import minute_of_day

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Database, Runtime
    from warren.services.files.queue.interfaces import Fetching, Uploads
    from warren.services.files.queue.limits import TransferLimits
    from warren.services.files.queue.model import Want
    from warren.services.files.queue.outcomes import Verdict
    from warren.services.files.queue.window import Window
    from warren.services.files.types import Fetched, Progress
    from warren.services.files.uploads.uploads import UploadState

QUEUED_MAX: Final = 10_000
"""Transfers that are not ended. Fault: a program that adds without an end."""
ENDED_MAX: Final = 500
ENDED_KEPT_S: Final = 7 * 86_400.0
FOLLOW_EVERY_S: Final = 0.1
ROOM_LEAST_BYTES: Final = 16 << 20
"""That a disk must have free before a transfer for which it was full goes on."""
_log = logging.getLogger(__name__)


class Transfers:
    """Load once, run as one task, then close."""

    def __init__(
        self,
        state: Database,
        runtime: Runtime,
        fetching: Fetching,
        emit: Callable[[object], None],
        reach: Callable[[Sequence[PeerId]], Coroutine[None, None, None]],
        limits: TransferLimits,
        *,
        active_max: int,
        uploads: Uploads | None = None,
    ) -> None:
        """reach: dials these peers, however lately that failed, until one is there; raises why none is."""
        self._state = state
        self._runtime = runtime
        self._fetching = fetching
        self._emit = emit
        self._reach = reach
        self.limits = limits
        """What all together may move."""
        self._uploads = uploads
        self._queue = Queue(active_max)
        self._items: dict[int, Item] = {}
        self._news = asyncio.Event()
        self._adding = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    # --- life ---------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Take up what was there before. Raises `StorageError`."""
        await self.limits.load()
        for one in await self._state.run(store.load):
            self._take_up(one)
        await self._forget_old()

    async def run(self) -> None:
        """Start and stop transfers as it is due, until cancelled."""
        clock = self._runtime.clock
        while True:
            self._news.clear()
            await self._turn()
            wait_s = self._queue.next_look(clock.now(), 60.0 - clock.wall() % 60.0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if math.isinf(wait_s) else wait_s):
                    await self._news.wait()

    async def close(self) -> None:
        """Stop all; what they have so far stays, and they go on after the next start."""
        self._closed = True
        for item in self._items.values():
            item.stop()
        while self._tasks:
            await asyncio.wait(self._tasks)
        for item in self._items.values():
            item.ring()

    @property
    def is_closed(self) -> bool:
        """Whether the node ends: who followed a transfer did not leave it."""
        return self._closed

    # --- what there is ------------------------------------------------------------------------------------

    def list(self) -> list[QueuedTransfer]:
        """All, by number."""
        return [item.view() for _, item in sorted(self._items.items())]

    def get(self, number: int) -> QueuedTransfer:
        """One of them. Raises `NotFound`."""
        return self._item(number).view()

    def __contains__(self, number: object) -> bool:
        return number in self._items

    def uploads(self) -> Sequence[UploadState]:
        """What goes out."""
        return self._uploads.states() if self._uploads is not None else ()

    async def follow(self, number: int) -> AsyncIterator[QueuedTransfer]:
        """One as it changes, ten times a second at most, until it neither runs nor is about to.

        The last is how it ended; there is none if it was removed. Raises `NotFound`.
        """
        item = self._item(number)
        while self._items.get(number) is item:
            changed = item.changed
            yield item.view()
            if self._closed or item.one.state not in {"queued", "running"}:
                return
            await changed.wait()
            if item.one.state == "running":
                await asyncio.sleep(FOLLOW_EVERY_S)

    def failure(self, number: int) -> WarrenError | None:
        """What its last attempt failed with, since this node started. Raises `NotFound`."""
        return self._item(number).failure

    # --- what users want ----------------------------------------------------------------------------------

    async def add(self, want: Want) -> int:
        """Put it into the queue; returns its number. What is there, and does not run, is taken up again.

        Raises `InputError` (it runs), `LimitReached`, `StorageError`.
        """
        check_priority(want.priority)
        async with self._adding:
            same = next((item for item in self._items.values() if item.is_for(want)), None)
            if same is not None:
                await self._take_up_again(same, want)
                return same.number
            if self._queue.unended >= QUEUED_MAX:
                raise LimitReached(
                    "services.files.queue.transfers.QUEUED_MAX",
                    f"{QUEUED_MAX:,} transfers wait already",
                    hint="cancel some: warren transfer cancel",
                )
            name = want.name or want.path.rstrip("/").rpartition("/")[2] or str(want.cid)
            one = QueuedTransfer(0, want, name, "queued", root=want.cid, added_at=self._runtime.clock.wall())
            number = await finish(self._added(one))
        self._news.set()
        return number

    async def pause(self, number: int) -> QueuedTransfer:
        """Let it rest until `resume`, what it has so far kept.

        Raises `NotFound`, `InputError`, `StorageError`.
        """
        item = self._item(number)
        self._queue.pause(number)
        item.sync()
        item.stop()
        await self._commit(item)
        await item.wait_stopped()
        return item.view()

    async def resume(self, number: int) -> QueuedTransfer:
        """Let it run as soon as there is a place: also one that failed, and outside its hours.

        Raises `NotFound`, `InputError`, `StorageError`.
        """
        item = self._item(number)
        self._queue.resume(number)
        return await self._resumed(item)

    async def retry(self, number: int) -> QueuedTransfer:
        """Try one again that failed, waits or is paused, in its turn and its hours.

        Raises `NotFound`, `InputError` for one that is done, `StorageError`.
        """
        item = self._item(number)
        self._queue.take_up_again(number)
        return await self._resumed(item)

    async def cancel(self, number: int) -> int:
        """Take it out of the list, and remove what it has so far; how many bytes that was.

        What is done stays on the disk. Raises `NotFound`, `StorageError`.
        """
        item = self._item(number)
        if item.one.state not in ENDED:
            self._queue.pause(number)
            item.stop()
            await item.wait_stopped()
        removed = await self._discard(item) if item.one.state != "done" else 0
        await self._state.run(partial(store.remove, numbers=[number]))
        self._let_go(number)
        self._news.set()
        return removed

    async def change(
        self,
        number: int,
        *,
        priority: int | None = None,
        cap_bytes_per_s: int | None = None,
        window: Window | bool | None = None,
    ) -> QueuedTransfer:
        """Change what is not None. window: its hours; False: any.

        Raises `NotFound`, `InputError`, `StorageError`.
        """
        item = self._item(number)
        if cap_bytes_per_s is not None:
            self.set_cap(number, cap_bytes_per_s)
        want = item.one.want
        if priority is not None:
            self._queue.set_priority(number, priority)
            want = replace(want, priority=priority)
        if window is not None:
            hours = window if not isinstance(window, bool) else None
            self._queue.set_window(number, hours)
            want = replace(want, window=hours)
        item.one = replace(item.one, want=want)
        await self._commit(item)
        item.ring()
        self._news.set()
        return item.view()

    def set_cap(self, number: int, bytes_per_s: int) -> None:
        """Let it fetch so many bytes a second at most, from now on; 0: no cap. Kept with its next change.

        Raises `NotFound`, `InputError`.
        """
        item = self._item(number)
        item.one = replace(item.one, want=replace(item.one.want, cap_bytes_per_s=bytes_per_s))
        if item.transfer is not None:
            item.transfer.set_cap(bytes_per_s)

    # --- who comes ----------------------------------------------------------------------------------------

    def on_peer(self, peer: PeerId) -> None:
        """A peer is connected: what waits for it goes on, and what waits for anybody is tried soon."""
        now = self._runtime.clock.now()
        for item in self._items.values():
            if item.one.state != "waiting":
                continue
            if peer in item.one.want.peers:
                self._queue.on_holder(item.number)
            elif not item.is_named:
                self._queue.on_anybody(item.number, now)
            self._news.set()

    # --- inside -------------------------------------------------------------------------------------------

    async def _turn(self) -> None:
        clock = self._runtime.clock
        turn = self._queue.look(clock.now(), minute_of_day(clock.wall()))
        for item in self._items.values():
            item.sync()
        for number in turn.stop:
            self._items[number].stop()
        for number in turn.start:
            item = self._items[number]
            task = asyncio.create_task(self._attempt(item, item.task))
            item.task = task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        for number in turn.room:
            looked_at = self._items.get(number)
            if looked_at is None:  # it was cancelled while the disk of another was looked at
                continue
            is_room = await self._has_room(looked_at.one)
            self._queue.on_room(number, clock.now(), self._chance(), is_room=is_room)
            self._news.set()

    async def _attempt(self, item: Item, before: asyncio.Task[None] | None) -> None:
        """One attempt, once the one before has ended."""
        if before is not None:
            await settle([before])
        outcome: Fetched | None = None
        try:
            outcome = await self._fetch(item)
            verdict: Verdict = "done"
        except WarrenError as error:
            verdict = judge(error, named=item.is_named)
            item.fail(error)
            item.resolve_again = isinstance(error, ContentUnknown | SourceChanged)
        except asyncio.CancelledError:
            await finish(self._stopped(item))
            raise
        except Exception as error:  # noqa: BLE001  the boundary of supervision: one transfer, and no other
            _log.exception("transfer %d (%s)", item.number, item.one.name)
            verdict = "failed"
            item.fail(WarrenError(f"a bug in Warren: {error}", hint="see: warren logs"))
        await finish(self._ended(item, verdict, outcome))

    async def _fetch(self, item: Item) -> Fetched:
        want = item.one.want
        root = None if want.path and item.resolve_again else item.one.root
        reaching = asyncio.create_task(self._reach(want.peers))
        try:
            if item.is_named:
                await reaching
            transfer = self._fetching.get(
                root or want.path,
                want.folder,
                peers=want.peers,
                name=want.name,
                select=want.selection.wants if want.selection else None,
                only=want.only,
                cap_bytes_per_s=want.cap_bytes_per_s,
                keep=want.keep,
            )
            item.begin(transfer)
            async with transfer:
                async for progress in transfer:
                    await self._on_progress(item, progress)
                await transfer.result()
        finally:
            reaching.cancel()
            await asyncio.wait([reaching])
            if not reaching.cancelled():
                reaching.exception()  # seen: whom nobody reached shows in the fetch
        assert transfer.outcome is not None  # noqa: S101  it is there once there is a result
        return transfer.outcome

    async def _resumed(self, item: Item) -> QueuedTransfer:
        item.sync()
        await self._commit(item)
        self._news.set()
        return item.view()

    async def _on_progress(self, item: Item, progress: Progress) -> None:
        transfer = item.transfer
        if transfer is not None and transfer.root is not None and item.resolve_again:
            before = item.one.root
            item.found(transfer.root, transfer.name)
            await self._commit(item)
            if before not in {None, transfer.root}:  # what there is of that one is of no use any more
                await self._discard(item, before)
        if item.progressed(progress):
            self._queue.on_progress(item.number)

    async def _stopped(self, item: Item) -> None:
        """An attempt was cancelled: how far it came is kept."""
        item.end()
        await self._keep(item)

    async def _ended(self, item: Item, verdict: Verdict, outcome: Fetched | None) -> None:
        """An attempt ended by itself."""
        item.end(outcome)
        self._queue.on_ended(item.number, verdict, self._runtime.clock.now(), self._chance())
        item.sync()
        await self._keep(item)
        if item.one.state in ENDED:
            await self._forget_old()
        self._news.set()

    async def _keep(self, item: Item) -> None:
        """Commit what nobody waits for."""
        try:
            await self._commit(item)
        except StorageError as error:
            _log.warning("how far transfer %d is cannot be kept: %s", item.number, error)

    async def _commit(self, item: Item) -> None:
        await self._state.run(partial(store.save, one=item.one))

    async def _added(self, one: QueuedTransfer) -> int:
        number = await self._state.run(partial(store.add, one=one))
        self._take_up(replace(one, number=number)).tell()
        return number

    async def _take_up_again(self, item: Item, want: Want) -> None:
        if item.one.state == "running":
            raise InputError(
                f"{item.one.name} is being fetched into {want.folder} already: transfer {item.number}",
                hint=f"see: warren transfer show {item.number}",
            )
        self._queue.set_priority(item.number, want.priority)
        self._queue.set_window(item.number, want.window)
        self._queue.take_up_again(item.number)
        item.one = replace(item.one, want=want)
        item.sync()
        await self._state.run(partial(store.save_want, one=item.one))
        self._news.set()

    def _take_up(self, one: QueuedTransfer) -> Item:
        place = Place(one.number, one.want.priority, one.want.window, one.state, one.cause)
        item = Item(one, place, self._runtime.clock, self._emit)
        self._queue.add(place)
        self._items[one.number] = item
        return item

    def _let_go(self, number: int) -> None:
        self._queue.remove(number)
        item = self._items.pop(number)
        item.ring()
        self._emit(TransferRemoved(number))

    async def _forget_old(self) -> None:
        """Ended ones stay for some days, and only so many. Where they cannot be removed they stay for now."""
        ended = [item.one for item in self._items.values() if item.one.state in ENDED]
        ended.sort(key=lambda one: (one.ended_at or 0.0, one.number))
        too_old = self._runtime.clock.wall() - ENDED_KEPT_S
        old = [one.number for one in ended[:-ENDED_MAX]]
        old += [one.number for one in ended[-ENDED_MAX:] if (one.ended_at or 0.0) < too_old]
        if not old:
            return
        try:
            await self._state.run(partial(store.remove, numbers=old))
        except StorageError as error:
            _log.warning("transfers that ended long ago stay in the list: %s", error)
            return
        for number in old:
            self._let_go(number)

    async def _discard(self, item: Item, root: Cid | None = None) -> int:
        """Remove what it has so far, unless another transfer goes on with that; how many bytes it was."""
        one = item.one
        root = root or one.root
        others = (other.one for other in self._items.values() if other is not item)
        if root is None or any((o.root, o.want.folder) == (root, one.want.folder) for o in others):
            return 0
        try:
            await run_out(self._runtime, discard, self._runtime.disk, one.want.folder, str(root))
        except StorageError as error:
            _log.warning("what was fetched of %s stays: %s", one.name, error)
            return 0
        return one.progress.done_bytes if one.progress is not None else 0

    async def _has_room(self, one: QueuedTransfer) -> bool:
        progress, root = one.progress, str(one.root) if one.root is not None else None
        try:
            free, taken = await self._runtime.offload(room, self._runtime.disk, one.want.folder, root)
        except OSError:
            return True  # the folder is gone: the next attempt says so
        missing = progress.total_bytes - max(taken, progress.done_bytes) if progress is not None else 0
        return free >= max(missing, ROOM_LEAST_BYTES)

    def _chance(self) -> float:
        return self._runtime.entropy.uniform(0.0, 1.0)

    def _item(self, number: int) -> Item:
        item = self._items.get(number)
        if item is None:
            raise NotFound(f"there is no transfer {number}", hint="list them: warren transfer list")
        return item
