from __future__ import annotations

import errno
import hashlib
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from warren.core.errors import DiskFull, ReadOnlyTarget, StorageError
from warren.runtime.real.disk import RealDisk, RealFile
from warren.runtime.seam import Stat
from warren.runtime.simulated.disk import SimulatedDisk
from warren.services.files.links import LEADS_OUT
from warren.services.files.staging import KEPT_MAX, Arrived, Batch, Staging, make_places, name_error
from warren.services.files.staging import staging as staging_module
from warren.services.files.swarm.pieces import Piece
from warren.services.files.types import Skipped
from warren.services.files.walk import LEAF_UNKNOWN, Leaf, MakeSymlink, TargetFile

if TYPE_CHECKING:
    from collections import deque
    from pathlib import Path

MIB = 1024 * 1024
CID = "bafk" + "a" * 55
PARTIAL = f".warren-{CID[-16:]}.partial"


def opened(folder: Path, places: deque[None] | None = None) -> Staging:
    staging = Staging(RealDisk(), str(folder), CID, places)
    staging.open()
    return staging


def target(path: str, size: int) -> TargetFile:
    return TargetFile(path, path, size)


def put(staging: Staging, file: TargetFile, data: bytes, offset: int = 0, length: int | None = None) -> bool:
    piece = Piece(hashlib.sha256(data).digest(), len(data) if length is None else length, file, offset)
    (right,) = staging.store(bytearray(data), [Arrived(0, len(data), piece)])
    return right


def leaf(data: bytes, offset: int = 0) -> Leaf:
    return Leaf(hashlib.sha256(data).digest(), offset, len(data))


def test_a_tree_grows_hidden_and_appears_at_once(tmp_path: Path) -> None:
    staging = opened(tmp_path / "to")
    staging.make_folders(["", "d", "d/e"])
    staging.make_empty_file(target("empty", 0))
    large = target("d/e/large", 6)
    assert put(staging, large, b"abc")
    assert put(staging, large, b"def", 3)
    staging.close_file(large)
    staging.close()
    assert os.listdir(tmp_path / "to") == [PARTIAL]
    assert staging.make_symlinks([MakeSymlink("d/up", "d/up", "../empty")]) == ([], 0)
    (tmp_path / "to" / "name").write_text("taken")
    final = tmp_path / "to" / "name (2)"
    assert staging.finish("name") == str(final)
    assert (final / "d/e/large").read_bytes() == b"abcdef"
    assert (final / "d/up").read_bytes() == b""
    assert sorted(os.listdir(tmp_path / "to")) == ["name", "name (2)"]


@pytest.mark.parametrize(("length", "right"), [(5, True), (LEAF_UNKNOWN, True), (4, False), (6, False)])
def test_a_chunk_is_written_only_when_its_length_is_what_was_said(
    tmp_path: Path, length: int, right: bool
) -> None:
    staging = opened(tmp_path)
    file = target("", length)
    assert put(staging, file, b"12345", length=length) is right
    assert (tmp_path / PARTIAL / "content").exists() is right


# --- what is found ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("planted", ["symlink", "dangling", "file"])
def test_a_hidden_folder_that_is_none_is_refused(tmp_path: Path, planted: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    to = tmp_path / "to"
    to.mkdir()
    if planted == "file":
        (to / PARTIAL).write_text("x")
    else:
        (to / PARTIAL).symlink_to(elsewhere)
    if planted == "symlink":
        elsewhere.mkdir()
    with pytest.raises(StorageError, match="no folder of yours") as caught:
        opened(to)
    assert "-o" in caught.value.hint
    assert not elsewhere.exists() or os.listdir(elsewhere) == []


def test_a_hidden_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(tmp_path)
    monkeypatch.setattr(RealDisk, "stat", lambda *_: Stat("dir", 0, 0, 1, 0o777, owned=False))
    with pytest.raises(StorageError, match="no folder of yours"):
        opened(tmp_path)


def test_a_target_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in ("file", "file/below"):
        with pytest.raises(StorageError, match="something else is in its way"):
            opened(tmp_path / folder)


def test_what_an_attempt_left_is_found_by_its_hashes(tmp_path: Path) -> None:
    content = tmp_path / PARTIAL / "content"
    content.mkdir(parents=True)
    (content / "file").write_bytes(b"onebadthree and more")
    staging = opened(tmp_path)
    assert staging.resumed
    staging.make_folders([""])
    file = target("file", 11)
    leaves = [leaf(b"one"), leaf(b"two", 3), leaf(b"three", 6)]
    assert staging.find_present(file, leaves[:1], 0) == [True]
    assert (content / "file").stat().st_size == 20
    assert staging.find_present(file, leaves[1:], 1) == [False, True]
    assert (content / "file").read_bytes() == b"onebadthree"
    assert staging.find_present(target("other", 3), leaves[:1], 3) == [False]


def test_a_lone_chunk_of_unknown_length_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / PARTIAL).mkdir()
    (tmp_path / PARTIAL / "content").write_bytes(b"12345 and more")
    staging = opened(tmp_path)
    file = target("", LEAF_UNKNOWN)
    assert staging.find_present(file, [leaf(b"12345")._replace(length=LEAF_UNKNOWN)], 0) == [False]
    assert put(staging, file, b"12345", length=LEAF_UNKNOWN)
    staging.close()
    assert (tmp_path / "name").samefile(staging.finish("name"))
    assert (tmp_path / "name").read_bytes() == b"12345"


