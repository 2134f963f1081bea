"""`InotifyWatch`: what changes below a folder, as Linux tells it (inotify(7)).

In:  the path of a folder. Out: changes, or the `OSError` that ends them. Each folder below gets a watch of
its own; one that appears is watched first and told then, with all below it, so that nothing in it is missed.
All calls that may block run in threads, one at a time; the loop only waits for the descriptor.

Not a library: those that watch trees follow symlinks, out of what is shared and without end, tell changes
under the wrong one of two names, or wake many times a second in a thread for each tree (docs/adr/0016).
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import struct
import sys
from typing import TYPE_CHECKING, Any, Final, Self

from warren.runtime.seam import Change

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Offload = Callable[..., Awaitable[Any]]

# linux/inotify.h
IN_MODIFY: Final = 0x2
IN_ATTRIB: Final = 0x4
IN_MOVED_FROM: Final = 0x40
IN_MOVED_TO: Final = 0x80
IN_CREATE: Final = 0x100
IN_DELETE: Final = 0x200
IN_DELETE_SELF: Final = 0x400
IN_MOVE_SELF: Final = 0x800
IN_UNMOUNT: Final = 0x2000
IN_Q_OVERFLOW: Final = 0x4000
IN_IGNORED: Final = 0x8000
IN_ONLYDIR: Final = 0x0100_0000
IN_DONT_FOLLOW: Final = 0x0200_0000
IN_EXCL_UNLINK: Final = 0x0400_0000
IN_ISDIR: Final = 0x4000_0000

_MASK: Final = (
    IN_MODIFY | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF
    | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK
)  # fmt: skip
_NOT_THERE: Final = frozenset((errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG))
"""A folder that is gone or something else by now, or that nobody can reach by its path: it is passed over."""
_SELF_GONE: Final = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT
_HEADER: Final = struct.Struct("iIII")
READ_BYTES: Final = 64 * 1024
CHANGES_MAX: Final = 10_000
"""Paths told one by one; beyond, all is to be looked at. Fault: a program that writes without end."""


class InotifyWatch:
    """See `seam.Watch`. Make it with `open`."""

    def __init__(self, top: str, offload: Offload, *, deep: bool) -> None:
        self._top = top
        self._deep = deep
        self._offload = offload
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = -1
        self._paths: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._found: dict[str, bool] = {}
        self._ended: OSError | None = None
        self._working: asyncio.Future[Any] | None = None

    @classmethod
    async def open(cls, top: str, offload: Offload, *, deep: bool = True) -> Self:
        """Watch `top`. Raises what `seam.Runtime.watch` says."""
        if not sys.platform.startswith("linux"):
            raise OSError(errno.ENOSYS, "this system does not tell of changes")
        self = cls(top, offload, deep=deep)
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
            await self._readable()
            await self._in_thread(self._read)
        found, self._found = self._found, {}
        return [Change(path, deep) for path, deep in found.items()]

    async def close(self) -> None:
        """See `seam.Watch`."""
        self._ended = self._ended or OSError(errno.EBADF, os.strerror(errno.EBADF))
        if self._working is not None:
            await asyncio.wait([self._working])
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    # --- on the loop --------------------------------------------------------------------------------------

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        readable = loop.create_future()
        loop.add_reader(self._fd, _set, readable)
        try:
            await readable
        finally:
            loop.remove_reader(self._fd)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        """A thread cannot be stopped: `close` waits for it, so that no descriptor is closed under it."""
        self._working = asyncio.ensure_future(self._offload(work))
        await asyncio.shield(self._working)

    # --- in threads ---------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise _last_error(self._top)
        self._add(self._top)
        if self._deep:
            self._add_below(self._top)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return
        for number, mask, name in _events(data):
            try:
                self._take(number, mask, name)
            except OSError as error:
                self._tell(self._top, deep=True)
                self._ended = error

    def _take(self, number: int, mask: int, name: str) -> None:
        if mask & IN_Q_OVERFLOW:
            self._tell(self._top, deep=True)
            return
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
        if appeared and self._deep and self._watch_new(path):
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
        number = self._libc.inotify_add_watch(self._fd, os.fsencode(path), _MASK)
        if number < 0:
            raise _last_error(path)
        old = self._paths.get(number)
        if old is not None and self._numbers.get(old) == number:
            del self._numbers[old]  # it was moved, and this came before the word of that
        self._paths[number] = path
        self._numbers[path] = number

    def _drop(self, top: str) -> None:
        """No longer watch what was moved away: whatever happens there is told under a name it has no more."""
        below = os.path.join(top, "")
        for path, number in [item for item in self._numbers.items() if f"{item[0]}/".startswith(below)]:
            self._libc.inotify_rm_watch(self._fd, number)
            self._forget(number)
            self._numbers.pop(path, None)

    def _forget(self, number: int) -> None:
        path = self._paths.pop(number, None)
        if path is not None and self._numbers.get(path) == number:
            del self._numbers[path]


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _events(data: bytes) -> Iterator[tuple[int, int, str]]:
    at = 0
    while at < len(data):
        number, mask, _, length = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        name = data[at : at + length].rstrip(b"\0")
        at += length
        yield number, mask, os.fsdecode(name)


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


def _last_error(path: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), path)
