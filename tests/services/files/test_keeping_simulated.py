"""Shares that follow their folders, in virtual time: faults of the disk and of watching, races, writers."""

from __future__ import annotations

import asyncio
import errno
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.services.files.catalog import Catalog, walked
from tests.services.files.pair import SHARER, open_state
from tests.services.files.swarms import swarms_of
from warren.network.network import Network
from warren.runtime.simulated import World
from warren.services.files import hashing, pending, rehashing, updating
from warren.services.files.config import FilesConfig
from warren.services.files.importer import Importer
from warren.services.files.library import Library
from warren.services.files.types import ShareChanged, ShareProgress, ShareRemoved
from warren.services.files.watching import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from warren.runtime.simulated.disk import SimulatedDisk
    from warren.runtime.simulated.world import SimulatedRuntime

TOP = "/docs"


class Shared:
    """A library on a simulated host that shares `/docs`, and a listener."""

    def __init__(self, runtime: SimulatedRuntime, library: Library, network: Network) -> None:
        self.runtime = runtime
        self.disk: SimulatedDisk = runtime.disk
        self.library = library
        self.events = network.events.subscribe()
        self.catalog = Catalog()
        library.subscribe(self.catalog.on_changed)

    def write(self, path: str, data: bytes) -> None:
        """Write a file whole, in place where it is there."""
        folder = path.rpartition("/")[0]
        self.disk.make_dirs(f"{TOP}/{folder}")
        try:
            file = self.disk.open_write(f"{TOP}/{path}", create=True)
        except FileExistsError:
            file = self.disk.open_write(f"{TOP}/{path}", create=False)
        file.pwrite(0, data)
        file.truncate(len(data))
        file.close()

    async def shows(self, **sizes: int | None) -> None:
        """Wait until files (dots in their names are underscores) have these sizes; None: are not there."""
        wanted = {f"docs/{name.replace('_', '.')}": size for name, size in sizes.items()}
        await self.catalog.until(
            lambda known: all(known.get(path) == size for path, size in wanted.items()), 3600
        )

    async def is_whole(self) -> None:
        """Wait until the share is what hashing its folder from scratch gives."""
        root = (await Importer(self.runtime, 1).run(TOP)).root.cid
        await self.catalog.until(lambda _: self.library.shares()[0].cid.to_bytes() == root)
        await self.catalog.until(lambda _: self.catalog.entries["docs"][0].cid.to_bytes() == root)
        assert self.catalog.entries == await walked(self.library)


@asynccontextmanager
async def sharing(runtime: SimulatedRuntime, config: FilesConfig | None = None) -> AsyncIterator[Shared]:
    """The library of a host; its files and databases are those of the last time."""
    from pathlib import Path

    runtime.disk.make_dirs("/home")
    state = await open_state(runtime, Path("/home"))
    network = Network(runtime, SHARER)
    library = await Library.open(
        runtime, network, config or FilesConfig(), state, "/home/index.db", swarms_of(network, SHARER)
    )
    try:
        yield Shared(runtime, library, network)
    finally:
        await library.close()
        await state.close()
        await network.stop()


def simulate(work: Callable[[Shared], Awaitable[None]], config: FilesConfig | None = None) -> None:
    with World(seed=3) as world:
        runtime = world.runtime("host")

        async def main() -> None:
            async with sharing(runtime, config) as shared:
                shared.write("a", b"1")
                shared.write("sub/b", b"22")
                await asyncio.sleep(10)
                await shared.library.share(TOP)
                await asyncio.sleep(10)
                await work(shared)

        world.run(main())


def test_a_change_is_seen_within_a_quarter_of_a_second() -> None:
    async def work(shared: Shared) -> None:
        begun = shared.runtime.clock.now()
        shared.write("new", b"333")
        await shared.shows(new=3)
        assert shared.runtime.clock.now() - begun <= 0.25
        await shared.is_whole()

    simulate(work)


def test_an_endless_writer_is_shown_now_and_then_and_holds_up_nothing() -> None:
    async def work(shared: Shared) -> None:
        begun = shared.runtime.clock.now()

        async def log() -> None:
            for size in range(1, 100_000):
                shared.write("log", b"." * size)
                await asyncio.sleep(0.05)

        logging = asyncio.create_task(log())
        await asyncio.sleep(1)
        shared.write("other", b"1")
        await shared.shows(other=1)
        assert shared.runtime.clock.now() - begun < 1.3
        assert "docs/log" not in shared.catalog.entries
        await shared.catalog.until(lambda sizes: "docs/log" in sizes)
        assert shared.runtime.clock.now() - begun == pytest.approx(PATIENCE_S, abs=0.5)
        await asyncio.sleep(500)
        told = sum("docs/log" in added for added, _ in shared.catalog.told)
        assert told <= 7
        logging.cancel()
        await asyncio.sleep(2)
        await shared.is_whole()

    simulate(work)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.ENOSYS])
