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
    from collections.abc import Callable

_NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)


def sync_tree(path: str) -> None:
    """Sync the file or folder at `path` and all below it."""
    if sys.platform == "linux":
        _with_open(path, os.O_RDONLY | _NOFOLLOW, _syncfs)
    else:
        sync_each(path)


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
    if os.path.isfile(path) and not os.path.islink(path):
        _with_open(path, os.O_RDWR | _NOFOLLOW, os.fsync)


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
