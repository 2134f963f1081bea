"""`InotifyWatch`: what changes below a folder, as Linux tells it.

In:  the path of a folder, and the instance that all watches share (`inotify.py`). Out: changes, or the
`OSError` that ends them. Each folder below is added by itself; one that appears is added first and told then,
with all below it, so that nothing in it is missed. Calls that may block run in threads, one at a time.

Not a library: those that watch trees follow symlinks, out of what is shared and without end, tell changes
under the wrong one of two names, or wake many times a second in a thread for each tree (docs/adr/0017).
"""

from __future__ import annotations

import asyncio
import errno
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from warren.runtime.real.inotify import (
    IN_ATTRIB,
    IN_CREATE,
    IN_DELETE_SELF,
    IN_IGNORED,
    IN_ISDIR,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_UNMOUNT,
)
from warren.runtime.seam import Change

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from warren.runtime.real.inotify import Event, Inotify

    Offload = Callable[..., Awaitable[Any]]

_NOT_THERE: Final = frozenset((errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG))
"""A folder that is gone or something else by now, or that nobody can reach by its path: it is passed over."""
_SELF_GONE: Final = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT
CHANGES_MAX: Final = 10_000
"""Paths told one by one, and events that wait; beyond, all is to be looked at. Fault: a program that writes
without end."""


class InotifyWatch:
    """See `seam.Watch`. Make it with `open`."""

    def __init__(self, inotify: Inotify, top: str, offload: Offload, only: str | None) -> None:
        self._inotify = inotify
        self._top = top
        self._offload = offload
        self._paths: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._heard: list[Event] = []
        self._has_lost = False
        self._told = asyncio.Event()
        self._found: dict[str, bool] = {}
        self._ended: OSError | None = None
        self._working: asyncio.Future[Any] | None = None
        self.only = only

    @classmethod
    async def open(cls, inotify: Inotify, top: str, offload: Offload, *, only: str | None = None) -> Self:
        """Watch `top`. Raises what `seam.Runtime.watch` says."""
        self = cls(inotify, top, offload, only)
        inotify.join(self)
        try:
            await self._in_thread(self._begin)
        except BaseException:
            await self.close()
            raise
        return self

    async def changes(self) -> list[Change]:
        """See `seam.Watch`."""
        while not self._found:
            if self._ended is not None:
                raise self._ended
            if not self._heard and not self._has_lost:
                self._told.clear()
                await self._told.wait()
                continue
            heard, self._heard = self._heard, []
            has_lost, self._has_lost = self._has_lost, False
            await self._in_thread(partial(self._take_all, heard, has_lost=has_lost))
        found, self._found = self._found, {}
        return [Change(path, deep) for path, deep in found.items()]

    async def close(self) -> None:
        """See `seam.Watch`."""
        self._ended = self._ended or OSError(errno.EBADF, os.strerror(errno.EBADF))
        self.wake()
        if self._working is not None:
            await asyncio.wait([self._working])
        if self._paths:
            await self._in_thread(self._remove_all)
        self._inotify.leave(self)

    # --- what the instance tells (Listener) ---------------------------------------------------------------

    def hear(self, event: Event) -> None:
        """See `Listener`."""
        if len(self._heard) >= CHANGES_MAX:
            self.lose()
        elif not self._has_lost:
            self._heard.append(event)

    def lose(self) -> None:
        """See `Listener`."""
        self._has_lost = True
        self._heard.clear()

    def wake(self) -> None:
        """See `Listener`."""
        self._told.set()

    # --- on the loop --------------------------------------------------------------------------------------

    async def _in_thread(self, work: Callable[[], None]) -> None:
        """A thread cannot be stopped: `close` waits for it, so that no descriptor is closed under it."""
        self._working = asyncio.ensure_future(self._offload(work))
        await asyncio.shield(self._working)

    # --- in threads ---------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._add(self._top)
        if self.only is None:
            self._add_below(self._top)

    def _take_all(self, events: Sequence[Event], *, has_lost: bool) -> None:
        try:
            if has_lost:
                self._begin_again()
            for event in events:
                self._take(event)
        except OSError as error:
            self._tell(self._top, deep=True)
            self._ended = error

    def _begin_again(self) -> None:
        """Folders may have appeared, moved and gone untold."""
        before, self._paths, self._numbers = set(self._paths), {}, {}
        try:
            self._begin()
        finally:
            for number in before.difference(self._paths):
                self._inotify.remove(number, self)
        self._tell(self._top, deep=True)

    def _take(self, event: Event) -> None:
        number, mask, name = event
        folder = self._paths.get(number)
        if folder is None:
            return
        if mask & IN_IGNORED:
            self._forget(number)
            return
        if not name:
            self._tell(folder, deep=bool(mask & IN_UNMOUNT))
            if mask & _SELF_GONE and folder == self._top:
                self._ended = OSError(errno.ENOENT, os.strerror(errno.ENOENT), self._top)
            return
        path = os.path.join(folder, name)
        is_folder = bool(mask & IN_ISDIR)
        if is_folder and mask & IN_MOVED_FROM:
            self._drop(path)
        appeared = bool(is_folder and mask & (IN_CREATE | IN_MOVED_TO))
        if appeared and self.only is None and self._watch_new(path):
            self._add_below(path)
        # Who may look into a folder may have changed with its mode.
        self._tell(path, deep=appeared or bool(is_folder and mask & IN_ATTRIB))

    def _tell(self, path: str, *, deep: bool) -> None:
        self._found[path] = deep or self._found.get(path, False)
        if len(self._found) > CHANGES_MAX:
            self._found = {self._top: True}

    def _add_below(self, folder: str) -> None:
        waiting = [folder]
        while waiting:
            waiting += [path for path in _folders_in(waiting.pop()) if self._watch_new(path)]

    def _watch_new(self, path: str) -> bool:
        """Watch a folder that may be gone already. Returns whether it is watched."""
        try:
            self._add(path)
        except OSError as error:
            _pass_over(error)
            return False
        return True

    def _add(self, path: str) -> None:
        number = self._inotify.add(path, self)
        old = self._paths.get(number)
        if old is not None and self._numbers.get(old) == number:
            del self._numbers[old]  # it was moved, and this came before the word of that
        self._paths[number] = path
        self._numbers[path] = number

    def _drop(self, top: str) -> None:
        """No longer watch what was moved away: whatever happens there is told under a name it has no more."""
        below = os.path.join(top, "")
        for path, number in [item for item in self._numbers.items() if f"{item[0]}/".startswith(below)]:
            self._forget(number)
            self._numbers.pop(path, None)

    def _forget(self, number: int) -> None:
        path = self._paths.pop(number, None)
        if path is not None and self._numbers.get(path) == number:
            del self._numbers[path]
        self._inotify.remove(number, self)

    def _remove_all(self) -> None:
        for number in self._paths:
            self._inotify.remove(number, self)
        self._paths, self._numbers = {}, {}


def _folders_in(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        _pass_over(error)
        return []


def _pass_over(error: OSError) -> None:
    """Any other error ends the watch: what it did not reach would go unseen for ever."""
    if error.errno not in _NOT_THERE:
        raise error
