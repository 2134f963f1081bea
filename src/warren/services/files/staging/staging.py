"""Where a fetch grows, and how it becomes the real thing at once.

In: steps of a walk, verified chunks. Out: a hidden folder `.warren-<end of the content id>.partial` in the
target folder, and at the end one rename to the final name. Whatever happens before leaves no trace under that
name; what was written stays, and the next attempt goes on from there. What lies there is believed only as far
as the journal of what was committed says so of a file that is as it was then (`record.py`); all else is
hashed. The hidden folder must be our own, what has the wrong kind is replaced, and what the walk did not name
is removed.

Every function here blocks; call it in `offload`. Raises `DiskFull`, `ReadOnlyTarget`, `StorageError`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.errors import DiskFull, StorageError
from warren.services.files.dag.build import CHUNK_BYTES
from warren.services.files.links import judge
from warren.services.files.names import NameRules, numbered, safe_join
from warren.services.files.staging.content import Content
from warren.services.files.staging.faults import name_error, named_errors
from warren.services.files.staging.open_files import NewFiles, OpenFiles, make_places, reserve
from warren.services.files.staging.record import Record
from warren.services.files.types import SKIPPED_SHOWN_MAX, Skipped
from warren.services.files.walk import LEAF_UNKNOWN

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Sequence

    from warren.runtime.seam import Disk, Stat, WriteFile
    from warren.services.files.staging.record import Batch
    from warren.services.files.swarm.pieces import Piece
    from warren.services.files.walk import Leaf, MakeSymlink, TargetFile

COPIES_MAX: Final = 10_000
_ZEROS: Final = bytes(CHUNK_BYTES)
_ZEROS_DIGEST: Final = hashlib.sha256(_ZEROS).digest()


class Arrived(NamedTuple):
    """A chunk as it came: where it lies in its answer's buffer, and what it is for."""

    start: int
    end: int
    piece: Piece


def make_target(disk: Disk, folder: str) -> str:
    """Make the target folder; returns its path without symlinks. Raises what `Staging` does."""
    with named_errors(folder):
        disk.make_dirs(folder)
        return disk.real_path(folder)


