"""Several sockets with one peer, and who must go when there are too many."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.network.nodes import closed, connect, key, lower_first, nodes, socket_at, until
from tests.support import run
from warren.core.errors import HandshakeFailed, LimitReached
from warren.core.multiaddr import Multiaddr
from warren.network.config import NetworkConfig
from warren.network.events import EventBus
from warren.network.limits import SocketLimits
from warren.network.registry import SocketRegistry
from warren.network.states import SocketState


def test_two_sides_that_saw_another_order_keep_a_socket() -> None:
    async def main() -> None:
        async with nodes(2) as both:
            low, high = lower_first(*both)
            older, older_there = await connect(low, high)
            newer = await low.dial_address(high.listen_addrs[0], high.peer_id)
            newer_there = await socket_at(high, newer)
            older_there.opened_at, newer_there.opened_at = newer_there.opened_at, older_there.opened_at
            await newer.wait_open()
            await newer_there.wait_open()
            await closed(older)
            assert (newer.usable, newer_there.usable) == (True, True)
            assert low.is_connected(high.peer_id)
            assert high.is_connected(low.peer_id)

    run(main())


@pytest.mark.parametrize("lower_dials", [True, False])
def test_an_unproven_socket_that_stays_takes_over_what_was_proven(lower_dials: bool) -> None:
    async def main() -> None:
        async with nodes(2) as both:
            a, b = lower_first(*both) if lower_dials else reversed(lower_first(*both))
            named, _ = await connect(a, b)
            unproven = await a.connect_unproven(b.listen_addrs[0])
            await unproven.wait_open()
            await closed(named)
            assert a.is_connected(b.peer_id)
            assert await a.connect(b.peer_id) is unproven

    run(main())


def test_an_unproven_socket_alone_stands_for_nobody() -> None:
    async def main() -> None:
        async with nodes(2) as (a, b):
            first = await a.connect_unproven(b.listen_addrs[0])
            await first.wait_open()
            second = await a.connect_unproven(b.listen_addrs[0])
            await closed(first)
            assert second.usable
            assert not a.is_connected(b.peer_id)

    run(main())


def test_of_unproven_duplicates_with_a_foreign_peer_one_stays() -> None:
    async def main() -> None:
        async with nodes(2, identify=False) as (a, b):
            first = await a.connect_unproven(b.listen_addrs[0])
            second = await a.connect_unproven(b.listen_addrs[0])
            a._registry._close_idle(a.clock())
            await closed(first)
            assert second.usable

    run(main())


def test_a_flood_of_newcomers_evicts_none_of_our_own_dials() -> None:
    async def main() -> None:
        async with nodes(3, identify=False, inbound_max=1) as (a, b, c):
            ours = await a.connect(b.peer_id, b.listen_addrs)
            theirs = await c.connect(a.peer_id, a.listen_addrs)
            there = await socket_at(a, theirs)
            with pytest.raises(HandshakeFailed):
                await b.dial_address(a.listen_addrs[0], a.peer_id)
            await closed(there)
            assert ours.usable
            again = await b.dial_address(a.listen_addrs[0], a.peer_id)
            assert again.usable

    run(main())


class _Peer(SimpleNamespace):
    __hash__ = object.__hash__  # type: ignore[assignment]


def inbound(peer: object) -> Any:
    address = Multiaddr.parse("/ip4/192.0.2.7/tcp/1")
    facts = {"outbound": False, "direction": "inbound", "bytes_in": 0, "bytes_out": 0}
    return _Peer(peer_id=peer, remote_addr=address, authenticated=True, error=None, **facts)


def test_many_that_prove_a_key_at_once_are_no_way_around_the_limit_of_a_peer() -> None:
    registry = SocketRegistry(key(1).peer_id, NetworkConfig(per_peer_max=2), EventBus(), lambda: 0.0)
    sockets = [inbound(key(2).peer_id) for _ in range(4)]
    for socket in sockets:
        registry.admit(socket, socket.remote_addr)
        registry.on_moved(socket, SocketState.AUTHENTICATING, SocketState.AUTHENTICATED)
    for socket in sockets[:2]:
        registry.on_moved(socket, SocketState.AUTHENTICATED, SocketState.CONNECTED)
    for socket in sockets[2:]:
        with pytest.raises(LimitReached, match="per_peer_max"):
            registry.on_moved(socket, SocketState.AUTHENTICATED, SocketState.CONNECTED)
    assert registry.sockets(key(2).peer_id) == sockets[:2]


def test_a_host_that_has_its_share_makes_room_among_its_own() -> None:
    limits = SocketLimits(NetworkConfig(handshakes_max=3, handshakes_per_ip_max=2))
    for host in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        limits.admit_inbound(host)
    with pytest.raises(LimitReached, match="handshakes_per_ip_max"):
        limits.admit_inbound("192.0.2.1")
    with pytest.raises(LimitReached, match="handshakes_max"):
        limits.admit_inbound("192.0.2.2")


def test_a_peer_limit_met_late_leaves_nothing_behind() -> None:
    async def main() -> None:
        async with nodes(2, identify=False, per_peer_max=1) as (a, b):
            first = await a.dial_address(b.listen_addrs[0], b.peer_id)
            with pytest.raises(LimitReached):
                await a.dial_address(b.listen_addrs[0], b.peer_id)
            await until(b, lambda: len(b._registry.all()) == 1)
            assert first.usable

    run(main())
