"""Who is online, told by whole nodes: one that dies, one that is cut off, a partition and its end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.simulation.peers import stage, until
from warren import testing
from warren.core.lease import Lease
from warren.services.peers.config import PeersConfig
from warren.services.presence.config import PresenceConfig
from warren.services.presence.model import (
    PeerBackOnline,
    PeerCameOnline,
    PeerHeldOffline,
    PeerWentOffline,
    PresenceCounts,
)
from warren.testing.nodes import QUIET

if TYPE_CHECKING:
    from tests.simulation.peers import Stage
    from warren.core.peer_id import PeerId
    from warren.node import Node

CALM = PeersConfig(latency_interval_s=60, feeler_interval_s=0)
# Leases that outlast what the prober takes to give a peer up: what is seen here are the votes.
LONG = replace(QUIET, presence=PresenceConfig(lease_s=600, ramp_s=60))
SHORT = replace(QUIET, presence=PresenceConfig(lease_s=60, ramp_s=60))


async def gather(made: Stage) -> list[Node]:
    """Node 0 is the super-peer of all; each is connected with each."""
    nodes = [made.nodes[number] for number in range(len(made.nodes))]
    nodes[0].presence.open_desk()
    for number, node in enumerate(nodes):
        await made.connect(number, *range(number))
        if number:
            node.presence.follow(lambda: (nodes[0].peer_id,))
    await asyncio.sleep(120)  # all weigh what they can
    assert nodes[0].presence.counts == PresenceCounts(len(nodes), 0, 0)
    return nodes


def held(node: Node, *others: Node) -> list[bool]:
    return [node.presence.is_held_offline(other.peer_id) for other in others]


def test_who_dies_is_held_offline_and_others_hear_of_it() -> None:
    async def main() -> None:
        async with stage(5, CALM, others=LONG) as made:
            nodes = await gather(made)
            events = nodes[0].events()
            made.cut_off(4)

            async def is_held() -> bool:
                return nodes[0].presence.is_held_offline(nodes[4].peer_id)

            await until(is_held, 500)
            assert nodes[0].presence.counts.held_offline == 1
            assert not nodes[0].presence.desk.is_online(nodes[4].peer_id)
            await asyncio.sleep(120)
            for node in nodes[:4]:
                assert held(node, *nodes) == [False] * 4 + [True]
                tally = node.presence.tally(nodes[4].peer_id)
                assert tally is not None
                assert 3 <= tally.accusers <= tally.online == 4
            events.close()
            told = [event async for event in events if isinstance(event, PeerHeldOffline | PeerBackOnline)]
            assert [(type(one), one.peer) for one in told] == [(PeerHeldOffline, nodes[4].peer_id)]

    testing.run(main())


def test_a_newcomer_does_not_dial_whom_the_votes_hold_offline() -> None:
    async def main() -> None:
        looking = replace(LONG, discovery=replace(LONG.discovery, connections=16))
        async with stage(5, CALM, others=looking) as made:
            nodes = await gather(made)
            made.cut_off(4)

            async def is_held() -> bool:
                return nodes[0].presence.is_held_offline(nodes[4].peer_id)

            await until(is_held, 500)
            newcomer = await made.start(5)
            newcomer.presence.follow(lambda: (nodes[0].peer_id,))
            await made.connect(5, 0)

            async def has_heard() -> bool:
                return newcomer.presence.is_held_offline(nodes[4].peer_id)

            await until(has_heard, 100)
            tried = newcomer.discovery.status().tried
            await made.tell(newcomer, 4)  # discovery looks through what the table holds
            await asyncio.sleep(120)
            assert newcomer.discovery.status().tried == tried

    testing.run(main())


def test_who_is_cut_off_removes_nobody_when_it_returns_and_the_votes_against_it_are_cleared() -> None:
    async def main() -> None:
        async with stage(5, CALM, others=LONG) as made:
            nodes = await gather(made)
            made.cut_off(4)

            async def is_held() -> bool:
                return nodes[0].presence.is_held_offline(nodes[4].peer_id)

            await until(is_held, 500)
            await asyncio.sleep(600)
            # In its eyes nobody is to blame: nothing was heard of anybody.
            assert not nodes[4].presence._accusing._suspects
            events = nodes[0].events()
            made.heal()
            await made.connect(4, 0, 1, 2, 3)
            await asyncio.sleep(300)
            assert held(nodes[0], *nodes) == [False] * 5
            assert nodes[0].presence.counts == PresenceCounts(5, 0, 0)
            events.close()
            kinds = (PeerHeldOffline, PeerBackOnline, PeerCameOnline, PeerWentOffline)
            told = [event async for event in events if isinstance(event, kinds)]
            assert {event.peer for event in told} == {nodes[4].peer_id}

    testing.run(main())


def test_a_liar_that_accuses_all_removes_nobody() -> None:
    async def main() -> None:
        async with stage(5, CALM, others=LONG) as made:
            nodes = await gather(made)
            events = nodes[0].events()
            liar = nodes[4].presence
            for _ in range(5):
                for accused in nodes[:4]:
                    await liar._tell_all(accused.peer_id, 600)
                await asyncio.sleep(30)
            assert nodes[0].presence.counts.votes > 0
            assert held(nodes[0], *nodes) == [False] * 5
            events.close()
            assert not [event async for event in events if isinstance(event, PeerHeldOffline)]

    testing.run(main())


def test_a_crowd_of_liars_removes_nobody_who_answers() -> None:
    async def main() -> None:
        async with stage(5, CALM, others=LONG) as made:
            nodes = await gather(made)
            events = nodes[0].events()
            for _ in range(5):
                for liar in nodes[2:]:
                    await liar.presence._tell_all(nodes[1].peer_id, 600)
                await asyncio.sleep(30)
            assert not nodes[0].presence.is_held_offline(nodes[1].peer_id)
            events.close()
            assert not [event async for event in events if isinstance(event, PeerHeldOffline)]

    testing.run(main())


def test_a_partition_holds_the_smaller_side_offline_and_its_return_clears_that() -> None:
    async def main() -> None:
        async with stage(6, CALM, others=LONG) as made:
            nodes = await gather(made)
            made.world.network.partition([["node4", "node5"]])

            async def are_held() -> bool:
                return all(held(nodes[0], *nodes[4:]))

            await until(are_held, 550)
            assert held(nodes[0], *nodes[:4]) == [False] * 4
            made.heal()
            await made.connect(4, 0)
            await made.connect(5, 0)

            async def is_over() -> bool:
                return nodes[0].presence.counts == PresenceCounts(6, 0, 0)

            await until(is_over, 300)
            for node in nodes[1:]:
                assert not any(held(node, node, *nodes[:1]))

    testing.run(main())


def test_leases_are_renewed_end_and_are_given_back_at_the_end_of_a_node() -> None:
    async def main() -> None:
        async with stage(4, CALM, others=SHORT) as made:
            nodes = await gather(made)
            gone, dead = nodes[2].peer_id, nodes[3].peer_id
            await asyncio.sleep(600)
            assert nodes[0].presence.desk.age_s(gone) > 600
            events = nodes[0].events()
            await made.stop(2)
            await asyncio.sleep(2)
            assert not nodes[0].presence.desk.is_online(gone)
            made.cut_off(3)
            await asyncio.sleep(62)
            events.close()
            told = [event async for event in events if isinstance(event, PeerWentOffline)]
            assert told == [PeerWentOffline(gone, "goodbye"), PeerWentOffline(dead, "expired")]

    testing.run(main())


def test_who_moves_to_another_super_peer_takes_a_lease_there_at_once() -> None:
    async def main() -> None:
        async with stage(3, CALM, others=SHORT) as made:
            nodes = [made.nodes[number] for number in range(3)]
            for node in nodes[:2]:
                node.presence.open_desk()
            await made.connect(2, 0, 1)
            chosen = [nodes[0].peer_id]
            nodes[2].presence.follow(lambda: chosen)
            await asyncio.sleep(1)
            assert nodes[0].presence.desk.is_online(nodes[2].peer_id)
            chosen[:] = [nodes[1].peer_id]
            nodes[2].presence.moved()
            await asyncio.sleep(1)
            assert nodes[1].presence.desk.is_online(nodes[2].peer_id)
            nodes[1].presence.shut_desk()
            assert not nodes[1].presence.desk.is_online(nodes[2].peer_id)
            await asyncio.sleep(60)
            assert nodes[1].presence.counts == PresenceCounts(0, 0, 0)

    testing.run(main())


def test_somebody_else_may_keep_the_leases_and_this_refutes_with_them() -> None:
    async def main() -> None:
        async with stage(2, CALM, others=SHORT) as made:
            boss, weak = made.nodes[0], made.nodes[1]
            boss.presence.open_desk()
            await made.connect(1, 0)
            key = weak.presence._key
            numbers = iter(range(10, 20))

            def sealed(super_peer: PeerId) -> bytes:
                return Lease(key.peer_id, next(numbers), 60, super_peer=super_peer).seal(key)

            weak.presence.follow(lambda: (boss.peer_id,), sealed_lease=sealed)
            await asyncio.sleep(120)
            assert not boss.presence.desk.is_online(weak.peer_id)
            lease = Lease.open(sealed(boss.peer_id))
            assert boss.presence.desk.take_lease(lease, "100.2.0.1").verdict == "taken"
            assert boss.presence.desk.is_online(weak.peer_id)
            shown = await boss.presence._protocol.accuse(weak.peer_id)
            assert shown is not None
            assert shown.seq == lease.seq + 1
            await asyncio.sleep(61)
            assert not boss.presence.desk.is_online(weak.peer_id)

    testing.run(main())


def test_a_clock_that_was_set_back_costs_no_lease() -> None:
    async def main() -> None:
        async with stage(2, CALM, others=SHORT) as made:
            nodes = await gather(made)
            nodes[1].presence._own._numbers._last -= 10**9
            nodes[1].presence._own._numbers._clock = Past()
            await asyncio.sleep(300)
            assert nodes[0].presence.desk.age_s(nodes[1].peer_id) > 400

    testing.run(main())


class Past:
    """A clock of long ago."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return 0.0


def test_only_its_super_peers_may_call_a_node_to_account() -> None:
    async def main() -> None:
        async with stage(3, CALM, others=LONG) as made:
            nodes = await gather(made)
            stranger, me = nodes[2].presence._protocol, nodes[1].peer_id
            assert await stranger.accuse(me) is None
            lease = await nodes[0].presence._protocol.accuse(me)
            assert lease is not None
            assert lease.super_peer == nodes[0].peer_id

    testing.run(main())
