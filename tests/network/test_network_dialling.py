"""Connecting on real loopback sockets: addresses, names, pooling, wrong keys, back-off, unproven dials."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.network.nodes import (
    LIMIT_S,
    LOOPBACK,
    connect,
    event,
    key,
    make,
    nodes,
    silent_address,
    until,
    until_true,
)
from tests.support import run
from warren.core.errors import (
    Blocked,
    Closed,
    ConnectionFailed,
    DialFailed,
    InvalidMultiaddr,
    LimitReached,
    PeerIdMismatch,
    RequestTimeout,
    WarrenError,
)
from warren.core.multiaddr import Multiaddr
from warren.network.events import ListenStarted, ListenStopped, PeerConnected, PeerDisconnected, SocketMoved
from warren.network.states import SocketState
from warren.runtime.real import RealRuntime
from warren.runtime.simulated import World

LOOPBACK6 = Multiaddr.parse("/ip6/::1/tcp/0")
NOBODY = Multiaddr.parse("/ip4/127.0.0.1/tcp/1")


# ---------------------------------------------------------------- listening and addresses


@pytest.mark.parametrize("listen", [LOOPBACK, LOOPBACK6], ids=["ipv4", "ipv6"])
def test_two_nodes_connect_and_know_each_other(listen: Multiaddr) -> None:
    async def main() -> None:
        async with nodes(listen=[listen]) as (alice, bob):
            near, far = await connect(alice, bob)
            assert near.peer_id == bob.peer_id
            assert far.peer_id == alice.peer_id
            assert near.remote_addr == bob.listen_addrs[0]
            assert near.remote_addr == far.local_addr
            assert near.local_addr == far.remote_addr
            assert (near.direction, far.direction) == ("outbound", "inbound")
            assert near.proven
            assert far.proven
            assert alice.peers() == [bob.peer_id]
            assert bob.peers() == [alice.peer_id]
            assert alice.is_connected(bob.peer_id)
            assert alice.sockets() == alice.sockets(bob.peer_id) == [near]
            assert near.rtt_s is not None
            assert near.rtt_s > 0
            assert near.bytes_in == far.bytes_out > 0
            assert near.bytes_out == far.bytes_in > 0

    run(main())


def test_several_addresses_that_ask_for_any_port_share_one() -> None:
    async def main() -> None:
        async with nodes(1, listen=[LOOPBACK, LOOPBACK6]) as (alice,):
            ports = [address.port for address in alice.listen_addrs]
            assert len(ports) == 2
            assert len(set(ports)) == 1

    run(main())


def test_a_name_can_be_listened_on_and_dialled() -> None:
    async def main() -> None:
        async with nodes(listen=[Multiaddr.parse("/dns4/localhost/tcp/0")]) as (alice, bob):
            [address] = bob.listen_addrs
            assert address.host == "127.0.0.1"
            for name in ("dns", "dns4"):
                by_name = Multiaddr.parse(f"/{name}/localhost/tcp/{address.port}")
                socket = await alice.connect(bob.peer_id, [by_name])
                assert socket.remote_addr == address
                await socket.close()

    run(main())


def test_listening_is_all_or_nothing() -> None:
    async def main() -> None:
        async with nodes(1) as (alice,):
            before = alice.listen_addrs
            taken = [LOOPBACK6, before[0]]
            with pytest.raises(OSError, match="in use"):
                await alice.listen(taken)
            assert alice.listen_addrs == before
            with pytest.raises(InvalidMultiaddr):
                await alice.listen([Multiaddr.parse("/ip4/127.0.0.1/udp/1/quic-v1")])
            assert alice.listen_addrs == before

    run(main())


def test_listening_is_told_and_can_be_stopped_without_harm_to_sockets() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            events = bob.events.subscribe()
            near, _ = await connect(alice, bob)
            [address] = bob.listen_addrs
            bob.stop_listening()
            assert (await event(events, ListenStopped)).address == address
            assert bob.listen_addrs == []
            assert near.usable
            with pytest.raises(DialFailed, match="nobody listens there"):
                await alice.connect_unproven(address)
            await bob.listen([address])
            assert (await event(events, ListenStarted)).address == address

    run(main())


# ---------------------------------------------------------------- pooling


def test_the_open_socket_is_used_again() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            near, far = await connect(alice, bob)
            assert await alice.connect(bob.peer_id) is near
            assert await bob.connect(alice.peer_id) is far

    run(main())


def test_a_connection_in_passing_is_kept_once_somebody_asks_for_it() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            bob.handle_stream("/test/1", lambda stream: stream.close())
            socket = await alice.connect(bob.peer_id, bob.listen_addrs, passing=True)
            kept = [socket.kept]
            await alice.open_stream(bob.peer_id, "/test/1")
            kept.append(socket.kept)
            assert await alice.connect(bob.peer_id) is socket
            kept.append(socket.kept)
            await alice.connect(bob.peer_id, passing=True)
            kept.append(socket.kept)
            assert kept == [False, False, True, True], "a stream is an errand, too"

    run(main())


def test_a_connection_that_a_stream_needs_is_kept() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            bob.handle_stream("/test/1", lambda stream: stream.close())
            alice.add_addresses(bob.peer_id, bob.listen_addrs)
            await alice.open_stream(bob.peer_id, "/test/1")
            assert [socket.kept for socket in alice.sockets()] == [True]

    run(main())


def test_many_who_ask_at_once_share_one_dial() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            asked = [alice.connect(bob.peer_id, bob.listen_addrs) for _ in range(20)]
            sockets = await asyncio.gather(*asked)
            assert len(set(sockets)) == 1
            assert len(alice.sockets()) == 1

    run(main())


def test_addresses_that_were_told_are_enough() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            alice.add_addresses(bob.peer_id, [a.with_peer(bob.peer_id) for a in bob.listen_addrs])
            assert alice.addresses(bob.peer_id) == bob.listen_addrs
            await alice.connect(bob.peer_id)

    run(main())


def test_identify_teaches_where_a_peer_listens() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            near, far = await connect(alice, bob)
            assert bob.addresses(alice.peer_id) == alice.listen_addrs
            await near.close()
            await until(bob, lambda: far.state is SocketState.CLOSED)
            back = await bob.connect(alice.peer_id)
            assert back.outbound

    run(main())


# ---------------------------------------------------------------- failures


def test_one_dead_address_among_several_does_not_matter() -> None:
    async def main() -> None:
        async with nodes(dial_stagger_s=0.05) as (alice, bob):
            with silent_address() as silent:
                socket = await alice.connect(bob.peer_id, [NOBODY, silent, *bob.listen_addrs])
                assert socket.remote_addr == bob.listen_addrs[0]

    run(main())


def test_a_failed_dial_names_each_address_and_backs_off() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            other = Multiaddr.parse("/ip6/::1/tcp/1")
            with pytest.raises(DialFailed) as caught:
                await alice.connect(bob.peer_id, [NOBODY, other])
            assert dict(caught.value.attempts) == {
                str(NOBODY): "nobody listens there",
                str(other): "nobody listens there",
            }
            with pytest.raises(ConnectionFailed, match="failed lately"):
                await alice.connect(bob.peer_id, [NOBODY])
            with pytest.raises(DialFailed, match="nobody listens there"):
                await alice.connect(bob.peer_id, [NOBODY], forced=True)
            with pytest.raises(DialFailed, match="is known"):
                await alice.connect(bob.peer_id)

    run(main())


def test_another_key_than_the_one_dialled_is_refused() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            events = alice.events.subscribe()
            wanted = key(9).peer_id
            with pytest.raises(PeerIdMismatch) as caught:
                await alice.connect(wanted, bob.listen_addrs)
            assert caught.value.actual == str(bob.peer_id)
            assert alice.peers() == []
            moves = [(await event(events, SocketMoved)).new for _ in range(5)]
            assert moves == [
                SocketState.CONNECTING,
                SocketState.AUTHENTICATING,
                SocketState.ERRORED,
                SocketState.CLOSING,
                SocketState.CLOSED,
            ]
            await until(bob, lambda: not bob._registry.all())
            assert bob.peers() == []
            await connect(alice, bob)

    run(main())


def test_a_node_does_not_connect_to_itself() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            with pytest.raises(InvalidMultiaddr, match="this node itself"):
                await alice.connect(alice.peer_id, alice.listen_addrs)
            with pytest.raises(Exception, match=r"this node itself|closed the connection"):
                await alice.connect_unproven(alice.listen_addrs[0])
            assert alice.peers() == []
            await connect(alice, bob)

    run(main())


def test_no_socket_with_a_blocked_peer() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            await connect(alice, bob)
            alice.set_blocked(lambda peer: peer == bob.peer_id)
            alice.expel(bob.peer_id)
            await until(bob, lambda: not bob.peers())
            assert alice.peers() == []
            with pytest.raises(Blocked) as caught:
                await alice.connect(bob.peer_id, bob.listen_addrs)
            assert "peer unblock" in caught.value.hint
            with pytest.raises(Blocked):  # whose it is shows only in the handshake
                await alice.connect_unproven(bob.listen_addrs[0])
            with contextlib.suppress(WarrenError):
                await bob.connect(alice.peer_id, alice.listen_addrs)
            await until(bob, lambda: not bob._registry.all())
            assert alice.peers() == []
            alice.set_blocked(lambda _: False)
            await connect(alice, bob)

    run(main())


def test_a_peer_that_accepts_and_says_nothing_takes_no_longer_than_asked() -> None:
    async def main() -> None:
        async with nodes(1) as (alice,):
            too_long = pytest.raises(RequestTimeout, match=r"longer than 0\.1 s")
            with silent_address() as silent, too_long:
                await alice.connect(key(9).peer_id, [silent], timeout_s=0.1)

    run(main())


def test_an_address_that_cannot_be_dialled_is_left_out() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            odd = Multiaddr.parse("/ip4/127.0.0.1/udp/1/quic-v1")
            await alice.connect(bob.peer_id, [odd, *bob.listen_addrs])

    run(main())


# ---------------------------------------------------------------- unproven


def test_an_address_without_a_peer_leads_to_an_unproven_socket() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            socket = await alice.connect_unproven(bob.listen_addrs[0])
            assert socket.peer_id == bob.peer_id
            assert not socket.proven
            assert not alice.is_connected(bob.peer_id)
            assert alice.sockets(bob.peer_id) == [socket]
            named = await alice.connect(bob.peer_id, bob.listen_addrs)
            assert named is not socket
            assert named.proven
            assert await alice.connect(bob.peer_id) is named

    run(main())


def test_an_address_that_names_its_peer_proves_it() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            [address] = bob.listen_addrs
            socket = await alice.connect_unproven(address.with_peer(bob.peer_id))
            assert socket.proven
            assert alice.is_connected(bob.peer_id)
            with pytest.raises(PeerIdMismatch):
                await alice.connect_unproven(address.with_peer(key(9).peer_id))

    run(main())


def test_an_unproven_dial_tries_every_address_of_a_name() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            by_name = Multiaddr.parse(f"/dns/localhost/tcp/{bob.listen_addrs[0].port}")
            assert (await alice.connect_unproven(by_name)).peer_id == bob.peer_id

    run(main())


@pytest.mark.parametrize("address", [NOBODY, Multiaddr.parse("/dns4/no-such-host.invalid/tcp/1")])
def test_an_unproven_dial_that_fails_says_why(address: Multiaddr) -> None:
    async def main() -> None:
        async with nodes(1) as (alice,):
            with pytest.raises(DialFailed, match=f"could not reach {address}"):
                await alice.connect_unproven(address)

    run(main())


def test_an_unproven_dial_takes_no_longer_than_asked() -> None:
    async def main() -> None:
        async with nodes(1) as (alice,):
            with silent_address() as silent, pytest.raises(RequestTimeout):
                await alice.connect_unproven(silent, timeout_s=0.1)

    run(main())


# ---------------------------------------------------------------- events


def test_the_life_of_a_socket_and_of_a_peer_can_be_watched() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            watching = alice.events.subscribe()
            near, _ = await connect(alice, bob)
            await near.close()
            seen: list[object] = []
            async with asyncio.timeout(LIMIT_S):
                while not isinstance(seen[-1] if seen else None, PeerDisconnected):
                    seen.append(await anext(watching))
            moves = [(e.old.value, e.new.value) for e in seen if isinstance(e, SocketMoved)]
            assert moves[:5] == [
                ("opening", "connecting"),
                ("connecting", "authenticating"),
                ("authenticating", "authenticated"),
                ("authenticated", "connected"),
                ("connected", "open"),
            ]
            assert ("open", "closing") in moves
            assert PeerConnected(bob.peer_id) in seen
            gone = seen[-1]
            assert isinstance(gone, PeerDisconnected)
            assert gone.reason == "the connection was closed here"

    run(main())


# ---------------------------------------------------------------- the end


def test_a_stopped_network_does_nothing_more() -> None:
    async def main() -> None:
        alice, bob = make(1), make(2)
        await bob.listen([LOOPBACK])
        address = bob.listen_addrs[0]
        await connect(alice, bob)
        await alice.stop()
        await alice.stop()
        for work in (
            alice.connect(bob.peer_id),
            alice.connect_unproven(address),
            alice.listen([LOOPBACK]),
            alice.broadcast("/x/1", b""),
            alice.request(bob.peer_id, "/x/1", b""),
            alice.open_stream(bob.peer_id, "/x/1"),
        ):
            with pytest.raises(Closed):
                await work
        await bob.stop()

    run(main())


def test_who_waits_for_a_dial_is_told_that_the_network_stopped() -> None:
    async def main() -> None:
        alice = make(1)
        with silent_address() as silent:
            asking = asyncio.ensure_future(alice.connect(key(9).peer_id, [silent]))
            await until(alice, alice._registry.all)
            await alice.stop()
            with pytest.raises(Closed):
                await asking

    run(main())


def test_a_link_that_is_accepted_while_the_network_stops_is_turned_away() -> None:
    async def main() -> None:
        bob = make(2)
        await bob.stop()
        late = bob._make_inbound()
        with pytest.raises(LimitReached, match="was stopped"):
            bob.on_link(late, None)

    run(main())


def test_listening_that_a_stop_overtakes_leaves_no_port_open() -> None:
    async def main() -> None:
        runtime = RealRuntime()
        bob = make(2, runtime)
        listening = asyncio.ensure_future(bob.listen([Multiaddr.parse("/dns4/localhost/tcp/0")]))
        await asyncio.sleep(0)
        await bob.stop()
        with pytest.raises(Closed):
            await listening
        assert bob.listen_addrs == []

    run(main())


def test_a_dial_that_runs_is_helped_by_who_knows_better() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            with silent_address() as silent:
                first = asyncio.ensure_future(alice.connect(bob.peer_id, [silent]))
                await until(alice, alice._registry.all)
                second = await alice.connect(bob.peer_id, bob.listen_addrs, timeout_s=LIMIT_S)
                assert await first is second

    run(main())


# ---------------------------------------------------------------- on the word of others


def test_where_a_peer_was_met_is_remembered_and_not_counted_as_hearsay() -> None:
    async def main(world: World) -> None:
        alice = make(1, world.runtime("alice", "60.0.0.1"), identify=False, hearsay_per_host_max=1)
        bob = make(2, world.runtime("bob", "60.0.0.2"), identify=False)
        here = Multiaddr.tcp("60.0.0.2", 4101)
        await bob.listen([here])
        await alice.connect(bob.peer_id, [here])
        await bob.stop()
        await until_true(lambda: not alice.is_connected(bob.peer_id))
        assert alice.addresses(bob.peer_id) == [here]
        for _ in range(3):
            with pytest.raises(DialFailed):
                await alice.connect(bob.peer_id, hearsay=[here], forced=True)
        elsewhere = [Multiaddr.tcp("60.0.0.2", 22)]
        with pytest.raises(DialFailed):
            await alice.connect(key(3).peer_id, hearsay=elsewhere, forced=True)
        with pytest.raises(LimitReached):
            await alice.connect(key(3).peer_id, hearsay=elsewhere, forced=True)
        await alice.stop()

    with World() as world:
        world.run(main(world))


def test_what_the_address_book_has_from_others_is_hearsay_for_who_says_so() -> None:
    async def main(world: World) -> None:
        alice = make(1, world.runtime("alice", "60.0.0.1"), identify=False, hearsay_per_host_max=1)
        world.runtime("bob", "60.0.0.2")
        alice.add_addresses(key(2).peer_id, [Multiaddr.tcp("60.0.0.2", port) for port in (22, 25)])
        with pytest.raises(DialFailed, match="too often"):
            await alice.connect(key(2).peer_id, hearsay=[])
        with pytest.raises(LimitReached):
            await alice.connect_unproven(Multiaddr.tcp("60.0.0.2", 80), hearsay=True)
        with pytest.raises(LimitReached):
            await alice.connect_unproven(
                Multiaddr.tcp("60.0.0.2", 80).with_peer(key(3).peer_id), hearsay=True
            )
        with pytest.raises(DialFailed) as caught:
            await alice.connect(key(2).peer_id, forced=True)
        assert len(caught.value.attempts) == 2
        assert "too often" not in str(caught.value)
        await asyncio.sleep(alice.config.hearsay_per_host_every_s)
        with pytest.raises(DialFailed):
            await alice.connect_unproven(Multiaddr.tcp("60.0.0.2", 80), hearsay=True)
        await alice.stop()

    with World() as world:
        world.run(main(world))
