"""Each limit of `NetworkConfig` on real sockets: what it stops, and that honest peers go on."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.network.nodes import (
    LOOPBACK,
    Inbox,
    closed,
    connect,
    event,
    make,
    nodes,
    socket_at,
    until,
    until_true,
)
from tests.support import run
from warren.core.errors import ConnectionFailed, LimitReached, RemoteError, StreamReset, WarrenError
from warren.network.config import NetworkConfig
from warren.network.events import SocketRefused
from warren.network.yamux.budget import WindowLimits
from warren.network.yamux.session import YamuxLimits
from warren.runtime.real import RealRuntime

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from warren.network.network import Network

FOLDER = Path(__file__).parent


class Guests:
    """Networks of distinct identities on one machine, which dial a host with limits."""

    def __init__(self, host: Network) -> None:
        self.host = host
        self.networks: list[Network] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for network in self.networks:
            await network.stop()

    async def come(self) -> Any:
        """One more guest connects; its socket, or the error."""
        guest = make(100 + len(self.networks))
        self.networks.append(guest)
        try:
            socket = await guest.connect(self.host.peer_id, self.host.listen_addrs)
            await socket.wait_open()
        except WarrenError as error:
            return error
        return socket


def inn(**settings: Any) -> AbstractAsyncContextManager[list[Network]]:
    """A host that guests come to."""
    return nodes(1, **settings)


@pytest.mark.parametrize("limit", ["inbound_max", "per_ip_max"])
def test_a_full_host_turns_newcomers_away_and_keeps_those_it_has(limit: str) -> None:
    async def main() -> None:
        async with inn(**{limit: 4}, per_ip_per_s=1000.0) as (host,), Guests(host) as guests:
            for _ in range(4):
                await guests.come()
                await asyncio.sleep(0.002)
            events = host.events.subscribe()
            for network in guests.networks:
                host.protect(network.peer_id, "friend")
            refused = await guests.come()
            assert isinstance(refused, (ConnectionFailed, RemoteError))
            assert (await event(events, SocketRefused)).limit == limit
            assert len(host.peers()) == 4
            assert host._registry.limits.inbound == 4

    run(main())


def test_a_full_host_makes_room_and_spares_whom_it_protects() -> None:
    async def main() -> None:
        async with inn(inbound_max=3, per_ip_per_s=1000.0) as (host,), Guests(host) as guests:
            sockets = [await guests.come() for _ in range(3)]
            friends = [network.peer_id for network in guests.networks[:2]]
            for friend in friends:
                host.protect(friend, "friend")
            for _ in range(3):
                assert isinstance(await guests.come(), (ConnectionFailed, RemoteError)), "one has to go first"
                await closed(sockets[-1])
                sockets.append(await guests.come())
                await sockets[-1].wait_open()
            assert all(socket.usable for socket in sockets[:2])
            assert set(friends) <= set(host.peers())

    run(main())


def test_one_identity_has_only_so_many_sockets() -> None:
    async def main() -> None:
        async with nodes(2, identify=False, per_peer_max=2) as (alice, bob):
            sockets = [await alice.connect_unproven(bob.listen_addrs[0]) for _ in range(2)]
            third = await refused(alice, bob)
            assert third is None or third.state.value in ("closing", "closed")
            assert len(bob.sockets()) == 2
            assert all(socket.usable for socket in sockets)

    run(main())


async def refused(alice: Network, bob: Network) -> Any:
    """Dial once more; a socket that closed at once, or None when the dial failed."""
    try:
        socket = await alice.connect_unproven(bob.listen_addrs[0])
    except WarrenError:
        return None
    await closed(socket)
    return socket


def test_we_open_only_so_many_sockets() -> None:
    async def main() -> None:
        async with nodes(3, outbound_max=1) as (alice, bob, carol):
            near, _ = await connect(alice, bob)
            with pytest.raises(LimitReached) as caught:
                await alice.connect(carol.peer_id, carol.listen_addrs)
            assert caught.value.limit == "outbound_max"
            await near.close()
            await alice.connect(carol.peer_id, carol.listen_addrs)

    run(main())


@pytest.mark.parametrize("limit", ["handshakes_max", "handshakes_per_ip_max"])
def test_half_open_links_make_room_for_honest_newcomers(limit: str) -> None:
    async def main() -> None:
        async with inn(**{limit: 3}) as (host,), Guests(host) as guests:
            address = host.listen_addrs[0]
            half_open = [await asyncio.open_connection(address.host, address.port) for _ in range(10)]
            assert (await guests.come()).usable
            assert host._registry.limits.handshakes <= 3
            for _, writer in half_open:
                writer.close()
            await until(host, lambda: not host._registry.limits.handshakes)

    run(main())


def test_a_handshake_that_stalls_ends_in_time() -> None:
    async def main() -> None:
        async with inn(handshake_timeout_s=0.2) as (host,):
            address = host.listen_addrs[0]
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(b"\x13/multi")
            assert await reader.read() == b""
            writer.close()
            assert host._registry.limits.handshakes == 0

    run(main())


def test_a_host_that_breaks_the_protocol_again_and_again_stays_out() -> None:
    async def main() -> None:
        async with inn(violations_max=3, violations_s=60.0) as (host,), Guests(host) as guests:
            for _ in range(3):
                socket = await guests.come()
                assert socket.mux is not None
                socket.mux.sender.put(b"\x00\x09" + bytes(10), b"")
                socket.flush()
                await closed(socket)
            assert isinstance(await guests.come(), (ConnectionFailed, RemoteError))

    run(main())


def test_a_host_that_comes_and_goes_all_the_time_is_slowed_down() -> None:
    async def main() -> None:
        async with inn(per_ip_max=20, per_ip_per_s=0.001) as (host,), Guests(host) as guests:
            for _ in range(5):
                await (await guests.come()).close()
            assert isinstance(await guests.come(), (ConnectionFailed, RemoteError))

    run(main())


def test_unread_data_of_all_streams_together_is_bounded() -> None:
    async def main() -> None:
        bound = 1_000_000
        windows = WindowLimits(held_connection_bytes_max=bound)
        async with nodes(windows=windows) as (alice, bob):
            inbox = Inbox(bob, "/unread/1")
            near, far = await connect(alice, bob)
            good = await alice.open_stream(near, "/unread/1")
            at_bob = await inbox.next()
            bad = [await alice.open_stream(near, "/unread/1") for _ in range(10)]
            for stream in bad:
                stream.write_nowait(bytes(200_000))
            await good.write(b"x")
            ended = [asyncio.ensure_future(stream.read()) for stream in bad]
            await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.cancel()
            outcome = await asyncio.gather(*ended, return_exceptions=True)
            assert any(isinstance(error, StreamReset) for error in outcome), outcome
            assert bob.window_total.held <= bound
            assert await at_bob.read() == b"x"
            assert near.usable
            assert far.usable

    run(main())


def test_messages_that_never_arrive_whole_are_bounded_and_who_waits_longest_goes() -> None:
    async def main() -> None:
        bound = 150_000
        async with (
            inn(windows=WindowLimits(partial_total_bytes_max=bound)) as (host,),
            Guests(host) as guests,
        ):
            near = [await guests.come() for _ in range(3)]
            far = [await socket_at(host, socket) for socket in near]
            near[0]._transport.write(b"\xff\xff" + bytes(60_000))
            await until_true(lambda: far[0].partial_bytes == 60_002)
            near[1]._transport.write(b"\xff\xff" + bytes(60_000))
            await until_true(lambda: far[1].partial_bytes == 60_002)
            near[0]._transport.write(b"\x00")  # a byte now and then makes it no younger
            await until_true(lambda: far[0].partial_bytes == 60_003)
            assert host.window_total.partial == 2 * 60_002 + 1
            near[2]._transport.write(b"\xff\xff" + bytes(60_000))
            await closed(near[0])
            assert isinstance(far[0].error, LimitReached)
            assert host.window_total.partial <= bound
            assert far[1].usable
            assert far[2].usable

    run(main())


def test_addresses_and_what_is_remembered_of_them_are_bounded() -> None:
    async def main() -> None:
        settings: dict[str, Any] = {
            "addresses_per_peer_max": 2,
            "address_peers_max": 1,
            "backoff_addresses_max": 1,
        }
        async with nodes(3, **settings) as (alice, bob, carol):
            many = [LOOPBACK.tcp("127.0.0.1", port) for port in (1, 2, 3)]
            alice.add_addresses(bob.peer_id, many)
            assert len(alice.addresses(bob.peer_id)) == 2
            alice.add_addresses(carol.peer_id, many[:1])
            assert alice.addresses(bob.peer_id) == []
            for peer in (bob, carol):
                with pytest.raises(ConnectionFailed):
                    await alice.connect(peer.peer_id, many[:1])
            assert len(alice._dialer._backoff._entries) == 1

    run(main())


@pytest.mark.parametrize("config", [NetworkConfig, WindowLimits, YamuxLimits])
def test_every_number_of_the_configuration_has_a_test_that_sets_it(config: type) -> None:
    told = "".join(path.read_text() for path in sorted(FOLDER.rglob("test_*.py")))
    assert [field.name for field in fields(config) if field.name not in told] == []


def test_a_network_with_the_defaults_starts() -> None:
    async def main() -> None:
        runtime = RealRuntime()
        network = make(1, runtime)
        await network.listen([LOOPBACK])
        await network.stop()
        await runtime.close()

    run(main())
