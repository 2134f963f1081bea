"""What a transfer has so far beside its target: what it takes, and its removal. Blocks; use `offload`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from warren.services.files.staging import Staging

if TYPE_CHECKING:
    from warren.runtime.seam import Disk


def discard(disk: Disk, folder: str, root: str) -> None:
    """Remove what is staged of `root`, a content id, in `folder`. Raises `StorageError`."""
    try:
        place = disk.real_path(folder)
    except OSError:  # the folder is gone, and all with it
        return
    Staging(disk, place, root).discard()


def room(disk: Disk, folder: str, root: str | None) -> tuple[int, int]:
    """The free bytes of the disk that `folder` lies on, and those taken or set aside there for `root`
    already. Raises `OSError`.
    """
    free, taken = disk.free_bytes(folder), 0
    if root is not None:
        with contextlib.suppress(OSError):  # nothing is there
            taken = Staging(disk, disk.real_path(folder), root).taken_bytes()
    return free, taken
