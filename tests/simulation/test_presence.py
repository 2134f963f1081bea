"""Who is online, told by whole nodes: who renews, who says goodbye, who lies, who is called to account."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.services.directory.town import town
from warren import testing
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
    from collections.abc import AsyncIterator

    from tests.services.directory.town import Town
    from warren.node import Node

CONFIG = replace(QUIET, presence=PresenceConfig(ramp_s=60))
KINDS = (PeerHeldOffline, PeerBackOnline, PeerCameOnline, PeerWentOffline)


@asynccontextmanager
async def village(people: int) -> AsyncIterator[Town]:
    """Node 0 is the super-peer of all; each is connected with each, in a network of its own."""
    roles = ["super", *["weak"] * (people - 1)]
    async with town(*roles, public=True, others=CONFIG) as place:
        await place.connect(*((one, other) for one in range(people) for other in range(one)))
        for number in range(1, people):
            await place.registered(number, 0)
        await asyncio.sleep(120)  # all weigh what they can
        assert place[0].presence.counts == PresenceCounts(people, 0, 0)
        yield place


def held(node: Node, *others: Node) -> list[bool]:
    return [node.presence.is_held_offline(other.peer_id) for other in others]


def test_a_liar_that_accuses_all_removes_nobody() -> None:
    async def main() -> None:
        async with village(5) as place:
            nodes = list(place.nodes)
            events = nodes[0].events()
            liar = nodes[4].presence
            for _ in range(5):
                for accused in nodes[:4]:
                    await liar._tell_all(accused.peer_id, 600)
                assert nodes[0].presence.counts.votes > 0
                await asyncio.sleep(30)
            assert held(nodes[0], *nodes) == [False] * 5
            events.close()
            assert not [event async for event in events if isinstance(event, KINDS)]

    testing.run(main())


def test_a_crowd_of_liars_removes_nobody_who_answers() -> None:
    async def main() -> None:
        async with village(5) as place:
            nodes = list(place.nodes)
            events = nodes[0].events()
            for _ in range(5):
                for liar in nodes[2:]:
                    await liar.presence._tell_all(nodes[1].peer_id, 600)
                await asyncio.sleep(30)
            assert not nodes[0].presence.is_held_offline(nodes[1].peer_id)
            events.close()
            assert not [event async for event in events if isinstance(event, KINDS)]

    testing.run(main())


def test_leases_are_renewed_and_given_back_at_the_end_of_a_node_and_end_where_it_is_cut_off() -> None:
    async def main() -> None:
        async with village(4) as place:
            gone, dead = place[2].peer_id, place[3].peer_id
            await asyncio.sleep(600)
            desk = place[0].presence.desk
            assert desk.age_s(gone) > 600
            events = place[0].events()
            await place[2].close()
            await asyncio.sleep(2)
            assert not desk.is_online(gone)
            place.nodes.partition([3])
            await asyncio.sleep(62)
            events.close()
            told = [event async for event in events if isinstance(event, PeerWentOffline)]
            assert told == [PeerWentOffline(gone, "goodbye"), PeerWentOffline(dead, "expired")]

    testing.run(main())


def test_only_its_super_peers_may_call_a_node_to_account() -> None:
    async def main() -> None:
        async with village(3) as place:
            stranger, me = place[2].presence._protocol, place[1].peer_id
            assert await stranger.accuse(me) is None
            lease = await place[0].presence._protocol.accuse(me)
            assert lease is not None
            assert lease.super_peer == place[0].peer_id

    testing.run(main())