def test_what_has_the_wrong_kind_is_replaced_and_strays_are_removed(tmp_path: Path) -> None:
    """Nothing that lies in the hidden folder leads out of it, or ends under the final name."""
    victim = tmp_path / "victim"
    victim.mkdir()
    content = tmp_path / PARTIAL / "content"
    content.mkdir(parents=True)
    (content / "folder").write_text("a file")
    (content / "led").symlink_to(victim)
    (content / "file").mkdir()
    (content / "file" / "below").write_text("x")
    (content / "linked").symlink_to(victim / "new")
    (content / "empty").symlink_to(victim / "new")
    (content / "link").mkdir()
    os.mkfifo(content / "pipe")
    (content / "stray").write_text("x")
    (content / "strays" / "more").mkdir(parents=True)
    (content / "old-link").symlink_to(victim)

    staging = opened(tmp_path)
    staging.make_folders(["", "folder", "led"])
    (content / "led" / "stray").write_text("x")
    for path in ("file", "linked", "pipe", "led/inside"):
        file = target(path, 3)
        assert staging.find_present(file, [leaf(b"abc")], 0) == [False]
        assert put(staging, file, b"abc")
    staging.make_empty_file(target("empty", 0))
    assert staging.make_symlinks([MakeSymlink("link", "link", "file")]) == ([], 0)
    staging.close()
    final = tmp_path / "name"
    assert staging.finish("name") == str(final)
    assert os.listdir(victim) == []
    found = sorted(str(path.relative_to(final)) for path in final.rglob("*"))
    assert found == ["empty", "file", "folder", "led", "led/inside", "link", "linked", "pipe"]
    assert (final / "led/inside").read_bytes() == (final / "pipe").read_bytes() == b"abc"


def test_a_root_that_is_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / PARTIAL).mkdir()
    (tmp_path / PARTIAL / "content").write_text("x")
    staging = opened(tmp_path)
    staging.make_folders([""])
    assert os.path.isdir(staging.finish("name"))


def test_symlinks_that_lead_out_are_left_out_and_reported(tmp_path: Path) -> None:
    staging = opened(tmp_path)
    staging.make_folders(["", "a", "a/b"])
    links = [
        MakeSymlink("a/b/s", "a/b/s", "../.."),
        MakeSymlink("t", "T", "a/b/s/../.ssh/id_rsa"),
        MakeSymlink("u", "u", "a/b/s/a"),
    ]
    assert staging.make_symlinks(links) == ([Skipped("T", LEADS_OUT)], 1)
    assert sorted(os.listdir(staging.finish("name"))) == ["a", "u"]


# --- finishing --------------------------------------------------------------------------------------------


def test_a_hidden_folder_that_stays_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EBUSY, "busy")

    staging = opened(tmp_path)
    staging.make_folders([""])
    monkeypatch.setattr(RealDisk, "remove_tree", refused)
    assert staging.finish("name") == str(tmp_path / "name")


def test_on_request_all_is_synced_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, str]] = []

    def note(method: str) -> None:
        do = getattr(RealDisk, method)

        def noted(disk: RealDisk, path: str, *rest: str) -> None:
            calls.append((method, os.path.basename(path)))
            do(disk, path, *rest)

        monkeypatch.setattr(RealDisk, method, noted)

    for method in ("sync_tree", "rename_new", "sync_dir", "remove_tree"):
        note(method)
    for sync in (False, True):
        staging = Staging(RealDisk(), str(tmp_path / "to"), CID, sync=sync)
        staging.open()
        staging.make_folders([""])
        staging.finish(f"{sync}")
    plain = [("rename_new", "content"), ("remove_tree", PARTIAL)]
    synced = [("sync_tree", "content"), plain[0], ("sync_dir", "to"), plain[1]]
    assert calls == plain + synced


