"""The end of a network: what still gets through, how long it takes, and that nothing outlives it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.network.nodes import Inbox, closed, connect, event, nodes
from tests.network.test_network_time import simulate, stuck
from tests.support import run
from warren.core.errors import Closed, ConnectionClosed, WarrenError
from warren.core.multiaddr import Multiaddr
from warren.network.events import PeerDisconnected

if TYPE_CHECKING:
    from tests.network.test_network_time import Town
    from warren.core.peer_id import PeerId
    from warren.network.stream import Stream


def test_a_stream_opened_while_the_network_stops_gets_no_handler() -> None:
    async def main() -> None:
        async with nodes(2) as (a, b):
            stopping, started = asyncio.Event(), 0

            async def slow_to_go(_stream: Stream) -> None:
                try:
                    await asyncio.Event().wait()
                finally:
                    stopping.set()
                    await a.open_stream(near, "/late")

            async def late(_stream: Stream) -> None:
                nonlocal started
                started += 1
                await asyncio.Event().wait()

            b.handle_stream("/slow", slow_to_go)
            b.handle_stream("/late", late)
            near, _ = await connect(a, b)
            await a.open_stream(near, "/slow")
            await b.stop()
            assert stopping.is_set()
            assert started == 0
            assert not b.router._tasks

    run(main())


def test_a_request_that_comes_while_the_network_stops_is_not_served() -> None:
    async def main() -> None:
        async with nodes(2) as (a, b):
            served: list[bytes] = []

            async def serve(_peer: PeerId, payload: bytes) -> bytes:
                served.append(payload)
                try:
                    await asyncio.Event().wait()
                finally:
                    asking.append(asyncio.ensure_future(a.request(b.peer_id, "/serve", b"late")))
                    await asyncio.wait(asking[-1:], timeout=0.1)
                return b""

            asking: list[asyncio.Future[bytes]] = []
            b.handle_request("/serve", serve)
            await connect(a, b)
            first = asyncio.ensure_future(a.request(b.peer_id, "/serve", b"early"))
            while not served:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0)
            await b.stop()
            assert not b.router._tasks
            assert served == [b"early"]
            for question in (first, *asking):
                with pytest.raises(WarrenError):
                    await question

    run(main())


# ---------------------------------------------------------------- what still gets through


async def read_all(stream: Stream) -> bytes:
    data = b""
    while part := await stream.read():
        data += part
    return data


def test_what_was_closed_for_writing_arrives_whole() -> None:
    async def main(town: Town) -> None:
        inbox = Inbox(town.bob, "/x/1")
        near, _ = await connect(town.alice, town.bob)
        stream = await town.alice.open_stream(near, "/x/1")
        await stream.write(bytes(500_000))
        stream.close_write()
        assert stream.finishing
        reading = asyncio.ensure_future(read_all(await inbox.next()))
        async with town.seconds(0.0, 0.5):
            await town.alice.stop()
        assert len(await reading) == 500_000

    simulate(main)


def test_what_a_handler_had_written_and_closed_arrives_whole() -> None:
    async def main(town: Town) -> None:
        async def generous(stream: Stream) -> None:
            await stream.write(bytes(500_000))
            stream.close_write()
            await asyncio.Event().wait()

        town.bob.handle_stream("/x/1", generous)
        near, _ = await connect(town.alice, town.bob)
        stream = await town.alice.open_stream(near, "/x/1")
        first = await stream.read_exactly(1000)
        reading = asyncio.ensure_future(read_all(stream))
        await town.bob.stop()
        assert len(first + await reading) == 500_000

    simulate(main)


def test_a_peer_that_does_not_read_what_was_closed_costs_the_grace_and_no_more() -> None:
    async def main(town: Town) -> None:
        inbox = Inbox(town.bob, "/x/1")
        near, _ = await connect(town.alice, town.bob)
        stream = await town.alice.open_stream(near, "/x/1")
        await inbox.next()
        await stream.write(bytes(500_000))
        stream.close_write()
        async with town.seconds(1.0, 1.1):
            await town.alice.stop(grace_s=1.0)

    simulate(main)


# ---------------------------------------------------------------- how long it takes


async def stubborn(_stream: Stream) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.sleep(4.0)


def test_a_handler_that_delays_its_end_costs_the_grace_and_no_more() -> None:
    async def main(town: Town) -> None:
        town.bob.handle_stream("/x/1", stubborn)
        near, _ = await connect(town.alice, town.bob)
        await town.alice.open_stream(near, "/x/1")
        events = town.alice.events.subscribe()
        async with town.seconds(0.2, 0.21):
            await town.bob.stop(grace_s=0.2)
        gone = await event(events, PeerDisconnected)
        assert "reset" not in gone.reason, "it was told goodbye"
        await asyncio.sleep(5.0)

    simulate(main)


def test_a_stop_that_is_cancelled_drops_what_is_left_at_once() -> None:
    async def main(town: Town) -> None:
        near, writing = await stuck(town)
        async with town.seconds(0.09, 0.2):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(town.alice.stop(grace_s=60.0), 0.1)
            await town.alice.stop()
            await closed(near)
        with pytest.raises(ConnectionClosed):
            await writing
        assert town.alice._tick_handle is None or town.alice._tick_handle.cancelled()

    simulate(main)


def test_who_stops_again_waits_for_the_same_end() -> None:
    async def main(town: Town) -> None:
        near, writing = await stuck(town)
        async with town.seconds(1.0, 1.1):
            first = asyncio.ensure_future(town.alice.stop(grace_s=1.0))
            await asyncio.sleep(0.1)
            await town.alice.stop(grace_s=9.0)
            assert near.state.value == "closed"
        await first
        with pytest.raises(ConnectionClosed):
            await writing

    simulate(main)


# ---------------------------------------------------------------- what does not outlive it


def test_a_look_up_that_a_stop_overtakes_is_followed_by_no_dial() -> None:
    async def main(town: Town) -> None:
        looking, found = asyncio.Event(), asyncio.Event()

        async def slow(_: Multiaddr) -> list[Multiaddr]:
            looking.set()
            await found.wait()
            return town.bob.listen_addrs

        alice: Any = town.alice
        alice.resolve = slow
        name = Multiaddr.parse("/dns4/bob.example/tcp/4101")
        asking = asyncio.ensure_future(town.alice.connect_unproven(name))
        await looking.wait()
        await town.alice.stop()
        found.set()
        with pytest.raises(Closed, match="was stopped"):
            await asking

    simulate(main)


def test_a_link_that_comes_up_while_the_network_stops_is_dropped() -> None:
    async def main(town: Town) -> None:
        asking = asyncio.ensure_future(town.alice.connect_unproven(town.bob.listen_addrs[0]))
        await asyncio.sleep(0)
        assert town.alice._registry.all()
        await town.alice.stop()
        with pytest.raises(Closed):
            await asking
        await asyncio.sleep(1.0)
        assert town.bob.peers() == []

    simulate(main)
