"""Deadlines of whole networks, in virtual time: hours pass in milliseconds, and peers vanish at will."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.network.fakes import Sink
from tests.network.nodes import (
    Inbox,
    assert_empty,
    closed,
    connect,
    event,
    key,
    make,
    socket_at,
    until,
    without_streams,
)
from warren.core.errors import (
    Closed,
    ConnectionClosed,
    ConnectionFailed,
    DialFailed,
    HandshakeFailed,
    LimitReached,
    RequestTimeout,
    StreamReset,
)
from warren.core.multiaddr import Multiaddr
from warren.network.events import PeerDisconnected
from warren.network.states import SocketState
from warren.network.yamux.session import YamuxLimits
from warren.protocols.ping import KeepAlive
from warren.runtime.simulated import Quality, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from warren.core.peer_id import PeerId
    from warren.network.socket import Socket


NAMES = ("alice", "bob", "carol")
PROTOCOL = "/test/time/1"


class Town:
    """Networks in one simulated world, by name."""

    def __init__(self, world: World, settings: dict[str, Any]) -> None:
        self.world = world
        self.networks = [make(n + 1, world.runtime(name), **settings) for n, name in enumerate(NAMES)]
        self.alice, self.bob, self.carol = self.networks

    async def listen(self) -> None:
        for name, network in zip(NAMES, self.networks, strict=True):
            await network.listen([Multiaddr.tcp(self.world.network.host(name).address(4), 4101)])

    def part(self, *names: str) -> None:
        """From now on packets between these and the others vanish."""
        self.world.network.partition([names])

    def heal(self) -> None:
        self.world.network.heal()

    @asynccontextmanager
    async def seconds(self, least: float, most: float) -> AsyncIterator[None]:
        """What happens inside takes so long."""
        began = self.alice.clock()
        yield
        assert least <= self.alice.clock() - began <= most


def simulate(test: Callable[[Town], Coroutine[Any, Any, None]], **settings: Any) -> None:
    async def main(town: Town) -> None:
        await town.listen()
        await test(town)
        town.heal()
        for network in town.networks:
            await network.stop()
        for network in town.networks:
            assert_empty(network)

    with World(seed=5) as world:
        world.run(main(Town(world, settings)))


# ---------------------------------------------------------------- dialling


def test_an_address_where_nobody_is_takes_the_dial_timeout() -> None:
    async def main(town: Town) -> None:
        nobody = Multiaddr.parse("/ip4/100.99.99.99/tcp/4101")
        async with town.seconds(3.0, 3.1):
            with pytest.raises(DialFailed, match="no answer in time"):
                await town.alice.connect(key(9).peer_id, [nobody])

    simulate(main, dial_timeout_s=3.0)


def test_a_handshake_that_stalls_takes_the_handshake_timeout_on_both_sides() -> None:
    async def main(town: Town) -> None:
        dialling = asyncio.ensure_future(town.alice.connect(town.bob.peer_id, town.bob.listen_addrs))
        await until(town.bob, town.bob._registry.all)
        town.part("alice")
        async with town.seconds(4.0, 7.0):
            with pytest.raises((HandshakeFailed, DialFailed), match="handshake took too long"):
                await dialling
            for stalled in town.bob._registry.all():
                await closed(stalled)
        assert town.bob._registry.limits.handshakes == 0

    simulate(main, handshake_timeout_s=5.0)


def test_a_duplicate_closes_although_the_other_side_keeps_a_stream_on_it() -> None:
    async def answer(_peer: PeerId, payload: bytes) -> bytes:
        return payload

    async def main(town: Town) -> None:
        alice, bob = town.alice, town.bob
        alice.handle_request(PROTOCOL, answer)
        old, _ = await connect(alice, bob)
        assert await bob.request(alice.peer_id, PROTOCOL, b"kept") == b"kept"
        assert old.streams == 1
        await alice.connect_unproven(bob.listen_addrs[0])
        alice._registry.settle(bob.peer_id)
        assert old.draining
        await asyncio.sleep(90.0)
        assert old.state is SocketState.CLOSED
        assert [len(network.sockets()) for network in (alice, bob)] == [1, 1]

    simulate(main)


def test_after_hours_of_being_connected_there_is_a_way_back() -> None:
    async def main(town: Town) -> None:
        alice, bob = town.alice, town.bob
        near, far = await connect(alice, bob)
        await asyncio.sleep(3 * 3600.0)
        assert alice.addresses(bob.peer_id) == bob.listen_addrs
        await near.close()
        await closed(far)
        assert (await bob.connect(alice.peer_id)).outbound
        await bob.sockets()[0].close()
        await asyncio.sleep(3600.0)
        assert bob.addresses(alice.peer_id) == []

    simulate(main, idle_timeout_s=1e9)


def test_a_dial_that_failed_may_be_repeated_when_its_time_has_come() -> None:
    async def main(town: Town) -> None:
        town.bob.stop_listening()
        there = [Multiaddr.tcp(town.world.network.host("bob").address(4), 4101)]
        for wait_s in (5.0, 10.0):
            with pytest.raises(DialFailed, match="nobody listens"):
                await town.alice.connect(town.bob.peer_id, there)
            with pytest.raises(ConnectionFailed, match="failed lately"):
                await town.alice.connect(town.bob.peer_id, there)
            await asyncio.sleep(wait_s)
        await town.bob.listen(there)
        await town.alice.connect(town.bob.peer_id, there)

    simulate(main)


def test_a_request_to_a_peer_that_must_be_dialled_takes_its_timeout_in_all() -> None:
    async def main(town: Town) -> None:
        async def slow(_: object, __: bytes) -> bytes:
            await asyncio.sleep(60.0)
            return b""

        town.world.network.set_path("alice", "bob", Quality(latency_s=0.5))
        town.bob.handle_request(PROTOCOL, slow)
        town.alice.add_addresses(town.bob.peer_id, town.bob.listen_addrs)
        async with town.seconds(5.0, 5.01):
            with pytest.raises(RequestTimeout):
                await town.alice.request(town.bob.peer_id, PROTOCOL, b"", timeout_s=5.0)

    simulate(main)


def test_a_stream_to_a_peer_that_must_be_dialled_takes_its_timeout_in_all() -> None:
    async def main(town: Town) -> None:
        town.world.network.set_path("alice", "bob", Quality(latency_s=0.5))
        town.alice.add_addresses(town.bob.peer_id, town.bob.listen_addrs)
        async with town.seconds(2.2, 2.21):
            with pytest.raises(RequestTimeout, match=r"opening a stream to .* took longer than 2\.2 s"):
                await town.alice.open_stream(town.bob.peer_id, PROTOCOL, timeout_s=2.2)
        assert town.alice.is_connected(town.bob.peer_id), "connecting took most of it"

    simulate(main)


def test_without_a_timeout_agreeing_on_a_protocol_has_one_of_its_own() -> None:
    async def main(town: Town) -> None:
        near, _ = await connect(town.alice, town.bob)
        town.part("bob")
        async with town.seconds(3.0, 3.01):
            with pytest.raises(RequestTimeout, match="agreeing on a protocol"):
                await town.alice.open_stream(near, PROTOCOL)

    simulate(main, negotiation_timeout_s=3.0)


# ---------------------------------------------------------------- closing


async def stuck(town: Town) -> tuple[Socket, asyncio.Future[None]]:
    """A socket of Alice's with bytes on the link that Bob does not take, and the write that waits."""
    town.world.network.set_path("alice", "bob", Quality(window_bytes=32 * 1024))
    inbox = Inbox(town.bob, PROTOCOL)
    near, _ = await connect(town.alice, town.bob)
    stream = await town.alice.open_stream(near, PROTOCOL)
    transport = (await inbox.next()).socket._transport
    assert transport is not None
    transport.pause_reading()
    writing = asyncio.ensure_future(stream.write(bytes(20_000_000)))
    await asyncio.sleep(10.0)
    assert not writing.done()
    return near, writing


