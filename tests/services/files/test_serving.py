from __future__ import annotations

import errno
import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from tests.services.files.pair import write_tree
from warren.protocols.transfer.messages import Status
from warren.runtime.real.disk import RealDisk, RealFile
from warren.runtime.simulated.disk import SimulatedDisk
from warren.services.files import serving
from warren.services.files.index import Place

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024
DISK = RealDisk()


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def place(path: Path, entry: int = 1) -> Place:
    status = path.stat()
    folder, name = os.path.split(path)
    above, last = os.path.split(folder)
    return Place(entry, above, last, name, status.st_size, status.st_mtime_ns, 0, status.st_size)


def read(job: serving.ReadChunks) -> list[tuple[Status, bytes]]:
    return [(part.status, bytes(part.payload)) for part in serving.read(DISK, job)]


def job_of(path: Path, found: Place, *, check: bool = False) -> serving.ReadChunks:
    (job,) = serving.plan([digest(path.read_bytes())], [[found]], check=check)
    return job


def test_jobs_keep_the_order_and_their_size() -> None:
    one = Place(1, "/", "", "a", MIB, 0, 0, MIB)
    small = one._replace(length=1)
    jobs = serving.plan([bytes(32)] * 5, [[one], [small], [], [one, one], []], check=True)
    assert [[found for _, found in job.wanted] for job in jobs] == [
        [[one]], [[small], []], [[one, one], []]
    ]  # fmt: skip
    assert [job.size for job in jobs] == [MIB, 1, MIB]
    assert all(job.check for job in jobs)
    many = serving.plan([bytes(32)] * 300, [[small]] * 300, check=False)
    assert [len(job.wanted) for job in many] == [serving.JOB_CHUNKS_MAX, 300 - serving.JOB_CHUNKS_MAX]


def test_runs_of_chunks_share_a_part(tmp_path: Path) -> None:
    top = write_tree(tmp_path / "top", {"a": b"aa", "b": b"b", "c": b"ccc"})
    places = [[place(top / "a")], [place(top / "b")], [], [place(top / "c")]]
    digests = [digest(b"aa"), digest(b"b"), bytes(32), digest(b"ccc")]
    (job,) = serving.plan(digests, places, check=True)
    parts = serving.read(DISK, job)
    assert [(part.status, part.lengths, part.payload) for part in parts] == [
        (Status.OK, (2, 1), b"aab"),
        (Status.NOT_FOUND, (), b""),
        (Status.OK, (3,), b"ccc"),
    ]
    assert not job.changed | job.broken | job.sound


def test_a_folder_swapped_for_a_symlink_leads_nowhere(tmp_path: Path) -> None:
    top = write_tree(tmp_path / "top", {"d/file": b"decoy"})
    found = place(top / "d" / "file")._replace(top=str(top), folder="d")
    job = job_of(top / "d" / "file", found)
    assert read(job) == [(Status.OK, b"decoy")]
    outside = write_tree(tmp_path / "home", {"file": b"SECRT"})
    os.utime(outside / "file", ns=(0, found.mtime_ns))
    os.rename(top / "d", tmp_path / "gone")
    (top / "d").symlink_to(outside)
    assert read(job) == [(Status.VANISHED, b"")]


@pytest.mark.parametrize("change", ["size", "time", "during the read", "content alone"])
def test_a_file_that_changed_is_not_served(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_tree(tmp_path / "top", {"file": b"before"}) / "file"
    found = place(file)
    job = job_of(file, found, check=change == "content alone")
    pread = RealFile.pread

    def read_and_change(self: RealFile, offset: int, length: int) -> bytes:
        data = pread(self, offset, length)
        file.write_bytes(b"after!")
        os.utime(file, ns=(0, found.mtime_ns + 1))
        return data

    if change == "size":
        file.write_bytes(b"longer than before")
        os.utime(file, ns=(0, found.mtime_ns))
    elif change == "time":
        os.utime(file, ns=(0, found.mtime_ns + 1))
    elif change == "during the read":
        monkeypatch.setattr(RealFile, "pread", read_and_change)
    else:
        file.write_bytes(b"after!")
        os.utime(file, ns=(0, found.mtime_ns))
    assert read(job) == [(Status.CHANGED, b"")]
    assert job.changed == job.broken == {1}


def test_a_file_that_is_gone_or_cannot_be_read() -> None:
    disk = SimulatedDisk(lambda: 1.0)
    disk.write_whole("/file", b"data")
    status = disk.stat("/file")
    found = Place(1, "/", "", "file", 4, status.mtime_ns, 0, 4)
    missing = found._replace(name="missing")
    for faulty in ("open_folder", "open_read", "pread", "stat"):
        (job,) = serving.plan([digest(b"data")], [[found]], check=False)
        disk.fail_next(faulty, errno.EIO)
        assert [part.status for part in serving.read(disk, job)] == [Status.UNREADABLE]
        assert (job.changed, job.broken) == (set(), {1})
    (job,) = serving.plan([digest(b"data")] * 2, [[missing], [found]], check=False)
    assert [part.status for part in serving.read(disk, job)] == [Status.VANISHED, Status.OK]
    assert job.changed == {1}


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_shortage_here_says_nothing_of_the_file(error: int) -> None:
    disk = SimulatedDisk(lambda: 1.0)
    disk.write_whole("/file", b"data")
    found = Place(1, "/", "", "file", 4, disk.stat("/file").mtime_ns, 0, 4)
    for faulty in ("open_folder", "open_read", "pread", "stat"):
        (job,) = serving.plan([digest(b"data")], [[found]], check=False)
        disk.fail_next(faulty, error)
        assert [part.status for part in serving.read(disk, job)] == [Status.UNREADABLE]
        assert (job.changed, job.broken) == (set(), set())


def test_a_chunk_is_read_from_whichever_file_still_has_it(tmp_path: Path) -> None:
    top = write_tree(tmp_path / "top", {"gone": b"same", "changed": b"same", "good": b"same"})
    places = [place(top / name, entry) for entry, name in enumerate(("gone", "changed", "good"), 1)]
    (top / "gone").unlink()
    (top / "changed").write_bytes(b"other")
    (job,) = serving.plan([digest(b"same")], [places], check=False)
    assert read(job) == [(Status.OK, b"same")]
    assert (job.changed, job.broken, job.sound) == ({1, 2}, {1, 2}, set())
    (job,) = serving.plan([digest(b"same")], [places[:2]], check=False)
    assert read(job) == [(Status.VANISHED, b"")]


def test_what_was_broken_is_sound_again_when_it_comes_back(tmp_path: Path) -> None:
    file = write_tree(tmp_path / "top", {"file": b"data"}) / "file"
    found = place(file)._replace(broken=True)
    job = job_of(file, found)
    assert read(job) == [(Status.OK, b"data")]
    assert (job.sound, job.broken) == ({1}, set())
    file.rename(tmp_path / "away")
    (job,) = serving.plan([digest(b"data")], [[found]], check=False)
    assert read(job) == [(Status.VANISHED, b"")]
    assert not job.changed | job.broken | job.sound
