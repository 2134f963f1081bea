"""Where a fetch grows, and how it becomes the real thing at once.

In: steps of a walk, verified chunks. Out: a hidden folder `.warren-<end of the content id>.partial` in the
target folder, and at the end one rename to the final name. Whatever happens before leaves no trace under that
name; what was written stays, and the next attempt checks it by its hashes and goes on from there. Nothing
that lies there is trusted: the hidden folder must be our own, what has the wrong kind is replaced, and what
the walk did not name is removed.

Every function here blocks; call it in `offload`. Raises `DiskFull`, `ReadOnlyTarget`, `StorageError`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.errors import DiskFull, ReadOnlyTarget, StorageError
from warren.services.files.hashing import join
from warren.services.files.links import judge
from warren.services.files.names import NameRules, numbered, safe_join
from warren.services.files.types import SKIPPED_SHOWN_MAX, Skipped
from warren.services.files.walk import LEAF_UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from warren.runtime.seam import Disk, Kind, WriteFile
    from warren.services.files.picker import Piece
    from warren.services.files.walk import Leaf, MakeSymlink, TargetFile

FILE_MODE: Final = 0o666
"""Less what the user's umask takes away."""
COPIES_MAX: Final = 10_000
KEPT_MAX: Final = 64
"""Files of many chunks that stay open between them, over all fetches of a node: spares each chunk an open and
a close. Fault: a node with many fetches that runs out of descriptors."""


class Arrived(NamedTuple):
    """A chunk as it came: where it lies in its answer's buffer, and what it is for."""

    start: int
    end: int
    piece: Piece


def make_places() -> deque[None]:
    """The places for files that stay open. Who keeps one open takes one out and puts it back, from any thread
    (both are atomic).
    """
    return deque([None] * KEPT_MAX)


def make_target(disk: Disk, folder: str) -> str:
    """Make the target folder; returns its path without symlinks. Raises what `Staging` does."""
    with _named_errors(folder):
        disk.make_dirs(folder)
        return disk.real_path(folder)


