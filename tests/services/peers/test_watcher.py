"""Whole nodes: what happens in the network stands in the table."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from warren import testing
from warren.core.errors import Ambiguous, PeerUnknown
from warren.core.keys import PrivateKey
from warren.services.peers.watcher import SEEN_EVERY_S

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from warren.node import Node
    from warren.services.peers.model import Peer


def run(
    work: Callable[[testing.Nodes], Coroutine[object, object, None]], nodes: int = 2, degree: int = 1
) -> None:
    async def main() -> None:
        async with testing.network(nodes, degree=degree) as network:
            await work(network)

    testing.run(main())


async def known(node: Node, other: Node) -> Peer:
    found = await node.peers.get(other.peer_id)
    assert found is not None
    return found


def test_both_sides_know_each_other() -> None:
    async def work(nodes: testing.Nodes) -> None:
        await asyncio.sleep(1)
        dialler, listener = nodes
        there = await known(dialler, listener)
        assert there.sources == ("dialled", "identify")
        kept, _ = await dialler.peers.kept_after(0, 9)
        [address] = kept[0].proven
        assert address == there.addresses[0]
        assert address in [one.without_peer() for one in listener.addresses()]
        here = await known(listener, dialler)
        assert here.sources == ("inbound", "identify")
        assert set(here.addresses) == {one.without_peer() for one in dialler.addresses()}
        assert here.agent == there.agent
        assert here.agent.startswith("warren/")
        assert here.state == there.state == "reachable"
        assert kept[0].record is not None

    run(work)


def test_whoever_stays_is_seen_again_and_again() -> None:
    async def work(nodes: testing.Nodes) -> None:
        one, other = nodes
        await asyncio.sleep(1)
        before = (await known(one, other)).last_seen or 0.0
        await asyncio.sleep(3 * SEEN_EVERY_S)
        assert ((await known(one, other)).last_seen or 0.0) > before + 2 * SEEN_EVERY_S
        left_at = one.network.runtime.clock.wall()
        await other.close()
        await asyncio.sleep(10 * SEEN_EVERY_S)
        assert abs(((await known(one, other)).last_seen or 0.0) - left_at) < SEEN_EVERY_S

    run(work)


def test_a_restart_remembers() -> None:
    async def work(nodes: testing.Nodes) -> None:
        await asyncio.sleep(1)
        other = nodes[1]
        before = await known(nodes[0], other)
        again = await nodes.restart(0)
        after = await known(again, other)
        assert before.addresses == after.addresses
        # By its id alone: the address comes from the table.
        assert await again.ping(other.peer_id)
        assert await again.find_peer(str(other.peer_id)[:20]) == other.peer_id

    run(work)


def test_names_of_strangers_are_found_after_those_of_acquaintances() -> None:
    async def work(nodes: testing.Nodes) -> None:
        one, other = nodes
        await asyncio.sleep(1)
        strangers = [PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(30)]
        for peer in strangers:
            await one.peers.heard(peer, [], "exchange")
        assert await one.find_peer("12D3KooW") == other.peer_id
        assert await one.find_peer(str(strangers[3])[:20]) == strangers[3]
        await other.close()
        await asyncio.sleep(60)
        with pytest.raises(Ambiguous) as caught:
            await one.find_peer("12D3KooW")
        assert len(caught.value.candidates) == 20
        with pytest.raises(PeerUnknown):
            await one.find_peer("nobody")
        with pytest.raises(PeerUnknown):
            await one.find_peer("7")

    run(work)


def test_a_peer_that_is_blocked_gets_no_connection_either_way() -> None:
    async def work(nodes: testing.Nodes) -> None:
        one, other, third = nodes
        await asyncio.sleep(1)
        await one.peers.block(other.peer_id)
        await asyncio.sleep(1)
        assert one.network.peers() == [third.peer_id]
        assert other.network.peers() == [third.peer_id]
        for _ in range(3):
            await asyncio.gather(other.connect(one.addresses()[0]), return_exceptions=True)
            await asyncio.sleep(30)
            assert one.network.peers() == [third.peer_id]
        await one.peers.unblock(other.peer_id)
        await one.connect(other.peer_id)
        assert one.network.is_connected(other.peer_id)

    run(work, nodes=3, degree=2)


def test_a_contact_stands_in_the_table_by_its_name() -> None:
    async def work(nodes: testing.Nodes) -> None:
        one, other = nodes
        await one.add_contact(other.addresses()[0], name="Bob")
        [peer] = await one.peers.page()
        assert peer.peer_id == other.peer_id
        assert set(peer.addresses) >= {other.addresses()[0].without_peer()}
        assert "contact" in peer.sources
        await one.contacts.remove(other.peer_id)
        assert await one.peers.forget(other.peer_id)
        await asyncio.sleep(30)
        assert await one.peers.get(other.peer_id) is None

    run(work, degree=0)
