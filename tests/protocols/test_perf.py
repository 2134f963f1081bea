from __future__ import annotations

import asyncio
import struct
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.network.nodes import LIMIT_S, Inbox, connect, make, nodes, without_streams
from tests.support import run
from warren.core.errors import (
    ConnectionFailed,
    ProtocolNotSupported,
    ProtocolViolation,
    Refused,
    RequestTimeout,
    StreamReset,
)
from warren.core.multiaddr import Multiaddr
from warren.protocols.perf import PROTOCOL_ID, SERVED_TIMEOUT_S, STALL_S, Perf, PerfResult, ServedRun
from warren.runtime.simulated import Quality, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from warren.network.network import Network
    from warren.network.socket import Socket
    from warren.network.stream import Stream


@asynccontextmanager
async def pair(**settings: Any) -> AsyncIterator[tuple[Network, Network, Socket, Perf]]:
    """Two connected networks; the second answers as `settings` say."""
    async with nodes(2) as (alice, bob):
        Perf(bob, **settings)
        near, _ = await connect(alice, bob)
        yield alice, bob, near, Perf(alice)


class Doorman:
    """A gate that does as it is told, and keeps the runs that asked."""

    def __init__(self, how: str = "refuse") -> None:
        self.how = how
        self.runs: list[ServedRun] = []
        self.asked = asyncio.Event()

    def ask(self, run: ServedRun) -> None:
        self.runs.append(run)
        self.asked.set()
        if self.how == "raise":
            raise Refused("no")
        if self.how == "refuse":
            run.refuse()
        if self.how == "begin":
            run.begin(1000, 60)


def test_a_result_is_bytes_by_seconds() -> None:
    assert PerfResult(600, 400, 2.0).bytes_per_s == 500.0
    assert PerfResult(1, 1, 0.0).bytes_per_s == 0.0


@pytest.mark.parametrize(
    ("up", "down"), [(0, 0), (1, 0), (0, 1), (100_000, 0), (0, 100_000), (10_000_000, 7_000_001)]
)
def test_both_directions_are_measured(up: int, down: int) -> None:
    async def main() -> None:
        async with pair() as (_, bob, near, perf):
            sent, received = near.bytes_out, near.bytes_in
            result = await perf.measure(bob.peer_id, upload_bytes=up, download_bytes=down)
            assert (result.uploaded_bytes, result.downloaded_bytes) == (up, down)
            assert result.seconds > 0
            assert near.bytes_out - sent >= up
            assert near.bytes_in - received >= down
            assert near.streams == 0

    run(main())


def test_several_measurements_at_once_do_not_disturb_each_other() -> None:
    async def main() -> None:
        async with pair() as (_, bob, near, perf):
            work = [
                perf.measure(bob.peer_id, upload_bytes=n * 1000, download_bytes=n * 500) for n in range(8)
            ]
            results = await asyncio.gather(*work)
            assert [result.uploaded_bytes for result in results] == [n * 1000 for n in range(8)]
            assert near.streams == 0

    run(main())


def test_only_peers_that_were_granted_it_are_answered() -> None:
    async def main() -> None:
        gate = Doorman()
        async with pair(gate=gate) as (_, bob, near, perf):
            with pytest.raises(ConnectionFailed):
                await perf.measure(near, upload_bytes=10)
            gate.how = "raise"
            with pytest.raises(ConnectionFailed):
                await perf.measure(near, upload_bytes=10)
            assert near.usable
            gate.how = "begin"
            await perf.measure(bob.peer_id, upload_bytes=10, download_bytes=20)
            assert gate.runs[-1].over
            assert gate.runs[-1].moved_bytes == 8 + 10 + 20

    run(main())


def test_a_run_may_wait_for_its_turn_and_meanwhile_holds_no_more_than_a_window() -> None:
    async def main() -> None:
        gate = Doorman("wait")
        async with pair(gate=gate) as (alice, _, near, perf):
            asking = asyncio.ensure_future(perf.measure(near, upload_bytes=3_000_000, download_bytes=5))
            await asyncio.wait_for(gate.asked.wait(), LIMIT_S)
            assert gate.runs[0].peer_id == alice.peer_id
            assert not gate.runs[0].over
            sent = near.bytes_out
            gate.runs[0].begin(4_000_000)
            result = await asking
            assert result.uploaded_bytes == 3_000_000
            assert sent < 1_000_000
            assert near.streams == 0

    run(main())


def test_who_gives_up_waiting_is_over() -> None:
    async def main() -> None:
        gate = Doorman("wait")
        async with pair(gate=gate) as (_, __, near, perf):
            with pytest.raises(RequestTimeout):
                await perf.measure(near, download_bytes=5, timeout_s=0.1)
            async with asyncio.timeout(LIMIT_S):
                while not gate.runs[0].over:  # noqa: ASYNC110 - no event tells a waiting run of its end
                    await asyncio.sleep(0)
            gate.runs[0].begin(100)  # harmless

    run(main())


