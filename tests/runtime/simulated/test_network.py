"""The simulated network: latency, bandwidth, partitions, cuts, and the same trace for the same seed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.runtime.settings import Door, Recorder
from warren.runtime.simulated import Quality, World

if TYPE_CHECKING:
    from warren.runtime.simulated import SimulatedRuntime

PORT = 4101


class Town:
    """A world with two hosts and a link from `a` to `b`."""

    def __init__(self, quality: Quality, seed: int = 1) -> None:
        self.world = World(seed)
        self.a: SimulatedRuntime = self.world.runtime("a", ip="10.0.0.1")
        self.b: SimulatedRuntime = self.world.runtime("b", ip=["10.0.0.2", "fd00::2"])
        self.world.network.set_default(quality)
        self.door = Door(lambda: Recorder(keep_open=True))

    async def open(self) -> tuple[Recorder, Recorder]:
        await self.b.transport.listen(self.door.factory, "0.0.0.0", PORT)
        return await self.link()

    async def link(self) -> tuple[Recorder, Recorder]:
        _, near = await self.a.transport.connect(
            lambda: Recorder(keep_open=True), "10.0.0.2", PORT, timeout_s=1e9
        )
        return near, await self.door.guest()

    def now(self) -> float:
        return self.world.loop.now


def test_a_byte_takes_the_latency_and_a_dial_the_round_trip() -> None:
    town = Town(Quality(latency_s=0.25))

    async def main() -> None:
        near, far = await town.open()
        assert town.now() == pytest.approx(0.75)  # there, back, and the accepting end learns of it
        near.transport.write(b"x")
        await far.until_received(1)
        assert town.now() == pytest.approx(1.0)
        before = town.now()
        await town.a.transport.connect(Recorder, "10.0.0.2", PORT)
        assert town.now() - before == pytest.approx(0.5)

    town.world.run(main())


def test_jitter_varies_but_keeps_the_order() -> None:
    town = Town(Quality(latency_s=0.1, jitter_s=0.1))
    times: list[float] = []

    class Stamp(Recorder):
        def buffer_updated(self, nbytes: int) -> None:
            super().buffer_updated(nbytes)
            times.append(town.now())

    async def main() -> None:
        town.door = Door(Stamp)
        near, far = await town.open()
        sent = []
        for number in range(100):
            near.transport.write(bytes([number]))
            sent.append(town.now())
            await asyncio.sleep(0.01)
        await far.until_received(100)
        assert far.received == bytes(range(100))
        delays = [arrived - left for arrived, left in zip(times, sent, strict=True)]
        assert 0.1 <= min(delays) < max(delays) <= 0.2 + 1e-9
        assert len(set(delays)) > 10

    town.world.run(main())


def test_bandwidth_is_shared_in_turns() -> None:
    town = Town(Quality(latency_s=0.05, bytes_per_s=1_000_000))

    async def main() -> None:
        one, far_one = await town.open()
        other, far_other = await town.link()
        start = town.now()
        one.transport.write(bytes(1_000_000))
        other.transport.write(bytes(500_000))
        assert one.transport.get_write_buffer_size() == 1_000_000
        await far_other.until_received(500_000)
        assert town.now() - start == pytest.approx(1.05, abs=0.05)
        await far_one.until_received(1_000_000)
        assert town.now() - start == pytest.approx(1.55, abs=0.01)
        assert one.calls == ["made", "pause", "resume"]

    town.world.run(main())


def test_an_access_line_limits_all_that_passes_it() -> None:
    town = Town(Quality(latency_s=0))
    town.world.network.set_access("a", up_bytes_per_s=100_000, down_bytes_per_s=1_000_000)

    async def main() -> None:
        near, far = await town.open()
        start = town.now()
        near.transport.write(bytes(200_000))
        await far.until_received(200_000)
        assert town.now() - start == pytest.approx(2.0)
        start = town.now()
        far.transport.write(bytes(200_000))
        await near.until_received(200_000)
        assert town.now() - start == pytest.approx(0.2)
        town.world.network.set_access("a")
        start = town.now()
        near.transport.write(bytes(200_000))
        await far.until_received(400_000)
        assert town.now() == start

    town.world.run(main())


def test_the_window_bounds_what_a_paused_reader_costs() -> None:
    town = Town(Quality(latency_s=0.1, window_bytes=10_000))

    async def main() -> None:
        near, far = await town.open()
        far.transport.pause_reading()
        near.transport.write(bytes(100_000))
        await asyncio.sleep(10)
        assert near.transport.get_write_buffer_size() == 90_000
        far.transport.resume_reading()
        await far.until_received(100_000)
        assert near.transport.get_write_buffer_size() == 0

    town.world.run(main())


def test_a_partition_stalls_and_healing_delivers_in_order() -> None:
    town = Town(Quality(latency_s=0.1, jitter_s=0.05))
    network = town.world.network

    async def main() -> None:
        near, far = await town.open()
        near.transport.write(b"under way,")
        network.partition([["a"], ["b"]])
        near.transport.write(b"written inside,")
        await asyncio.sleep(60)
        assert far.received == b""
        with pytest.raises(TimeoutError):
            await town.a.transport.connect(Recorder, "10.0.0.2", PORT, timeout_s=5)
        late = asyncio.create_task(town.link())
        await asyncio.sleep(5)
        network.heal()
        near.transport.write(b"and after")
        healed = town.now()
        await far.until_received(34)
        assert far.received == b"under way,written inside,and after"
        assert town.now() - healed < 0.2
        await late

    town.world.run(main())


def test_hosts_in_no_group_form_one_of_their_own() -> None:
    town = Town(Quality())
    network = town.world.network
    c = town.world.runtime("c")

    async def main() -> None:
        near, far = await town.open()
        network.partition([["c"]])
        near.transport.write(b"x")
        await far.until_received(1)
        with pytest.raises(TimeoutError):
            await c.transport.connect(Recorder, "10.0.0.2", PORT, timeout_s=5)
        with pytest.raises(KeyError):
            network.partition([["nobody"]])

    town.world.run(main())


def test_a_cut_resets_both_ends() -> None:
    town = Town(Quality(latency_s=0.1))

    async def main() -> None:
        near, far = await town.open()
        near.transport.write(b"lost on the way")
        assert town.world.network.cut("b", "a") == 1
        await near.until_called("lost")
        await far.until_called("lost")
        assert isinstance(near.error, ConnectionResetError)
        assert isinstance(far.error, ConnectionResetError)
        assert (bytes(far.received), far.calls) == (b"", ["made", "lost"])
        await asyncio.sleep(1)
        assert town.world.network.cut("a", "b") == 0

    town.world.run(main())


def test_connections_may_have_a_short_life() -> None:
    town = Town(Quality(latency_s=0, mean_life_s=1.0))

    async def main() -> list[float]:
        await town.b.transport.listen(town.door.factory, "0.0.0.0", PORT)
        lives = []
        for _ in range(200):
            near, far = await town.link()
            start = town.now()
            await near.until_called("lost")
            await far.until_called("lost")
            lives.append(town.now() - start)
        return lives

    lives = town.world.run(main())
    assert 0.7 < sum(lives) / len(lives) < 1.3
    assert min(lives) < 0.1


def test_a_cut_before_the_accepting_end_has_started() -> None:
    town = Town(Quality(latency_s=0.1))

    async def main() -> None:
        await town.b.transport.listen(town.door.factory, "0.0.0.0", PORT)
        _, near = await town.a.transport.connect(Recorder, "10.0.0.2", PORT)
        town.world.network.cut("a", "b")
        await near.until_called("lost")
        await asyncio.sleep(1)
        assert town.door.guests.empty()

    town.world.run(main())


def test_nobody_answers_where_no_host_is() -> None:
    town = Town(Quality())

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await town.a.transport.connect(Recorder, "10.0.0.99", PORT, timeout_s=3)
        assert town.now() == pytest.approx(3)
        with pytest.raises(OSError, match="unreachable"):
            await town.a.transport.connect(Recorder, "fd00::2", PORT)

    town.world.run(main())


def test_a_listener_that_closes_under_the_hand_of_a_dialler() -> None:
    town = Town(Quality(latency_s=0.1))

    async def main() -> None:
        listener = await town.b.transport.listen(town.door.factory, "0.0.0.0", PORT)
        loop = asyncio.get_running_loop()
        loop.call_later(0.25, listener.close)
        _, near = await town.a.transport.connect(Recorder, "10.0.0.2", PORT)
        await near.until_called("lost")
        assert isinstance(near.error, ConnectionResetError)
        assert town.door.guests.empty()

    town.world.run(main())


def test_loopback_is_the_host_itself() -> None:
    town = Town(Quality(latency_s=5))

    async def main() -> None:
        await town.b.transport.listen(town.door.factory, "127.0.0.1", PORT)
        with pytest.raises(ConnectionRefusedError):
            await town.a.transport.connect(Recorder, "127.0.0.1", PORT)
        with pytest.raises(ConnectionRefusedError):
            await town.a.transport.connect(Recorder, "10.0.0.2", PORT, timeout_s=20)
        start = town.now()
        link, _ = await town.b.transport.connect(Recorder, "127.0.0.1", PORT)
        assert town.now() == start
        assert link.get_extra_info("sockname")[0] == "127.0.0.1"

    town.world.run(main())


def test_names_come_from_the_table() -> None:
    town = Town(Quality())
    town.world.network.names["peer.example"] = ["10.0.0.2", "fd00::2"]

    async def main() -> None:
        resolve = town.a.transport.resolve
        assert await resolve("peer.example") == ["10.0.0.2", "fd00::2"]
        assert await resolve("peer.example", 6) == ["fd00::2"]
        assert await resolve("b", 4) == ["10.0.0.2"]
        with pytest.raises(OSError):
            await resolve("other.example")

    town.world.run(main())


def test_one_address_has_one_host() -> None:
    world = World()
    world.runtime("a", ip="10.0.0.1")
    with pytest.raises(ValueError, match="belongs to host a"):
        world.runtime("b", ip="10.0.0.1")


def test_a_failing_protocol_fails_the_run_and_loses_its_link() -> None:
    class Broken(Recorder):
        def buffer_updated(self, nbytes: int) -> None:
            raise LookupError("a bug")

    town = Town(Quality())

    async def main() -> None:
        town.door = Door(Broken)
        near, far = await town.open()
        near.transport.write(b"x")
        await far.until_called("lost")
        assert isinstance(far.error, LookupError)

    with pytest.raises(ExceptionGroup) as caught:
        town.world.run(main())
    assert caught.group_contains(LookupError)


@pytest.mark.parametrize("quality", [Quality(), Quality(jitter_s=0.01), Quality(bytes_per_s=5e4)])
def test_one_seed_one_trace(quality: Quality) -> None:
    def trace(seed: int) -> tuple[str, int]:
        town = Town(quality, seed)

        async def main() -> None:
            near, far = await town.open()
            for _ in range(20):
                near.transport.write(town.a.entropy.bytes(100 + town.a.entropy.below(1000)))
                await asyncio.sleep(town.a.entropy.uniform(0, 0.1))
            near.transport.close()
            await far.until_called("eof")

        town.world.run(main())
        return town.world.trace_digest(), town.world.deliveries

    assert trace(1) == trace(1)
    assert trace(1) != trace(2)
    assert trace(1)[1] >= 20


class Stubborn(Recorder):
    """Breaks one promise of `asyncio.BufferedProtocol`."""

    def __init__(self, fault: str) -> None:
        super().__init__(buffer_bytes=10)
        self.fault = fault

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(b"") if self.fault == "empty buffer" else super().get_buffer(sizehint)

    def eof_received(self) -> bool:
        if self.fault == "eof fails":
            raise LookupError
        return super().eof_received()


@pytest.mark.parametrize("fault", ["empty buffer", "eof fails"])
def test_a_protocol_that_breaks_a_promise_loses_its_link(fault: str) -> None:
    town = Town(Quality())

    async def main() -> None:
        town.door = Door(lambda: Stubborn(fault))
        near, far = await town.open()
        if fault == "empty buffer":
            near.transport.write(b"x")
        near.transport.close()
        await far.until_called("lost")

    with pytest.raises(ExceptionGroup):
        town.world.run(main())


def test_links_take_buffered_protocols_only() -> None:
    town = Town(Quality())

    async def main() -> None:
        near, _ = await town.open()
        assert near.transport.get_protocol() is near
        other = Recorder()
        near.transport.set_protocol(other)
        assert near.transport.get_protocol() is other
        with pytest.raises(TypeError):
            near.transport.set_protocol(asyncio.Protocol())

    town.world.run(main())


def test_a_link_that_closes_with_bytes_unread_resets_its_peer() -> None:
    town = Town(Quality())

    async def main() -> None:
        near, far = await town.open()
        far.transport.pause_reading()
        near.transport.write(b"never read")
        await asyncio.sleep(1)
        far.transport.close()
        await near.until_called("lost")
        assert isinstance(near.error, ConnectionResetError)

    town.world.run(main())


def test_the_end_of_the_stream_waits_for_what_was_written() -> None:
    town = Town(Quality(bytes_per_s=1000))

    async def main() -> None:
        near, far = await town.open()
        near.transport.write(bytes(5000))
        near.transport.write_eof()
        await far.until_called("eof")
        assert len(far.received) == 5000
        assert town.now() > 5
        far.transport.close()
        await near.until_called("eof")

    town.world.run(main())


def test_an_abort_under_limited_bandwidth_forgets_the_rest() -> None:
    town = Town(Quality(bytes_per_s=10_000))

    async def main() -> None:
        near, far = await town.open()
        near.transport.write(bytes(100_000))
        await asyncio.sleep(3)
        near.transport.abort()
        await far.until_called("eof")
        assert 0 < len(far.received) < 50_000

    town.world.run(main())


def test_quality_may_change_while_links_live() -> None:
    town = Town(Quality(latency_s=0.1))

    async def main() -> None:
        near, far = await town.open()
        town.world.network.set_path("a", "b", Quality(latency_s=1.0))
        town.world.network.set_default(Quality(latency_s=5.0))
        start = town.now()
        near.transport.write(b"x")
        await far.until_received(1)
        assert town.now() - start == pytest.approx(1.0)

    town.world.run(main())


def test_a_machine_that_is_off_answers_nobody_and_comes_back_knowing_nothing() -> None:
    town = Town(Quality(latency_s=0.1))

    async def main() -> None:
        near, far = await town.open()
        town.world.network.switch_off("b")
        await far.until_called("lost")
        near.transport.write(b"unheard")
        with pytest.raises(TimeoutError):
            await town.a.transport.connect(Recorder, "10.0.0.2", PORT, timeout_s=3.0)
        assert "lost" not in near.calls
        with pytest.raises(TimeoutError):
            await town.b.transport.connect(Recorder, "10.0.0.1", PORT, timeout_s=3.0)
        town.world.network.switch_on("b")
        await asyncio.sleep(10)
        assert "lost" not in near.calls
        near.transport.write(b"still there?")
        await near.until_called("lost")
        assert isinstance(near.error, ConnectionResetError)
        assert not far.received
        await town.link()

    town.world.run(main())


def test_what_was_under_way_when_a_machine_went_off_is_gone() -> None:
    town = Town(Quality(latency_s=0.1))

    async def main() -> None:
        near, far = await town.open()
        near.transport.write(b"under way")
        town.world.network.switch_off("a")
        town.world.network.switch_on("a")
        far.transport.write(b"hello?")
        await far.until_called("lost")
        assert near.calls[-1] == "lost"

    town.world.run(main())


def test_paths_that_nothing_goes_over_are_forgotten() -> None:
    town = Town(Quality(latency_s=0.1))

    async def main() -> None:
        near, far = await town.open()
        network = town.world.network
        one, other = network.host("a"), network.host("b")
        there = network.path(one, other)
        near.transport.close()
        assert network.path(one, other) is there
        await far.until_called("eof")
        far.transport.close()
        await asyncio.sleep(1)
        assert network.path(one, other) is not there
        with pytest.raises(ConnectionRefusedError):
            await town.a.transport.connect(Recorder, "10.0.0.2", PORT + 1)
        assert network.path(one, other) is not network.path(other, one)

    town.world.run(main())