class Staging:
    """The growing copy of one root in one target folder. `open` it first.

    cid: of the root. `places` is what all fetches of a node share, see `make_places`. With `sync` a finished
    fetch survives a loss of power.
    """

    def __init__(
        self, disk: Disk, folder: str, cid: str, places: deque[None] | None = None, *, sync: bool = False
    ) -> None:
        self._disk = disk
        self._sync = sync
        self._folder = folder
        self.hidden = os.path.join(folder, f".warren-{cid[-16:]}.partial")
        """The hidden folder; `content` in it is what grows."""
        self._content = Content(disk, os.path.join(self.hidden, "content"))
        self._files = OpenFiles(disk, self._content.local, make_places() if places is None else places)
        self._record = Record(disk, self.hidden, cid, self._content.local)
        self._wanted_bytes = 0

    @property
    def resumed(self) -> bool:
        """Whether an earlier attempt left something."""
        return self._content.resumed

    @property
    def rules(self) -> NameRules:
        """What names this disk can tell apart."""
        return self._content.rules

    def open(self) -> None:
        """Make the folders; find out what was left, and what names this disk can tell apart."""
        with named_errors(self._folder):
            self._make_partial()
            self._content.resumed = self._content.look(self._content.top) is not None
            shouting = os.path.join(self._folder, os.path.basename(self.hidden).upper())
            self._content.rules = NameRules(case_insensitive=self._content.look(shouting) is not None)
            if self.resumed:
                self._record.read()

    def _make_partial(self) -> None:
        """Attack: in a folder that others may write, a symlink or a folder of theirs under our name, which
        would lead what we write to where they want it.
        """
        with contextlib.suppress(FileExistsError):
            self._disk.make_dirs(self.hidden, 0o700)
        found = self._disk.stat(self.hidden)
        if found.kind != "dir" or not found.owned:
            raise StorageError(
                f"{self.hidden} is no folder of yours", hint="remove it, or choose another folder with -o"
            )

    def check_room(self, content_bytes: int) -> None:
        """Raises `DiskFull` when so much content will not fit beside what is already here."""
        self._wanted_bytes = content_bytes
        with named_errors(self._folder):
            missing = self._missing_bytes()
            free = self._disk.free_bytes(self._folder)
        if missing > free:
            raise DiskFull(
                f"{self._folder} has {free:,} bytes free, {missing:,} are needed",
                hint="free some space, or choose another folder with -o",
            )

    def _missing_bytes(self) -> int:
        """What is still to be written or set aside."""
        try:
            taken = self._disk.taken_bytes(self._content.top)
        except FileNotFoundError:
            taken = 0
        return max(0, self._wanted_bytes - taken)

    # --- filling it ---------------------------------------------------------------------------------------

    def make_folders(self, paths: Sequence[str]) -> None:
        """Make folders, parents first."""
        for path in paths:
            with named_errors(path):
                self._content.make_folder(path)

    def make_empty_file(self, file: TargetFile) -> None:
        """Make a file of no bytes."""
        with named_errors(file.path):
            self._content.clear_way(file.path, "file")
            with contextlib.closing(self._files.open(file)) as opened:
                opened.truncate(0)

    def find_present(self, file: TargetFile, leaves: Sequence[Leaf], first: int) -> list[bool]:
        """Which of these chunks, numbered from `first` on, an earlier attempt left, whole and right.

        Those of a file that is as it was committed are not hashed. The parts of a file come in order.
        """
        with named_errors(file.path):
            found = self._content.clear_way(file.path, "file")
            if found is None:
                return [False] * len(leaves)
            if file.size != LEAF_UNKNOWN and self._record.is_sound(file.path, found):
                return [self._record.knows(number) for number in range(first, first + len(leaves))]
            return self._hash_present(file, leaves, first, found)

    def _hash_present(self, file: TargetFile, leaves: Sequence[Leaf], first: int, found: Stat) -> list[bool]:
        last = True
        with contextlib.closing(
            self._disk.open_write(self._content.local(file.path), create=False)
        ) as opened:
            if file.size == LEAF_UNKNOWN:  # one chunk, of which nobody knows where it ends
                opened.truncate(0)
                present = [False]
            else:
                present = [_fits(opened, leaf) for leaf in leaves]
                last = leaves[-1].offset + leaves[-1].length == file.size
                if last and found.size > file.size:
                    opened.truncate(file.size)
                if not all(present):
                    reserve(opened, file)
        self._record.note_checked(file.path, first, present, last=last)
        return present

    def store(self, buffer: bytearray, chunks: Sequence[Arrived]) -> list[bool]:
        """Verify chunks and write those that are right to all their places; returns which are."""
        right: list[bool] = []
        with memoryview(buffer) as view, NewFiles(self._disk, self._content.local) as new_files:
            for start, end, piece in chunks:
                data = view[start:end]
                is_right = piece.fits(data)
                right.append(is_right)
                if is_right:
                    for file, offset in piece.targets:
                        self._write(new_files, file, offset, data)
        return right

    def _write(self, new_files: NewFiles, file: TargetFile, offset: int, data: memoryview) -> None:
        try:
            if len(data) == file.size and file.path and new_files.make(file.path, data):
                return
            self._files.write(file, offset, data)
        except OSError as error:
            raise self._explain(error, file.path) from error

    def _explain(self, error: OSError, path: str) -> StorageError:
        """What it means; of a full disk also how much is missing."""
        named = name_error(error, path)
        if isinstance(named, DiskFull):
            with contextlib.suppress(OSError):
                missing, free = self._missing_bytes(), self._disk.free_bytes(self._folder)
                if missing > free:
                    return DiskFull(
                        f"{named} ({free:,} bytes are free, {missing:,} are needed)", hint=named.hint
                    )
        return named

    def close_file(self, file: TargetFile) -> None:
        """All of it is written, and no thread is at it."""
        with named_errors(file.path):
            self._files.close_file(file)

    def close(self) -> None:
        """Close what is open, all of it; no thread is at it. A close may be what tells of a failed write."""
        self._files.close()

    def commit(self, batch: Batch) -> None:
        """Return once the leaves of `batch`, and those found here, survive a loss of power and are noted in
        the journal: they are never fetched again. One commit at a time.
        """
        with named_errors(self.hidden):
            self._record.commit(batch)

    def end_commits(self) -> bool:
        """Let no commit write the journal from now on, as all will have its final name in a moment. Blocks
        nobody; False where one is writing it at this moment.
        """
        return self._record.end()

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
            if self._content.clear_way(link.path, "symlink") is not None:
                self._disk.remove(self._content.local(link.path))
            self._disk.make_symlink(link.target, self._content.local(link.path))
        except OSError as error:
            return f"a symlink cannot be made here: {error.strerror}"
        return ""

    def finish(self, name: str) -> str:
        """Give it its final name, or the next free one; returns the path."""
        with named_errors(self._folder):
            self._content.remove_strays()
            if self._sync:
                self._disk.sync_tree(self._content.top)
            for number in range(1, COPIES_MAX):
                final = safe_join(self._folder, [numbered(name, number)])
                try:
                    self._disk.rename_new(self._content.top, final)
                except FileExistsError:
                    continue
                if self._sync:
                    self._disk.sync_dir(self._folder)
                with contextlib.suppress(OSError):  # it is empty, and what was fetched has its name
                    self._disk.remove_tree(self.hidden)
                return final
        raise StorageError(f"there are {COPIES_MAX} copies of {name!r} already")

    def find_named(self, name: str) -> list[str]:
        """What already has the final name, or the name with a number, as far as they follow on each other."""
        found: list[str] = []
        with named_errors(self._folder):
            for number in range(1, COPIES_MAX):
                path = safe_join(self._folder, [numbered(name, number)])
                if self._content.look(path) is None:
                    break
                found.append(path)
        return found

    def discard(self) -> None:
        """Remove what was staged."""
        with contextlib.suppress(FileNotFoundError), named_errors(self._folder):
            self._disk.remove_tree(self.hidden)

    def measure(self, path: str) -> int:
        """The bytes of the file, or of all files below the folder, without hidden files and folders."""
        found = self._disk.stat(path)
        if found.kind != "dir":
            return found.size
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


def _fits(opened: WriteFile, leaf: Leaf) -> bool:
    data = opened.pread(leaf.offset, leaf.length)
    if data == _ZEROS:  # a hole, mostly: files whose chunks come in any order have many
        return leaf.digest == _ZEROS_DIGEST
    return hashlib.sha256(data).digest() == leaf.digest