def test_a_goodbye_that_the_peer_does_not_take_ends_after_the_close_timeout() -> None:
    async def main(town: Town) -> None:
        near, writing = await stuck(town)
        async with town.seconds(2.0, 4.0):
            await near.close()
        with pytest.raises(ConnectionClosed):
            await writing

    simulate(main, close_timeout_s=2.0)


def test_stop_waits_for_a_stuck_peer_as_long_as_it_is_told_and_no_longer() -> None:
    async def main(town: Town) -> None:
        _, writing = await stuck(town)
        await connect(town.alice, town.carol)
        async with town.seconds(1.0, 1.1):
            await town.alice.stop(grace_s=1.0)
        with pytest.raises(ConnectionClosed):
            await writing

    simulate(main)


def test_stop_with_honest_peers_takes_no_time_and_tells_them() -> None:
    async def main(town: Town) -> None:
        for other in (town.bob, town.carol):
            await connect(town.alice, other)
        events = town.bob.events.subscribe()
        async with town.seconds(0.0, 0.2):
            await town.alice.stop()
        assert (await event(events, PeerDisconnected)).peer == town.alice.peer_id
        assert town.bob.peers() == []

    simulate(main)


def test_stop_ends_handlers_that_run() -> None:
    async def main(town: Town) -> None:
        ended: list[bool] = []

        async def endless(_: object) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        town.bob.handle_stream(PROTOCOL, endless)
        near, _ = await connect(town.alice, town.bob)
        await town.alice.open_stream(near, PROTOCOL)
        await town.bob.stop()
        assert ended == [True]

    simulate(main)