def test_hidden_files_and_folders_of_a_copy_do_not_count(tmp_path: Path) -> None:
    for name in ("a", "d/b", ".hidden", ".git/objects/c", "d/.x/y"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"123")
    staging = Staging(RealDisk(), str(tmp_path), CID)
    assert staging.measure(str(tmp_path)) == 6
    assert staging.measure(str(tmp_path / "a")) == 3


# --- files that stay open ---------------------------------------------------------------------------------


def test_files_stay_open_up_to_a_bound_that_fetches_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens: list[str] = []
    open_write = RealDisk.open_write

    def counted(disk: RealDisk, path: str, *, create: bool, mode: int = 0o600) -> RealFile:
        opens.append(path)
        return open_write(disk, path, create=create, mode=mode)

    monkeypatch.setattr(RealDisk, "open_write", counted)
    places = make_places()
    first, second = opened(tmp_path / "1", places), opened(tmp_path / "2", places)
    for staging in (first, second):
        staging.make_folders([""])
        for number in range(KEPT_MAX):
            assert put(staging, target(f"{number}", 10), b"abc")
    assert not places
    opens.clear()
    assert put(first, target("0", 10), b"def", 3)
    assert opens == []
    assert put(second, target("0", 10), b"def", 3)
    assert len(opens) == 2  # made anew in vain, then opened
    first.close_file(target("0", 10))
    first.close_file(target("0", 10))
    assert len(places) == 1
    first.close()
    second.close()
    assert len(places) == KEPT_MAX


def test_a_close_that_fails_closes_the_others_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = RealFile.close
    closed: list[RealFile] = []

    def failing(file: RealFile) -> None:
        close(file)
        closed.append(file)
        raise OSError(errno.EDQUOT, "quota")

    staging = opened(tmp_path)
    staging.make_folders([""])
    for number in range(3):
        assert put(staging, target(f"{number}", 10), b"abc")
    monkeypatch.setattr(RealFile, "close", failing)
    with pytest.raises(DiskFull, match="no room left for 0"):
        staging.close()
    assert len(closed) == 3
    staging.close()


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, DiskFull, "no room left for x"),
        (errno.EDQUOT, DiskFull, "no room left"),
        (errno.EFBIG, DiskFull, "larger than files may be"),
        (errno.EROFS, ReadOnlyTarget, "cannot be written"),
        (errno.EACCES, ReadOnlyTarget, "cannot be written"),
        (errno.ENAMETOOLONG, StorageError, "too long"),
        (errno.EISDIR, StorageError, "in its way"),
        (errno.EIO, StorageError, "cannot be written"),
    ],
)
def test_errors_of_the_system_in_words(number: int, kind: type[StorageError], words: str) -> None:
    error = name_error(OSError(number, os.strerror(number)), "x")
    assert type(error) is kind
    assert words in str(error)
    assert "what is fetched" in str(name_error(OSError(number, os.strerror(number)), ""))


# --- what is committed ------------------------------------------------------------------------------------


def committed(staging: Staging, *leaves: tuple[int, str]) -> None:
    batch = Batch()
    for number, path in leaves:
        batch.add(number, path, 1)
    staging.close()
    staging.commit(batch)


def test_what_was_committed_is_not_hashed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, leaves = target("file", 12), [leaf(b"one "), leaf(b"two ", 4), leaf(b"last", 8)]
    first = opened(tmp_path)
    first.make_folders([""])
    assert put(first, file, b"last", 8)
    assert put(first, file, b"one ")
    committed(first, (7, "file"), (9, "file"))
    with monkeypatch.context() as patch:
        patch.setattr(staging_module, "_fits", None)
        again = opened(tmp_path)
        assert again.find_present(file, leaves[:2], 7) == [True, False]
        assert again.find_present(file, leaves[2:], 9) == [True]
    assert put(again, file, b"two ", 4)
    again.close()  # and nothing committed
    (tmp_path / PARTIAL / "content" / "file").write_bytes(b"one two lies and more")
    third = opened(tmp_path)
    assert third.find_present(file, leaves[:2], 7) == [True, True]
    assert third.find_present(file, leaves[2:], 9) == [False]
    assert put(third, file, b"last", 8)
    committed(third, (9, "file"))
    monkeypatch.setattr(staging_module, "_fits", None)
    assert opened(tmp_path).find_present(file, leaves, 7) == [True, True, True]
    assert (tmp_path / PARTIAL / "content" / "file").read_bytes() == b"one two last"


