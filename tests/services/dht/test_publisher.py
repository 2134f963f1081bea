"""What was published stays published: over time, failures, restarts and crashes."""

from __future__ import annotations

import asyncio
import errno
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from warren.core.cid import Cid
from warren.core.errors import ConnectionFailed, DiskFull, InvalidRecord
from warren.core.keys import PrivateKey
from warren.core.multihash import sha2_256
from warren.protocols.kad.kad import PutReport
from warren.protocols.kad.store import Providers, Records
from warren.runtime.migrations import numbered_scripts
from warren.runtime.simulated import World
from warren.services.dht.publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from warren.runtime.simulated.world import SimulatedRuntime

ME = PrivateKey.from_seed(bytes(32)).peer_id
HASH = sha2_256(b"content")
CID = Cid.raw_sha256(HASH[2:])
HOUR = 3600.0


class FakeKad:
    """Notes what is put and when; `takers` peers take it."""

    def __init__(self, runtime: SimulatedRuntime) -> None:
        self.takers = 3
        self.asked = 3
        self.invalid = False
        self.put: list[tuple[float, bytes, bytes | None]] = []
        self._clock = runtime.clock

    async def put_value(self, key: bytes, value: bytes) -> PutReport:
        self.put.append((self._clock.now(), key, value))
        if self.invalid:
            raise InvalidRecord("it ended")
        return PutReport(self.takers, self.asked)

    async def provide(self, key: bytes) -> PutReport:
        self.put.append((self._clock.now(), key, None))
        return PutReport(self.takers, self.asked)

    def times(self, key: bytes) -> list[float]:
        return [time for time, one, _ in self.put if one == key]


class Bench:
    def __init__(self, publisher: Publisher, kad: FakeKad, records: Records, providers: Providers) -> None:
        self.publisher, self.kad, self.records, self.providers = publisher, kad, records, providers


@asynccontextmanager
async def bench(runtime: SimulatedRuntime, *, not_of: bytes = b"none") -> AsyncIterator[Bench]:
    kad, records, providers = FakeKad(runtime), Records(), Providers()
    state = await runtime.open_database(Path("/state.db"), numbered_scripts("warren.services.dht"))
    clock, entropy = runtime.clock, runtime.entropy
    publisher = Publisher(
        kad, records, providers, ME, state, clock, entropy, lambda key: not key.startswith(not_of)
    )
    await publisher.load()
    running = asyncio.create_task(publisher.run())
    try:
        yield Bench(publisher, kad, records, providers)
    finally:
        running.cancel()
        await asyncio.wait([running])
        await state.close()


def in_world(main: Callable[[SimulatedRuntime], Coroutine[Any, Any, None]]) -> None:
    with World(1) as world:
        world.run(main(world.runtime("host")))


def test_it_is_put_at_once_and_then_every_22_hours() -> None:
    async def main(runtime: SimulatedRuntime) -> None:
        async with bench(runtime) as one:
            assert await one.publisher.put(b"k", b"v") == (3, 3)
            assert await one.publisher.provide(HASH, CID) == (3, 3)
            await asyncio.sleep(100 * HOUR)
            for key in (b"k", HASH):
                times = one.kad.times(key)
                gaps = [later - earlier for earlier, later in pairwise(times)]
                assert len(gaps) in {4, 5}
                assert all(0.9 * 22 * HOUR <= gap <= 22 * HOUR for gap in gaps)

    in_world(main)


def test_a_restart_goes_on_where_it_was() -> None:
    async def main(runtime: SimulatedRuntime) -> None:
        async with bench(runtime) as one:
            await one.publisher.put(b"k", b"v")
            await one.publisher.provide(HASH, CID)
            await asyncio.sleep(10 * HOUR)
        async with bench(runtime) as one:
            now = runtime.clock.now()
            assert one.records.get(b"k", now) is not None
            assert [peer for peer, _ in one.providers.get(HASH, now)] == [ME]
            await asyncio.sleep(5 * HOUR)
            assert one.kad.put == []
            await asyncio.sleep(7 * HOUR)
            assert [key for _, key, _ in one.kad.put] in ([b"k", HASH], [HASH, b"k"])
        await asyncio.sleep(60 * HOUR)
        async with bench(runtime) as one:
            await asyncio.sleep(60)
            assert len(one.kad.put) == 2, "what is overdue at the start is put soon"

    in_world(main)


def test_nobody_there_is_told_and_it_is_put_when_somebody_comes() -> None:
    async def main(runtime: SimulatedRuntime) -> None:
        async with bench(runtime) as one:
            one.kad.takers = one.kad.asked = 0
            with pytest.raises(ConnectionFailed, match="no peer of the DHT is known yet") as caught:
                await one.publisher.put(b"k", b"v")
            assert "kept here" in caught.value.hint
            assert one.publisher.all()[0].put_at is None
            await asyncio.sleep(10 * HOUR)
            assert 15 < len(one.kad.put) < 40
            one.kad.takers = one.kad.asked = 1
            tries = len(one.kad.put)
            one.publisher.met_somebody()
            await asyncio.sleep(3)
            assert len(one.kad.put) == tries + 1
            assert one.publisher.all()[0].put_at is not None
            one.publisher.met_somebody()
            await asyncio.sleep(HOUR)
            assert len(one.kad.put) == tries + 1

    in_world(main)


