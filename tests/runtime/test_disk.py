"""Conformance of `seam.Disk`: the same promises on the real file system and on the simulated disk."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from warren.runtime.seam import DirEntry

if TYPE_CHECKING:
    from tests.runtime.settings import Setting
    from warren.runtime.seam import Disk


def put(disk: Disk, path: str, data: bytes) -> None:
    file = disk.open_write(path, create=True)
    file.pwrite(0, data)
    file.close()


def get(disk: Disk, path: str) -> bytes:
    file = disk.open_read(path)
    try:
        return file.pread(0, 1 << 20)
    finally:
        file.close()


def test_a_file_is_written_and_read_at_any_offset(setting: Setting) -> None:
    disk, path = setting.server.disk, setting.path("file")
    file = disk.open_write(path, create=True)
    file.pwrite(4, memoryview(b"world"))
    file.pwrite(0, bytearray(b"big "))
    assert file.pread(2, 4) == b"g wo"
    file.sync()
    file.close()
    file.close()
    reader = disk.open_read(path)
    assert reader.pread(0, 100) == b"big world"
    assert reader.pread(4, 3) == b"wor"
    assert reader.pread(9, 1) == reader.pread(1000, 1) == b""
    assert reader.stat() == disk.stat(path)
    reader.close()
    with pytest.raises(OSError) as caught:
        reader.pread(0, 1)
    assert caught.value.errno == errno.EBADF


def test_what_is_in_memory_is_read_without_waiting(setting: Setting) -> None:
    disk, path = setting.server.disk, setting.path("file")
    put(disk, path, b"just written")
    file = disk.open_read(path)
    try:
        found = file.pread_nowait(5, 7)
        if found is None:
            pytest.skip("this platform or file system has no reads that do not wait")
        assert bytes(found) == b"written"
        assert bytes(file.pread_nowait(0, 12) or b"") == b"just written"
        assert file.pread_nowait(0, 13) is None
        assert file.pread_nowait(100, 1) is None
    finally:
        file.close()
    assert file.pread_nowait(0, 1) is None


@pytest.mark.parametrize("how", ["removed", "replaced", "its folder removed"])
def test_an_open_file_without_a_name_has_no_links(setting: Setting, how: str) -> None:
    disk, path = setting.server.disk, setting.path("folder/file")
    disk.make_dirs(setting.path("folder"))
    put(disk, path, b"data")
    file = disk.open_read(path)
    try:
        assert file.stat().links == disk.stat(path).links == 1
        if how == "removed":
            disk.remove(path)
        elif how == "replaced":
            disk.write_whole(path, b"data")
        else:
            disk.remove_tree(setting.path("folder"))
        assert file.stat().links == 0
        assert file.pread(0, 4) == b"data"
    finally:
        file.close()


def test_a_tree_is_synced_whole(setting: Setting) -> None:
    disk, path = setting.server.disk, setting.path("folder")
    disk.make_dirs(f"{path}/below")
    put(disk, f"{path}/below/file", b"x")
    disk.make_symlink("nowhere", f"{path}/link")
    disk.sync_tree(path)
    disk.sync_tree(f"{path}/below/file")
    with pytest.raises(FileNotFoundError):
        disk.sync_tree(f"{path}/not there")


def test_files_are_synced_one_by_one_or_many_at_once(setting: Setting) -> None:
    disk = setting.server.disk
    paths = [setting.path(f"{number}") for number in range(20)]
    for path in paths:
        put(disk, path, b"x")
    disk.make_symlink("nowhere", setting.path("link"))
    disk.sync_files([])
    disk.sync_files([*paths[:2], setting.path("not there"), setting.path("link")])
    disk.sync_files(paths)


def test_room_is_set_aside_and_counts_as_taken(setting: Setting) -> None:
    disk, path = setting.server.disk, setting.path("folder/file")
    disk.make_dirs(setting.path("folder/below"))
    empty = disk.taken_bytes(setting.path("folder"))
    file = disk.open_write(path, create=True)
    file.pwrite(0, b"begun")
    file.reserve(0)
    file.reserve(1 << 20)
    assert disk.stat(path).size == 5
    assert disk.taken_bytes(path) in range(1 << 20, 1 << 21)
    assert disk.taken_bytes(setting.path("folder")) - empty in range(1 << 20, 1 << 21)
    file.pwrite(1000, b"goes on")
    file.close()
    assert get(disk, path) == b"begun" + bytes(995) + b"goes on"
    with pytest.raises(FileNotFoundError):
        disk.taken_bytes(setting.path("nothing"))


def test_new_files_are_made_in_an_open_folder(setting: Setting) -> None:
    disk = setting.server.disk
    disk.make_dirs(setting.path("top/a"))
    put(disk, setting.path("top/a/taken"), b"mine")
    disk.make_symlink("elsewhere", setting.path("top/a/link"))
    folder = disk.open_folder(setting.path("top"), "a")
    folder.write_new("file", memoryview(b"data" * 100_000))
    folder.write_new("empty", b"")
    for name in ("taken", "link"):
        with pytest.raises(FileExistsError):
            folder.write_new(name, b"yours")
    for name in ("", "..", "../file"):
        with pytest.raises(OSError):
            folder.write_new(name, b"")
    assert get(disk, setting.path("top/a/file")) == b"data" * 100_000
    assert get(disk, setting.path("top/a/taken")) == b"mine"
    assert [entry.name for entry in folder.scan()] == ["empty", "file", "link", "taken"]
    folder.close()
    with pytest.raises(OSError):
        folder.write_new("late", b"")


def test_gaps_and_growth_read_as_zeros(setting: Setting) -> None:
    disk, path = setting.server.disk, setting.path("file")
    file = disk.open_write(path, create=True)
    file.pwrite(3, b"x")
    assert file.pread(0, 9) == b"\0\0\0x"
    file.truncate(6)
    assert file.pread(0, 9) == b"\0\0\0x\0\0"
    file.truncate(1)
    assert file.pread(0, 9) == b"\0"
    file.close()
    assert disk.stat(path).size == 1


def test_creating_and_opening_for_writing_do_not_mix(setting: Setting) -> None:
    disk, path = setting.server.disk, setting.path("file")
    with pytest.raises(FileNotFoundError):
        disk.open_write(path, create=False)
    put(disk, path, b"old")
    with pytest.raises(FileExistsError):
        disk.open_write(path, create=True)
    file = disk.open_write(path, create=False)
    file.pwrite(0, b"O")
    file.close()
    assert get(disk, path) == b"Old"


def test_only_regular_files_open(setting: Setting) -> None:
    disk = setting.server.disk
    disk.make_dirs(setting.path("folder"))
    put(disk, setting.path("file"), b"data")
    disk.make_symlink("file", setting.path("link"))
    for opening in (
        lambda: disk.open_read(setting.path("folder")),
        lambda: disk.open_write(setting.path("folder"), create=False),
    ):
        with pytest.raises(IsADirectoryError):
            opening()
    for opening in (
        lambda: disk.open_read(setting.path("link"), follow_link=False),
        lambda: disk.open_write(setting.path("link"), create=False),
        lambda: disk.open_write(setting.path("link"), create=True),
    ):
        with pytest.raises(OSError) as caught:
            opening()
        assert caught.value.errno in (errno.ELOOP, errno.EEXIST)
    assert get(disk, setting.path("link")) == b"data"
    with pytest.raises(FileNotFoundError):
        disk.open_read(setting.path("nothing"))
    with pytest.raises(NotADirectoryError):
        disk.open_read(setting.path("file/below"))


def test_scan_lists_by_name_and_does_not_follow_links(setting: Setting) -> None:
    disk = setting.server.disk
    put(disk, setting.path("b"), b"12345")
    disk.make_dirs(setting.path("c"))
    put(disk, setting.path("c/inner"), b"")
    disk.make_symlink("nowhere", setting.path("a"))
    found = disk.scan(setting.folder)
    assert [(e.name, e.kind) for e in found] == [("a", "symlink"), ("b", "file"), ("c", "dir")]
    stat = disk.stat(setting.path("b"))
    assert found[1] == DirEntry("b", "file", 5, stat.mtime_ns, stat.inode, stat.device)
    assert {entry.device for entry in found} == {disk.stat(setting.folder).device}
    assert disk.stat(setting.path("a")).kind == "symlink"
    with pytest.raises(FileNotFoundError):
        disk.scan(setting.path("nothing"))
    with pytest.raises(NotADirectoryError):
        disk.scan(setting.path("b"))


def test_what_lies_below_a_folder_is_reached_by_name(setting: Setting) -> None:
    disk = setting.server.disk
    disk.make_dirs(setting.path("top/a/b"))
    put(disk, setting.path("top/a/b/file"), b"data")
    disk.make_symlink("file", setting.path("top/a/b/link"))
    folder = disk.open_folder(setting.path("top"), "a/b")
    assert folder.scan() == disk.scan(setting.path("top/a/b"))
    assert [folder.find("file"), folder.find("link")] == folder.scan()
    assert folder.stat() == disk.stat(setting.path("top/a/b"))
    assert folder.read_link("link") == "file"
    file = folder.open_read("file")
    assert file.pread(0, 10) == b"data"
    file.close()
    disk.rename_new(setting.path("top/a"), setting.path("elsewhere"))
    folder.open_read("file").close()
    folder.close()
    folder.close()
    for use in (
        *(folder.scan, folder.stat, lambda: folder.find("file")),
        *(lambda: folder.open_read("file"), lambda: folder.read_link("link")),
    ):
        with pytest.raises(OSError) as caught:
            use()
        assert caught.value.errno == errno.EBADF
    top = disk.open_folder(setting.path("top"))
    assert top.scan() == []
    top.close()


def test_no_symlink_leads_out_of_a_folder(setting: Setting) -> None:
    disk = setting.server.disk
    disk.make_dirs(setting.path("top/a/b"))
    disk.make_dirs(setting.path("secret/b"))
    put(disk, setting.path("secret/file"), b"key")
    put(disk, setting.path("top/file"), b"")
    disk.make_symlink("../secret", setting.path("top/out"))
    disk.make_symlink("../secret/file", setting.path("top/key"))
    disk.make_symlink("top", setting.path("link"))
    for top, path in [("link", ""), ("top", "out"), ("top", "out/b"), ("top", "file"), ("top/file", "")]:
        with pytest.raises(OSError) as caught:
            disk.open_folder(setting.path(top), path)
        assert caught.value.errno in (errno.ELOOP, errno.ENOTDIR)
    folder = disk.open_folder(setting.path("top"))
    with pytest.raises(OSError) as caught:
        folder.open_read("key")
    assert caught.value.errno == errno.ELOOP
    with pytest.raises(IsADirectoryError):
        folder.open_read("a")
    for name in ("", ".", "..", "a/b", "../secret"):
        for use in (folder.open_read, folder.read_link, folder.find):
            with pytest.raises(OSError):
                use(name)
    for path in (".", "..", "a/..", "a//b", "/"):
        with pytest.raises(OSError):
            disk.open_folder(setting.path("top"), path)
    for use in (folder.open_read, folder.find):
        with pytest.raises(FileNotFoundError):
            use("nothing")
    folder.close()
    with pytest.raises(FileNotFoundError):
        disk.open_folder(setting.path("top"), "a/nothing")


def test_a_replaced_file_has_another_inode(setting: Setting) -> None:
    disk, path = setting.server.disk, setting.path("file")
    disk.write_whole(path, b"one")
    before, reader = disk.stat(path), disk.open_read(path)
    disk.write_whole(path, memoryview(b"three"))
    assert disk.stat(path).inode != before.inode
    assert reader.pread(0, 9) == b"one"
    assert get(disk, path) == b"three"
    assert [entry.name for entry in disk.scan(setting.folder)] == ["file"]
    reader.close()


def test_write_whole_leaves_no_draft_when_it_fails(setting: Setting) -> None:
    disk = setting.server.disk
    disk.make_dirs(setting.path("folder"))
    put(disk, setting.path("folder/file"), b"")
    with pytest.raises(OSError):
        disk.write_whole(setting.path("folder"), b"data")
    assert [entry.name for entry in disk.scan(setting.folder)] == ["folder"]


def test_only_drafts_of_a_file_are_removed(setting: Setting) -> None:
    disk = setting.server.disk
    names = ["file", "file.0123abcd.new", "file.0123abcd.new.txt", "file.new", "other.0123abcd.new"]
    for name in names:
        disk.write_whole(setting.path(name), b"data")
    disk.remove_drafts(setting.path("file"))
    left = [entry.name for entry in disk.scan(setting.folder)]
    assert left == [name for name in names if name != "file.0123abcd.new" or setting.kind == "simulated"]
    with pytest.raises(FileNotFoundError):
        disk.remove_drafts(setting.path("nothing/file"))


def test_folders_are_made_with_their_parents(setting: Setting) -> None:
    disk = setting.server.disk
    disk.make_dirs(setting.path("x/y/z"))
    disk.make_dirs(setting.path("x/y/z"))
    assert disk.stat(setting.path("x/y/z")).kind == "dir"
    disk.sync_dir(setting.path("x/y"))
    put(disk, setting.path("file"), b"")
    with pytest.raises(OSError):
        disk.make_dirs(setting.path("file/below"))


def test_rename_new_moves_but_never_replaces(setting: Setting) -> None:
    disk = setting.server.disk
    put(disk, setting.path("draft"), b"data")
    put(disk, setting.path("taken"), b"mine")
    disk.make_dirs(setting.path("empty"))
    for name in ("taken", "empty"):
        with pytest.raises(FileExistsError):
            disk.rename_new(setting.path("draft"), setting.path(name))
    disk.rename_new(setting.path("draft"), setting.path("final"))
    assert get(disk, setting.path("final")) == b"data"
    assert get(disk, setting.path("taken")) == b"mine"
    assert [e.name for e in disk.scan(setting.folder)] == ["empty", "final", "taken"]
    with pytest.raises(FileNotFoundError):
        disk.rename_new(setting.path("draft"), setting.path("other"))
    with pytest.raises(FileNotFoundError):
        disk.rename_new(setting.path("final"), setting.path("no/such/folder"))


def test_rename_new_moves_folders_and_links(setting: Setting) -> None:
    disk = setting.server.disk
    disk.make_dirs(setting.path("a/deep"))
    disk.make_dirs(setting.path("b"))
    put(disk, setting.path("file"), b"")
    disk.make_symlink("a", setting.path("link"))
    for name in ("b", "file"):
        with pytest.raises(FileExistsError):
            disk.rename_new(setting.path("a"), setting.path(name))
    disk.rename_new(setting.path("a"), setting.path("c"))
    disk.rename_new(setting.path("link"), setting.path("link2"))
    assert disk.stat(setting.path("c/deep")).kind == "dir"
    assert disk.read_link(setting.path("link2")) == "a"


def test_removing_follows_no_link(setting: Setting) -> None:
    disk = setting.server.disk
    disk.make_dirs(setting.path("keep"))
    put(disk, setting.path("keep/file"), b"data")
    disk.make_dirs(setting.path("tree/branch"))
    put(disk, setting.path("tree/branch/leaf"), b"")
    disk.make_symlink("../keep", setting.path("tree/link"))
    disk.make_symlink("keep/file", setting.path("link"))
    disk.remove_tree(setting.path("tree"))
    disk.remove(setting.path("link"))
    assert [e.name for e in disk.scan(setting.folder)] == ["keep"]
    assert get(disk, setting.path("keep/file")) == b"data"
    with pytest.raises(OSError):
        disk.remove(setting.path("keep"))
    with pytest.raises(OSError):
        disk.remove_tree(setting.path("keep/file"))
    with pytest.raises(FileNotFoundError):
        disk.remove(setting.path("nothing"))


def test_real_path_resolves_every_link(setting: Setting) -> None:
    disk = setting.server.disk
    base = disk.real_path(setting.folder)
    disk.make_dirs(setting.path("a/b"))
    put(disk, setting.path("a/b/file"), b"")
    disk.make_symlink("a/b", setting.path("short"))
    disk.make_symlink(f"{base}/short", setting.path("absolute"))
    disk.make_symlink("loop", setting.path("loop"))
    assert disk.real_path(setting.path("absolute/file")) == f"{base}/a/b/file"
    assert disk.real_path(setting.path("short/../b/./file")) == f"{base}/a/b/file"
    assert disk.read_link(setting.path("absolute")) == f"{base}/short"
    with pytest.raises(FileNotFoundError):
        disk.real_path(setting.path("short/nothing"))
    with pytest.raises(OSError) as caught:
        disk.real_path(setting.path("loop"))
    assert caught.value.errno == errno.ELOOP
    with pytest.raises(OSError) as caught:
        disk.read_link(setting.path("a"))
    assert caught.value.errno == errno.EINVAL


def test_free_space_is_known(setting: Setting) -> None:
    assert setting.server.disk.free_bytes(setting.folder) > 0


def test_odd_names_are_names(setting: Setting) -> None:
    disk = setting.server.disk
    names = sorted(["-rf", " lead", "trail ", "näïve", "日本", "new\nline", "quote'\"", "\\back"])
    for name in names:
        disk.write_whole(setting.path(name), name.encode())
    assert [entry.name for entry in disk.scan(setting.folder)] == names
    for name in names:
        assert get(disk, setting.path(name)) == name.encode()


def test_a_lock_is_held_by_one_until_it_is_closed(setting: Setting) -> None:
    disk, path = setting.server.disk, setting.path("lock")
    assert disk.lock_holder(path) is None
    lock = disk.lock(path)
    assert disk.lock_holder(path) is not None
    with pytest.raises(BlockingIOError):
        disk.lock(path)
    get(disk, path)
    with pytest.raises(BlockingIOError):
        disk.lock(path)
    lock.close()
    lock.close()
    assert disk.lock_holder(path) is None
    second = disk.lock(path)
    lock.close()
    assert disk.lock_holder(path) is not None
    second.close()
