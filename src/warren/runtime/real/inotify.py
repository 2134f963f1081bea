"""`Inotify`: the one inotify instance (inotify(7)) that all watches of a node share.

In:  folders to tell of, and for whom. Out: each listener's events, on the loop; an `OSError` for the one
whose folder could not be added. The kernel allows a user few instances, and many folders in each: so who
shares a thousand things needs one. A folder that several listen to has one number, and leaves with the last.

Reading never blocks and is done on the loop, little at a time. Adding a folder may block, and is done in the
threads of those who add; a lock is held for the books alone, never while the system looks for a path.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import struct
import sys
import threading
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

K = TypeVar("K")

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
"""The same for all: the kernel keeps one mask for a folder, that of who added it last."""
_HEADER: Final = struct.Struct("iIII")
READ_BYTES: Final = 16 * 1024
"""Some 400 events, a millisecond of the loop. Fault: a program that writes without end."""
EARLY_MAX: Final = 10_000
"""Events kept for who is adding a folder; beyond, all are told that something was lost. Fault: a file system
that does not answer to who adds, beside a program that writes without end."""


class Event(NamedTuple):
    """What happened to the entry `name` of the folder with this number; name "": to the folder itself."""

    number: int
    mask: int
    name: str


class Listener(Protocol):
    """Whom an instance tells. All but `hear` is called on the loop."""

    @property
    def only(self) -> str | None:
        """The one name it is told of, beside the folder itself; None: all. It never changes."""
        ...

    def hear(self, event: Event) -> None:
        """Keep it. Called on the loop, or in the thread of this listener that adds a folder."""
        ...

    def lose(self) -> None:
        """Any event may have been lost."""
        ...

    def wake(self) -> None:
        """Something was told."""
        ...


class Inotify:
    """See the module's header. It is open while it has members."""

    def __init__(self) -> None:
        self._fd = -1
        self._members: set[Listener] = set()
        self._lock = threading.Lock()
        self._whole: dict[int, tuple[Listener, ...]] = {}
        self._named: dict[int, dict[str, tuple[Listener, ...]]] = {}
        self._adding = 0
        self._early: dict[int, list[Event]] = {}
        self._early_count = 0
        self._left: set[int] = set()

    def join(self, listener: Listener) -> None:
        """Before it adds anything, on the loop.

        Raises `OSError`: `EMFILE` where the system allows no further instance, `ENOSYS` where it has none.
        """
        if not sys.platform.startswith("linux"):
            raise OSError(errno.ENOSYS, "this system does not tell of changes")
        if self._fd < 0:
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            if self._fd < 0:
                raise _last_error()
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._fd, self._read)
        self._members.add(listener)

    def leave(self, listener: Listener) -> None:
        """Once it has removed all and adds nothing, on the loop. Leaving twice is harmless."""
        self._members.discard(listener)
        if not self._members and self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._whole, self._named, self._left = {}, {}, set()

    # --- in the threads of listeners ----------------------------------------------------------------------

    def add(self, path: str, listener: Listener) -> int:
        """Tell a listener of a folder from now on. Returns its number; that of one folder is always the same.

        Raises `OSError`: `ENOSPC` where the system lets nobody watch more.
        """
        with self._lock:
            self._adding += 1
        try:
            number: int = self._libc.inotify_add_watch(self._fd, os.fsencode(path), _MASK)
            if number < 0:
                raise _last_error(path)
            self._enter(number, listener)
            return number
        finally:
            with self._lock:
                self._adding -= 1
                self._settle()

    def remove(self, number: int, listener: Listener) -> None:
        """Tell a listener no more of a folder. Removing twice is harmless."""
        with self._lock:
            _without(self._whole, number, listener)
            named = self._named.get(number)
            if named is not None and listener.only is not None:
                _without(named, listener.only, listener)
                if not named:
                    del self._named[number]
            if number not in self._whole and number not in self._named:
                self._left.add(number)
                self._settle()

    def _enter(self, number: int, listener: Listener) -> None:
        with self._lock:
            self._left.discard(number)
            if listener.only is None:
                _with(self._whole, number, listener)
            else:
                _with(self._named.setdefault(number, {}), listener.only, listener)
            for event in self._early.get(number, ()):
                if listener.only in (None, event.name) or not event.name:
                    listener.hear(event)

    def _settle(self) -> None:
        """Once nobody adds, nobody can be about to get the number of a folder that all others left."""
        if self._adding:
            return
        self._early, self._early_count = {}, 0
        for number in self._left:
            self._libc.inotify_rm_watch(self._fd, number)  # fails if it is gone, as it should be
        self._left.clear()

    # --- on the loop --------------------------------------------------------------------------------------

    def _read(self) -> None:
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return
        told: set[Listener] = set()
        for event in _events(data):
            told.update(self._tell(event))
        for listener in told:
            listener.wake()

    def _tell(self, event: Event) -> tuple[Listener, ...]:
        """Returns who was told."""
        with self._lock:
            is_lost = event.mask & IN_Q_OVERFLOW or not self._keep_early(event)
            listeners = tuple(self._members) if is_lost else self._listeners(event)
            if event.mask & IN_IGNORED:
                self._whole.pop(event.number, None)
                self._named.pop(event.number, None)
        for listener in listeners:
            if is_lost:
                listener.lose()
            else:
                listener.hear(event)
        return listeners

    def _keep_early(self, event: Event) -> bool:
        """Keep it for who may have added its folder and is not entered yet. Returns False if it is lost."""
        if self._adding:
            if self._early_count >= EARLY_MAX:
                self._early, self._early_count = {}, 0
                return False
            self._early.setdefault(event.number, []).append(event)
            self._early_count += 1
        return True

    def _listeners(self, event: Event) -> tuple[Listener, ...]:
        whole = self._whole.get(event.number, ())
        named = self._named.get(event.number)
        if named is None:
            return whole
        if event.name:
            return whole + named.get(event.name, ())
        return whole + tuple(one for some in named.values() for one in some)


def _with(known: dict[K, tuple[Listener, ...]], key: K, listener: Listener) -> None:
    listeners = known.get(key, ())
    if listener not in listeners:
        known[key] = (*listeners, listener)


def _without(known: dict[K, tuple[Listener, ...]], key: K, listener: Listener) -> None:
    left = tuple(one for one in known.pop(key, ()) if one is not listener)
    if left:
        known[key] = left


def _events(data: bytes) -> Iterator[Event]:
    at = 0
    while at < len(data):
        number, mask, _, length = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        name = data[at : at + length].rstrip(b"\0")
        at += length
        yield Event(number, mask, os.fsdecode(name))


def _last_error(path: str | None = None) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), path)
