"""Streams on real loopback sockets: sizes, half-close, reset, backpressure, handlers, many at once."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from typing import TYPE_CHECKING

import pytest

from tests.network.fakes import Sink
from tests.network.nodes import LIMIT_S, LOOPBACK, Inbox, closed, connect, make, nodes, without_streams
from tests.support import run
from warren.core.errors import (
    Closed,
    ConnectionClosed,
    ConnectionFailed,
    LimitReached,
    MisuseError,
    ProtocolNotSupported,
    RequestTimeout,
    StreamReset,
)
from warren.core.framing import frame
from warren.network.link import BACKLOG_BYTES_MAX
from warren.network.socket import WRITE_HIGH_BYTES
from warren.network.yamux.budget import WindowLimits
from warren.network.yamux.frames import INITIAL_WINDOW_BYTES
from warren.network.yamux.session import YamuxLimits
from warren.network.yamux.stream import QUEUE_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from warren.network.network import Network
    from warren.network.stream import Stream

PROTOCOL = "/test/stream/1"


async def pair(alice: Network, bob: Network) -> tuple[Stream, Stream]:
    """A stream from `alice` to `bob`, both ends."""
    inbox = Inbox(bob, PROTOCOL)
    near, _ = await connect(alice, bob)
    stream = await alice.open_stream(near, PROTOCOL)
    return stream, await inbox.next()


async def read_all(stream: Stream) -> bytes:
    parts = []
    while part := await stream.read():
        parts.append(part)
    return b"".join(parts)


def pattern(size: int) -> bytes:
    return hashlib.shake_128(b"%d" % size).digest(size)


# ---------------------------------------------------------------- data


@pytest.mark.parametrize("size", [0, 1, 11, 4096, 4097, 65_507, 65_508, 262_144, 262_145, 5_000_000])
def test_data_of_any_size_arrives_whole_in_both_directions(size: int) -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            near, far = await pair(alice, bob)
            data = pattern(size)

            async def send(stream: Stream, payload: bytes) -> None:
                await stream.write(payload)
                stream.close_write()

            got = await asyncio.gather(send(near, data), send(far, data[::-1]), read_all(near), read_all(far))
            assert got[2] == data[::-1]
            assert got[3] == data

    run(main())


def test_many_tiny_writes_arrive_in_order() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            near, far = await pair(alice, bob)
            data = pattern(20_000)
            for n in range(len(data)):
                await near.write(data[n : n + 1])
            near.close_write()
            assert await read_all(far) == data

    run(main())


@pytest.mark.parametrize("read_bytes", [1, 100, 5000])
def test_the_read_path_takes_chunks_of_the_configured_size(read_bytes: int) -> None:
    async def main() -> None:
        async with nodes(read_bytes=read_bytes) as (alice, bob):
            near, far = await pair(alice, bob)
            data = pattern(100_000)
            writing = asyncio.ensure_future(near.write(data))
            assert await far.read_exactly(len(data)) == data
            await writing

    run(main())


def test_messages_of_mixed_sizes_keep_their_boundaries() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            near, far = await pair(alice, bob)
            messages = [pattern(size) for size in (0, 1, 127, 128, 70_000, 5, 300_000, 2)]

            async def send() -> None:
                for message in messages:
                    await near.write(frame(message))

            sending = asyncio.ensure_future(send())
            assert [await far.read_frame(1 << 20) for _ in messages] == messages
            await sending

    run(main())


def test_a_hundred_streams_at_once_do_not_mix() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):

            async def mirror(stream: Stream) -> None:
                await stream.write(await read_all(stream))
                stream.close_write()

            bob.handle_stream(PROTOCOL, mirror)
            socket, _ = await connect(alice, bob)

            async def converse(number: int) -> bool:
                stream = await alice.open_stream(socket, PROTOCOL)
                data = pattern(1000 * number)
                await stream.write(data)
                stream.close_write()
                return await read_all(stream) == data

            assert all(await asyncio.gather(*(converse(n) for n in range(100))))
            assert socket.streams == 0

    run(main())


def test_one_peer_sends_while_another_receives_and_a_third_talks() -> None:
    async def main() -> None:
        async with nodes(4) as (hub, *others):
            streams = [await pair(hub, other) for other in others]
            data = pattern(3_000_000)

            async def send(stream: Stream) -> None:
                await stream.write(data)
                stream.close_write()

            (to_one, at_one), (from_two, at_two), (with_three, at_three) = streams
            work: list[Awaitable[object]] = [
                send(to_one),
                read_all(at_one),
                send(at_two),
                read_all(from_two),
                send(with_three),
                read_all(with_three),
                send(at_three),
                read_all(at_three),
            ]
            got = await asyncio.gather(*work)
            assert all(part in (None, data) for part in got)
            assert sum(part == data for part in got) == 4

    run(main())


# ---------------------------------------------------------------- the end of a stream


def test_half_close_leaves_the_other_direction_open() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            near, far = await pair(alice, bob)
            await near.write(b"question")
            near.close_write()
            assert await read_all(far) == b"question"
            await far.write(b"answer")
            far.close_write()
            assert await read_all(near) == b"answer"
            with pytest.raises(Closed):
                await near.write(b"too late")
            assert near.socket.streams == far.socket.streams == 0

    run(main())


def test_a_reset_reaches_the_reader_and_the_writer_of_the_other_side() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            near, far = await pair(alice, bob)
            writing = asyncio.ensure_future(near.write(bytes(10_000_000)))
            reading = asyncio.ensure_future(near.read())
            await far.read()
            far.reset()
            for task in (writing, reading):
                with pytest.raises(StreamReset):
                    await task
            assert near.socket.usable
            assert near.socket.streams == far.socket.streams == 0

    run(main())


def test_closing_a_stream_that_still_receives_ends_it_when_the_peer_is_done() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            near, far = await pair(alice, bob)
            await far.close()
            await near.write(bytes(100_000))
            near.close_write()
            assert await near.read() == b""
            await without_streams(near.socket, far.socket)

    run(main(), timeout_s=LIMIT_S)


def test_who_uploads_to_a_handler_that_has_returned_is_stopped() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):

            async def hasty(stream: Stream) -> None:
                await stream.read(1)
                await stream.write(b"enough")

            bob.handle_stream(PROTOCOL, hasty)
            near, _ = await connect(alice, bob)
            stream = await alice.open_stream(near, PROTOCOL)
            sent = 0
            with contextlib.suppress(StreamReset):
                while sent < 100 * INITIAL_WINDOW_BYTES:
                    await stream.write(bytes(65536))
                    sent += 65536
            assert stream.ended
            assert sent <= 2 * INITIAL_WINDOW_BYTES + 2 * QUEUE_BYTES_MAX
            assert await read_all(stream) == b"enough", "the answer came before, and whole"
            assert near.usable

    run(main())


def test_streams_end_with_their_connection() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            near, far = await pair(alice, bob)
            reading = [asyncio.ensure_future(stream.read()) for stream in (near, far)]
            await asyncio.sleep(0)
            await near.socket.close()
            await closed(far.socket)
            for task in reading:
                with pytest.raises(ConnectionClosed):
                    await task
            with pytest.raises(ConnectionClosed):
                near.socket.open_stream((PROTOCOL,))

    run(main())


# ---------------------------------------------------------------- backpressure


def test_a_reader_that_does_not_read_bounds_the_memory_of_both_sides() -> None:
    """The bound: the receive window there, the queue and one write here, and what the link holds."""

    async def main() -> None:
        windows = WindowLimits(stream_bytes_max=INITIAL_WINDOW_BYTES)
        async with nodes(windows=windows) as (alice, bob):
            near, far = await pair(alice, bob)
            sent = 0

            async def send() -> None:
                nonlocal sent
                while True:
                    await near.write(bytes(50_000))
                    sent += 50_000

            writing = asyncio.ensure_future(send())
            before = -1
            while sent != before:
                before = sent
                for _ in range(200):
                    await asyncio.sleep(0)
            assert far._buffered <= INITIAL_WINDOW_BYTES
            assert near.unsent_bytes <= QUEUE_BYTES_MAX + 50_000
            assert sent <= INITIAL_WINDOW_BYTES + QUEUE_BYTES_MAX + WRITE_HIGH_BYTES + 50_000
            assert far._buffered + near.unsent_bytes in (sent, sent + 50_000), "nothing is lost on the way"
            total = 0
            while total < 3_000_000:
                total += len(await far.read())
            writing.cancel()

    run(main(), timeout_s=LIMIT_S)


def test_a_stalled_stream_does_not_hold_up_the_others_of_its_socket() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            near, _ = await pair(alice, bob)

            async def echo(_: object, payload: bytes) -> bytes:
                return payload

            bob.handle_request("/echo/1", echo)
            writing = asyncio.ensure_future(near.write(bytes(50_000_000)))
            for n in range(20):
                assert await alice.request(bob.peer_id, "/echo/1", b"%d" % n) == b"%d" % n
            assert not writing.done()
            writing.cancel()

    run(main())


def test_a_peer_that_does_not_read_its_link_bounds_what_we_hold_for_it() -> None:
    async def main() -> None:
        async with nodes(grace_s=0.1) as (alice, bob):
            near, far = await pair(alice, bob)
            transport = far.socket._transport
            assert transport is not None
            transport.pause_reading()
            writing = asyncio.ensure_future(near.write(bytes(20_000_000)))
            link = near.socket._transport
            assert link is not None
            for _ in range(500):
                await asyncio.sleep(0)
            assert not writing.done()
            assert link.get_write_buffer_size() <= BACKLOG_BYTES_MAX + WRITE_HIGH_BYTES
            transport.resume_reading()
            assert len(await far.read_exactly(20_000_000)) == 20_000_000
            await writing

    run(main())


# ---------------------------------------------------------------- protocols and handlers


def test_the_first_protocol_that_both_speak_is_chosen() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            inbox = Inbox(bob, "/b/1")
            near, _ = await connect(alice, bob)
            stream = await alice.open_stream(near, ["/a/1", "/b/1", "/c/1"])
            assert stream.protocol == "/b/1"
            far = await inbox.next()
            assert far.protocol == "/b/1"
            assert far.direction == "inbound"

    run(main())


def test_an_unknown_protocol_is_refused_by_name_and_the_socket_lives() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            near, far = await connect(alice, bob)
            with pytest.raises(ProtocolNotSupported, match="does not speak /a/1, /b/1"):
                await alice.open_stream(bob.peer_id, ["/a/1", "/b/1"])
            assert near.usable
            await without_streams(near, far)

    run(main())


def test_what_no_protocol_claims_goes_to_the_default_handler() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):

            async def answer(stream: Stream) -> None:
                await stream.write(f"you asked for {stream.protocol}".encode())
                stream.close_write()

            near, _ = await connect(alice, bob)
            bob.set_default_handler(answer)
            stream = await alice.open_stream(near, "/odd/1")
            assert await read_all(stream) == b"you asked for /odd/1"
            bob.set_default_handler(None)
            with pytest.raises(ProtocolNotSupported):
                await alice.open_stream(near, "/odd/1")

    run(main())


def test_a_handler_can_be_taken_away() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            near, far = await pair(alice, bob)
            bob.remove_handler(PROTOCOL)
            with pytest.raises(ProtocolNotSupported):
                await alice.open_stream(bob.peer_id, PROTOCOL)
            await near.write(b"goes on")
            assert await far.read() == b"goes on"

    run(main())


def test_a_protocol_has_one_handler() -> None:
    async def main() -> None:
        alice = make(1, identify=False)
        Inbox(alice, PROTOCOL)
        with pytest.raises(MisuseError, match="has a handler already"):
            Inbox(alice, PROTOCOL)
        await alice.stop()

    run(main())


@pytest.mark.parametrize("kind", ["task", "inline", "receiver"])
def test_a_faulty_handler_costs_its_stream_and_nothing_else(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a bug of ours")

    async def fail_later(_: Stream) -> None:
        fail()

    async def main() -> None:
        async with nodes() as (alice, bob):
            if kind == "task":
                bob.handle_stream("/bad/1", fail_later)
            elif kind == "inline":
                bob.handle_stream_inline("/bad/1", fail)
            else:
                bob.handle_stream_inline("/bad/1", lambda stream: stream.set_receiver(fail, fail))
            near, far = await pair(alice, bob)
            bad = near.socket.open_stream(("/bad/1",))
            await bad.write(b"boom")
            with pytest.raises(StreamReset):
                await bad.read()
            await near.write(b"still here")
            assert await far.read() == b"still here"
            assert near.socket.usable
            assert near.socket.streams == 1

    with caplog.at_level(logging.ERROR):
        run(main())
    assert "a bug of ours" in caplog.text


def test_data_may_follow_the_proposal_of_a_single_protocol_at_once() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            inbox = Inbox(bob, PROTOCOL)
            near, _ = await connect(alice, bob)
            stream = near.open_stream((PROTOCOL,))
            stream.write_nowait(b"no round trip lost")
            assert stream.protocol == PROTOCOL
            assert await (await inbox.next()).read() == b"no round trip lost"
            refused = near.open_stream(("/nobody/1",))
            refused.write_nowait(b"x")
            with pytest.raises(ProtocolNotSupported):
                await refused.read()

    run(main())


def test_agreeing_on_a_protocol_takes_no_longer_than_allowed() -> None:
    async def main() -> None:
        async with nodes(negotiation_timeout_s=0.1, grace_s=0.1) as (alice, bob):
            near, far = await connect(alice, bob)
            transport = far._transport
            assert transport is not None
            transport.pause_reading()
            with pytest.raises(RequestTimeout, match=r"agreeing on a protocol .* longer than 0\.1 s"):
                await alice.open_stream(bob.peer_id, PROTOCOL)
            assert near.streams == 0
            transport.resume_reading()

    run(main())


def test_nonsense_in_a_negotiation_costs_its_stream() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            near, far = await pair(alice, bob)
            assert near.socket.mux is not None
            bad = Sink()
            bad.attach(near.socket.mux.open_stream(bad))
            bad.stream.send(b"\xff" * 20)
            near.close_write()
            far.close_write()
            await without_streams(near.socket)
            assert [type(error) for error in bad.errors] == [StreamReset]
            assert near.socket.usable

    run(main())


# ---------------------------------------------------------------- limits


def test_streams_over_the_peers_limit_are_reset_and_the_others_go_on() -> None:
    async def main() -> None:
        alice, bob = make(1), make(2, yamux=YamuxLimits(streams_inbound_max=3), identify=False)
        await bob.listen([LOOPBACK])
        inbox = Inbox(bob, PROTOCOL)
        near = await alice.connect(bob.peer_id, bob.listen_addrs)
        await near.wait_open()
        good = [await alice.open_stream(near, PROTOCOL) for _ in range(3)]
        with pytest.raises(ConnectionFailed):
            await alice.open_stream(near, PROTOCOL)
        await good[0].write(b"x")
        assert await (await inbox.next()).read() == b"x"
        good[1].reset()
        await alice.open_stream(near, PROTOCOL)
        for network in (alice, bob):
            await network.stop()

    run(main())


def test_our_own_streams_are_limited() -> None:
    async def main() -> None:
        async with nodes(yamux=YamuxLimits(streams_outbound_max=2)) as (alice, bob):
            Inbox(bob, PROTOCOL)
            near, _ = await connect(alice, bob)
            for _ in range(2):
                await alice.open_stream(near, PROTOCOL)
            with pytest.raises(LimitReached) as caught:
                await alice.open_stream(near, PROTOCOL)
            assert caught.value.limit == "streams_outbound_max"

    run(main())
