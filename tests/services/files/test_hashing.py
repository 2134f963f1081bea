from __future__ import annotations

import errno
import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from tests.services.files.pair import write_tree
from warren.runtime.real.disk import RealDisk, RealFile
from warren.runtime.simulated.disk import SimulatedDisk
from warren.services.files.hashing import (
    CHANGED,
    FRESH_NS,
    Hashed,
    Scanned,
    hash_files,
    hash_span,
    scan_folder,
)

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024
DISK = RealDisk()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "top", {"d/id_rsa": b"decoy", "z": b"1"})


def scanned(top: Path, path: str) -> Scanned:
    status = (top / path).stat()
    return Scanned(path, os.path.basename(path), status.st_size, status.st_mtime_ns)


def swap(top: Path) -> None:
    """The folder `d` becomes a symlink to one outside, whose files look like its own."""
    outside = write_tree(top.parent / "home", {"id_rsa": b"SECRT"})
    times = (top / "d" / "id_rsa").stat()
    os.utime(outside / "id_rsa", ns=(times.st_atime_ns, times.st_mtime_ns))
    os.rename(top / "d", top.parent / "gone")
    (top / "d").symlink_to(outside)


def test_a_listing_says_what_can_be_shared_and_what_not(top: Path) -> None:
    write_tree(top, {".hidden": b"", "é": b"22"})
    os.close(os.open(os.fsencode(top) + b"/caf\xe9", os.O_CREAT))
    os.mkfifo(top / "pipe")
    (top / "in").symlink_to("d/id_rsa")
    (top / "out").symlink_to("../gone")
    found = scan_folder(DISK, str(top), "")
    assert [(file.path, file.size) for file in found.files] == [("z", 1), ("é", 2)]
    assert found.folders == ["d"]
    assert [link.name for link, _ in found.symlinks] == ["in"]
    assert found.skipped == [
        ("caf\\xe9", "its name is not UTF-8"),
        ("out", "it is a symlink that leads out of what is shared"),
        ("pipe", "it is neither a file, a folder nor a symlink"),
    ]


def test_a_symlink_that_is_gone_when_it_is_read_costs_itself_alone() -> None:
    disk = SimulatedDisk(lambda: 1.0)
    disk.make_dirs("/top", 0o700)
    disk.write_whole("/top/file", b"data")
    disk.make_symlink("file", "/top/link")
    disk.fail_next("read_link", errno.ENOENT)
    found = scan_folder(disk, "/top", "")
    assert [file.path for file in found.files] == ["file"]
    assert found.symlinks == []
    assert found.skipped == [("link", "it cannot be read: No such file or directory")]


def test_a_folder_swapped_for_a_symlink_leads_nowhere(top: Path) -> None:
    file = scanned(top, "d/id_rsa")
    swap(top)
    assert (top / "d" / "id_rsa").read_bytes() == b"SECRT"
    outcomes = hash_files(DISK, str(top), [file, scanned(top, "z")], 0)
    assert isinstance(outcomes[0], str)
    assert isinstance(outcomes[1], Hashed)
    assert isinstance(hash_span(DISK, str(top), file, 0, 5), str)
    with pytest.raises(OSError):
        scan_folder(DISK, str(top), "d")


def test_a_file_that_is_not_what_was_listed_is_left_out(top: Path) -> None:
    file = scanned(top, "z")
    for change in ({"size": 0}, {"size": 2}, {"mtime_ns": 5}):
        assert hash_files(DISK, str(top), [file._replace(**change)], 0) == [CHANGED]  # type: ignore[arg-type]
    (top / "z").unlink()
    (outcome,) = hash_files(DISK, str(top), [file], 0)
    assert outcome == "it cannot be read: No such file or directory"


@pytest.mark.parametrize("way", ["whole", "span"])
def test_a_change_during_the_read_is_seen(top: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = scanned(top, "z")
    read = RealFile.pread

    def read_and_change(self: RealFile, offset: int, length: int) -> bytes:
        data = read(self, offset, length)
        (top / "z").write_bytes(b"2")
        os.utime(top / "z", ns=(0, file.mtime_ns + 1))
        return data

    monkeypatch.setattr(RealFile, "pread", read_and_change)
    if way == "whole":
        assert hash_files(DISK, str(top), [file], 0) == [CHANGED]
    else:
        assert hash_span(DISK, str(top), file, 0, 1) == CHANGED


def test_a_file_is_cut_into_chunks(top: Path) -> None:
    data = bytes(MIB) + b"end"
    (top / "large").write_bytes(data)
    file = scanned(top, "large")
    leaves = [(hashlib.sha256(part).digest(), len(part)) for part in (data[:MIB], data[MIB:])]
    (outcome,) = hash_files(DISK, str(top), [file], file.mtime_ns + FRESH_NS + 1)
    assert isinstance(outcome, Hashed)
    assert (outcome.leaves, outcome.size, len(outcome.blocks)) == (leaves, MIB + 3, 1)
    assert hash_span(DISK, str(top), file, MIB, MIB + 3) == leaves[1:]


@pytest.mark.parametrize(("mtime_ns", "trusted"), [(10**18 + 1, True), (10**18 + 9 * 10**8, False)])
def test_the_time_of_a_file_that_just_changed_is_not_trusted(top: Path, mtime_ns: int, trusted: bool) -> None:
    os.utime(top / "z", ns=(0, mtime_ns))
    (outcome,) = hash_files(DISK, str(top), [scanned(top, "z")], 10**18 + 10**9 - 5 * 10**7)
    assert isinstance(outcome, Hashed)
    assert outcome.trusted is trusted
    os.utime(top / "z", ns=(0, 10**18))
    for later, expected in [(2 * 10**9, False), (4 * 10**9, True)]:
        (outcome,) = hash_files(DISK, str(top), [scanned(top, "z")], 10**18 + later)
        assert isinstance(outcome, Hashed)
        assert outcome.trusted is expected
