"""What is left of a fetch that nobody wants any more: removed. Blocks; call it in `offload`."""

from __future__ import annotations

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