def test_without_watching_it_is_looked_at_and_watched_again_when_that_works(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(shared: Shared) -> None:
        shared.disk.fail_next("watch", number)
        shared.disk.end_watches(errno.EIO)
        await asyncio.sleep(1)
        assert shared.library.shares()[0].state == "polled"
        shared.write("new", b"1")
        begun = shared.runtime.clock.now()
        await shared.shows(new=1)
        assert shared.runtime.clock.now() - begun <= 10.2
        await asyncio.sleep(700)
        assert shared.library.shares()[0].state == "watched"
        await shared.is_whole()

    simulate(work)
    assert "changes of '/docs' were missed" in caplog.text
    assert ("sysctl" in caplog.text) == (number != errno.ENOSYS)


def test_what_was_missed_is_found_by_the_look_now_and_then() -> None:
    async def work(shared: Shared) -> None:
        shared.disk._watches.clear()  # as on a network file system
        shared.write("new", b"1")
        begun = shared.runtime.clock.now()
        await shared.shows(new=1)
        assert 50 < shared.runtime.clock.now() - begun < 101

    simulate(work, FilesConfig(rescan_s=100))


def test_a_folder_that_is_swapped_for_a_symlink_leads_nowhere() -> None:
    async def work(shared: Shared) -> None:
        shared.disk.make_dirs("/secret")
        file = shared.disk.open_write("/secret/b", create=True)
        file.pwrite(0, b"secret")
        file.close()
        shared.disk.rename_new(f"{TOP}/sub", "/elsewhere")
        shared.disk.make_symlink("/secret", f"{TOP}/sub")
        await shared.catalog.until(lambda sizes: "docs/sub" not in sizes)
        await asyncio.sleep(10)
        assert sorted(shared.catalog.entries) == ["docs", "docs/a"]
        (share,) = shared.library.shares()
        assert [one.path for one in share.skipped] == ["sub"]
        await shared.is_whole()

    simulate(work)


@pytest.mark.parametrize("op", ["open_folder", "scan", "pread", "open_read", "stat", "database"])
def test_no_fault_of_the_disk_loses_anything(op: str) -> None:
    """After any of them fails once, the share is whole again by itself, with its later changes."""

    async def work(shared: Shared) -> None:
        for number in (errno.EIO, errno.EACCES):
            shared.disk.fail_next(op, number)
            shared.write("new", b"1" * number)
            await asyncio.sleep(50)
            shared.write("new", b"2" * number)
            shared.write("sub/b", b"3" * number)
            await asyncio.sleep(50)
            await shared.shows(new=number)
            await shared.is_whole()

    simulate(work, FilesConfig(rescan_s=20))


def test_a_drive_that_goes_while_it_is_looked_at_empties_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(shared: Shared) -> None:
        scan_folder = hashing.scan_folder

        def unmount_before(disk: SimulatedDisk, *rest: object) -> object:
            monkeypatch.setattr(updating, "scan_folder", scan_folder)
            disk.rename_new(TOP, "/drive")
            disk.make_dirs(TOP)
            return scan_folder(disk, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(updating, "scan_folder", unmount_before)
        shared.write("a", b"333")
        await shared.catalog.until(lambda sizes: not sizes)
        assert shared.library.shares()[0].state == "missing"
        assert shared.library.shares()[0].files == 2
        await asyncio.sleep(100)
        shared.disk.remove_tree(TOP)
        shared.disk.rename_new("/drive", TOP)
        await shared.shows(a=3)
        await shared.is_whole()

    simulate(work)


def test_what_is_unshared_while_it_is_looked_at_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(shared: Shared) -> None:
        hash_files = hashing.hash_files

        def unshare_meanwhile(*rest: object) -> object:
            unsharing.append(asyncio.ensure_future(shared.library.unshare("docs")))
            return hash_files(*rest)  # type: ignore[arg-type]

        unsharing: list[asyncio.Future[object]] = []
        monkeypatch.setattr(rehashing, "hash_files", unshare_meanwhile)
        shared.write("new", b"1")
        await shared.catalog.until(lambda sizes: not sizes)
        await asyncio.sleep(100)
        await unsharing[0]
        assert (shared.library.shares(), shared.catalog.entries) == ([], {})

    simulate(work)


def test_a_cap_holds_and_hashing_is_told() -> None:
    async def work(shared: Shared) -> None:
        begun = shared.runtime.clock.now()
        for number in range(20):
            shared.write(f"file{number}", bytes(1_000_000))
        await shared.catalog.until(lambda sizes: len(sizes) == 24, 60)
        assert 18 <= shared.runtime.clock.now() - begun <= 22
        await shared.is_whole()
        await shared.library.unshare("docs")
        shared.events.close()
        told = [event async for event in shared.events]
        assert any(isinstance(event, ShareProgress) and event.progress.done_files > 5 for event in told)
        states = [event.share.files for event in told if isinstance(event, ShareChanged)]
        assert states[-1] == 22
        assert told[-1] == ShareRemoved("docs")

    simulate(work, FilesConfig(hash_bytes_per_s=1_000_000))


def test_what_a_crash_left_half_done_is_finished_at_the_next_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with World(seed=4) as world:
        runtime = world.runtime("host")

        async def first() -> None:
            async with sharing(runtime) as shared:
                shared.write("a", b"1")
                await shared.library.share(TOP)
                await asyncio.sleep(10)
                never = asyncio.Event()

                async def hang(*_: object, **__: object) -> None:
                    await never.wait()

                with monkeypatch.context() as patch:
                    patch.setattr(pending.Pending, "rebuild", hang)
                    shared.write("sub/b", b"22")
                    await shared.catalog.until(lambda sizes: "docs/sub/b" in sizes)

        async def second() -> None:
            async with sharing(runtime) as shared:
                assert shared.library.shares()[0].files == 2
                await shared.catalog.until(lambda _: "docs" in shared.catalog.entries)
                shared.catalog.entries = await walked(shared.library)
                await shared.is_whole()

        world.run(first())
        world.run(second())