class Staging:
    """The growing copy of one root in one target folder. `open` it first.

    `places` is what all fetches of a node share, see `make_places`. With `sync` a finished fetch survives a
    loss of power.
    """

    def __init__(
        self,
        disk: Disk,
        folder: str,
        cid: str,
        places: deque[None] | None = None,
        *,
        sync: bool = False,
    ) -> None:
        self._disk = disk
        self._sync = sync
        self._places = make_places() if places is None else places
        self._folder = folder
        self._partial = os.path.join(folder, f".warren-{cid[-16:]}.partial")
        self._content = os.path.join(self._partial, "content")
        self._kept: dict[str, WriteFile] = {}
        self._named: set[int] = set()  # hashes of the paths that the walk named, kept where there is more
        self.resumed = False
        """Whether an earlier attempt left something."""
        self.rules = NameRules()

    def open(self) -> None:
        """Make the folders; find out what was left, and what names this disk can tell apart."""
        with _named_errors(self._folder):
            self._make_partial()
            self.resumed = self._kind(self._content) is not None
            shouting = os.path.join(self._folder, os.path.basename(self._partial).upper())
            self.rules = NameRules(case_insensitive=self._kind(shouting) is not None)

    def _make_partial(self) -> None:
        """Attack: in a folder that others may write, a symlink or a folder of theirs under our name, which
        would lead what we write to where they want it.
        """
        with contextlib.suppress(FileExistsError):
            self._disk.make_dirs(self._partial, 0o700)
        found = self._disk.stat(self._partial)
        if found.kind != "dir" or not found.owned:
            raise StorageError(
                f"{self._partial} is no folder of yours", hint="remove it, or choose another folder with -o"
            )

    def check_room(self, content_bytes: int) -> None:
        """Raises `DiskFull` when so much content will not fit beside what is already here."""
        with _named_errors(self._folder):
            missing = content_bytes - (self.measure(self._content) if self.resumed else 0)
            free = self._disk.free_bytes(self._folder)
        if missing > free:
            raise DiskFull(
                f"{self._folder} has {free:,} bytes free, {missing:,} are needed",
                hint="free some space, or choose another folder with -o",
            )

    # --- filling it ---------------------------------------------------------------------------------------

    def make_folders(self, paths: Sequence[str]) -> None:
        """Make folders, parents first."""
        for path in paths:
            with _named_errors(path):
                self._clear_way(path, "dir")
                self._disk.make_dirs(self._local(path))

    def make_empty_file(self, file: TargetFile) -> None:
        """Make a file of no bytes."""
        with _named_errors(file.path):
            self._clear_way(file.path, "file")
            with contextlib.closing(self._open_write(file)) as opened:
                opened.truncate(0)

    def find_present(self, file: TargetFile, leaves: Sequence[Leaf]) -> list[bool]:
        """Which of these chunks an earlier attempt left, whole and right."""
        present: list[bool] = []
        with _named_errors(file.path):
            if not self._clear_way(file.path, "file"):
                return [False] * len(leaves)
            with contextlib.closing(self._disk.open_write(self._local(file.path), create=False)) as opened:
                if file.size == LEAF_UNKNOWN:  # one chunk, of which nobody knows where it ends
                    opened.truncate(0)
                    return [False]
                for leaf in leaves:
                    data = opened.pread(leaf.offset, leaf.length)
                    present.append(hashlib.sha256(data).digest() == leaf.digest)
                if leaves[-1].offset + leaves[-1].length == file.size:
                    _cut(opened, file.size)
        return present

    def _clear_way(self, path: str, wanted: Kind) -> bool:
        """Whether what an earlier attempt left here is of the kind wanted; what is of another is removed."""
        if not self.resumed:
            return False
        self._named.add(self._hash(path))
        local = self._local(path)
        found = self._kind(local)
        if found not in {None, wanted}:
            self._remove(local, found)
        return found == wanted

    def _hash(self, path: str) -> int:
        return hash(self.rules.key(path))

    def _remove(self, local: str, kind: Kind | None) -> None:
        if kind == "dir":
            self._disk.remove_tree(local)
        else:
            self._disk.remove(local)

    def store(self, buffer: bytearray, chunks: Sequence[Arrived]) -> list[bool]:
        """Verify chunks and write those that are right to all their places; returns which are."""
        right: list[bool] = []
        with memoryview(buffer) as view:
            for start, end, piece in chunks:
                data = view[start:end]
                right.append(piece.fits(data))
                if right[-1]:
                    for file, offset in piece.targets:
                        self._write(file, offset, data)
        return right

    def _write(self, file: TargetFile, offset: int, data: memoryview) -> None:
        opened = self._kept.get(file.path)
        try:
            if opened is None:
                opened = self._open_write(file)
                if len(data) < file.size:
                    opened = self._keep(file, opened)
            try:
                opened.pwrite(offset, data)
            finally:
                if self._kept.get(file.path) is not opened:
                    opened.close()
        except OSError as error:
            raise name_error(error, file.path) from error

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

    def close_file(self, file: TargetFile) -> None:
        """All of it is written, and no thread is at it."""
        kept = self._kept.pop(file.path, None)
        if kept is not None:
            self._places.append(None)
            with _named_errors(file.path):
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

    def _open_write(self, file: TargetFile) -> WriteFile:
        path = self._local(file.path)
        try:
            return self._disk.open_write(path, create=True, mode=FILE_MODE)
        except FileExistsError:
            return self._disk.open_write(path, create=False)

    # --- finishing ----------------------------------------------------------------------------------------

    def make_symlinks(self, links: Sequence[MakeSymlink]) -> tuple[list[Skipped], int]:
        """Make the symlinks that stay inside; returns those that were left out, and how many they are."""
        skipped: list[Skipped] = []
        count = 0
        for link, refused in zip(links, judge(links, self.rules), strict=True):
            reason = refused or self._make_symlink(link)
            if reason:
                count += 1
                skipped.append(Skipped(link.source, reason))
        return skipped[:SKIPPED_SHOWN_MAX], count

    def _make_symlink(self, link: MakeSymlink) -> str:
        """Why it cannot be made; empty when it was."""
        try:
            if self._clear_way(link.path, "symlink"):
                self._disk.remove(self._local(link.path))
            self._disk.make_symlink(link.target, self._local(link.path))
        except OSError as error:
            return f"a symlink cannot be made here: {error.strerror}"
        return ""

    def finish(self, name: str) -> str:
        """Give it its final name, or the next free one; returns the path."""
        with _named_errors(self._folder):
            self._remove_strays()
            if self._sync:
                self._disk.sync_tree(self._content)
            for number in range(1, COPIES_MAX):
                final = safe_join(self._folder, [numbered(name, number)])
                try:
                    self._disk.rename_new(self._content, final)
                except FileExistsError:
                    continue
                if self._sync:
                    self._disk.sync_dir(self._folder)
                with contextlib.suppress(OSError):  # it is empty, and what was fetched has its name
                    self._disk.remove_tree(self._partial)
                return final
        raise StorageError(f"there are {COPIES_MAX} copies of {name!r} already")

    def _remove_strays(self) -> None:
        """Remove what an earlier attempt left and the walk did not name."""
        waiting = [""] if self.resumed and self._kind(self._content) == "dir" else []
        while waiting:
            folder = waiting.pop()
            for entry in self._disk.scan(os.path.join(self._content, folder)):
                path = join(folder, entry.name)
                if self._hash(path) not in self._named:
                    self._remove(os.path.join(self._content, path), entry.kind)
                elif entry.kind == "dir":
                    waiting.append(path)

    def find_named(self, name: str) -> list[str]:
        """What already has the final name, or the name with a number, as far as they follow on each other."""
        found: list[str] = []
        with _named_errors(self._folder):
            for number in range(1, COPIES_MAX):
                path = safe_join(self._folder, [numbered(name, number)])
                if self._kind(path) is None:
                    break
                found.append(path)
        return found

    def discard(self) -> None:
        """Remove what was staged."""
        with contextlib.suppress(FileNotFoundError), _named_errors(self._folder):
            self._disk.remove_tree(self._partial)

    def _local(self, path: str) -> str:
        return safe_join(self._content, path.split("/")) if path else self._content

    def _kind(self, path: str) -> Kind | None:
        try:
            return self._disk.stat(path).kind
        except FileNotFoundError:
            return None

    def measure(self, path: str) -> int:
        """The bytes of the file, or of all files below the folder, without hidden files and folders."""
        if self._kind(path) != "dir":
            return self._disk.stat(path).size
        total = 0
        waiting = [path]
        while waiting:
            folder = waiting.pop()
            for entry in self._disk.scan(folder):
                if entry.name.startswith("."):
                    continue
                if entry.kind == "dir":
                    waiting.append(os.path.join(folder, entry.name))
                elif entry.kind == "file":
                    total += entry.size
        return total


