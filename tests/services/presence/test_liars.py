"""Peers that stuff votes: who is there is found as such, and who goes beyond the bounds is named."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.services.directory.meanwhile import crowd, honest_town, named, while_others_search
from tests.services.directory.town import town, until
from warren.core.errors import StreamReset
from warren.core.fail_vote import FailVote
from warren.protocols.presence import protocol
from warren.protocols.presence.messages import Answer
from warren.services.presence.config import PresenceConfig
from warren.services.presence.model import PeerHeldOffline
from warren.services.presence.weights import Share
from warren.testing import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.services.directory.town import Town
    from warren.core.peer_id import PeerId
    from warren.node import Node

RAMP_S = 600.0
VICTIM, ASKER = 1, 2
"""Who shares the map that the other searches; node 0 is the super-peer of all, node 3 is honest, too."""


@pytest.fixture(autouse=True)
def _warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


@asynccontextmanager
async def old_town(*newcomers: str) -> AsyncIterator[Town]:
    """Four who have been there for long, the others only now. The victim cannot speak for itself: whatever
    keeps it online is not its answer.
    """
    presence = PresenceConfig(ramp_s=RAMP_S)
    async with town("super", "weak", "weak", "weak", presence=presence) as place:
        await honest_town(place)
        await asyncio.sleep(2 * RAMP_S)
        place[VICTIM].presence._protocol._refute = lambda _, _at: Answer("not here")
        for role in newcomers:
            place.roles.append(role)
            number = len(place.roles) - 1
            await place.start(number)
            await place.connect((number, 0))
            await place.registered(number, 0)
        yield place


async def accuse(liar: Node, *victims: PeerId) -> None:
    voting = liar.presence._voting
    for victim in victims:
        standings = await voting._standings(victim, is_own=False) or {}
        await voting._vote_at(victim, {peer: one.lease for peer, one in standings.items()}, 600)


async def accuse_together(liars: Sequence[Node], place: Town) -> None:
    """Again and again, so that each renewal of the victim's lease is followed by new votes."""
    for _ in range(4):
        async with asyncio.TaskGroup() as tasks:
            for liar in liars:
                tasks.create_task(accuse(liar, place[VICTIM].peer_id))
        await asyncio.sleep(6)


def votes_of(place: Town) -> int:
    return place[0].presence.counts.votes


def share(place: Town) -> Share:
    """Of those who accuse the victim."""
    return place[0].presence.desk._votes.share(place[VICTIM].peer_id) or Share(0.0, 0, 0, 0)


@pytest.mark.parametrize("address", ["one", "many"])
def test_many_fresh_identities_remove_nobody(address: str) -> None:
    async def scenario() -> None:
        count = 8
        newcomers = ["weak"] * (count if address == "many" else 1)
        async with old_town(*newcomers) as place, crowd(place, 4, count if address == "one" else 0) as more:
            liars = more or [place[number] for number in range(4, 4 + count)]
            leases = place.directory(0).super_peer.leases
            await until(lambda: all(liar.peer_id in leases for liar in liars))
            events = place[0].events()
            attack = asyncio.create_task(accuse_together(liars, place))
            await until(lambda: share(place).accusers == count)
            assert count > share(place).online / 2
            assert share(place).share < 0.1
            assert await while_others_search(place, ASKER, asyncio.wait_for(attack, None)) > 10
            events.close()
            assert not [event async for event in events if isinstance(event, PeerHeldOffline)]

    run(scenario())


def test_more_votes_of_one_address_than_it_may_have_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> list[PeerId]:
        async with old_town("weak") as place, crowd(place, 4, 8) as liars:
            votes = place[0].presence.desk._votes
            votes._policy = replace(votes._policy, per_host_max=4)
            leases = place.directory(0).super_peer.leases
            await until(lambda: all(liar.peer_id in leases for liar in liars))

            async def stuff() -> None:
                for liar in liars:
                    await accuse(liar, place[VICTIM].peer_id, place[3].peer_id)
                    assert votes_of(place) <= 4

            assert await while_others_search(place, ASKER, stuff())
            return [liar.peer_id for liar in liars]

    said = [line for liar in run(scenario()) for line in named(caplog, liar)]
    assert len(said) == 6  # all but the two whose votes found room
    assert all(line.endswith("too many") for line in said)


def test_votes_without_end_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> PeerId:
        async with old_town("weak") as place:
            liar, boss = place[4], place[0].peer_id
            taken = []

            async def flood() -> None:
                for _ in range(300):
                    standing = place[0].presence.desk.standing(place[VICTIM].peer_id)
                    voting = liar.presence._voting
                    number = voting._numbers.next()
                    vote = FailVote(liar.peer_id, number, place[VICTIM].peer_id, standing.lease, 600, 0)
                    with suppress(StreamReset):
                        taken.append(await liar.presence._protocol.vote(boss, vote.seal(voting._key)))

            began = asyncio.get_running_loop().time()
            assert await while_others_search(place, ASKER, flood())
            took_s = asyncio.get_running_loop().time() - began
            assert len(taken) <= protocol.CALLS.burst + took_s * protocol.CALLS.per_s
            assert votes_of(place) <= 1
            return liar.peer_id

    liar = run(scenario())
    assert named(caplog, liar) == [f"{liar} is refused: {liar} calls too often"]


@pytest.mark.parametrize(("what", "said"), [("forged", "shows a vote of"), ("replayed", "votes against")])
def test_votes_of_others_and_old_ones_are_refused(
    caplog: pytest.LogCaptureFixture, what: str, said: str
) -> None:
    async def scenario() -> PeerId:
        async with old_town("weak") as place:
            liar, honest, boss = place[4], place[3], place[0].peer_id
            voter = honest if what == "forged" else liar
            victim = place[VICTIM].peer_id
            known = place[0].presence.desk.standing(victim).lease
            vote = FailVote(voter.peer_id, 1 << 50, victim, known, 600, 0).seal(voter.presence._voting._key)

            async def show() -> None:
                for _ in range(5):
                    with suppress(StreamReset):
                        await liar.presence._protocol.vote(boss, vote)

            assert await while_others_search(place, ASKER, show())
            assert votes_of(place) == (what == "replayed")
            return liar.peer_id

    liar = run(scenario())
    (line,) = named(caplog, liar)
    assert said in line
