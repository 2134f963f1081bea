"""Opening files below a shared folder so that nothing outside of it is ever read.

In: the top of a share and a path below it. Out: open files. A folder of the share may be swapped for a
symlink at any moment, by whoever may write there; so each folder is opened by its name in the one above,
refusing symlinks, and the file by its name in the last. The folder that was used last stays open, because
files mostly come folder by folder: then a file costs one call to open it, as without all this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from warren.runtime.seam import Disk, Folder, ReadFile


class Beneath:
    """For one thread at a time; use it as a context manager. Blocks."""

    __slots__ = ("_disk", "_folder", "_where")

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._folder: Folder | None = None
        self._where = ("", "")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def open_read(self, top: str, folder: str, name: str) -> ReadFile:
        """Open the file `name` in `folder` ('/' between names) below `top`. Raises `OSError`."""
        if self._folder is None or self._where != (top, folder):
            self._close()
            self._folder = self._disk.open_folder(top, folder)
            self._where = (top, folder)
        return self._folder.open_read(name)

    def _close(self) -> None:
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.close()