@pytest.mark.parametrize(("up", "down"), [(5000, 0), (0, 5000), (1000, 0)])
def test_more_than_the_cap_is_refused_in_both_directions(up: int, down: int) -> None:
    async def main() -> None:
        async with pair(bytes_max=1000) as (_, __, near, perf):
            with pytest.raises(ConnectionFailed):
                await perf.measure(near, upload_bytes=up, download_bytes=down)
            await perf.measure(near, upload_bytes=900, download_bytes=1000)
            assert near.usable

    run(main())


def test_the_wire_is_that_of_the_specification() -> None:
    async def main() -> None:
        async with pair() as (alice, _, near, __):
            stream = await alice.open_stream(near, PROTOCOL_ID)
            for byte in struct.pack(">Q", 70_000):
                await stream.write(bytes([byte]))
            await stream.write(bytes(10))
            stream.close_write()
            assert await stream.read_exactly(70_000) == bytes(70_000)
            assert await stream.read() == b""

    run(main())


def test_a_peer_that_does_not_say_how_much_it_wants_is_reset() -> None:
    async def main() -> None:
        async with pair() as (alice, _, near, __):
            stream = await alice.open_stream(near, PROTOCOL_ID)
            await stream.write(bytes(7))
            stream.close_write()
            with pytest.raises(StreamReset):
                await stream.read()

    run(main())


def test_a_peer_that_leaves_in_the_middle_costs_nothing() -> None:
    async def main() -> None:
        async with pair() as (alice, bob, near, perf):
            for half in (b"", struct.pack(">Q", 1 << 30)):
                stream = await alice.open_stream(near, PROTOCOL_ID)
                await stream.write(half)
                stream.close_write() if half else stream.reset()
                if half:
                    await stream.read()
                    stream.reset()
            await perf.measure(bob.peer_id, upload_bytes=1000)

    run(main())


@pytest.mark.parametrize("answer", [b"", b"xx"])
def test_a_peer_that_answers_too_little_or_too_much_is_found_out(answer: bytes) -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            perf, inbox = Perf(alice), Inbox(bob, PROTOCOL_ID)
            near, _ = await connect(alice, bob)
            asking = asyncio.ensure_future(perf.measure(near, upload_bytes=10))
            stream = await inbox.next()
            await stream.read_exactly(18)
            await stream.write(answer)
            stream.close_write()
            with pytest.raises(ProtocolViolation, match=f"{len(answer)} bytes came back instead of 1"):
                await asking

    run(main())


def test_a_peer_that_takes_nothing_ends_the_measurement_in_time() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            perf, inbox = Perf(alice), Inbox(bob, PROTOCOL_ID)
            near, _ = await connect(alice, bob)
            asking = asyncio.ensure_future(perf.measure(near, upload_bytes=1 << 30, timeout_s=0.2))
            stream = await inbox.next()
            with pytest.raises(RequestTimeout, match=r"longer than 0\.2 s"):
                await asking
            assert near.usable
            with pytest.raises((StreamReset, ProtocolViolation)):
                await stream.read_exactly(1 << 30)

    run(main())


class Wire:
    """As much of a stream as serving needs: keeps what the server registers, and counts what it sends."""

    def __init__(self) -> None:
        self.peer_id = None
        self.sent = 0
        self.ended = self.closed = False
        self.unsent_bytes = 0

    def set_receiver(
        self, on_data: Callable[[memoryview], None], on_end: Callable[[Exception | None], None]
    ) -> None:
        self.on_data, self.on_end = on_data, on_end

    def set_writable_callback(self, _: object) -> None: ...

    def write_nowait(self, data: bytes) -> bool:
        self.sent += len(data)
        return True

    def close_write(self) -> None:
        self.closed = True

    def reset(self) -> None:
        self.ended = True


@given(
    st.one_of(st.integers(0, 1000).map(lambda n: struct.pack(">Q", n)), st.binary(max_size=10)),
    st.binary(max_size=20),
    st.lists(st.integers(0, 30), max_size=6),
)
def test_the_header_is_understood_in_any_chunking(head: bytes, upload: bytes, cuts: list[int]) -> None:
    data = head + upload
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]

    async def main() -> None:
        stream: Any = Wire()
        ServedRun(stream, lambda: 0.0).begin(1000)
        for start, end in pairwise(edges):
            stream.on_data(memoryview(data)[start:end])
        stream.on_end(None)
        wanted = struct.unpack(">Q", data[:8])[0] if len(data) >= 8 else None
        served = wanted is not None and wanted <= 1000
        assert (stream.sent, stream.closed, stream.ended) == (wanted if served else 0, served, not served)

    asyncio.run(main())


# ---------------------------------------------------------------- an end in the middle


