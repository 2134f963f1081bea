"""Fetching between two processes over a real socket: kill -9 of either, disks that refuse, and size."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import sysconfig
from pathlib import Path

import pytest

from tests.services.files.pair import read_tree, write_tree
from tests.services.files.processes import MIB, fetch, files_of, make_source, sharing, small_disk, start
from tests.support import require


@pytest.mark.parametrize("stored", [1, 2, 20])
def test_resume_after_the_fetcher_was_killed(tmp_path: Path, stored: int) -> None:
    source, chunks = make_source(tmp_path)
    target = tmp_path / "target"
    with sharing(tmp_path, source) as sharer:
        assert fetch(sharer, "shared", target, "--die-after", str(stored)) == {}
        assert files_of(target) == []
        outcome = fetch(sharer, "shared", target)
    assert outcome["fetched"] + outcome["reused"] == chunks
    assert outcome["reused"] >= stored
    assert read_tree(target / "shared") == read_tree(source)
    assert os.listdir(target) == ["shared"]


def test_resume_after_many_kills(tmp_path: Path) -> None:
    source, chunks = make_source(tmp_path)
    target = tmp_path / "target"
    reused = 0
    with sharing(tmp_path, source) as sharer:
        for _ in range(4):
            assert fetch(sharer, "shared", target, "--die-after", "8") == {}
        outcome = fetch(sharer, "shared", target)
        reused = outcome["reused"]
    assert reused >= 32
    assert outcome["fetched"] + reused == chunks
    assert read_tree(target / "shared") == read_tree(source)


def test_going_on_when_the_sharer_was_killed_and_came_back(tmp_path: Path) -> None:
    source, chunks = make_source(tmp_path)
    target = tmp_path / "target"
    with sharing(tmp_path, source, options=("--die-after", "20")) as sharer:
        process = start("fetch", sharer.address, "shared", target)
        sharer.process.wait(timeout=30)
        with sharing(tmp_path, source, options=("--port", sharer.port)):
            output, _ = process.communicate(timeout=60)
    outcome = json.loads(output.splitlines()[-1])
    assert (outcome["fetched"], outcome["reused"]) == (chunks, 0)
    assert read_tree(target / "shared") == read_tree(source)


@pytest.mark.slow
def test_giving_up_when_the_sharer_was_killed_and_resuming_later(tmp_path: Path) -> None:
    source, chunks = make_source(tmp_path)
    target = tmp_path / "target"
    with sharing(tmp_path, source, options=("--die-after", "20")) as sharer:
        failed = fetch(sharer, "shared", target)
    assert failed["error"] in {"DialFailed", "ConnectionClosed"}
    assert files_of(target) == []
    with sharing(tmp_path, source) as sharer:
        outcome = fetch(sharer, "shared", target)
    assert outcome["fetched"] + outcome["reused"] == chunks
    assert outcome["reused"] > 0
    assert read_tree(target / "shared") == read_tree(source)


def test_a_disk_that_fills_up_while_writing(tmp_path: Path) -> None:
    source, chunks = make_source(tmp_path)
    target = tmp_path / "target"
    with sharing(tmp_path, source) as sharer:
        failed = fetch(sharer, "shared", target, "--file-max", str(20 * MIB))
        assert failed["error"] == "DiskFull"
        assert "larger than files may be here" in failed["message"]
        assert files_of(target) == []
        outcome = fetch(sharer, "shared", target)
    assert outcome["fetched"] + outcome["reused"] == chunks
    assert outcome["reused"] > 0
    assert read_tree(target / "shared") == read_tree(source)


def test_a_full_disk(tmp_path: Path) -> None:
    source, _ = make_source(tmp_path)
    target = tmp_path / "small disk"
    target.mkdir()
    with small_disk(target, 20 * MIB), sharing(tmp_path, source) as sharer:
        refused = fetch(sharer, "shared", target)
        assert (refused["error"], files_of(target)) == ("DiskFull", [])
        assert "are needed" in refused["message"]
        # What takes the room only later shows while writing. Many files need more than their content.
        many = write_tree(tmp_path / "many", {f"{i:05}": b"%d" % i for i in range(8000)})
        (tmp_path / "home").mkdir()
        with sharing(tmp_path / "home", many) as other:
            failed = fetch(other, "many", target)
        assert (failed["error"], files_of(target)) == ("DiskFull", [])
        assert "fetch again" in failed["hint"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "shared", {"a": b"a"})
    target = tmp_path / "target"
    target.mkdir(mode=0o555)
    for folder in (tmp_path, *tmp_path.parents):
        if os.getuid() == 0 and os.stat(folder).st_uid == 0 and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    with sharing(tmp_path, source) as sharer:
        failed = fetch(sharer, "shared", target, "--nobody")
        assert failed["error"] == "ReadOnlyTarget"
        assert "choose another folder" in failed["hint"]
        failed = fetch(sharer, "shared", target / "below", "--nobody")
        assert failed["error"] == "ReadOnlyTarget"
    assert os.listdir(target) == []


@pytest.mark.slow
def test_the_standard_library_goes_through(tmp_path: Path) -> None:
    library = Path(sysconfig.get_path("stdlib"))
    source = tmp_path / library.name  # a copy: nothing is installed into it meanwhile
    shutil.copytree(
        library, source, symlinks=True, ignore=shutil.ignore_patterns("site-packages", "dist-packages")
    )
    target = tmp_path / "target"
    with sharing(tmp_path, source) as sharer:
        outcome = fetch(sharer, source.name, target)
        facts = sharer.stop()
    assert outcome.get("files", 0) > 1000, outcome
    compare(source, target / source.name)
    assert outcome["peak_mb"] < 150
    assert facts["peak_mb"] < 150


def compare(source: Path, copy: Path) -> None:
    """Every visible file and folder of `source` is in `copy`, with the same content, and nothing else."""
    for folder, folders, files in os.walk(source):
        visible = {name for name in [*folders, *files] if not name.startswith(".")}
        folders[:] = [name for name in folders if name in visible and not (Path(folder) / name).is_symlink()]
        there = copy / Path(folder).relative_to(source)
        left_out = {name for name in visible if (Path(folder) / name).is_symlink()}
        assert visible - left_out <= set(os.listdir(there)) <= visible
        names = [name for name in files if name in visible - left_out]
        assert filecmp.cmpfiles(folder, there, names, shallow=False)[1:] == ([], [])


@pytest.mark.slow
def test_two_gibibytes_in_one_file(tmp_path: Path) -> None:
    require(os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize > 5 << 30, "5 GiB of disk")
    source = tmp_path / "large.bin"
    with source.open("wb") as file:
        file.truncate(2 << 30)
        for place in range(0, 2 << 30, MIB):  # no two chunks are the same: each one has to travel
            file.seek(place)
            file.write(os.urandom(16))
    with sharing(tmp_path, source) as sharer:
        outcome = fetch(sharer, "large.bin", tmp_path / "target")
        facts = sharer.stop()
    assert outcome["bytes"] == 2 << 30
    assert outcome["fetched"] == 2048
    assert filecmp.cmp(source, tmp_path / "target" / "large.bin", shallow=False)
    assert outcome["peak_mb"] < 150
    assert facts["peak_mb"] < 150
    source.unlink()
    (tmp_path / "target" / "large.bin").unlink()
