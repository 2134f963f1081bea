"""What only a real file system can show of watching: paths that are too long, links that lead in circles."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support import run
from warren.runtime.real import watching
from warren.runtime.real.inotify import Inotify
from warren.runtime.real.watching import InotifyWatch

if TYPE_CHECKING:
    from pathlib import Path

    from warren.runtime.seam import Change


async def opened(top: Path) -> InotifyWatch:
    return await InotifyWatch.open(Inotify(), os.fspath(top), asyncio.to_thread)


async def until(watch: InotifyWatch, path: Path) -> list[Change]:
    """What is told up to a change of this path."""
    found: list[Change] = []
    async with asyncio.timeout(10):
        while path not in [type(path)(one.path) for one in found]:
            found += await watch.changes()
    return found


def make_deep(top: Path) -> None:
    """Folders in folders, until no path reaches the last of them."""
    fd = os.open(top, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("x" * 250, dir_fd=fd)
        below = os.open("x" * 250, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)


def test_folders_that_no_path_reaches_are_passed_over(tmp_path: Path) -> None:
    top, aside = tmp_path / "top", tmp_path / "aside"
    top.mkdir()
    aside.mkdir()
    make_deep(aside)

    async def main() -> None:
        watch = await opened(top)
        aside.rename(top / "deep")
        (top / "file").write_bytes(b"1")
        await until(watch, top / "file")
        await watch.close()
        watch = await opened(top)
        (top / "deep" / "file").write_bytes(b"1")
        await until(watch, top / "deep" / "file")
        await watch.close()

    run(main())
    shutil.rmtree(top)


def test_a_folder_that_is_swapped_for_a_circle_of_links_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the word of a new folder and the watch on what lies in it."""
    folders_in = watching._folders_in

    def swap_first(folder: str) -> list[str]:
        found = folders_in(folder)
        if folder.endswith("new"):
            os.rename(folder, tmp_path / "away")
            os.symlink("new", folder)
        return found

    async def main() -> None:
        (tmp_path / "aside" / "below").mkdir(parents=True)
        (tmp_path / "top").mkdir()
        watch = await opened(tmp_path / "top")
        monkeypatch.setattr(watching, "_folders_in", swap_first)
        (tmp_path / "aside").rename(tmp_path / "top" / "new")
        await until(watch, tmp_path / "top" / "new")
        (tmp_path / "top" / "file").write_bytes(b"1")
        await until(watch, tmp_path / "top" / "file")
        await watch.close()

    run(main())


def test_a_fault_of_the_system_ends_the_watch_instead_of_leaving_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> list[str]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async def main() -> None:
        watch = await opened(tmp_path)
        monkeypatch.setattr(os, "scandir", fail)
        (tmp_path / "new").mkdir()
        found = await until(watch, tmp_path)
        assert found[-1].deep
        with pytest.raises(OSError, match="Too many open files"):
            await watch.changes()
        await watch.close()

    run(main())
