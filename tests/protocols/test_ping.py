"""ping between real nodes, peers that answer wrongly or not at all, the keep-alive with real dead peers."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from tests.network.nodes import LIMIT_S, LOOPBACK, Inbox, closed, connect, event, make, nodes, until
from tests.support import require, run
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
from warren.network.events import PeerDisconnected
from warren.protocols.ping import PAYLOAD_BYTES, PROTOCOL_ID, UNSENT_BYTES_MAX, KeepAlive, Ping

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


# ---------------------------------------------------------------- the keep-alive

ROOT = Path(__file__).parents[2]
CHILD = """
import asyncio, sys
sys.path[:0] = sys.argv[1:3]
from tests.network.nodes import LOOPBACK, make

async def main():
    network = make(50)
    await network.listen([LOOPBACK])
    print(network.listen_addrs[0], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def node_in_another_process() -> AsyncIterator[tuple[Multiaddr, asyncio.subprocess.Process]]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        CHILD,
        str(ROOT),
        str(ROOT / "src"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(LIMIT_S):
            line = await child.stdout.readline()
        yield Multiaddr.parse(line.decode().strip()), child
    finally:
        child.kill()
        await child.communicate()


def test_the_keep_alive_notices_a_process_that_was_stopped() -> None:
    require(hasattr(signal, "SIGSTOP"), "SIGSTOP")

    async def main() -> None:
        async with nodes(1) as (alice,), node_in_another_process() as (address, child):
            watch = KeepAlive(alice, interval_s=0.2, timeout_s=0.4)
            watch.start()
            socket = await alice.connect_unproven(address)
            await socket.wait_open()
            assert socket.mux is not None
            await wait_for_probe(socket.mux)
            child.send_signal(signal.SIGSTOP)
            events = alice.events.subscribe()
            gone = await event(events, PeerDisconnected)
            assert gone.peer == make_peer(50)
            assert "answered no probe" in gone.reason
            watch.stop()
            watch.stop()

    run(main())


async def wait_for_probe(mux: object) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not mux.rtt_measured:  # type: ignore[attr-defined]  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def make_peer(number: int) -> object:
    from tests.network.nodes import key

    return key(number).peer_id


class Relay:
    """Carries bytes between two TCP connections, until it is told to swallow them."""

    def __init__(self, target: Multiaddr) -> None:
        self.target = target
        self.swallowing = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = Multiaddr.tcp("127.0.0.1", self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(self.target.host, self.target.port)
        for source, sink in ((reader, there[1]), (there[0], writer)):
            self._tasks.append(asyncio.ensure_future(self._pump(source, sink)))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                if not self.swallowing:
                    sink.write(data)
        except ConnectionError:
            return
        finally:
            sink.close()


def test_the_keep_alive_notices_a_way_that_swallows_everything() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob), Relay(bob.listen_addrs[0]) as relay:
            watches = [KeepAlive(network, interval_s=0.2, timeout_s=0.4) for network in (alice, bob)]
            socket = await alice.connect(bob.peer_id, [relay.address])
            await socket.wait_open()
            [far] = await until(bob, bob.sockets)
            for watch in watches:
                watch.start()
            await wait_for_probe(socket.mux)
            relay.swallowing = True
            for one in (socket, far):
                await closed(one)
                assert "answered no probe" in str(one.error)
            for watch in watches:
                watch.stop()

    run(main())


def test_a_keep_alive_that_was_never_started_can_be_stopped() -> None:
    async def main() -> None:
        network = make(1)
        KeepAlive(network).stop()
        await network.listen([LOOPBACK])
        await network.stop()

    run(main())