async def given_up(perf: Perf, near: Socket) -> None:
    """A download of a tebibyte that somebody cancels."""
    asking = asyncio.ensure_future(perf.measure(near, download_bytes=1 << 40))
    before = near.bytes_in
    async with asyncio.timeout(LIMIT_S):
        while near.bytes_in - before < 1 << 20:  # noqa: ASYNC110 - no event tells of bytes
            await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def out_of_time(perf: Perf, near: Socket) -> None:
    with pytest.raises(RequestTimeout):
        await perf.measure(near, download_bytes=1 << 40, timeout_s=0.1)


async def out_of_time_both_ways(perf: Perf, near: Socket) -> None:
    with pytest.raises(RequestTimeout):
        await perf.measure(near, upload_bytes=1 << 40, download_bytes=1 << 40, timeout_s=0.1)


@pytest.mark.parametrize("give_up", [given_up, out_of_time, out_of_time_both_ways])
def test_whoever_gives_a_measurement_up_is_sent_no_more(
    give_up: Callable[[Perf, Socket], Awaitable[None]],
) -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            Perf(bob)
            near, far = await connect(alice, bob)
            await give_up(Perf(alice), near)
            assert near.streams == 0
            await without_streams(near, far)  # a terabyte would take longer than any test
            assert near.usable

    run(main())


async def without_end(stream: Stream) -> None:
    while True:
        await stream.write(bytes(100_000))


def test_a_peer_that_sends_without_end_is_stopped_at_the_first_byte_too_many() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            perf, inbox = Perf(alice), Inbox(bob, PROTOCOL_ID)
            near, _ = await connect(alice, bob)
            asking = asyncio.ensure_future(perf.measure(near, download_bytes=10))
            stream = await inbox.next()
            with pytest.raises(StreamReset):
                await without_end(stream)
            with pytest.raises(ProtocolViolation, match="instead of 10"):
                await asking

    run(main())


# ---------------------------------------------------------------- peers that stall, in virtual time


def served(peer: Callable[[Stream], Awaitable[None]]) -> tuple[float, bool]:
    """What `peer` does on a perf stream: how long the stream lasted in seconds, and whether it was reset."""

    async def main() -> tuple[float, bool]:
        alice, bob = make(1, world.runtime("alice")), make(2, world.runtime("bob"))
        world.network.set_path("alice", "bob", Quality(bytes_per_s=50_000, window_bytes=65_536))
        Perf(bob)
        await bob.listen([Multiaddr.parse("/ip4/100.0.0.2/tcp/4101")])
        near, far = await connect(alice, bob)
        began = alice.clock()
        reset = False
        try:
            await peer(await alice.open_stream(near, PROTOCOL_ID))
        except StreamReset:
            reset = True
        lasted = alice.clock() - began
        assert near.usable
        assert far.streams == 0
        await alice.stop()
        await bob.stop()
        return lasted, reset

    with World() as world:
        return world.run(main())


async def says_nothing(stream: Stream) -> None:
    await stream.read()


async def says_half_a_header(stream: Stream) -> None:
    await stream.write(bytes(7))
    await stream.read()


async def stalls_while_sending(stream: Stream) -> None:
    await stream.write(bytes(1000))
    await stream.read()


async def never_reads(stream: Stream) -> None:
    await stream.write(struct.pack(">Q", 1 << 30))
    stream.close_write()
    ended = asyncio.get_running_loop().create_future()
    stream.pause_reading()
    stream.set_receiver(lambda _: None, ended.set_result)
    raise await ended


@pytest.mark.parametrize("peer", [says_nothing, says_half_a_header, stalls_while_sending, never_reads])
def test_a_peer_that_stalls_loses_its_stream(peer: Callable[[Stream], Awaitable[None]]) -> None:
    lasted, reset = served(peer)
    assert reset
    assert lasted <= 2 * STALL_S + 12


async def drips(stream: Stream) -> None:
    while True:
        await stream.write(bytes(9))
        await asyncio.sleep(STALL_S / 3)


def test_a_peer_that_moves_a_byte_now_and_then_is_ended_all_the_same() -> None:
    lasted, reset = served(drips)
    assert reset
    assert SERVED_TIMEOUT_S <= lasted <= SERVED_TIMEOUT_S + 2 * STALL_S


async def is_slow_but_honest(stream: Stream) -> None:
    await stream.write(struct.pack(">Q", 3_000_000) + bytes(3_000_000))
    stream.close_write()
    assert len(await stream.read_exactly(3_000_000)) == 3_000_000
    assert await stream.read() == b""


def test_a_slow_measurement_is_left_alone() -> None:
    lasted, reset = served(is_slow_but_honest)
    assert not reset
    assert lasted > 3 * STALL_S


def test_a_peer_without_perf_is_told_apart() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            near, _ = await connect(alice, bob)
            with pytest.raises(ProtocolNotSupported):
                await Perf(alice).measure(near, upload_bytes=1)

    run(main())
