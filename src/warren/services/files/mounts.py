"""Drives that are mounted in a share: which folders they are, and whether they are there.

In:  a connection to the index inside a transaction; a disk. Out: folders by path, '' for the top. A folder on
another file system than the one above it is where a drive is mounted. Once it was one, what it holds is not
taken for gone because the drive is: an unmounted drive leaves its folder behind, empty or with what was in it
before. The number of a file system says nothing by itself, for it may be another after a restart.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from warren.runtime.seam import Disk


def load(db: sqlite3.Connection, share: int) -> set[str]:
    """The folders of a share where drives are mounted, or were when they were looked at last."""
    return {path for (path,) in db.execute("SELECT path FROM mount WHERE share = ?", (share,))}


def keep(db: sqlite3.Connection, share: int, paths: Iterable[str]) -> None:
    """Drives are mounted there."""
    db.executemany("INSERT OR IGNORE INTO mount VALUES (?, ?)", [(share, path) for path in paths])


def drop(db: sqlite3.Connection, share: int, path: str) -> None:
    """Whatever is there now counts as what is shared."""
    db.execute("DELETE FROM mount WHERE share = ? AND path = ?", (share, path))


def is_mounted(disk: Disk, top: str, path: str) -> bool:
    """Whether a drive is mounted at a folder of the share at `top`. Blocks. Raises `OSError`."""
    if not path:
        return disk.stat(top).device != disk.stat(os.path.dirname(top)).device
    above, _, name = path.rpartition("/")
    opened = disk.open_folder(top, above)
    try:
        return opened.find(name).device != opened.stat().device
    finally:
        opened.close()
