"""A lock that one process holds on a file: the system frees it when the process ends, however it ends.

In:  a path. Out: `FileLock`, which is held until it is closed; or the process id that its holder wrote there.

flock belongs to one opening of the file, so it also tells two holders of one process apart, and it stays when
another descriptor of the same file is closed; POSIX record locks (fcntl, SQLite's) do neither. Where there is
no flock, a byte far behind the text is locked.

Light on purpose: every command looks at a lock.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.runtime.seam import StrPath

# Who only looks takes the lock for an instant; whoever wants it in that instant tries again.
_ATTEMPTS = 10
_PAUSE_S = 0.02
_NUMBER_BYTES_MAX = 20
_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class FileLock:
    """Take the lock of `path`, which is made if need be, for its owner alone; its text is our process id.

    Raises BlockingIOError when another has it, another OSError when it cannot be written.
    """

    __slots__ = ("_fd",)

    def __init__(self, path: StrPath) -> None:
        fd = os.open(path, _FLAGS | os.O_CREAT, 0o600)
        try:
            _take(fd, path)
            os.ftruncate(fd, 0)
            os.write(fd, b"%d\n" % os.getpid())
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def close(self) -> None:
        """Let others have it. Closing twice is harmless."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def holder(path: StrPath) -> int | None:
    """The process that holds the lock (0: it has not said its number yet); None if nobody does."""
    try:
        fd = os.open(path, _FLAGS)
    except OSError:
        return None
    try:
        if _try(fd, shared=True):
            return None
        os.lseek(fd, 0, os.SEEK_SET)
        text = os.read(fd, _NUMBER_BYTES_MAX).strip()
        return int(text) if text.isdigit() else 0
    except OSError:
        return None
    finally:
        os.close(fd)


def _take(fd: int, path: StrPath) -> None:
    for _ in range(_ATTEMPTS):
        if _try(fd, shared=False):
            return
        time.sleep(_PAUSE_S)
    raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK), os.fspath(path))


if sys.platform == "win32":
    import msvcrt

    # Far beyond the number that the file holds: others cannot read a region that is locked.
    _LOCK_AT = 1 << 20

    def _try(fd: int, *, shared: bool) -> bool:  # noqa: ARG001  there is only one kind
        os.lseek(fd, _LOCK_AT, os.SEEK_SET)
        with contextlib.suppress(OSError):
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
            os.lseek(fd, 0, os.SEEK_SET)
            return True
        return False
else:
    import fcntl

    def _try(fd: int, *, shared: bool) -> bool:
        """False if another has it. Those who only look share it, so they do not see each other."""
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return True
        return False
