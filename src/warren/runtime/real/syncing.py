"""Making a whole tree survive a loss of power.

In: a path. Out: nothing before it is safe, or the `OSError` of the operating system. On Linux one call syncs
the file system that holds it, which is much cheaper than one for each of many small files; elsewhere each
file and folder below it is synced by itself.

https://man7.org/linux/man-pages/man2/syncfs.2.html (reports failed writes since Linux 5.8)
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
_sync_data = getattr(os, "fdatasync", os.fsync)
SYNCED_ONE_BY_ONE_MAX = 8
"""Of more files on one file system a single call is cheaper: each one by itself waits for the disk once."""


def sync_tree(path: str) -> None:
    """Sync the file or folder at `path` and all below it."""
    if sys.platform == "linux":
        _with_open(path, os.O_RDONLY | _NOFOLLOW, _syncfs)
    else:
        sync_each(path)


def sync_files(paths: Sequence[str]) -> None:
    """Sync the content of these files: those that are there. Nothing that is no regular file is opened."""
    there = [path for path in paths if _is_file(path)]
    if sys.platform == "linux" and len(there) > SYNCED_ONE_BY_ONE_MAX:
        _with_open(there[0], os.O_RDONLY | _NOFOLLOW, _syncfs)
        return
    for path in there:
        _with_open(path, os.O_RDWR | _NOFOLLOW, _sync_data)


def sync_each(path: str) -> None:
    """The same without a call for all at once."""
    if not os.path.isdir(path) or os.path.islink(path):
        _sync_file(path)
        return
    for folder, _, names in os.walk(path):
        for name in names:
            _sync_file(os.path.join(folder, name))
        if os.name != "nt":  # Windows syncs no folders
            _with_open(folder, os.O_RDONLY, os.fsync)


def _sync_file(path: str) -> None:
    if _is_file(path):
        _with_open(path, os.O_RDWR | _NOFOLLOW, os.fsync)


def _is_file(path: str) -> bool:
    return os.path.isfile(path) and not os.path.islink(path)


def _syncfs(fd: int) -> None:
    if ctypes.CDLL(None, use_errno=True).syncfs(fd):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _with_open(path: str, flags: int, call: Callable[[int], None]) -> None:
    fd = os.open(path, flags)
    try:
        call(fd)
    finally:
        os.close(fd)