# ---------------------------------------------------------------- silence


def test_an_idle_socket_is_closed_and_a_protected_one_is_not() -> None:
    async def main(town: Town) -> None:
        idle, _ = await connect(town.alice, town.bob)
        kept, far = await connect(town.alice, town.carol)
        town.alice.protect(town.carol.peer_id, "friend")
        town.carol.protect(town.alice.peer_id, "friend")
        async with town.seconds(100.0, 140.0):
            await closed(idle)
        await asyncio.sleep(1000.0)
        assert kept.usable
        assert far.usable
        town.alice.unprotect(town.carol.peer_id, "friend")
        await closed(kept)

    simulate(main, idle_timeout_s=100.0)


def test_a_socket_is_idle_when_no_stream_moves_data() -> None:
    async def main(town: Town) -> None:
        inbox = Inbox(town.bob, PROTOCOL)
        near, _ = await connect(town.alice, town.bob)
        stream = await town.alice.open_stream(near, PROTOCOL)
        await inbox.next()
        for _ in range(20):
            await asyncio.sleep(50.0)
            stream.write_nowait(b"still here")
        assert near.usable
        await closed(near)

    simulate(main, idle_timeout_s=100.0)


def test_a_stream_that_never_says_what_it_wants_is_reset() -> None:
    async def main(town: Town) -> None:
        Inbox(town.bob, PROTOCOL)
        near, far = await connect(town.alice, town.bob)
        decided = await town.alice.open_stream(near, PROTOCOL)
        assert near.mux is not None
        sink = Sink()
        sink.attach(near.mux.open_stream(sink))
        sink.stream.send(b"\x13/multi")
        near.flush()
        await asyncio.sleep(1.0)
        assert far.streams == 2
        await asyncio.sleep(100.0)
        assert [type(error) for error in sink.errors] == [StreamReset]
        assert not decided.ended
        assert near.usable

    simulate(main)


def test_streams_that_the_peer_never_ends_do_not_pile_up() -> None:
    async def main(town: Town) -> None:
        Inbox(town.bob, PROTOCOL)
        near, far = await connect(town.alice, town.bob)
        asking = await town.alice.open_stream(near, PROTOCOL)
        asking.close_write()
        for _ in range(8):
            (await town.alice.open_stream(near, PROTOCOL)).close_nowait()
        with pytest.raises(LimitReached):
            near.open_stream((PROTOCOL,))
        async with town.seconds(10.0, 70.0):
            await without_streams(near, far, most=1)
        assert not asking.ended, "who only ended its own half may wait for the answer as long as it likes"

    simulate(main, stream_timeout_s=10.0, yamux=YamuxLimits(streams_outbound_max=9))


def test_a_stream_that_the_peer_never_ends_does_not_keep_a_draining_socket() -> None:
    async def main(town: Town) -> None:
        Inbox(town.bob, PROTOCOL)
        near, _ = await connect(town.alice, town.bob)
        (await town.alice.open_stream(near, PROTOCOL)).close_nowait()
        town.alice._registry._drain(near)
        town.alice._look_soon()
        async with town.seconds(10.0, 70.0):
            await closed(near)

    simulate(main, stream_timeout_s=10.0)


def test_a_request_that_crosses_our_goodbye_is_answered() -> None:
    """While two connections settle into one, the peer may not know yet which one goes."""

    async def main(town: Town) -> None:
        async def echo(_: object, payload: bytes) -> bytes:
            return payload

        town.alice.handle_request(PROTOCOL, echo)
        near, far = await connect(town.alice, town.bob)
        near.drain()
        assert far.usable
        assert await town.bob.request(town.alice.peer_id, PROTOCOL, b"hi") == b"hi"
        assert not far.usable

    simulate(main)


def test_the_keep_alive_notices_a_peer_that_vanished() -> None:
    async def main(town: Town) -> None:
        watch = KeepAlive(town.alice, interval_s=15.0, timeout_s=20.0)
        watch.start()
        dead, _ = await connect(town.alice, town.bob)
        alive, _ = await connect(town.alice, town.carol)
        events = town.alice.events.subscribe()
        await asyncio.sleep(100.0)
        assert dead.usable
        assert alive.usable
        town.part("bob")
        async with town.seconds(20.0, 35.0):
            gone = await event(events, PeerDisconnected)
        assert gone.peer == town.bob.peer_id
        assert "answered no probe" in gone.reason
        assert alive.usable
        assert alive.rtt_s == pytest.approx(0.02, abs=0.001)
        watch.stop()
        await asyncio.sleep(100.0)

    simulate(main)


