"""Room on the disk: setting it aside, and what is taken.

In:  an open file, or a path. Out: nothing, or bytes; or the `OSError` of the operating system. Room is set
aside where the file system does that by noting it (Linux: ext4, XFS, btrfs, tmpfs); where it would have to
write zeros nothing is done, and a full disk shows while writing.

https://man7.org/linux/man-pages/man2/fallocate.2.html
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat as modes
import sys

_KEEP_SIZE = 1
_CANNOT = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_BLOCK_BYTES = 512
"""What `st_blocks` counts in, whatever the blocks of the file system are."""


def reserve(fd: int, size: int) -> None:
    """See `seam.WriteFile.reserve`."""
    if sys.platform != "linux" or size <= 0:
        return
    _check_free(fd, size)
    call = ctypes.CDLL(None, use_errno=True).fallocate64
    if call(fd, _KEEP_SIZE, ctypes.c_int64(0), ctypes.c_int64(size)):
        number = ctypes.get_errno()
        if number == errno.EINTR:
            reserve(fd, size)
        elif number not in _CANNOT:
            raise OSError(number, os.strerror(number))


def _check_free(fd: int, size: int) -> None:
    """Raise ENOSPC where so much is not free: a call that finds it out takes the last block before it
    fails.
    """
    disk = os.fstatvfs(fd)
    if disk.f_blocks and size - _taken(os.fstat(fd)) > disk.f_bavail * disk.f_frsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def taken_bytes(path: str) -> int:
    """See `seam.Disk.taken_bytes`."""
    status = os.lstat(path)
    total = _taken(status)
    if modes.S_ISDIR(status.st_mode):
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                try:
                    total += _taken(os.lstat(os.path.join(folder, name)))
                except FileNotFoundError:
                    continue  # it went meanwhile
    return total


def _taken(status: os.stat_result) -> int:
    blocks: int = getattr(status, "st_blocks", -1)
    return status.st_size if blocks < 0 else blocks * _BLOCK_BYTES
