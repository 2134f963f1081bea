"""Many watches on one instance of inotify: each is told its own, and has its own faults."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import threading
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import run
from warren.runtime.real import inotify as inotify_module
from warren.runtime.real import watching
from warren.runtime.real.inotify import Inotify
from warren.runtime.real.watching import InotifyWatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.runtime.real.inotify import Listener


def instances() -> int:
    """How many of them this process has."""
    count = 0
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the listing itself
            count += os.readlink(f"/proc/self/fd/{fd}") == "anon_inode:inotify"
    return count


def numbers() -> int:
    """How many folders the kernel tells this process of."""
    count = 0
    for entry in Path("/proc/self/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the listing itself
            count += entry.read_text().count("inotify wd:")
    return count


class Watches:
    """What was told, by the watch that told it."""

    def __init__(self) -> None:
        self.inotify = Inotify()
        self.found: dict[InotifyWatch, dict[str, bool]] = {}
        self.errors: dict[InotifyWatch, OSError] = {}
        self._tasks: dict[InotifyWatch, asyncio.Task[None]] = {}
        self._more = asyncio.Event()

    async def open(self, top: Path, only: str | None = None) -> InotifyWatch:
        watch = await InotifyWatch.open(self.inotify, os.fspath(top), asyncio.to_thread, only=only)
        self.found[watch] = {}
        self._tasks[watch] = asyncio.create_task(self._listen(watch))
        return watch

    async def close(self, watch: InotifyWatch) -> None:
        task = self._tasks.pop(watch)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await watch.close()

    async def close_all(self) -> None:
        for watch in list(self._tasks):
            await self.close(watch)

    async def until(self, watch: InotifyWatch, path: Path, *, deep: bool = False) -> None:
        async with asyncio.timeout(10):
            while self.found[watch].get(os.fspath(path), None) not in ({True} if deep else {True, False}):
                self._more.clear()
                await self._more.wait()

    async def until_ended(self, watch: InotifyWatch) -> OSError:
        async with asyncio.timeout(10):
            while watch not in self.errors:
                self._more.clear()
                await self._more.wait()
        return self.errors[watch]

    async def _listen(self, watch: InotifyWatch) -> None:
        try:
            while True:
                for path, deep in await watch.changes():
                    self.found[watch][path] = deep
                self._more.set()
        except OSError as error:
            self.errors[watch] = error
            self._more.set()


@asynccontextmanager
async def watches() -> AsyncIterator[Watches]:
    before = instances(), numbers()
    all_of_them = Watches()
    try:
        yield all_of_them
    finally:
        await all_of_them.close_all()
    assert (instances(), numbers()) == before


def test_hundreds_of_folders_take_one_instance_and_each_is_told_its_own(tmp_path: Path) -> None:
    tops = [tmp_path / str(number) for number in range(300)]
    for top in tops:
        (top / "below").mkdir(parents=True)

    async def main() -> None:
        before = instances()
        async with watches() as many:
            opened = [await many.open(top) for top in tops]
            assert instances() == before + 1
            for top in tops:
                (top / "below" / "file").write_bytes(b"1")
            for watch, top in zip(opened, tops, strict=True):
                await many.until(watch, top / "below" / "file")
                assert set(many.found[watch]) == {os.fspath(top / "below" / "file")}

    run(main())


def test_two_may_watch_one_folder_and_one_of_them_leave(tmp_path: Path) -> None:
    below = tmp_path / "below"
    below.mkdir()

    async def main() -> None:
        async with watches() as two:
            above, inside = await two.open(tmp_path), await two.open(below)
            (below / "file").write_bytes(b"1")
            await two.until(above, below / "file")
            await two.until(inside, below / "file")
            await two.close(above)
            (below / "later").write_bytes(b"1")
            await two.until(inside, below / "later")
            assert numbers() == 1

    run(main())


def test_of_a_folder_full_of_copies_each_is_told_its_own_name(tmp_path: Path) -> None:
    names = [f"{number}.bin" for number in range(200)]
    away = tmp_path.with_name("away")

    async def main() -> None:
        async with watches() as many:
            opened = [await many.open(tmp_path, only=name) for name in names]
            assert numbers() == 1
            for name in names:
                (tmp_path / name).write_bytes(b"1")
            for watch, name in zip(opened, names, strict=True):
                await many.until(watch, tmp_path / name)
                assert set(many.found[watch]) == {os.fspath(tmp_path / name)}
            os.rename(tmp_path, away)
            for watch in opened:
                assert (await many.until_ended(watch)).errno == errno.ENOENT
            os.rename(away, tmp_path)

    run(main())


def test_what_changes_too_fast_costs_nobody_else_what_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "CHANGES_MAX", 100)
    loud, calm = tmp_path / "loud", tmp_path / "calm"
    loud.mkdir()
    calm.mkdir()

    async def main() -> None:
        async with watches() as two:
            noise, other = await two.open(loud), await two.open(calm)
            for number in range(200):
                (loud / str(number)).write_bytes(b"1")
            (loud / "late").mkdir()
            (calm / "file").write_bytes(b"1")
            await two.until(other, calm / "file")
            await two.until(noise, loud, deep=True)
            assert set(two.found[other]) == {os.fspath(calm / "file")}
            (loud / "late" / "file").write_bytes(b"1")  # it was told by none of the events that are left
            await two.until(noise, loud / "late" / "file")

    run(main())


def test_where_the_kernel_lost_events_all_are_told_so_and_new_folders_are_watched(tmp_path: Path) -> None:
    tops = [tmp_path / "one", tmp_path / "two"]
    for top in tops:
        (top / "gone").mkdir(parents=True)
        (top / "file").write_bytes(b"")
    events_max = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())

    async def main() -> None:
        async with watches() as two:
            opened = [await two.open(top) for top in tops]
            for _ in range(events_max // 2 + 1):
                for top in tops:
                    os.utime(top / "file")
            for top in tops:
                (top / "gone").rename(top / "new")
            for watch, top in zip(opened, tops, strict=True):
                await two.until(watch, top, deep=True)
                (top / "new" / "file").write_bytes(b"1")
                await two.until(watch, top / "new" / "file")

    run(main())


def test_what_the_limit_of_watches_refuses_is_the_fault_of_that_one_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Inotify.add

    def refuse(self: Inotify, path: str, listener: Listener) -> int:
        if path.endswith("one-too-many"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        return add(self, path, listener)

    monkeypatch.setattr(Inotify, "add", refuse)
    small, large, growing = tmp_path / "small", tmp_path / "large", tmp_path / "growing"
    for folder in (small, large / "in" / "one-too-many", growing):
        folder.mkdir(parents=True)

    async def main() -> None:
        async with watches() as some:
            watch, grown = await some.open(small), await some.open(growing)
            with pytest.raises(OSError, match="No space left"):
                await some.open(large)
            assert numbers() == 2  # nothing of the large one is left behind
            (growing / "one-too-many").mkdir()
            assert (await some.until_ended(grown)).errno == errno.ENOSPC
            assert some.found[grown][os.fspath(growing)]
            (small / "file").write_bytes(b"1")
            await some.until(watch, small / "file")

    run(main())


def test_without_descriptors_it_says_so_and_begins_once_there_are_some(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def main() -> None:
        async with watches() as one:
            await asyncio.to_thread(int)  # the threads are there
            lowest = os.dup(0)  # that is free: there may be gaps among those in use
            os.close(lowest)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
            try:
                with pytest.raises(OSError, match="Too many open files") as caught:
                    await one.open(tmp_path)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert caught.value.errno == errno.EMFILE
            watch = await one.open(tmp_path)
            (tmp_path / "file").write_bytes(b"1")
            await one.until(watch, tmp_path / "file")

    run(main())


class Held:
    """Between the kernel's word that a folder is added and the books, for the next one who adds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._enter = Inotify._enter
        self._loop = asyncio.get_running_loop()
        self.reached = asyncio.Event()
        self._go_on = threading.Event()
        self._monkeypatch = monkeypatch

        def wait(inotify: Inotify, number: int, listener: Listener) -> None:
            self._wait(inotify, number, listener)

        monkeypatch.setattr(Inotify, "_enter", wait)

    def let_go(self) -> None:
        self._go_on.set()

    def _wait(self, inotify: Inotify, number: int, listener: Listener) -> None:
        self._monkeypatch.setattr(Inotify, "_enter", self._enter)
        self._loop.call_soon_threadsafe(self.reached.set)
        assert self._go_on.wait(10)
        self._enter(inotify, number, listener)


def test_what_happens_while_a_folder_is_being_added_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with watches() as two:
            first = await two.open(tmp_path)
            held = Held(monkeypatch)
            opening = asyncio.create_task(two.open(tmp_path))
            await held.reached.wait()
            (tmp_path / "file").write_bytes(b"1")
            await two.until(first, tmp_path / "file")
            await two.close(first)  # the last who is in the books of this folder
            held.let_go()
            second = await opening
            await two.until(second, tmp_path / "file")
            (tmp_path / "more").write_bytes(b"1")
            await two.until(second, tmp_path / "more")

    run(main())


def test_too_much_while_a_folder_is_being_added_is_told_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inotify_module, "EARLY_MAX", 10)
    (tmp_path / "new").mkdir()

    async def main() -> None:
        async with watches() as two:
            first = await two.open(tmp_path)
            held = Held(monkeypatch)
            opening = asyncio.create_task(two.open(tmp_path / "new"))
            await held.reached.wait()
            for number in range(20):
                (tmp_path / "new" / str(number)).write_bytes(b"1")
            await two.until(first, tmp_path, deep=True)
            held.let_go()
            await two.until(await opening, tmp_path / "new", deep=True)

    run(main())
