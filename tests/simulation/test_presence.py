"""Who is online, told by whole nodes: who vanishes, who is cut off, who lies, who is doubted and there.

Times are of the virtual clock. Leases are good for 60 s.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.services.directory.town import found, town, until
from warren import testing
from warren.core.errors import RequestTimeout
from warren.network.socket import Socket
from warren.runtime.simulated import Quality
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


@asynccontextmanager
async def two_towns() -> AsyncIterator[Town]:
    """Super-peers 0 and 1, which know each other; 2, 3, 4 are at 0 alone, 5, 6, 7 at 1 alone, 8 at both. Each
    weak peer knows all others.
    """
    async with town("super", "super", *["weak"] * 7, public=True, others=CONFIG) as place:
        await place.connect((0, 1), *((one, other) for one in range(2, 9) for other in range(2, one)))
        at = {number: (0,) if number < 5 else (1,) for number in range(2, 8)} | {8: (0, 1)}
        for number, supers in at.items():
            await place.connect(*((number, one) for one in supers))
            await place.registered(number, *supers)
        await until(lambda: all(place[number].presence.fellows() for number in (0, 1)))
        await asyncio.sleep(120)
        yield place


def is_shown(place: Town, number: int, at: int = 0) -> bool:
    """Whether a super-peer shows a peer as online."""
    return place.directory(at).super_peer.is_online(place[number].peer_id)


def pull_cable(place: Town, number: int) -> None:
    """No packet passes, and nobody is told."""
    place.nodes.partition([number])


def held(node: Node, *others: Node) -> list[bool]:
    return [node.presence.is_held_offline(other.peer_id) for other in others]


# --- who vanishes -----------------------------------------------------------------------------------------


def test_who_vanishes_is_shown_offline_within_30_s_although_nobody_uses_it() -> None:
    async def main() -> None:
        async with village(6) as place:
            gone = place[5].peer_id
            events = place[0].events()
            pull_cable(place, 5)
            took_s = await until(lambda: not is_shown(place, 5), 30)
            assert took_s > 5
            desk = place[0].presence.desk
            assert gone in place.directory(0).super_peer.leases  # the votes were faster than its lease
            tally = desk.tally(gone)
            assert tally is not None
            assert 3 <= tally.accusers <= tally.online == 5
            await asyncio.sleep(90)
            for node in list(place.nodes)[:5]:
                assert held(node, *place.nodes) == [False] * 5 + [True]
            events.close()
            told = [(type(one), one.peer) async for one in events if isinstance(one, KINDS)]
            assert told == [(PeerHeldOffline, gone), (PeerWentOffline, gone)]

    testing.run(main())


def test_whom_somebody_uses_in_vain_is_shown_offline_12_s_after_that() -> None:
    async def main() -> None:
        async with village(6) as place:
            pull_cable(place, 5)
            with pytest.raises(RequestTimeout):
                await place[1].network.request(place[5].peer_id, "/some/thing", b"", timeout_s=1)
            await until(lambda: not is_shown(place, 5), 12)

    testing.run(main())


def test_who_is_killed_is_shown_offline_within_6_s() -> None:
    async def main() -> None:
        async with village(6) as place:
            place.kill(5)
            await until(lambda: not is_shown(place, 5), 6)

    testing.run(main())


def test_who_vanishes_is_shown_offline_at_all_its_super_peers_by_the_votes_of_each() -> None:
    async def main() -> None:
        async with two_towns() as place:
            await place.share(8, "map.txt")
            await place.registered(8, 0, 1)
            pull_cable(place, 8)
            # One at 0 finds out; those at 1 hear of it over the two super-peers.
            with pytest.raises(RequestTimeout):
                await place[2].network.request(place[8].peer_id, "/some/thing", b"", timeout_s=1)
            await until(lambda: not is_shown(place, 8, at=0), 12)
            await until(lambda: not is_shown(place, 8, at=1), 2)
            for at in (0, 1):
                tally = place[at].presence.desk.tally(place[8].peer_id)
                assert tally is not None
                assert 3 <= tally.accusers <= tally.online == 4
            (hit,) = await found(place[6], "map")
            assert not hit.online

    testing.run(main())


def test_one_who_knows_it_from_another_super_peer_alone_has_it_looked_into_there() -> None:
    async def main() -> None:
        async with two_towns() as place:
            pull_cable(place, 2)  # which is at 0; 5 is at 1
            with pytest.raises(RequestTimeout):
                await place[5].network.request(place[2].peer_id, "/some/thing", b"", timeout_s=1)
            await until(lambda: not is_shown(place, 2), 14)

    testing.run(main())


def test_a_newcomer_does_not_dial_whom_the_votes_hold_offline() -> None:
    async def main() -> None:
        async with village(5) as place:
            pull_cable(place, 4)
            await until(lambda: not is_shown(place, 4), 30)
            await place[3].close()
            place._config = replace(CONFIG, discovery=replace(CONFIG.discovery, connections=16))
            newcomer = await place.start(3)
            await place.connect((3, 0))
            await place.registered(3, 0)
            await until(lambda: newcomer.presence.is_held_offline(place[4].peer_id), 5)
            tried = newcomer.discovery.status().tried
            await newcomer.peers.heard(place[4].peer_id, [place[4].addresses()[0]], "test")
            await asyncio.sleep(120)
            assert newcomer.discovery.status().tried == tried

    testing.run(main())


# --- who is cut off, and who comes back -------------------------------------------------------------------


def test_who_is_cut_off_votes_against_nobody_and_its_return_clears_the_votes() -> None:
    async def main() -> None:
        async with village(5) as place:
            events = place[0].events()
            pull_cable(place, 4)
            await until(lambda: not is_shown(place, 4), 30)
            numbers = place[4].presence._voting._numbers
            await asyncio.sleep(600)
            assert numbers._last == 0  # it has signed no vote
            place.nodes.heal()
            await place.connect((4, 0))
            await until(lambda: is_shown(place, 4), 5)
            assert place[0].presence.counts == PresenceCounts(5, 0, 0)
            await asyncio.sleep(120)
            assert held(place[0], *place.nodes) == [False] * 5
            events.close()
            told = [one async for one in events if isinstance(one, KINDS)]
            assert {one.peer for one in told} == {place[4].peer_id}

    testing.run(main())


def test_a_super_peer_that_is_cut_off_holds_nobody_offline() -> None:
    async def main() -> None:
        async with village(5) as place:
            events = place[0].events()
            pull_cable(place, 0)
            await asyncio.sleep(120)
            events.close()
            assert not [one async for one in events if isinstance(one, PeerHeldOffline)]
            assert place[0].presence.counts.votes == 0

    testing.run(main())


def test_a_partition_holds_the_smaller_side_offline_and_its_return_clears_that() -> None:
    async def main() -> None:
        async with village(7) as place:
            place.nodes.partition([5, 6])
            await until(lambda: not is_shown(place, 5) and not is_shown(place, 6), 40)
            assert held(place[0], *list(place.nodes)[:5]) == [False] * 5
            place.nodes.heal()
            await place.connect((5, 0), (6, 0))
            await until(lambda: is_shown(place, 5) and is_shown(place, 6), 5)
            assert place[0].presence.counts == PresenceCounts(7, 0, 0)

    testing.run(main())


# --- who is doubted and there -----------------------------------------------------------------------------


def test_whom_all_others_cannot_reach_but_its_super_peer_can_is_not_shown_offline() -> None:
    async def main() -> None:
        async with village(6) as place:
            events = place[0].events()
            hosts = [place.nodes.host(number) for number in range(6)]
            for host in hosts[1:5]:
                place.world.network.set_path(host, hosts[5], Quality(latency_s=10_000))
            for number in range(1, 5):
                place[number].network.doubt(place[5].peer_id)
            await asyncio.sleep(120)
            assert is_shown(place, 5)
            assert place[0].presence.counts.held_offline == 0
            events.close()
            assert not [one async for one in events if isinstance(one, KINDS)]

    testing.run(main())


def test_votes_that_suffice_are_void_once_the_accused_answers_within_a_second() -> None:
    async def main() -> None:
        async with village(5) as place:
            for liar in (2, 3, 4):
                assert await lie(place, liar, 1)
            assert place[0].presence.counts.votes == 3
            await until(lambda: place[0].presence.counts.votes == 0, 1)
            assert is_shown(place, 1)

    testing.run(main())


def test_one_whose_connection_is_dead_at_the_other_end_alone_goes_back_to_its_super_peer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dead: set[Socket] = set()
    take = Socket.buffer_updated

    def drop(socket: Socket, nbytes: int) -> None:
        if socket not in dead:
            take(socket, nbytes)

    monkeypatch.setattr(Socket, "buffer_updated", drop)

    async def main() -> None:
        async with two_towns() as place:
            # What 8 sends to 0 is lost, and what 0 sends to 8 arrives. 8 is at 1 as well.
            desk, peer = place[0].presence.desk, place[8].peer_id
            dead.update(place[0].network.sockets(peer))
            age_s = desk.age_s(peer)
            place[0].network.doubt(peer)
            await until(lambda: not dead & set(place[0].network.sockets(peer)), 12)
            await asyncio.sleep(1)
            assert is_shown(place, 8)
            assert desk.age_s(peer) > age_s  # without a break

    testing.run(main())


# --- liars ------------------------------------------------------------------------------------------------


async def lie(place: Town, liar: int, accused: int, at: int = 0) -> bool:
    """Accuse somebody who is there; whether the vote was taken."""
    target, super_peer = place[accused].peer_id, place[at].peer_id
    voting = place[liar].presence._voting
    standing = await voting._protocol.ask_one(super_peer, target)
    return await voting._cast(super_peer, target, standing.lease, 600)


def test_a_liar_that_accuses_all_removes_nobody() -> None:
    async def main() -> None:
        async with village(5) as place:
            nodes = list(place.nodes)
            events = nodes[0].events()
            for _ in range(5):
                assert [await lie(place, 4, accused) for accused in range(4)] == [False, True, True, True]
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
                for liar in (2, 3, 4):
                    await lie(place, liar, 1)
                await asyncio.sleep(30)
            assert not nodes[0].presence.is_held_offline(nodes[1].peer_id)
            events.close()
            assert not [event async for event in events if isinstance(event, KINDS)]

    testing.run(main())


def test_a_crowd_of_fresh_identities_removes_not_even_who_is_silent() -> None:
    async def main() -> None:
        roles = ["super", *["weak"] * 12]
        async with town(*roles, public=True, others=replace(CONFIG, presence=PresenceConfig())) as place:
            for number in (1, 2, 3):
                await place.connect((number, 0))
                await place.registered(number, 0)
            await asyncio.sleep(3000)
            for number in range(4, 13):
                await place.connect((number, 0))
                await place.registered(number, 0)
            pull_cable(place, 3)
            assert all([await lie(place, number, 3) for number in range(4, 13)])
            await asyncio.sleep(20)
            desk = place[0].presence.desk
            assert (desk.counts.votes, desk.counts.held_offline) == (9, 0)
            assert is_shown(place, 3)

    testing.run(main())


# --- leases -----------------------------------------------------------------------------------------------


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
