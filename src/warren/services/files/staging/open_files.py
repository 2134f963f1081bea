"""The files that a fetch writes: those of many chunks stay open between them, within a bound.

In:  chunks, for threads that write several at once. Out: bytes in files. `places` is what all fetches of a
node share: who keeps a file open takes one out and puts it back, from any thread (both are atomic). Raises
`StorageError`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Self

from warren.services.files.names import check_name
from warren.services.files.staging.faults import name_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.errors import StorageError
    from warren.runtime.seam import Disk, Folder, WriteFile
    from warren.services.files.walk import TargetFile

FILE_MODE: Final = 0o666
"""Less what the user's umask takes away."""
KEPT_MAX: Final = 64
"""Files of many chunks that stay open between them, over all fetches of a node: spares each chunk an open and
a close. Fault: a node with many fetches that runs out of descriptors."""
RESERVED_BYTES_MIN: Final = 1024 * 1024
"""A file that is larger has its room set aside before its first chunk is written."""


def make_places() -> deque[None]:
    """The places for files that stay open."""
    return deque([None] * KEPT_MAX)


class OpenFiles:
    """The files of one fetch. `local` says where a path below the top lies."""

    __slots__ = ("_disk", "_kept", "_local", "_places")

    def __init__(self, disk: Disk, local: Callable[[str], str], places: deque[None]) -> None:
        self._disk = disk
        self._local = local
        self._places = places
        self._kept: dict[str, WriteFile] = {}

    def write(self, file: TargetFile, offset: int, data: memoryview) -> None:
        """Write a part of a file. Raises `OSError`."""
        opened = self._kept.get(file.path)
        if opened is None:
            opened = self.open(file)
            if len(data) < file.size:
                opened = self._keep(file, opened)
        try:
            opened.pwrite(offset, data)
        finally:
            if self._kept.get(file.path) is not opened:
                opened.close()

    def open(self, file: TargetFile) -> WriteFile:
        """Open a file, made if need be. Raises `OSError`."""
        path = self._local(file.path)
        try:
            opened = self._disk.open_write(path, create=True, mode=FILE_MODE)
        except FileExistsError:
            return self._disk.open_write(path, create=False)
        try:
            reserve(opened, file)
        except BaseException:
            opened.close()
            raise
        return opened

    def close_file(self, file: TargetFile) -> None:
        """All of it is written, and no thread is at it. Raises `OSError`."""
        kept = self._kept.pop(file.path, None)
        if kept is not None:
            self._places.append(None)
            kept.close()

    def close(self) -> None:
        """Close what is open, all of it; no thread is at it. A close may be what tells of a failed write."""
        failed: StorageError | None = None
        while self._kept:
            path, kept = self._kept.popitem()
            self._places.append(None)
            try:
                kept.close()
            except OSError as error:
                failed = name_error(error, path)
        if failed is not None:
            raise failed

    def _keep(self, file: TargetFile, opened: WriteFile) -> WriteFile:
        """Leave a file open for its further chunks, where there is room; another thread may have done so."""
        try:
            self._places.pop()
        except IndexError:
            return opened
        kept = self._kept.setdefault(file.path, opened)
        if kept is not opened:
            self._places.append(None)
            opened.close()
        return kept


class NewFiles:
    """Makes files that are written at once and never again, for one thread; use it as a context manager.

    The folder that was used last stays open, because files mostly come folder by folder: each is then made by
    its name in it, in one call, without going down the whole path again.
    """

    __slots__ = ("_disk", "_folder", "_local", "_where")

    def __init__(self, disk: Disk, local: Callable[[str], str]) -> None:
        self._disk = disk
        self._local = local
        self._folder: Folder | None = None
        self._where: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def make(self, path: str, data: memoryview) -> bool:
        """Make the file at `path`, which is not the top; whether nothing was in its way. Raises `OSError`."""
        where, _, name = path.rpartition("/")
        folder = self._folder
        if folder is None or where != self._where:
            self._close()
            folder = self._folder = self._disk.open_folder(self._local(where))
            self._where = where
        try:
            check_name(name)
            folder.write_new(name, data, FILE_MODE)
        except FileExistsError:
            return False
        return True

    def _close(self) -> None:
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.close()


def reserve(opened: WriteFile, file: TargetFile) -> None:
    """Set the room of a large file aside. Raises `OSError`."""
    if file.size > RESERVED_BYTES_MIN:
        opened.reserve(file.size)
