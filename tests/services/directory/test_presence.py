"""The directory and presence of whole nodes: one lease for both; whom votes hold offline is found as gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.services.directory.town import found, town, until
from warren.core.fail_vote import FailVote
from warren.services.presence.model import PeerBackOnline, PeerHeldOffline, PresenceCounts
from warren.testing import run

if TYPE_CHECKING:
    from tests.services.directory.town import Town
    from warren.core.peer_id import PeerId


async def gather(place: Town) -> None:
    for number in range(1, 5):
        await place.connect((number, 0))
        await place.registered(number, 0)
    await asyncio.sleep(100)


def test_who_is_registered_is_online_for_both_and_gone_for_both() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak", "weak", "weak") as place:
            await gather(place)
            presence = place[0].presence
            assert presence.counts == PresenceCounts(5, 0, 0)
            assert presence.desk.age_s(place[1].peer_id) > 99
            await place[4].close()
            assert presence.counts == PresenceCounts(4, 0, 0)
            place.kill(3)
            await until(lambda: presence.counts == PresenceCounts(3, 0, 0), 20)
            assert place[3].peer_id not in place.directory(0).super_peer.leases

    run(scenario())


def test_whom_votes_hold_offline_is_found_as_gone_until_it_is_back() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak", "weak", "weak") as place:
            await gather(place)
            await place.connect((1, 4), (2, 4), (3, 4))  # who do not know it cannot vote
            await place.share(4, "map.txt")
            await place.registered(4, 0)
            events = place[0].events()
            place.nodes.partition([4], [0, 1, 2, 3])
            await until(lambda: held(place), 35)
            (hit,) = await found(place[1], "map")
            assert not hit.online
            assert not place.directory(0).super_peer.is_online(place[4].peer_id)
            assert place[4].peer_id in place.directory(0).super_peer.leases
            place.nodes.heal()
            await until(lambda: place.directory(0).super_peer.is_online(place[4].peer_id), 60)
            (hit,) = await found(place[1], "map")
            assert hit.online
            events.close()
            told = [type(one) async for one in events if isinstance(one, PeerHeldOffline | PeerBackOnline)]
            assert told == [PeerHeldOffline, PeerBackOnline]

    run(scenario())


def test_who_has_a_lease_elsewhere_is_back_when_the_votes_end_that_came_after_its_lease_here() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak", "weak", "weak") as place:
            await gather(place)
            gone, super_peer = place[4].peer_id, place.directory(0).super_peer
            super_peer.set_elsewhere(gone, there=True)
            place.kill(4)
            await until(lambda: gone not in super_peer.leases, 20)
            vote(place, gone, 1, valid_s=600)
            await until(lambda: held(place), 20)
            assert not super_peer.is_online(gone)
            vote(place, gone, 2, valid_s=0)
            await until(lambda: not held(place), 20)
            assert super_peer.is_online(gone)

    run(scenario())


def vote(place: Town, accused: PeerId, number: int, valid_s: int) -> None:
    """Three vote, or withdraw."""
    desk = place[0].presence.desk
    against = desk.standing(accused).lease
    for one in (1, 2, 3):
        assert (
            desk.take_vote(FailVote(place[one].peer_id, number, accused, against, valid_s)).verdict == "taken"
        )


def held(place: Town) -> bool:
    return place[0].presence.desk.tally(place[4].peer_id) is not None
