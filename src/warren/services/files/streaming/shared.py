"""A file that is shared here, read at any place as long as it is what was hashed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from warren.services.files.beneath import Beneath

if TYPE_CHECKING:
    from warren.runtime.seam import Disk


class SharedFile(NamedTuple):
    """Where it lies: `name` in `folder` below `top`; and what it was when it was hashed."""

    top: str
    folder: str
    name: str
    size: int
    mtime_ns: int

    def read(self, disk: Disk, offset: int, length: int) -> bytes | None:
        """Some of its bytes; None where it is another file now. Raises `OSError`. Blocks."""
        with (
            Beneath(disk) as beneath,
            contextlib.closing(beneath.open_read(self.top, self.folder, self.name)) as file,
        ):
            data = file.pread(offset, length)
            now = file.stat()
        same = (now.size, now.mtime_ns, len(data)) == (self.size, self.mtime_ns, length)
        return data if same else None
