"""What is committed of a fetch: the journal in its hidden folder, read once, written behind the data.

In:  batches of leaves that were written. Out: the same leaves in the journal, after their files were synced;
and whether a file still is what the journal says, so that it needs no hashing. A leaf is in the journal only
if it is safe on the disk, and it is believed only while its file looks as it did when that was written: a
write since, whoever made it, changes size, time or inode. So the journal needs no word that the fetch was
stopped in order: a file that was written to after the last commit does not fit its mark, and is hashed.

Blocks; `read`, `is_sound` and `note_checked` are for one thread, `commit` for one other; `end` blocks nobody.
Raises `OSError`.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.services.files.staging.journal import (
    JOURNAL_BYTES_MAX,
    MARKS_MAX,
    Journal,
    decode,
    encode,
    key_of,
    mark_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.runtime.seam import Disk, Stat

NAME: Final = "journal"


@dataclass(slots=True)
class Batch:
    """Leaves that were written, the paths of their files, and how many bytes they are."""

    numbers: list[int] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    bytes: int = 0

    def add(self, number: int, path: str, length: int) -> None:
        """One more leaf."""
        self.numbers.append(number)
        self.paths.add(path)
        self.bytes += length


class _Checked(NamedTuple):
    path: str
    first: int
    present: Sequence[bool]
    last: bool


class Record:
    """See the module's header.

    folder: the hidden folder of the fetch. root: its content id. local: says where a path lies.
    """

    __slots__ = ("_checked", "_disk", "_file", "_free", "_journal", "_local", "_root", "_verdicts")

    def __init__(self, disk: Disk, folder: str, root: str, local: Callable[[str], str]) -> None:
        self._disk = disk
        self._file = os.path.join(folder, NAME)
        self._root = root
        self._local = local
        self._journal = Journal()
        self._free = deque([None])  # taken out by who writes the journal, or lets nobody write it any more
        self._verdicts: dict[bytes, bool] = {}  # of files that are looked at now, part by part
        self._checked: deque[_Checked] = deque()

    def read(self) -> None:
        """Take in what an earlier attempt left, if it is a journal."""
        self._disk.remove_drafts(self._file)
        try:
            opened = self._disk.open_read(self._file, follow_link=False)
        except OSError:
            return  # there is none, or something else lies there: no reason not to fetch
        with contextlib.closing(opened):
            data = opened.pread(0, JOURNAL_BYTES_MAX)
        self._journal = decode(self._root, data) or self._journal

    def is_sound(self, path: str, status: Stat) -> bool:
        """Whether the file is what it was at the last commit. The verdict stands until all of it was looked
        at: meanwhile this fetch itself writes to it.
        """
        key = key_of(path)
        found = self._verdicts.get(key)
        if found is None:
            found = self._verdicts[key] = self._journal.marks.get(key) == mark_of(status)
        return found

    def knows(self, number: int) -> bool:
        """Whether this leaf is committed; where its file is not sound that says nothing."""
        return number in self._journal.bits

    def note_checked(self, path: str, first: int, present: Sequence[bool], *, last: bool) -> None:
        """These leaves of a file, from the number `first` on, are there or not. last: it has no more."""
        self._checked.append(_Checked(path, first, present, last))

    def commit(self, batch: Batch) -> None:
        """Return once the leaves of `batch`, and those that were found, are in the journal."""
        if not (batch.numbers or self._checked):
            return
        journal, paths = self._journal, set(batch.paths)
        numbers = batch.numbers
        while self._checked:
            checked = self._checked.popleft()
            paths.add(checked.path)
            for number, is_there in enumerate(checked.present, checked.first):
                if is_there:
                    numbers.append(number)
                else:
                    journal.bits.discard(number)
            if checked.last:
                self._verdicts.pop(key_of(checked.path), None)
        for path in paths:  # until the new ones are written nothing of these is believed
            journal.marks.pop(key_of(path), None)
        self._disk.sync_files([self._local(path) for path in paths])
        for number in numbers:
            journal.bits.add(number)
        for path in paths:
            self._mark(path)
        try:
            self._free.pop()
        except IndexError:  # it is over, and the folder may be gone
            return
        try:
            self._disk.write_whole(self._file, encode(self._root, journal))
        finally:
            self._free.append(None)

    def end(self) -> bool:
        """Let no commit write the journal from now on; False where one is writing it at this moment."""
        try:
            self._free.pop()
        except IndexError:
            return False
        return True

    def _mark(self, path: str) -> None:
        """Keep how a file looks now, unless it was in doubt and not all of it was looked at since."""
        key = key_of(path)
        if not self._verdicts.get(key, True) or len(self._journal.marks) >= MARKS_MAX:
            return
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self._journal.marks[key] = mark_of(self._disk.stat(self._local(path)))
