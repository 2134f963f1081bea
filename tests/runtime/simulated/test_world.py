"""Hosts that outlive their nodes, and faults on their disks."""

from __future__ import annotations

import errno
import sqlite3

import pytest

from warren.core.errors import DiskFull, StorageError
from warren.runtime.simulated import World

SCHEMA = ["CREATE TABLE note (text TEXT)"]


def test_files_and_databases_survive_a_restart_of_the_node() -> None:
    async def first() -> None:
        runtime = world.runtime("a")
        runtime.disk.write_whole("/key", b"secret")
        database = await runtime.open_database("/state.db", SCHEMA)
        await database.run(lambda c: c.execute("INSERT INTO note VALUES ('kept')"))
        # No close: the process was killed.

    async def second() -> None:
        runtime = world.runtime("a")
        assert runtime.disk.open_read("/key").pread(0, 10) == b"secret"
        database = await runtime.open_database("/state.db", SCHEMA)
        assert await database.run(lambda c: c.execute("SELECT * FROM note").fetchall()) == [("kept",)]
        await database.close()
        runtime.disk.remove("/state.db")
        database = await runtime.open_database("/state.db", SCHEMA)
        assert await database.run(lambda c: c.execute("SELECT * FROM note").fetchall()) == []

    with World() as world:
        world.run(first())
        world.run(second())


def test_each_host_has_its_own_disk_and_chance() -> None:
    world = World(seed=3)
    a, b = world.runtime("a"), world.runtime("b")
    a.disk.write_whole("/file", b"")
    with pytest.raises(FileNotFoundError):
        b.disk.stat("/file")
    drawn = a.entropy.bytes(8)
    assert drawn != b.entropy.bytes(8)
    again = World(seed=3)
    again.runtime("b")
    assert again.runtime("a").entropy.bytes(8) == drawn


def test_a_small_disk_fills_up() -> None:
    disk = World().runtime("a").disk
    disk.capacity_bytes = 1000
    disk.write_whole("/a", bytes(600))
    file = disk.open_write("/b", create=True)
    file.pwrite(0, bytes(300))
    assert disk.free_bytes("/") == 100
    with pytest.raises(OSError) as caught:
        file.pwrite(300, bytes(200))
    assert caught.value.errno == errno.ENOSPC
    assert file.pread(0, 1000) == bytes(300)
    with pytest.raises(OSError):
        disk.write_whole("/c", bytes(200))
    file.truncate(100)
    disk.remove("/a")
    assert disk.free_bytes("/") == 900
    disk.make_dirs("/folder")
    disk.rename_new("/b", "/folder/b")
    disk.remove_tree("/folder")
    assert disk.free_bytes("/") == 1000


def test_room_that_is_set_aside_is_not_there_for_others() -> None:
    disk = World().runtime("a").disk
    disk.capacity_bytes = 1000
    file = disk.open_write("/a", create=True)
    file.reserve(600)
    assert disk.free_bytes("/") == 400
    with pytest.raises(OSError) as caught:
        file.reserve(1001)
    assert caught.value.errno == errno.ENOSPC
    file.pwrite(500, bytes(100))
    assert disk.free_bytes("/") == 400
    file.pwrite(600, bytes(200))
    assert disk.free_bytes("/") == 200
    file.truncate(0)
    assert disk.free_bytes("/") == 400
    disk.remove("/a")
    assert disk.free_bytes("/") == 1000


def test_a_read_only_disk_is_read_alone() -> None:
    disk = World().runtime("a").disk
    disk.make_dirs("/folder")
    disk.write_whole("/folder/file", b"x")
    file, folder = disk.open_write("/folder/file", create=False), disk.open_folder("/folder")
    disk.read_only = True
    for write in (
        lambda: file.pwrite(0, b"y"),
        lambda: folder.write_new("new", b""),
        lambda: disk.write_whole("/folder/file", b"y"),
        lambda: disk.open_write("/new", create=True),
        lambda: disk.make_dirs("/folder/below"),
        lambda: disk.make_symlink("file", "/link"),
        lambda: disk.rename_new("/folder", "/other"),
        lambda: disk.remove("/folder/file"),
        lambda: disk.remove_tree("/folder"),
    ):
        with pytest.raises(OSError) as caught:
            write()
        assert caught.value.errno == errno.EROFS
    assert file.pread(0, 9) == b"x"


def test_a_drive_that_is_pulled_takes_its_open_files_along() -> None:
    disk = World().runtime("a").disk
    disk.make_dirs("/drive")
    disk.mount("/drive")
    disk.make_dirs("/drive/folder")
    file = disk.open_write("/drive/folder/file", create=True)
    file.pwrite(0, b"x")
    disk.pull("/drive")
    with pytest.raises(OSError) as caught:
        file.pwrite(1, b"y")
    assert caught.value.errno == errno.EIO
    assert disk.scan("/drive") == []
    disk.mount("/drive")
    again = disk.open_write("/drive/folder/file", create=False)
    assert again.pread(0, 9) == b"x"
    with pytest.raises(OSError):
        file.pread(0, 9)


def test_ordered_faults_come_once_each() -> None:
    disk = World().runtime("a").disk
    disk.fail_next("pwrite", errno.EIO)
    disk.fail_next("stat", errno.EACCES, times=2)
    file = disk.open_write("/file", create=True)
    with pytest.raises(OSError) as caught:
        file.pwrite(0, b"x")
    assert caught.value.errno == errno.EIO
    file.pwrite(0, b"x")
    for _ in range(2):
        with pytest.raises(PermissionError):
            disk.stat("/file")
    assert disk.stat("/file").size == 1


def test_a_database_meets_the_faults_of_its_disk() -> None:
    world = World()
    runtime = world.runtime("a")

    async def main() -> None:
        database = await runtime.open_database("/state.db", SCHEMA)
        for error, named in ((errno.ENOSPC, DiskFull), (errno.EIO, StorageError)):
            runtime.disk.fail_next("database", error)
            with pytest.raises(named):
                await database.run(lambda c: c.execute("INSERT INTO note VALUES ('lost')"))
        assert await database.run(lambda c: c.execute("SELECT * FROM note").fetchall()) == []

    world.run(main())
    world.close()


def test_paths_of_the_simulated_disk_have_a_root() -> None:
    disk = World().runtime("a").disk
    assert disk.real_path("/..//./") == "/"
    with pytest.raises(OSError):
        disk.remove_tree("/")


def test_a_disk_refuses_what_a_file_system_refuses() -> None:
    disk = World().runtime("a").disk
    disk.write_whole("/file", b"")
    with pytest.raises(NotADirectoryError):
        disk.sync_dir("/file")
    with pytest.raises(NotADirectoryError):
        disk.write_whole("/file/below", b"")


def test_a_broken_database_in_memory_is_closed_again() -> None:
    runtime = World().runtime("a")

    async def main() -> None:
        with pytest.raises(sqlite3.OperationalError):
            await runtime.open_database(":memory:", ["NOT SQL"])

    World().run(main())
