"""The DHT of small networks: what is put is got, who is looked for is found, and who lies is not believed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.protocols.kad.net import SMALL, corrupt, run_net
from tests.protocols.kad.peers import info
from warren.core.errors import ContentUnknown, InvalidRecord
from warren.core.multiaddr import Multiaddr
from warren.protocols.kad.config import KadConfig
from warren.protocols.kad.gathering import Provider
from warren.protocols.kad.kad import Closest, FoundPeer, PutReport
from warren.protocols.kad.keyspace import position
from warren.protocols.kad.messages import Kind, Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.protocols.kad.net import KadNode

KEY = b"\x12\x20" + bytes(32)


async def providers(node: KadNode, key: bytes = KEY, count: int = 20) -> list[Provider]:
    return [provider async for provider in node.kad.find_providers(key, count)]


def nearest(nodes: Sequence[KadNode], key: bytes) -> list[KadNode]:
    return sorted(nodes, key=lambda node: position(node.peer.to_bytes()) ^ position(key))


def test_two_nodes_put_and_get_at_the_first_try() -> None:
    async def main(nodes: Sequence[KadNode]) -> None:
        alice, bob = nodes
        key, value = alice.signed(b"a name, with spaces\0", 1, bytes(range(256)))
        assert await alice.kad.put_value(key, value) == PutReport(stored=1, asked=1)
        assert await bob.kad.get_value(key) == value
        assert await bob.kad.provide(KEY) == PutReport(stored=1, asked=1)
        assert await providers(alice) == [Provider(*bob.info)]
        assert await providers(bob) == [Provider(*bob.info)]

    run_net(2, main, settle_s=0.1)


def test_a_node_alone_keeps_its_own() -> None:
    async def main(nodes: Sequence[KadNode]) -> None:
        (alice,) = nodes
        key, value = alice.signed(b"name", 1, b"value")
        assert await alice.kad.put_value(key, value) == PutReport(stored=0, asked=0)
        assert await alice.kad.get_value(key) == value
        await alice.kad.provide(KEY)
        assert await providers(alice) == [Provider(*alice.info)]
        assert await alice.kad.closest(KEY) == Closest((), 0, 0, 0)
        assert await alice.kad.find_peer(alice.peer) == FoundPeer(*alice.info, 0, reached=True)
        with pytest.raises(ContentUnknown):
            await alice.kad.get_value(alice.signed(b"other", 1, b"value")[0])

    run_net(1, main)


def test_what_does_not_prove_itself_is_not_put() -> None:
    async def main(nodes: Sequence[KadNode]) -> None:
        alice, bob = nodes
        key, value = alice.signed(b"name", 2, b"new")
        await alice.kad.put_value(key, value)
        for false in (bob.signed(b"name", 3, b"forged")[1], alice.signed(b"name", 1, b"old")[1], b"unsigned"):
            with pytest.raises(InvalidRecord):
                await alice.kad.put_value(key, false)
        with pytest.raises(ContentUnknown):
            await alice.kad.get_value(b"/no/namespace")

    run_net(2, main, settle_s=0.1)


def test_the_newest_value_is_got_and_who_holds_an_old_one_is_told() -> None:
    async def main(nodes: Sequence[KadNode]) -> None:
        alice = nodes[0]
        key, old = alice.signed(b"name", 1, b"old")
        _, new = alice.signed(b"name", 2, b"new")
        await alice.kad.put_value(key, old)
        now = alice.network.clock()
        behind, ahead = nodes[1], nodes[2]
        ahead.records.put(key, new, now)
        assert await nodes[3].kad.get_value(key) == new
        record = behind.records.get(key, now)
        assert record is not None
        assert record.value == new

    run_net(6, main)


def test_values_and_providers_are_where_they_belong() -> None:
    async def main(nodes: Sequence[KadNode]) -> None:
        alice, bob = nodes[3], nodes[-1]
        key, value = alice.signed(b"name", 1, b"value")
        k = alice.kad.config.lookup.k
        assert await alice.kad.put_value(key, value) == PutReport(stored=k, asked=k)
        assert await alice.kad.provide(KEY) == PutReport(stored=k, asked=k)
        now = alice.network.clock()
        others = [node for node in nodes if node is not alice]
        assert [n for n in others if n.records.get(key, now)] == [
            n for n in others if n in nearest(others, key)[:k]
        ]
        assert all(n.providers.get(KEY, now) for n in nearest(others, KEY)[:k])
        assert await bob.kad.get_value(key) == value
        assert await providers(bob) == [Provider(*alice.info)]

    run_net(40, main, config=SMALL)


def test_the_closest_are_the_closest() -> None:
    async def main(nodes: Sequence[KadNode]) -> None:
        for asker in (nodes[0], nodes[-1]):
            others = [node for node in nodes if node is not asker]
            found = await asker.kad.closest(KEY)
            assert [one.peer for one in found.peers] == [n.peer for n in nearest(others, KEY)[:8]]
            assert found.peers[0] == nearest(others, KEY)[0].info
            assert found.requests >= 8
            assert found.failures == 0

    run_net(40, main, config=SMALL)


def test_who_is_found_is_connected_for_a_while_only() -> None:
    async def main(nodes: Sequence[KadNode]) -> None:
        asker = nodes[-1]
        target = next(n for n in nodes if not asker.network.is_connected(n.peer))
        found = await asker.kad.find_peer(target.peer)
        assert found is not None
        assert (found.peer, found.addresses, found.reached) == (*target.info, True)
        assert asker.network.is_connected(target.peer)
        await asyncio.sleep(asker.kad.config.connection_idle_s * 3)
        assert not asker.network.is_connected(target.peer)
        kept = await asker.network.connect(target.peer, target.advertised)
        assert await asker.kad.find_peer(target.peer) == found._replace(hops=0)
        await asyncio.sleep(asker.kad.config.connection_idle_s * 3)
        assert kept.usable, "somebody asked for it"

    run_net(30, main, config=SMALL)


def test_who_has_left_is_not_found_and_does_not_hold_others_up_for_long() -> None:
    async def main(nodes: Sequence[KadNode]) -> None:
        asker, gone = nodes[1], nodes[-1]
        await gone.stop()
        begun = asker.network.clock()
        found = await asker.kad.find_peer(gone.peer)
        assert found is None or not found.reached
        assert asker.network.clock() - begun < 15
        assert gone.peer not in {one.peer for one in (await asker.kad.closest(gone.peer.to_bytes())).peers}

    run_net(20, main, config=SMALL)


def test_a_host_that_liars_have_spent_costs_nobody_his_place_in_the_table() -> None:
    async def main(nodes: Sequence[KadNode]) -> None:
        alice, bob = nodes
        await bob.network.stop()  # who had come by himself
        here = bob.advertised[0]
        while alice.network.hearsay.take(here, alice.network.clock()):
            pass
        for _ in range(5):
            assert (await alice.kad.closest(b"key")).failures == 1
        entry = alice.kad.table.get(bob.peer)
        assert entry is not None
        assert entry.failures == 0
        await asyncio.sleep(alice.network.config.hearsay_per_host_every_s)
        await alice.kad.closest(b"key")
        assert entry.failures == 1

    run_net(2, main, settle_s=0.5)


def test_a_client_asks_and_is_not_asked() -> None:
    async def main(nodes: Sequence[KadNode]) -> None:
        *servers, client = nodes
        assert [node.kad.mode for node in nodes] == ["server"] * len(servers) + ["client"]
        assert len(client.kad.table) == len(servers)
        assert all(client.peer not in node.kad.table for node in servers)
        key, value = client.signed(b"name", 1, b"value")
        assert await client.kad.put_value(key, value) == PutReport(stored=5, asked=5)
        assert await servers[0].kad.get_value(key) == value
        await servers[0].meet(client)
        found = await servers[-1].kad.find_peer(client.peer)
        assert found is not None
        assert found.addresses == client.info.addresses

    run_net(6, main, config=lambda number: KadConfig(mode="client" if number == 6 else "server"))


@pytest.mark.parametrize(
    ("protocol", "address", "mode"),
    [
        ("/warren/kad/1.0.0", "/ip4/192.168.1.1/tcp/1", "server"),
        ("/ipfs/kad/1.0.0", "/ip4/192.168.1.1/tcp/1", "client"),
        ("/ipfs/kad/1.0.0", "/ip4/60.1.1.1/tcp/1", "server"),
    ],
)
def test_by_itself_a_node_serves_where_others_reach_it(protocol: str, address: str, mode: str) -> None:
    async def main(nodes: Sequence[KadNode]) -> None:
        (alice,) = nodes
        assert alice.kad.mode == mode
        alice.advertised = []
        await asyncio.sleep(60)
        assert alice.kad.mode == "client"
        assert protocol not in alice.network.router.protocols

    def before(nodes: Sequence[KadNode]) -> None:
        nodes[0].advertised = [Multiaddr.parse(address)]

    run_net(1, main, config=KadConfig(protocol=protocol), before=before)


def test_nodes_of_another_dht_are_not_seen() -> None:
    async def main(nodes: Sequence[KadNode]) -> None:
        assert nodes[0].network.peers() == [node.peer for node in sorted(nodes[1:], key=lambda n: n.peer)]
        assert await nodes[0].kad.closest(KEY) == Closest((), 0, 0, 0)
        assert len(nodes[1].kad.table) == 1

    run_net(3, main, config=lambda number: KadConfig() if number > 1 else KadConfig(protocol="/other/1.0.0"))


def test_a_provider_that_moved_is_looked_up_by_its_id() -> None:
    async def main(nodes: Sequence[KadNode]) -> None:
        alice, asker = nodes[0], nodes[-1]
        await alice.kad.provide(KEY)
        await asyncio.sleep(alice.kad.config.store.provider_addresses_s + 60)
        (found,) = await providers(asker)
        assert found == Provider(*alice.info)

    run_net(8, main)


def test_a_liar_who_makes_up_providers_does_not_hide_the_true_one() -> None:
    async def main(nodes: Sequence[KadNode]) -> None:
        alice, asker = nodes[0], nodes[-1]
        await alice.kad.provide(KEY)
        false = [info(number) for number in range(200)]
        for liar in nodes[1:6]:
            corrupt(liar, {Kind.GET_PROVIDERS: lambda asked: Message(asked.kind, asked.key, providers=false)})
        assert alice.peer in {provider.peer for provider in await providers(asker, count=20)}

    run_net(12, main)
