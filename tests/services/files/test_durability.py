"""Fetches that are killed, that run into a full, read-only or vanished disk, or whose source changes.

Real processes and real files. How often a fetch is killed: `pytest --moments 20`.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

from tests.services.files.pair import read_tree, write_tree
from tests.services.files.processes import MIB, Fetching, fetch, files_of, make_source, sharing, small_disk
from warren.services.files.staging.journal import MAGIC
from warren.services.files.swarm.bits import Bits

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

EXTRA_BYTES_MAX = 32 * MIB
"""What a kill may cost: chunks that were under way."""


def committed(folder: Path) -> set[int]:
    """The numbers of the leaves in the journal of the fetch in `folder`."""
    journals = list(folder.glob(".warren-*.partial/journal"))
    if not journals:
        return set()
    data = journals[0].read_bytes()
    start = len(MAGIC) + 32 + 8
    length = int.from_bytes(data[start - 8 : start], "little")
    return set(Bits.from_bytes(data[start : start + length]))


def test_a_fetch_that_is_killed_at_random_moments(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """What was committed is never asked for again, and each kill costs what was under way at most."""
    source, target = tmp_path / "large.bin", tmp_path / "target"
    source.write_bytes(os.urandom(128 * MIB + 3))
    with source.open("rb") as file:
        digests = [hashlib.sha256(chunk).hexdigest() for chunk in iter(lambda: file.read(MIB), b"")]
    attempts = 1
    attempts_until: dict[str, int] = {}
    with sharing(tmp_path, source) as sharer:
        moments = pytestconfig.getoption("moments")
        for moment in range(moments):
            done = int((moment + random.random()) / (moments + 1) * source.stat().st_size)
            fetching = Fetching(sharer, source.name, target, "--commit-bytes", str(4 * MIB))
            is_there = fetching.read_until("done", done)
            fetching.kill()
            if not is_there or files_of(target):
                break
            for number in committed(target):
                attempts_until.setdefault(digests[number], attempts)
            attempts += 1
        outcome = fetch(sharer, source.name, target)
        served = Counter(sharer.stop()["served"])
    assert outcome["path"] == str(target / source.name)
    assert (target / source.name).read_bytes() == source.read_bytes()
    assert all(served[digest] <= attempts_until.get(digest, attempts) for digest in digests)
    assert (served.total() - len(digests)) * MIB <= (attempts - 1) * EXTRA_BYTES_MAX
    assert os.listdir(target) == [source.name]


def test_a_fetch_goes_on_once_a_full_disk_has_room(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "shared", {f"{i:05}": b"%d" % i * 100 for i in range(6000)})
    target = tmp_path / "small disk"
    target.mkdir()
    with small_disk(target, 12 * MIB), sharing(tmp_path, source) as sharer:
        failed = fetch(sharer, "shared", target)
        assert (failed["error"], files_of(target)) == ("DiskFull", [])
        subprocess.run(["mount", "-o", f"remount,size={99 * MIB}", str(target)], check=True)
        outcome = fetch(sharer, "shared", target)
        assert outcome["reused"] > 0
        assert outcome["fetched"] + outcome["reused"] == 6000
        assert read_tree(target / "shared") == read_tree(source)


def test_room_that_a_fetch_set_aside_is_not_taken_by_others(tmp_path: Path) -> None:
    source, chunks = make_source(tmp_path)
    target = tmp_path / "small disk"
    target.mkdir()
    with small_disk(target, 70 * MIB), sharing(tmp_path, source) as sharer:
        fetching = Fetching(sharer, "shared", target, "--hold-after", "5")
        assert fetching.read_until("held")
        status = os.statvfs(target)
        assert status.f_bavail * status.f_frsize < 20 * MIB
        assert fetching.let_go()["fetched"] == chunks
        assert read_tree(target / "shared") == read_tree(source)


def test_a_disk_that_is_read_only(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "shared", {"a": b"a"})
    target = tmp_path / "read-only"
    target.mkdir()
    with small_disk(target, MIB), sharing(tmp_path, source) as sharer:
        subprocess.run(["mount", "-o", "remount,ro", str(target)], check=True)
        failed = fetch(sharer, "shared", target)
        assert failed["error"] == "ReadOnlyTarget"
        assert os.listdir(target) == []


def test_a_target_that_vanishes_and_comes_back(tmp_path: Path) -> None:
    """As a drive does that is pulled out: what was written to it is not fetched twice."""
    source, chunks = make_source(tmp_path)
    target, away = tmp_path / "target", tmp_path / "away"
    with sharing(tmp_path, source) as sharer:
        fetching = Fetching(sharer, "shared", target, "--hold-after", "20", "--commit-bytes", str(4 * MIB))
        assert fetching.read_until("held")
        target.rename(away)
        failed = fetching.let_go()
        assert failed["error"] == "StorageError"
        assert "bring the drive back" in failed["hint"]
        assert not target.exists()
        away.rename(target)
        outcome = fetch(sharer, "shared", target)
    assert outcome["reused"] >= 20
    assert outcome["fetched"] + outcome["reused"] == chunks
    assert read_tree(target / "shared") == read_tree(source)


def test_a_source_that_changes_meanwhile_and_is_put_right(tmp_path: Path) -> None:
    source, chunks = make_source(tmp_path)
    target, large = tmp_path / "target", source / "large"
    before, status = large.read_bytes(), large.stat()
    with sharing(tmp_path, source) as sharer:
        fetching = Fetching(sharer, "shared", target, "--hold-after", "3")
        assert fetching.read_until("held")
        large.write_bytes(before[:-1] + b"?")
        failed = fetching.let_go()
        assert failed["error"] in {"SourceChanged", "ContentUnknown"}  # the share may have followed already
        assert files_of(target) == []
        large.write_bytes(before)
        os.utime(large, ns=(status.st_atime_ns, status.st_mtime_ns))
    (tmp_path / "again").mkdir()
    with sharing(tmp_path / "again", source) as sharer:
        outcome = fetch(sharer, "shared", target)
    assert outcome["reused"] > 0
    assert outcome["fetched"] + outcome["reused"] == chunks
    assert read_tree(target / "shared") == read_tree(source)