def test_holes_are_told_apart_from_chunks_of_zeros(tmp_path: Path) -> None:
    (tmp_path / PARTIAL / "content").mkdir(parents=True)
    with (tmp_path / PARTIAL / "content" / "file").open("wb") as file:
        file.truncate(2 * MIB)
    staging = opened(tmp_path)
    leaves = [leaf(b"x" * MIB), leaf(bytes(MIB), MIB)]
    assert staging.find_present(target("file", 2 * MIB), leaves, 0) == [False, True]


def test_a_hidden_folder_that_was_copied_is_hashed(tmp_path: Path) -> None:
    """As one that came out of an archive, with a journal that says what its maker likes."""
    staging = opened(tmp_path / "1")
    staging.make_folders([""])
    assert put(staging, target("file", 3), b"abc")
    committed(staging, (0, "file"))
    shutil.copytree(tmp_path / "1", tmp_path / "2")
    status = os.stat(tmp_path / "1" / PARTIAL / "content" / "file")
    copy = tmp_path / "2" / PARTIAL / "content" / "file"
    copy.write_bytes(b"bad")
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert opened(tmp_path / "2").find_present(target("file", 3), [leaf(b"abc")], 0) == [False]


def test_chunks_may_come_in_any_order(tmp_path: Path) -> None:
    size, data = 5 << 20, os.urandom(1 << 20)
    staging = opened(tmp_path)
    staging.make_folders([""])
    file = target("sparse", size)
    for number in (4, 0, 2, 3, 1):
        assert put(staging, file, data, number << 20)
    staging.close()
    final = staging.finish("name")
    assert (tmp_path / "name" / "sparse").read_bytes() == data * 5
    assert RealDisk().taken_bytes(final) < size + MIB


def test_room_is_reckoned_by_what_is_taken_not_by_where_files_end() -> None:
    disk = SimulatedDisk(lambda: 1.0, capacity_bytes=20 * MIB)
    disk.make_dirs("/to")
    staging = Staging(disk, "/to", CID)
    staging.open()
    staging.check_room(15 * MIB)
    staging.make_folders([""])
    assert put(staging, target("large", 15 * MIB), bytes(MIB))
    assert disk.free_bytes("/to") == 5 * MIB
    again = Staging(disk, "/to", CID)
    again.open()
    again.check_room(15 * MIB)
    with pytest.raises(DiskFull, match=r"has 5,242,880 bytes free, 10,485,760 are needed"):
        again.check_room(25 * MIB)


@pytest.mark.parametrize("size", [3, 2 * MIB])
def test_a_disk_that_fills_up_says_what_is_missing_and_keeps_what_is_there(size: int) -> None:
    disk = SimulatedDisk(lambda: 1.0, capacity_bytes=MIB)
    disk.make_dirs("/to")
    staging = Staging(disk, "/to", CID)
    staging.open()
    staging.make_folders([""])
    assert put(staging, target("kept", 5), b"12345")
    staging.check_room(MIB // 2)
    disk.capacity_bytes = disk.used_bytes
    with pytest.raises(DiskFull, match=r"no room left for new.*\(0 bytes are free, 524,283 are needed\)"):
        put(staging, target("new", size), b"abc")
    with pytest.raises(DiskFull):
        committed(staging, (0, "kept"))  # the journal does not fit either
    disk.capacity_bytes = 9 * MIB
    again = Staging(disk, "/to", CID)
    again.open()
    assert again.find_present(target("kept", 5), [leaf(b"12345")], 0) == [True]
    assert put(again, target("new", size), b"abc")


def test_a_disk_that_turns_read_only_or_vanishes() -> None:
    disk = SimulatedDisk(lambda: 1.0)
    disk.make_dirs("/drive")
    disk.mount("/drive")
    staging = Staging(disk, "/drive", CID)
    staging.open()
    staging.make_folders([""])
    large = target("large", 4 * MIB)
    assert put(staging, large, bytes(MIB))
    disk.read_only = True
    for path in ("large", "small"):
        with pytest.raises(ReadOnlyTarget):
            put(staging, target(path, 3 if path == "small" else large.size), b"abc")
    disk.read_only = False
    disk.pull("/drive")
    for file in (large, target("small", 3)):
        with pytest.raises(StorageError, match="gone or broken"):
            put(staging, file, b"abc", 0)
    with pytest.raises(StorageError, match="gone or broken"):
        committed(staging, (0, "large"))
    with pytest.raises(StorageError, match="gone or broken"):
        staging.finish("name")
    disk.mount("/drive")
    again = Staging(disk, "/drive", CID)
    again.open()
    assert again.find_present(large, [leaf(bytes(MIB))], 0) == [True]
