"""Reading shared chunks where they lie.

In: places from the index. Out: payloads for the transfer protocol, or what became of the file. A file is
served only while it still has the size and the time it had when it was hashed, looked at after the read, so
that a change during it counts. `check` hashes what was read as well: for a fetcher whom it did not fit.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from warren.protocols.transfer.messages import PAYLOAD_BYTES_MAX, Status
from warren.protocols.transfer.server import Part
from warren.services.files.beneath import Beneath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.runtime.seam import Disk
    from warren.services.files.index import Place

JOB_CHUNKS_MAX: Final = 256
"""Small chunks read in one go: each costs its file an open and a close."""

Wanted = tuple[bytes, "Place | None"]


class ReadChunks:
    """A job of the transfer server: some chunks in the order they were asked for, with their places."""

    __slots__ = ("changed", "check", "size", "wanted")

    def __init__(self, *, check: bool) -> None:
        self.wanted: list[Wanted] = []
        self.size = 0
        self.check = check
        self.changed: list[int] = []
        """After the reading: entries whose files are not what was shared."""


def plan(digests: Sequence[bytes], places: Sequence[Place | None], *, check: bool) -> list[ReadChunks]:
    """Jobs that answer these chunks in order, each of at most `PAYLOAD_BYTES_MAX`."""
    jobs: list[ReadChunks] = []
    job = None
    for digest, place in zip(digests, places, strict=True):
        length = place.length if place else 0
        if job is None or job.size + length > PAYLOAD_BYTES_MAX or len(job.wanted) == JOB_CHUNKS_MAX:
            job = ReadChunks(check=check)
            jobs.append(job)
        job.wanted.append((digest, place))
        job.size += length
    return jobs


def read(disk: Disk, job: ReadChunks) -> list[Part]:
    """Do the job. Blocks; call it in `offload`."""
    parts: list[Part] = []
    run: list[bytes] = []
    with Beneath(disk) as beneath:
        for digest, place in job.wanted:
            status, data = _read_one(beneath, digest, place, check=job.check)
            if status is Status.OK:
                run.append(data)
                continue
            if place is not None and status is not Status.UNREADABLE:
                job.changed.append(place.entry)
            _close_run(parts, run)
            parts.append(Part(status))
    _close_run(parts, run)
    return parts


def _close_run(parts: list[Part], run: list[bytes]) -> None:
    if run:
        payload = run[0] if len(run) == 1 else b"".join(run)
        parts.append(Part(Status.OK, tuple(map(len, run)), payload))
        run.clear()


def _read_one(beneath: Beneath, digest: bytes, place: Place | None, *, check: bool) -> tuple[Status, bytes]:
    if place is None:
        return Status.NOT_FOUND, b""
    try:
        file = beneath.open_read(place.top, place.folder, place.name)
    except (FileNotFoundError, NotADirectoryError):
        return Status.VANISHED, b""
    except OSError:
        return Status.UNREADABLE, b""
    try:
        data = file.pread(place.start, place.length)
        status = file.stat()
    except OSError:
        return Status.UNREADABLE, b""
    finally:
        file.close()
    same = (status.size, status.mtime_ns, len(data)) == (place.size, place.mtime_ns, place.length)
    if not same or (check and hashlib.sha256(data).digest() != digest):
        return Status.CHANGED, b""
    return Status.OK, data