def test_a_short_partition_breaks_nothing() -> None:
    async def main(town: Town) -> None:
        async def echo(_: object, payload: bytes) -> bytes:
            return payload

        town.bob.handle_request(PROTOCOL, echo)
        near, _ = await connect(town.alice, town.bob)
        town.part("bob")
        asking = asyncio.ensure_future(town.alice.request(town.bob.peer_id, PROTOCOL, b"x", timeout_s=20.0))
        await asyncio.sleep(5.0)
        town.heal()
        assert await asking == b"x"
        assert near.usable

    simulate(main)


def test_a_connection_that_breaks_is_told_to_everybody_on_it() -> None:
    async def main(town: Town) -> None:
        inbox = Inbox(town.bob, PROTOCOL)
        near, far = await connect(town.alice, town.bob)
        ends = [await town.alice.open_stream(near, PROTOCOL), await inbox.next()]
        reading = [asyncio.ensure_future(end.read()) for end in ends]
        await asyncio.sleep(0)
        events = town.alice.events.subscribe()
        town.world.network.cut("alice", "bob")
        for task in reading:
            with pytest.raises(ConnectionClosed, match="reset by peer"):
                await task
        gone = await event(events, PeerDisconnected)
        assert "reset by peer" in gone.reason
        for socket in (near, far):
            assert socket.state is SocketState.CLOSED

    simulate(main)


# ---------------------------------------------------------------- duplicates


def test_two_who_dial_each_other_at_once_end_with_one_socket() -> None:
    async def main(town: Town) -> None:
        alice, bob = town.alice, town.bob
        await asyncio.gather(
            alice.connect(bob.peer_id, bob.listen_addrs), bob.connect(alice.peer_id, alice.listen_addrs)
        )
        await asyncio.sleep(30.0)
        [near], [far] = alice.sockets(), bob.sockets()
        assert near.remote_addr == far.local_addr
        lower_dialled = near.outbound == (alice.peer_id < bob.peer_id)
        assert lower_dialled
        assert near.usable
        assert far.usable

    simulate(main)


def test_requests_that_run_on_the_loser_are_answered_and_then_it_goes() -> None:
    async def main(town: Town) -> None:
        alice, bob = town.alice, town.bob

        async def slow(_: object, payload: bytes) -> bytes:
            await asyncio.sleep(20.0)
            return payload

        async def quick(_: object, payload: bytes) -> bytes:
            return payload

        for network in (alice, bob):
            network.handle_request("/slow/1", slow)
            network.handle_request("/quick/1", quick)
        for one, other in ((alice, bob), (bob, alice)):
            one.add_addresses(other.peer_id, other.listen_addrs)
        work = [
            one.request(other.peer_id, protocol, b"x", timeout_s=60.0)
            for one, other in ((alice, bob), (bob, alice))
            for protocol in ("/slow/1", "/quick/1")
        ]
        assert await asyncio.gather(*work) == [b"x"] * 4
        await asyncio.sleep(30.0)
        assert len(alice.sockets()) == len(bob.sockets()) == 1
        assert await alice.request(bob.peer_id, "/quick/1", b"y") == b"y"

    simulate(main)


def test_a_second_dial_from_the_same_side_replaces_the_first() -> None:
    async def main(town: Town) -> None:
        first, _ = await connect(town.alice, town.bob)
        second = await town.alice.connect_unproven(town.bob.listen_addrs[0])
        await closed(first)
        await socket_at(town.bob, second)
        await asyncio.sleep(30.0)
        assert town.alice.sockets() == [second]
        assert town.alice.is_connected(town.bob.peer_id), "the first one had proved whose key it is"
        assert len(town.bob.sockets()) == 1

    simulate(main)


def test_foreign_duplicates_close_when_nothing_runs_on_them() -> None:
    async def main(town: Town) -> None:
        await connect(town.alice, town.bob)
        await town.alice.connect_unproven(town.bob.listen_addrs[0])
        await asyncio.sleep(61.0)
        assert len(town.alice.sockets()) == len(town.bob.sockets()) == 1

    simulate(main, identify=False)


def test_a_network_that_was_stopped_says_so_to_whoever_waits() -> None:
    async def main(town: Town) -> None:
        nobody = Multiaddr.parse("/ip4/100.99.99.99/tcp/4101")
        asking = asyncio.ensure_future(town.alice.connect(key(9).peer_id, [nobody]))
        await asyncio.sleep(1.0)
        await town.alice.stop()
        with pytest.raises(Closed):
            await asking

    simulate(main)
