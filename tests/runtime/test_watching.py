"""Conformance of `seam.Watch`: what happens below a folder is told, on a real disk and on a simulated one."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING

import pytest

from tests.runtime.test_disk import put

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.runtime.settings import Setting
    from warren.runtime.seam import Watch


class Seen:
    """What a watch told, by path relative to the folder; True: with all below."""

    def __init__(self, setting: Setting, watch: Watch) -> None:
        self._prefix = len(setting.folder)
        self._watch = watch
        self.all: dict[str, bool] = {}

    async def until(self, *paths: str) -> dict[str, bool]:
        """Wait until each of these was told of; return all that was since the last call."""
        async with asyncio.timeout(10):
            while not set(paths) <= set(self.all):
                for path, deep in await self._watch.changes():
                    self.all[path[self._prefix :]] = deep
        found, self.all = self.all, {}
        return found


def watching(setting: Setting, work: Callable[[Seen], Awaitable[None]]) -> None:
    async def main() -> None:
        watch = await setting.server.watch(setting.folder)
        await work(Seen(setting, watch))
        await watch.close()
        await watch.close()

    setting.run(main())


def test_making_writing_moving_and_removing_is_told(setting: Setting) -> None:
    disk = setting.server.disk
    disk.make_dirs(setting.path("old/inner"))
    put(disk, setting.path("old/inner/file"), b"1")

    async def work(seen: Seen) -> None:
        put(disk, setting.path("a"), b"1")
        assert await seen.until("/a") == {"/a": False}
        file = disk.open_write(setting.path("old/inner/file"), create=False)
        file.pwrite(0, b"2")
        file.close()
        assert "/old/inner/file" in await seen.until("/old/inner/file")
        disk.rename_new(setting.path("a"), setting.path("b"))
        await seen.until("/a", "/b")
        disk.remove(setting.path("b"))
        await seen.until("/b")
        disk.make_symlink("old", setting.path("link"))
        await seen.until("/link")
        disk.remove_tree(setting.path("old"))
        assert "/old" in await seen.until("/old")

    watching(setting, work)


def test_a_new_folder_is_told_with_all_below_it_and_watched(setting: Setting) -> None:
    disk = setting.server.disk

    async def work(seen: Seen) -> None:
        disk.make_dirs(setting.path("new/below"))
        found = await seen.until("/new")
        assert found["/new"]
        put(disk, setting.path("new/below/file"), b"1")
        await seen.until("/new/below/file")
        disk.rename_new(setting.path("new"), setting.path("moved"))
        assert (await seen.until("/new", "/moved"))["/moved"]
        put(disk, setting.path("moved/below/other"), b"1")
        assert await seen.until("/moved/below/other") == {"/moved/below/other": False}

    watching(setting, work)


def test_what_lies_behind_a_symlink_is_not_watched(setting: Setting) -> None:
    disk = setting.server.disk
    disk.make_dirs(setting.path("real/in"))
    disk.make_symlink("../real", setting.path("real/link"))

    async def work(seen: Seen) -> None:
        put(disk, setting.path("real/in/file"), b"1")
        put(disk, setting.path("last"), b"1")
        assert await seen.until("/last", "/real/in/file") == {"/real/in/file": False, "/last": False}

    watching(setting, work)


async def ended(watch: Watch) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await watch.changes()
            except FileNotFoundError:
                break
    await watch.close()


def test_it_ends_when_the_folder_is_gone(setting: Setting) -> None:
    disk = setting.server.disk
    disk.make_dirs(setting.path("top/below"))

    async def main() -> None:
        watch = await setting.server.watch(setting.path("top"))
        disk.rename_new(setting.path("top"), setting.path("away"))
        await ended(watch)
        watch = await setting.server.watch(setting.path("away"))
        disk.remove_tree(setting.path("away"))
        await ended(watch)
        with pytest.raises(FileNotFoundError):
            await setting.server.watch(setting.path("nowhere"))

    setting.run(main())


def test_one_entry_of_a_folder_alone(setting: Setting) -> None:
    disk = setting.server.disk
    disk.make_dirs(setting.path("top/below"))

    async def main() -> None:
        watch = await setting.server.watch(setting.path("top"), only="one")
        put(disk, setting.path("top/other"), b"1")
        put(disk, setting.path("top/below/one"), b"1")
        put(disk, setting.path("top/one"), b"1")
        assert set(await Seen(setting, watch).until("/top/one")) == {"/top/one"}
        disk.remove_tree(setting.path("top"))
        await ended(watch)

    setting.run(main())


def test_a_file_cannot_be_watched(setting: Setting) -> None:
    put(setting.server.disk, setting.path("file"), b"")

    async def main() -> None:
        with pytest.raises(NotADirectoryError) as caught:
            await setting.server.watch(setting.path("file"))
        assert caught.value.errno == errno.ENOTDIR

    setting.run(main())