def _cut(opened: WriteFile, size: int) -> None:
    """Take away what lies beyond the end, if anything does."""
    if opened.pread(size, 1):
        opened.truncate(size)


@contextlib.contextmanager
def _named_errors(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise name_error(error, what) from error


def name_error(error: OSError, what: str) -> StorageError:
    """What the system's error means to who fetches; `what` is empty for the top of what is fetched."""
    what = what or "what is fetched"
    reason = error.strerror or str(error)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return DiskFull(
                f"no room left for {what}: {reason}",
                hint="free some space and fetch again: what is there already is not fetched twice",
            )
        case errno.EFBIG:
            return DiskFull(
                f"{what} is larger than files may be here: {reason}",
                hint="choose another folder with -o, or raise the limit (ulimit -f)",
            )
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return ReadOnlyTarget(f"{what} cannot be written: {reason}", hint="choose another folder with -o")
        case errno.ENAMETOOLONG:
            return StorageError(
                f"the path of {what} is too long here", hint="choose a folder with a shorter path with -o"
            )
        case errno.EEXIST | errno.ENOTDIR | errno.EISDIR:
            return StorageError(
                f"{what} cannot be written: something else is in its way ({reason})",
                hint="choose another folder with -o",
            )
    return StorageError(f"{what} cannot be written: {reason}")