def test_peers_that_refuse_are_told_and_asked_again() -> None:
    async def main(runtime: SimulatedRuntime) -> None:
        async with bench(runtime) as one:
            one.kad.takers = 0
            with pytest.raises(ConnectionFailed, match="none of 3 peers took it"):
                await one.publisher.provide(HASH, CID)
            one.kad.takers = 1
            await asyncio.sleep(31)
            assert len(one.kad.put) == 2

    in_world(main)


def test_what_is_committed_survives_a_crash_before_anybody_took_it() -> None:
    async def main(runtime: SimulatedRuntime) -> None:
        async with bench(runtime) as one:
            one.kad.put_value = stuck  # type: ignore[method-assign]
            putting = asyncio.create_task(one.publisher.put(b"k", b"v"))
            await asyncio.sleep(1)
            putting.cancel()
            await asyncio.wait([putting])
        async with bench(runtime) as one:
            await asyncio.sleep(60)
            assert [(key, value) for _, key, value in one.kad.put] == [(b"k", b"v")]

    async def stuck(key: bytes, value: bytes) -> PutReport:
        await asyncio.Event().wait()
        raise AssertionError((key, value))

    in_world(main)


def test_a_full_disk_refuses_before_anything_is_put() -> None:
    async def main(runtime: SimulatedRuntime) -> None:
        async with bench(runtime) as one:
            runtime.disk.fail_next("database", errno.ENOSPC)
            with pytest.raises(DiskFull):
                await one.publisher.put(b"k", b"v")
            assert one.kad.put == []
            assert one.publisher.all() == []

    in_world(main)


def test_what_was_taken_back_is_put_no_more() -> None:
    async def main(runtime: SimulatedRuntime) -> None:
        async with bench(runtime) as one:
            await one.publisher.put(b"k", b"v")
            await one.publisher.provide(HASH, CID)
            assert [item.key for item in one.publisher.all()] == [b"k", HASH]
            one.records.put(b"k", b"v", runtime.clock.now())
            assert await one.publisher.take_back(b"k")
            assert await one.publisher.stop_providing(HASH)
            assert not await one.publisher.take_back(b"k")
            assert not await one.publisher.stop_providing(HASH)
            assert len(one.records) == len(one.providers) == 0
            await asyncio.sleep(50 * HOUR)
            assert len(one.kad.put) == 2
            assert one.publisher.all() == []
        async with bench(runtime) as one:
            assert one.publisher.all() == []

    in_world(main)


def test_a_record_that_came_to_its_end_is_put_no_more() -> None:
    async def main(runtime: SimulatedRuntime) -> None:
        async with bench(runtime) as one:
            await one.publisher.put(b"/ipns/k", b"v")
            one.kad.invalid = True
            await asyncio.sleep(23 * HOUR)
            assert one.publisher.all() == []
            assert len(one.kad.put) == 2

    in_world(main)


def test_what_was_published_in_another_dht_waits_for_its_return() -> None:
    async def main(runtime: SimulatedRuntime) -> None:
        async with bench(runtime) as one:
            await one.publisher.put(b"/warren/k", b"v")
        await asyncio.sleep(50 * HOUR)
        async with bench(runtime, not_of=b"/warren/") as one:
            await asyncio.sleep(HOUR)
            assert one.publisher.all() == []
            assert one.kad.put == []
        async with bench(runtime) as one:
            await asyncio.sleep(HOUR)
            assert [key for _, key, _ in one.kad.put] == [b"/warren/k"]

    in_world(main)


def test_a_newer_value_replaces_the_one_that_is_published() -> None:
    async def main(runtime: SimulatedRuntime) -> None:
        async with bench(runtime) as one:
            await one.publisher.put(b"k", b"old")
            await one.publisher.put(b"k", b"new")
            await asyncio.sleep(23 * HOUR)
            assert [value for _, _, value in one.kad.put] == [b"old", b"new", b"new"]

    in_world(main)


def test_sequences_follow_the_clock_and_never_fall() -> None:
    async def main(runtime: SimulatedRuntime) -> None:
        async with bench(runtime) as one:
            first = await one.publisher.sequence_for(b"n", 0)
            assert first == int(runtime.clock.wall() * 1000)
            assert await one.publisher.sequence_for(b"n", 0) == first + 1
            assert await one.publisher.sequence_for(b"n", first + 100) == first + 100

    in_world(main)
