"""Keeping one share what its folder is: watch, look, take in, and notice when it is gone or back.

In:  what the system tells of changes; time. Out: a share that is up to date, and its state. Where the system
cannot tell, or no more, the share is looked at now and then, and the log says how to cure that. A share whose
folder is gone stays as it was, and nobody else sees it; it comes back with its folder. A replica that is not
what it was any more is seen by nobody else from then on, and one that the user removed is none.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import ContentUnknown, NotFound, StorageError, WarrenError
from warren.services.files import comparing, revising
from warren.services.files.ground import TopGone
from warren.services.files.hashing import INODE_MASK, is_passing
from warren.services.files.holders.frozen import NotTheSame
from warren.services.files.ignoring import FILE_NAME
from warren.services.files.revising import place_of
from warren.services.files.updating import Updater
from warren.services.files.watching import Watching

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from warren.runtime.seam import Database, Runtime, Watch
    from warren.services.files.changes import Listeners
    from warren.services.files.comparing import Line, Place
    from warren.services.files.config import FilesConfig
    from warren.services.files.pace import Pace
    from warren.services.files.revising import Totals
    from warren.services.files.types import Progress, Share, ShareState, Skipped
    from warren.services.files.watching import Look

logger = logging.getLogger(__name__)

CHECK_S: Final = 5.0
"""How often the top is looked at: nobody tells of a drive that is unmounted, or mounted."""
RETRY_S: Final = 30.0
"""After a fault, such as a full disk, all is looked at again."""
WATCH_AGAIN_S: Final = 600.0
POLL_SHARE: Final = 20
PROGRESS_EVERY_S: Final = 0.5
TICK_S: Final = 0.001
"""No wait is shorter: less may be nothing, beside the time that the clock shows."""


class Holder(Protocol):
    """What keepers need of the library."""

    listeners: Listeners

    def steady(self, path: Path) -> asyncio.Lock:
        """Held while what is committed of a share changes, or is walked."""
        ...

    def holding(self, path: Path) -> tuple[int, Share] | None:
        """The share at a path with its number; None where there is none now."""
        ...

    async def take_in(
        self, number: int, totals: Totals, skipped: Sequence[Skipped], skipped_count: int
    ) -> None:
        """Commit what a share is as a whole now."""
        ...

    async def hash_file(self, share: Share) -> None:
        """Hash a share that is a single file again. Raises `WarrenError`."""
        ...

    async def tell_all(self, number: int) -> None:
        """Tell the listeners all entries of a share."""
        ...

    def show(self, path: Path) -> None:
        """The share, or its state, is another one now."""
        ...

    def let_go(self, path: Path) -> None:
        """A replica was removed: it is to be shared no longer, soon."""
        ...

    def show_progress(self, share: Share, progress: Progress) -> None:
        """Hashing goes on."""
        ...


class Keeper:
    """See the module's header. `run` it until it is cancelled, then `close` it."""

    def __init__(
        self,
        runtime: Runtime,
        database: Database,
        config: FilesConfig,
        pace: Pace,
        slots: asyncio.Semaphore,
        holder: Holder,
        number: int,
        share: Share,
    ) -> None:
        self._runtime = runtime
        self._database = database
        self._config = config
        self._pace = pace
        self._holder = holder
        self._path = share.path
        self._top = os.fspath(share.path)
        self._is_file = share.kind == "file"
        self._number = number
        self._machine = Watching()
        self._is_replica = share.replica
        self._updater = Updater(runtime, database, pace, slots, number, self._top, self, frozen=share.replica)
        self._wake = asyncio.Event()
        self._inode = self._device = 0
        self._warned = 0
        self._shown_at = 0.0
        self._is_busy = False
        self.missing = ""
        """Why it is not there; empty when it is."""
        self.polled = ""
        """Why it is not watched; empty when it is."""
        self.changed = ""
        """Of a replica: what of it is another; empty when all is as it was."""

    @property
    def state(self) -> ShareState:
        if self.changed:
            return "changed"
        if self.missing:
            return "missing"
        if self._pace.is_paused:
            return "paused"
        if self._is_busy or self.progress is not None:
            return "hashing"
        return "polled" if self.polled else "watched"

    @property
    def progress(self) -> Progress | None:
        return self._updater.progress

    async def run(self) -> None:
        """Keep the share up to date. Of a replica it ends when that is another, or removed."""
        while True:
            try:
                await self._come_back()
                if not await self._follow_or_miss():
                    return
            except NotTheSame as error:
                await self._give_up(error)
                return
            except (OSError, WarrenError) as error:
                logger.warning("%r is not up to date, trying again: %s", self._top, error)
                await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        """Stop what is under way."""
        await self._updater.close()

    # --- following changes --------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Look at all, then at what changes, until it has to be watched anew.

        Raises `TopGone`, `OSError`, `WarrenError`.
        """
        self._inode = await self._check_top()
        watch = await self._open_watch()
        listening = asyncio.create_task(self._listen(watch)) if watch is not None else None
        begun = self._now()
        all_at, check_at = begun, begun + CHECK_S
        mounted: set[str] | None = None
        try:
            while True:
                now = self._now()
                if listening is not None and listening.done():
                    self._explain_end(listening)
                    return
                if now >= check_at:
                    check_at = now + CHECK_S
                    if await self._is_elsewhere() or (listening is None and now > begun + WATCH_AGAIN_S):
                        return
                if now >= all_at:
                    self._machine.whole("", now, deep=True)
                if self._updater.has_news or ((due := self._machine.due()) is not None and due <= now):
                    took_s = await self._update(now)
                    if now >= all_at:
                        all_at = self._now() + self._interval_s(took_s)
                    if mounted is None:
                        self._holder.show(self._path)  # from now on it is only watched
                    elif mounted != self._updater.ground.mounted:
                        return  # the watch began before a drive was mounted, or unmounted
                    mounted = set(self._updater.ground.mounted)
                    continue
                await self._wait(min(check_at, all_at, self._machine.due() or all_at))
        finally:
            if listening is not None:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
            if watch is not None:
                await watch.close()

    def _interval_s(self, took_s: float) -> float:
        if self.polled:
            return max(self._config.poll_s, POLL_SHARE * took_s)
        return self._config.rescan_s

    async def _wait(self, until: float) -> None:
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(TICK_S, until - self._now())):
                await self._wake.wait()

    async def _update(self, began: float) -> float:
        """Returns how many seconds it took."""
        await self._pace.going()
        self._is_busy = True
        try:
            if self._is_file:
                await self._update_file()
            else:
                held = self._holder.holding(self._path)
                await self._updater.run(self._take, held[1].skipped if held else ())
        finally:
            self._is_busy = False
        now = self._now()
        self._machine.looked(now, now - began)
        return now - began

    async def _update_file(self) -> None:
        self._machine.take(self._now())
        held = self._holder.holding(self._path)
        if held is None:
            return
        number, share = held
        known = await self._database.run(partial(revising.find_top, share=number))
        try:
            status = await self._runtime.offload(self._runtime.disk.stat, self._top)
            is_same = known is not None and (known.size, known.mtime_ns) == (status.size, status.mtime_ns)
            if known is None or not known.sound or not is_same:
                if self._is_replica:
                    raise NotTheSame("", "is another")
                await self._holder.hash_file(share)
        except (OSError, NotFound) as error:
            fault = error if isinstance(error, OSError) else error.__cause__
            if not isinstance(fault, OSError) or not is_passing(fault):
                raise TopGone(getattr(error, "strerror", None) or str(error)) from error
            self._try_again(error)
        except StorageError as error:
            self._try_again(error)

    def _try_again(self, error: Exception) -> None:
        logger.info("%r is not up to date, trying again: %s", self._top, error)
        self.again("", "")

    def _take(self) -> list[Look]:
        return [] if self._pace.is_paused else self._machine.take(self._now())

    # --- what the system tells ----------------------------------------------------------------------------

    async def _open_watch(self) -> Watch | None:
        folder, name = os.path.split(self._top) if self._is_file else (self._top, None)
        try:
            watch = await self._runtime.watch(folder, only=name)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR}:
                raise TopGone("it is gone") from error
            self._explain_polling(error)
            return None
        if self.polled:
            self.polled = ""
            self._holder.show(self._path)
        return watch

    async def _listen(self, watch: Watch) -> None:
        while True:
            for path, deep in await watch.changes():
                self._hear(path, deep=deep)

    def _hear(self, path: str, *, deep: bool) -> None:
        now = self._now()
        if self._is_file:
            if path == self._top:
                self._machine.changed("", "", now)
                self._wake.set()
            return
        below = path[len(self._top) :].strip("/").replace(os.sep, "/")
        folder, name = place_of(below)
        if not below or name == FILE_NAME:
            self._machine.whole(folder, now, deep=deep or bool(below))
        else:
            self._machine.changed(folder, name, now)
            if deep:
                self._machine.whole(below, now, deep=True)
        self._wake.set()

    def _explain_polling(self, error: OSError) -> None:
        seconds = self._config.poll_s
        cure = {
            errno.ENOSPC: "sudo sysctl fs.inotify.max_user_watches=1048576",
            errno.EMFILE: "sudo sysctl fs.inotify.max_user_instances=1024",
        }.get(error.errno or 0)
        self.polled = error.strerror or str(error)
        if self._warned != error.errno:
            logger.warning(
                "changes of %r cannot be watched (%s): it is looked at every %.0f s instead%s",
                *(self._top, self.polled, seconds, f"; to watch it: {cure}" if cure else ""),
            )
            self._warned = error.errno or 0
        self._holder.show(self._path)

    def _explain_end(self, listening: asyncio.Task[None]) -> None:
        error = listening.exception()
        if isinstance(error, OSError) and error.errno != errno.ENOENT:
            logger.warning("changes of %r were missed, looking at all of it: %s", self._top, error)
        elif error is not None and not isinstance(error, OSError):
            raise error

    # --- gone and back ------------------------------------------------------------------------------------

    async def _check_top(self) -> int:
        """The number of what is shared, which must be of its kind. Raises `TopGone`, `OSError` for what will
        pass.
        """
        try:
            status = await self._runtime.offload(self._runtime.disk.stat, self._top)
        except OSError as error:
            if is_passing(error):
                raise
            raise TopGone(error.strerror or str(error)) from error
        if status.kind != ("file" if self._is_file else "dir"):
            raise TopGone("it is something else now")
        self._device = status.device
        return 0 if self._is_file else status.inode & INODE_MASK

    async def _is_elsewhere(self) -> bool:
        """Whether what is shared is not where it was when the watch began, in part or as a whole."""
        if await self._check_top() != self._inode:
            return True
        return not self._is_file and await self._updater.ground.is_another()

    async def _follow_or_miss(self) -> bool:
        """Follow it; once it is gone nobody sees it. Returns whether to go on."""
        try:
            await self._follow()
        except TopGone as error:
            why = str(error)
        else:
            return True
        if self._is_replica and await self._is_removed():
            logger.info("%r was removed, and is no longer shared on as a copy", self._top)
            self._holder.let_go(self._path)
            return False
        logger.warning("%r is shared and not there: %s", self._top, why)
        async with self.changing() as share:
            self.missing = why
            await self._holder.listeners.tell(share, removed=[share.name])
        self._holder.show(self._path)
        return True

    async def _is_removed(self) -> bool:
        """Whether it is gone from a folder on the drive where it was: then no drive will bring it back."""
        stat, offload = self._runtime.disk.stat, self._runtime.offload
        try:
            above = await offload(stat, os.path.dirname(self._top))
        except OSError:
            return False
        try:
            await offload(stat, self._top)
        except FileNotFoundError:
            return above.device == self._device
        except OSError:
            return False
        return False

    async def _give_up(self, error: NotTheSame) -> None:
        """A replica is another: nobody is to see it, nor what it has become."""
        logger.warning("%r is not shared on as a copy: %s; %s", self._top, error, error.hint)
        async with self._holder.steady(self._path):
            self.changed = str(error)
            held = self._holder.holding(self._path)
            if held is not None:
                await self._holder.listeners.tell(held[1], removed=[held[1].name])
        self._holder.show(self._path)

    async def _come_back(self) -> None:
        """Wait until it is not missing any more, and say so. It is missing until all was told."""
        if not self.missing:
            return
        while True:
            await asyncio.sleep(CHECK_S)  # nobody tells of its return
            if await self._is_back():
                break
        async with self.changing():
            held = self._holder.holding(self._path)
            if held is not None:
                await self._holder.tell_all(held[0])
            self.missing = ""
        self._holder.show(self._path)

    async def _is_back(self) -> bool:
        if not self._is_file:
            return await self._updater.ground.is_back()
        try:
            await self._check_top()
        except OSError:
            return False
        return True

    # --- what the updater needs (Owner) -------------------------------------------------------------------

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Share]:
        """See `Owner`."""
        async with self._holder.steady(self._path):
            held = self._holder.holding(self._path)
            if held is None or (not self._is_file and held[0] != self._number):
                raise ContentUnknown(f"{self._top} is not shared any more")
            yield held[1]

    async def tell(self, lines: Sequence[Line], gone: Sequence[Place]) -> None:
        """See `Owner`."""
        held = self._holder.holding(self._path)
        if held is not None and (lines or gone):
            share = held[1]
            removed = [comparing.path_of(share, *place) for place in gone]
            added = [comparing.entry_of(share, line) for line in lines]
            await self._holder.listeners.tell(share, added, removed)

    async def commit(self, totals: Totals, skipped: Sequence[Skipped], skipped_count: int) -> None:
        """See `Owner`."""
        await self._holder.take_in(self._number, totals, skipped, skipped_count)

    def again(self, folder: str, name: str) -> None:
        """See `Owner`."""
        self._machine.again(folder, name, self._now())

    def ready(self) -> None:
        """See `Owner`."""
        self._wake.set()

    def progressed(self) -> None:
        """See `Owner`."""
        now, progress = self._now(), self.progress
        held = self._holder.holding(self._path)
        if progress is not None and held is not None and now >= self._shown_at + PROGRESS_EVERY_S:
            self._shown_at = now
            self._holder.show_progress(held[1], progress)

    def _now(self) -> float:
        return self._runtime.clock.now()
