"""Reading shared chunks where they lie.

In: places from the index. Out: payloads for the transfer protocol, or what became of the file. A file is
served only while it still has the size and the time it had when it was hashed, looked at after the read, so
that a change during it counts. The file of the last chunk stays open, for what is asked of it next: see
`kept_open`. `check` hashes what was read as well: for a fetcher whom it did not fit. A
chunk that lies in several files is served from whichever still has it. One that a fetch under way stored is
served from its hidden folder, verified as it was, and then under its final name as long as nobody writes to
it; what is no longer there is just not here.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
from typing import TYPE_CHECKING, Final

from warren.protocols.transfer.messages import PAYLOAD_BYTES_MAX, Status
from warren.protocols.transfer.server import Part
from warren.services.files.beneath import Beneath
from warren.services.files.index import GROWING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from warren.runtime.seam import Disk, ReadFile, Stat
    from warren.services.files.index import Place

JOB_CHUNKS_MAX: Final = 256
"""Small chunks read in one go: each costs its file an open and a close."""

_OUT_OF_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""These tell of this process or machine, and pass; they say nothing of the file."""

Wanted = tuple[bytes, "Sequence[Place]"]
Name = tuple[str, str, str]


class ReadChunks:
    """A job of the transfer server: some chunks in the order they were asked for, with their places.

    After the reading `changed`, `broken` and `sound` name the entries of which something new is known: whose
    files are not what was shared, which could not be served, which can be again. `opened` is the file of the
    last chunk, if it is none of `kept`, has more chunks and can be read without waiting; who has the job
    closes it.
    """

    __slots__ = ("broken", "changed", "check", "kept", "opened", "size", "sound", "wanted")

    def __init__(self, *, check: bool) -> None:
        self.wanted: list[Wanted] = []
        self.size = 0
        self.check = check
        self.changed: set[int] = set()
        self.broken: set[int] = set()
        self.sound: set[int] = set()
        self.kept: Collection[Name] = ()
        self.opened: tuple[Name, ReadFile] | None = None

    def open_stays(self, place: Place, file: ReadFile) -> bool:
        """Whether `file`, just read from, is kept as the last one; else it is to be closed."""
        name = name_of(place)
        if place.entry == GROWING or place.start + place.length == place.size or name in self.kept:
            return False
        if file.pread_nowait(place.start, 1) is None:
            return False
        last, self.opened = self.opened, (name, file)
        if last is not None:
            close_all([last[1]])
        return True


def name_of(place: Place) -> Name:
    """What tells the file of a place from others."""
    return place.top, place.folder, place.name


def close_all(files: Iterable[ReadFile]) -> None:
    """Close files that were only read. Blocks: the last handle of a large one that was removed takes time."""
    for file in files:
        with contextlib.suppress(OSError):
            file.close()


def plan(digests: Sequence[bytes], places: Sequence[Sequence[Place]], *, check: bool) -> list[ReadChunks]:
    """Jobs that answer these chunks in order, each of at most `PAYLOAD_BYTES_MAX`."""
    jobs: list[ReadChunks] = []
    job = None
    for digest, found in zip(digests, places, strict=True):
        length = found[0].length if found else 0
        if job is None or job.size + length > PAYLOAD_BYTES_MAX or len(job.wanted) == JOB_CHUNKS_MAX:
            job = ReadChunks(check=check)
            jobs.append(job)
        job.wanted.append((digest, found))
        job.size += length
    return jobs


def read(disk: Disk, job: ReadChunks) -> list[Part]:
    """Do the job. Blocks; call it in `offload`."""
    parts: list[Part] = []
    run: list[bytes | bytearray] = []
    with Beneath(disk) as beneath:
        for digest, places in job.wanted:
            status, data = _read_somewhere(beneath, job, digest, places)
            if status is Status.OK:
                run.append(data)
                continue
            _close_run(parts, run)
            parts.append(Part(status))
    _close_run(parts, run)
    return parts


def read_now(job: ReadChunks, opened: Mapping[Name, ReadFile]) -> list[Part] | None:
    """Do the job without waiting for a disk; None if that cannot be, or anything is not as it should be.

    opened: files that stayed open.
    """
    places = [found[0] for _, found in job.wanted if found and not found[0].broken]
    files = [opened[name] for name in map(name_of, places) if name in opened]
    if job.check or len(files) < len(job.wanted):
        return None
    run: list[bytes | bytearray] = []
    for place, file in zip(places, files, strict=True):
        data = _read_one_now(place, file)
        if data is None:
            return None
        run.append(data)
    parts: list[Part] = []
    _close_run(parts, run)
    return parts


def _read_one_now(place: Place, file: ReadFile) -> bytearray | None:
    data = file.pread_nowait(place.start, place.length)
    if data is None:
        return None
    try:
        now = file.stat()
    except OSError:
        return None
    return data if now.links and _is_as_it_was(now, place) else None


def _read_somewhere(
    beneath: Beneath, job: ReadChunks, digest: bytes, places: Sequence[Place]
) -> tuple[Status, bytes]:
    """The chunk, or what is wrong with the best of its places."""
    failed = Status.NOT_FOUND
    for place in places:
        is_passing = False
        try:
            status, data = _read_one(beneath, job, digest, place)
        except OSError as error:
            status, data = Status.UNREADABLE, b""
            is_passing = error.errno in _OUT_OF_RESOURCES
        if status is Status.OK:
            if place.broken:
                job.sound.add(place.entry)
            return status, data
        if place.entry == GROWING:
            continue
        if not place.broken and not is_passing:
            job.broken.add(place.entry)
            if status is not Status.UNREADABLE:
                job.changed.add(place.entry)
        if failed is Status.NOT_FOUND:
            failed = status
    return failed, b""


def _close_run(parts: list[Part], run: list[bytes | bytearray]) -> None:
    if run:
        payload = run[0] if len(run) == 1 else b"".join(run)
        parts.append(Part(Status.OK, tuple(map(len, run)), payload))
        run.clear()


def _read_one(beneath: Beneath, job: ReadChunks, digest: bytes, place: Place) -> tuple[Status, bytes]:
    """The chunk, or what became of its file. Raises `OSError` where it cannot be read."""
    try:
        file = beneath.open_read(place.top, place.folder, place.name)
    except (FileNotFoundError, NotADirectoryError):
        return Status.VANISHED, b""
    stays = False
    try:
        data = file.pread(place.start, place.length)
        same = _is_as_it_was(file.stat(), place) and len(data) == place.length
        if same and job.check:
            same = hashlib.sha256(data).digest() == digest
        stays = same and job.open_stays(place, file)
    finally:
        if not stays:
            file.close()
    return (Status.OK, data) if same else (Status.CHANGED, b"")


def _is_as_it_was(now: Stat, place: Place) -> bool:
    if place.entry == GROWING:
        return not place.mtime_ns or now.mtime_ns <= place.mtime_ns
    return (now.size, now.mtime_ns) == (place.size, place.mtime_ns)
