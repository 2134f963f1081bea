"""ping between real nodes, and peers that answer wrongly or not at all."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.network.nodes import Inbox, closed, connect, make, nodes
from tests.support import run
from warren.core.errors import (
    Closed,
    ConnectionClosed,
    ConnectionFailed,
    ProtocolNotSupported,
    ProtocolViolation,
    RequestTimeout,
    StreamReset,
)
from warren.core.multiaddr import Multiaddr
from warren.network.sending import Sending
from warren.protocols.ping import PAYLOAD_BYTES, PROTOCOL_ID, UNSENT_BYTES_MAX, Ping
from warren.runtime.simulated import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.network.network import Network
    from warren.network.stream import Stream


@asynccontextmanager
async def pingers(count: int = 2) -> AsyncIterator[tuple[list[Network], list[Ping]]]:
    async with nodes(count) as networks:
        yield networks, [Ping(network) for network in networks]


# ---------------------------------------------------------------- round trips


def test_a_ping_measures_a_round_trip_in_seconds() -> None:
    async def main() -> None:
        async with pingers() as ((alice, bob), (ping, _)):
            await connect(alice, bob)
            times = [await ping.ping(bob.peer_id) for _ in range(5)]
            assert all(0 < seconds < 1 for seconds in times)

    run(main())


def test_all_pings_on_a_socket_share_one_stream() -> None:
    async def main() -> None:
        async with pingers() as ((alice, bob), (ping, back)):
            near, far = await connect(alice, bob)
            await asyncio.gather(*(ping.ping(bob.peer_id) for _ in range(10)))
            assert near.streams == far.streams == 1
            await asyncio.gather(ping.ping(near), back.ping(far))
            assert near.streams == 2

    run(main())


def test_a_peer_that_is_not_connected_is_dialled() -> None:
    async def main() -> None:
        async with pingers() as ((alice, bob), (ping, _)):
            alice.add_addresses(bob.peer_id, bob.listen_addrs)
            assert await ping.ping(bob.peer_id) > 0

    run(main())


def test_a_new_socket_gets_a_new_stream_and_the_old_one_is_forgotten() -> None:
    async def main() -> None:
        async with pingers() as ((alice, bob), (ping, _)):
            near, _ = await connect(alice, bob)
            await ping.ping(bob.peer_id)
            await near.close()
            again, _ = await connect(alice, bob)
            await ping.ping(bob.peer_id)
            assert set(ping._pingers) == {again}

    run(main())


def test_many_peers_are_pinged_at_once() -> None:
    async def main() -> None:
        async with pingers(5) as ((hub, *others), (ping, *_)):
            for other in others:
                await connect(hub, other)
            times = await asyncio.gather(*(ping.ping(o.peer_id) for o in others for _ in range(3)))
            assert len(times) == 12

    run(main())


def test_who_gives_up_breaks_no_other_ping_of_the_socket() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            ping, inbox = Ping(alice), Inbox(bob, PROTOCOL_ID)
            near, _ = await connect(alice, bob)
            hasty, *others = [asyncio.ensure_future(ping.ping(near)) for _ in range(3)]
            stream = await inbox.next()
            await stream.read_exactly(PAYLOAD_BYTES)
            hasty.cancel()
            fresh = await inbox.next()
            for asking in others:
                await fresh.write(await fresh.read_exactly(PAYLOAD_BYTES))
                assert await asking > 0
            assert hasty.cancelled()

    run(main())


def test_who_gives_up_while_it_waits_for_its_turn_disturbs_nobody() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            ping, inbox = Ping(alice), Inbox(bob, PROTOCOL_ID)
            near, far = await connect(alice, bob)
            first, hasty, last = [asyncio.ensure_future(ping.ping(near)) for _ in range(3)]
            stream = await inbox.next()
            asked = await stream.read_exactly(PAYLOAD_BYTES)
            hasty.cancel()
            await stream.write(asked)
            assert await first > 0
            await stream.write(await stream.read_exactly(PAYLOAD_BYTES))
            assert await last > 0
            assert far.streams == 1

    run(main())


def test_each_ping_of_a_mute_peer_times_out_in_its_own_time() -> None:
    async def main() -> None:
        alice, bob = make(1, world.runtime("alice")), make(2, world.runtime("bob"))
        inbox = Inbox(bob, PROTOCOL_ID)
        await bob.listen([Multiaddr.parse("/ip4/100.0.0.2/tcp/4101")])
        ping = Ping(alice)
        near, _ = await connect(alice, bob)
        began = alice.clock()

        async def tried(timeout_s: float) -> float:
            with pytest.raises(RequestTimeout, match=f"within {timeout_s:g} s"):
                await ping.ping(near, timeout_s=timeout_s)
            return alice.clock() - began

        timeouts = [3.0, 3.0, 3.0, 2.0, 5.0]
        took = await asyncio.gather(*(tried(timeout_s) for timeout_s in timeouts))
        assert took == pytest.approx(timeouts)
        assert ping._pingers == {}
        await inbox.next()
        await alice.stop()
        await bob.stop()

    with World() as world:
        world.run(main())


# ---------------------------------------------------------------- peers that answer otherwise


def test_a_peer_that_does_not_speak_ping_is_told_apart() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            ping = Ping(alice)
            await connect(alice, bob)
            for _ in range(2):
                with pytest.raises(ProtocolNotSupported):
                    await ping.ping(bob.peer_id)

    run(main())


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (bytes(PAYLOAD_BYTES), ProtocolViolation),
        (bytes(PAYLOAD_BYTES + 1), ProtocolViolation),
        (b"end", ConnectionClosed),
        (b"reset", StreamReset),
        (b"half", RequestTimeout),
    ],
)
def test_a_wrong_echo_ends_the_ping_and_the_next_one_starts_afresh(answer: bytes, kind: type) -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            ping = Ping(alice)
            inbox = Inbox(bob, PROTOCOL_ID)
            near, _ = await connect(alice, bob)
            asking = asyncio.ensure_future(ping.ping(near, timeout_s=0.2))
            stream = await inbox.next()
            asked = await stream.read_exactly(PAYLOAD_BYTES)
            if answer == b"end":
                stream.close_write()
            elif answer == b"reset":
                stream.reset()
            else:
                await stream.write(asked[:5] if answer == b"half" else answer)
            with pytest.raises(kind):
                await asking
            asking = asyncio.ensure_future(ping.ping(near))
            stream = await inbox.next()
            await stream.write(await stream.read_exactly(PAYLOAD_BYTES))
            assert await asking > 0
            assert near.usable

    run(main())


def test_an_echo_may_come_in_pieces() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            ping = Ping(alice)
            inbox = Inbox(bob, PROTOCOL_ID)
            near, _ = await connect(alice, bob)
            asking = asyncio.ensure_future(ping.ping(near))
            stream = await inbox.next()
            for byte in await stream.read_exactly(PAYLOAD_BYTES):
                await stream.write(bytes([byte]))
                near.flush()
                await asyncio.sleep(0)
            assert await asking > 0

    run(main())


def test_the_echo_of_a_ping_that_was_given_up_is_not_taken_for_the_next() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            ping = Ping(alice)
            inbox = Inbox(bob, PROTOCOL_ID)
            near, _ = await connect(alice, bob)
            hasty = asyncio.ensure_future(ping.ping(near))
            stream = await inbox.next()
            asked = await stream.read_exactly(PAYLOAD_BYTES)
            hasty.cancel()
            await asyncio.wait([hasty])
            asking = asyncio.ensure_future(ping.ping(near))
            await stream.write(asked)
            fresh = await inbox.next()
            await fresh.write(await fresh.read_exactly(PAYLOAD_BYTES))
            assert await asking > 0

    run(main())


def test_an_echo_that_nobody_asked_for_ends_the_stream_alone() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            ping = Ping(alice)
            inbox = Inbox(bob, PROTOCOL_ID)
            near, _ = await connect(alice, bob)
            asking = asyncio.ensure_future(ping.ping(near))
            stream = await inbox.next()
            await stream.write(await stream.read_exactly(PAYLOAD_BYTES))
            await asking
            await stream.write(bytes(PAYLOAD_BYTES))
            with pytest.raises(StreamReset):
                await stream.read()
            assert near.usable

    run(main())


def test_a_ping_on_a_connection_that_goes_down_is_told() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            ping = Ping(alice)
            inbox = Inbox(bob, PROTOCOL_ID)
            near, far = await connect(alice, bob)
            asking = asyncio.ensure_future(ping.ping(near))
            await inbox.next()
            far.abort()
            with pytest.raises(ConnectionFailed):
                await asking
            await closed(near)
            with pytest.raises(ConnectionClosed):
                await ping.ping(near)

    run(main())


def test_a_stream_that_ends_while_the_ping_is_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with pingers() as ((alice, bob), (ping, _)):
            near, _ = await connect(alice, bob)
            await ping.ping(near)

            def write_and_lose(stream: Stream, data: bytes) -> bool:
                room = stream.write_nowait(data)
                stream.socket.abort()
                return room

            monkeypatch.setattr(Sending, "write_through", write_and_lose)
            with pytest.raises(ConnectionClosed, match="dropped here"):
                await ping.ping(near)

    run(main())


def test_a_draining_socket_is_not_held_open_by_the_stream_of_pings() -> None:
    async def main() -> None:
        async with pingers() as ((alice, bob), (ping, _)):
            near, _ = await connect(alice, bob)
            await ping.ping(near)
            near.drain()
            assert near.streams == 0
            with pytest.raises(ConnectionClosed):
                await ping.ping(near)

    run(main())


def test_a_ping_under_way_is_finished_before_its_socket_drains() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            ping = Ping(alice)
            inbox = Inbox(bob, PROTOCOL_ID)
            near, _ = await connect(alice, bob)
            asking = asyncio.ensure_future(ping.ping(near))
            stream = await inbox.next()
            near.drain()
            await stream.write(await stream.read_exactly(PAYLOAD_BYTES))
            assert await asking > 0
            assert near.streams == 0

    run(main())


# ---------------------------------------------------------------- answering


async def ping_stream(alice: Network, bob: Network) -> Stream:
    near, _ = await connect(alice, bob)
    return await alice.open_stream(near, PROTOCOL_ID)


def test_whatever_comes_is_sent_back_in_any_pieces_until_the_peer_ends() -> None:
    async def main() -> None:
        async with pingers() as ((alice, bob), _):
            stream = await ping_stream(alice, bob)
            for payload in (b"x" * PAYLOAD_BYTES, b"y" * 5, b"z" * (3 * PAYLOAD_BYTES)):
                await stream.write(payload)
                assert await stream.read_exactly(len(payload)) == payload
            stream.close_write()
            assert await stream.read() == b""

    run(main())


def test_a_peer_that_asks_and_never_reads_loses_its_stream() -> None:
    async def main() -> None:
        async with pingers() as ((alice, bob), _):
            stream = await ping_stream(alice, bob)
            writing = asyncio.ensure_future(stream.write(bytes(2_000_000)))
            with pytest.raises((StreamReset, Closed)):
                await writing
            assert UNSENT_BYTES_MAX < 10_000
            assert stream.socket.usable

    run(main())
