"""The stores of the DHT outlive the process, and a disk that fails costs nothing but that."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.protocols.kad.store import KeptRecord, Providers, Records
from warren.runtime.real import RealRuntime
from warren.runtime.rebuildable import ASIDE, open_rebuildable
from warren.runtime.simulated import World
from warren.services.dht import kept
from warren.services.dht.shelf import WRITE_EVERY_S, Shelf

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from warren.runtime.seam import Runtime
    from warren.runtime.simulated.world import SimulatedRuntime

ANNA, BERT = (PrivateKey.from_seed(name * 32).peer_id for name in (b"a", b"b"))
HOME = (Multiaddr.parse("/ip4/192.0.2.1/tcp/4101"),)
PATH = Path("/dht.db")
DAY = 86400.0


class Bench:
    def __init__(self, shelf: Shelf, records: Records, providers: Providers) -> None:
        self.shelf, self.records, self.providers = shelf, records, providers


@asynccontextmanager
async def bench(runtime: Runtime, path: Path = PATH) -> AsyncIterator[Bench]:
    records, providers = Records(), Providers()
    database = await open_rebuildable(runtime, path, kept.MIGRATIONS, kept.check)
    shelf = Shelf(database, records, providers, runtime.clock)
    await shelf.load()
    running = asyncio.create_task(shelf.run())
    yield Bench(shelf, records, providers)
    running.cancel()
    await asyncio.wait([running])
    await shelf.close()


def in_world(main: Callable[[SimulatedRuntime], Coroutine[Any, Any, None]]) -> None:
    with World(1) as world:
        world.run(main(world.runtime("host")))


def test_what_was_kept_is_there_after_a_restart() -> None:
    async def main(runtime: SimulatedRuntime) -> None:
        now = runtime.clock.now()
        async with bench(runtime) as one:
            for number in range(120):  # more than one page
                one.records.put(b"%d" % number, b"value", now, peer=ANNA, subnet="net")
            one.records.put(b"own", b"\0", now)
            one.records.remove(b"7")
            for number in range(1200):
                one.providers.add(b"%d" % number, BERT, HOME, now, subnet="net")
            one.providers.add(b"k", ANNA, HOME, now)
            one.providers.remove(b"8", BERT)
        async with bench(runtime) as one:
            assert len(one.records) == 120
            own, other = one.records.kept(b"own"), one.records.kept(b"3")
            assert own is not None
            assert other is not None
            assert own.time_received == other.time_received == pytest.approx(now, abs=1e-3)
            assert own == KeptRecord(b"\0", own.time_received, None, "")
            assert other == KeptRecord(b"value", own.time_received, ANNA, "net")
            assert one.records.kept(b"7") is None
            assert len(one.providers) == 1200
            assert one.providers.get(b"k", now) == [(ANNA, ())]
            assert one.providers.kept(b"8", BERT) is None

    in_world(main)


class Clock:
    """Monotonic seconds and those on the wall, each set as one likes."""

    def __init__(self, now: float, wall: float) -> None:
        self._now, self._wall = now, wall

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._wall

    def set(self, now: float, wall: float) -> None:
        self._now, self._wall = now, wall


def test_the_age_goes_on_over_a_restart_whatever_the_clocks_were_set_to_before() -> None:
    async def main(runtime: SimulatedRuntime) -> None:
        clock = Clock(now=1000.0, wall=10 * DAY)
        runtime.clock = clock  # type: ignore[assignment]
        async with bench(runtime) as one:
            one.records.put(b"k", b"v", 1000.0, peer=ANNA, subnet="net")
            one.providers.add(b"k", ANNA, HOME, 1000.0, subnet="net")
            clock.set(now=4000.0, wall=20_000 * DAY)  # it was wrong, and is put right
        clock.set(now=7.0, wall=20_001 * DAY)  # the computer starts anew, a day later
        async with bench(runtime) as one:
            record, provider = one.records.kept(b"k"), one.providers.kept(b"k", ANNA)
            assert record is not None
            assert provider is not None
            assert (
                record.time_received == provider.time_received == pytest.approx(7.0 - 3000.0 - DAY, abs=1e-3)
            )
        clock.set(now=7.0, wall=19_000 * DAY)  # set back: nothing comes from the future
        async with bench(runtime) as one:
            assert one.records.kept(b"k") == KeptRecord(b"v", 7.0, ANNA, "net")

    in_world(main)


def test_changes_are_written_some_seconds_later_and_only_once() -> None:
    async def main(runtime: SimulatedRuntime) -> None:
        now = runtime.clock.now()
        async with bench(runtime) as one:
            for number in range(100):
                one.records.put(b"k", b"%d" % number, now, peer=ANNA, subnet="net")
            await asyncio.sleep(WRITE_EVERY_S + 1)
            assert not one.shelf._changed_records
            rows, _ = await one.shelf._database.run(lambda db: kept.read_records(db, kept.Place(), 10))
            assert [(key, row.value) for key, row in rows] == [(b"k", b"99")]

    in_world(main)


def test_what_is_too_old_at_the_start_goes_from_the_disk_too() -> None:
    async def main(runtime: SimulatedRuntime) -> None:
        async with bench(runtime) as one:
            one.records.put(b"k", b"v", runtime.clock.now(), peer=ANNA, subnet="net")
            one.providers.add(b"k", ANNA, HOME, runtime.clock.now(), subnet="net")
        await asyncio.sleep(2 * DAY)
        for _ in range(2):
            async with bench(runtime) as one:
                assert len(one.records) == len(one.providers) == 0
                await asyncio.sleep(WRITE_EVERY_S + 1)
                rows, _ = await one.shelf._database.run(lambda db: kept.read_records(db, kept.Place(), 10))
                assert rows == []

    in_world(main)


def test_a_disk_that_refuses_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def main(runtime: SimulatedRuntime) -> None:
        async with bench(runtime) as one:
            runtime.disk.fail_next("database", errno.ENOSPC)
            one.records.put(b"k", b"v", runtime.clock.now(), peer=ANNA, subnet="net")
            one.providers.add(b"k", ANNA, HOME, runtime.clock.now(), subnet="net")
            await asyncio.sleep(WRITE_EVERY_S + 1)
            assert one.shelf._changed_records
            await asyncio.sleep(WRITE_EVERY_S + 1)
            assert not one.shelf._changed_records
            runtime.disk.fail_next("database", errno.EIO)
            one.records.put(b"j", b"v", runtime.clock.now(), peer=ANNA, subnet="net")
        async with bench(runtime) as one:
            assert one.records.kept(b"k") is not None
            assert one.records.kept(b"j") is None

    with caplog.at_level(logging.WARNING):
        in_world(main)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "what is kept for the DHT cannot be stored",
        "what is kept for the DHT could not be stored",
    ]


def test_a_damaged_file_is_set_aside_and_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "dht.db"
    path.write_bytes(b"not a database" * 1000)

    async def main() -> None:
        runtime = RealRuntime()
        try:
            async with bench(runtime, path) as one:
                one.records.put(b"k", b"v", runtime.clock.now(), peer=ANNA, subnet="net")
            async with bench(runtime, path) as one:
                assert one.records.kept(b"k") is not None
        finally:
            await runtime.close()

    asyncio.run(main())
    assert Path(f"{path}{ASIDE}").read_bytes().startswith(b"not a database")


_WRITER = """
import asyncio, sys
from pathlib import Path
from tests.services.dht.test_shelf import ANNA, HOME, bench
from warren.runtime.real import RealRuntime

async def main():
    runtime = RealRuntime()
    async with bench(runtime, Path(sys.argv[1])) as one:
        number = len(one.records)
        while True:
            for _ in range(100):
                number += 1
                one.records.put(b"%d" % number, bytes(100), runtime.clock.now(), peer=ANNA, subnet="net")
                one.providers.add(b"%d" % number, ANNA, HOME, runtime.clock.now(), subnet="net")
            await one.shelf.write()
            print(number, flush=True)

asyncio.run(main())
"""


def test_kill_9_while_it_writes_loses_nothing_that_was_written(tmp_path: Path) -> None:
    path = tmp_path / "dht.db"
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True, env=environment
        )
        with child:
            assert child.stdout is not None
            written = [int(child.stdout.readline()) for _ in range(3)][-1]
            child.send_signal(signal.SIGKILL)

    async def main() -> None:
        runtime = RealRuntime()
        try:
            async with bench(runtime, path) as one:
                assert len(one.records) >= written
                assert all(one.records.kept(b"%d" % number) for number in range(1, written + 1))
                assert all(one.providers.kept(b"%d" % number, ANNA) for number in range(1, written + 1))
        finally:
            await runtime.close()

    asyncio.run(main())
    assert not Path(f"{path}{ASIDE}").exists()
