"""The desk of a super-peer: what it answers, what it tells of, whom it asks before it decides."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from tests.services.presence.support import apart, peer
from warren.core.errors import RequestTimeout
from warren.core.fail_vote import FailVote
from warren.network.places import NOWHERE, place_of
from warren.protocols.presence.messages import Answer, Ask, Standing
from warren.services.directory.leases import Leases, Taken
from warren.services.presence.config import PresenceConfig
from warren.services.presence.desk import NAME_EVERY_S, NAMED_MAX, QUESTIONS_MAX, Desk
from warren.services.presence.model import (
    PeerBackOnline,
    PeerCameOnline,
    PeerHeldOffline,
    PeerWentOffline,
    PresenceCounts,
    Tally,
)
from warren.testing import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import pytest

    from warren.core.peer_id import PeerId
    from warren.network.places import Place

ME = peer(99)
RAMP_S = 10.0


class Stage:
    """A desk with so many peers online, for longer already than it takes to weigh all they can."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.events: list[object] = []
        self.asked: list[PeerId] = []
        self.answering: set[PeerId] = set()
        self.leases = Leases(20_000)
        self.slow = False
        self.seq = 0
        config = PresenceConfig(ramp_s=RAMP_S)
        self.desk = Desk(ME, config, self.loop.time, self._accuse, self.events.append)

    async def _accuse(self, accused: PeerId) -> None:
        self.asked.append(accused)
        if self.slow:
            await asyncio.sleep(3600)
        if accused == peer(3):
            raise RequestTimeout("no answer")
        if accused in self.answering:
            self._take(accused, 600)

    def come(self, *numbers: int, valid_s: int = 600) -> None:
        for number in numbers:
            self._take(peer(number), valid_s, apart(number))

    def _take(self, who: PeerId, valid_s: int, place: Place = NOWHERE) -> None:
        self.seq += 1
        is_new = self.leases.take(who, self.seq, valid_s, self.loop.time(), place) is Taken.NEW
        self.desk.lease_taken(who, is_new)

    def go(self, number: int) -> None:
        self.leases.leave(peer(number))
        self.desk.went(peer(number), said_so=True)

    def accuse(self, accused: int, *voters: int, valid_s: int = 600) -> list[str]:
        self.seq += 1
        against = self.desk.standing(peer(accused)).lease
        votes = [FailVote(peer(one), self.seq, peer(accused), against, valid_s) for one in voters]
        return [self.desk.take_vote(vote).verdict for vote in votes]

    def take_events(self) -> list[object]:
        events = list(self.events)
        self.events.clear()
        return events


def play(main: Callable[[Stage], Awaitable[None]], people: int = 5) -> None:
    async def running() -> None:
        stage = Stage()
        stage.desk.open(stage.leases, lambda: place_of(ME, "20.99.0.1"))
        task = asyncio.create_task(stage.desk.run())
        try:
            stage.come(*range(people))
            await asyncio.sleep(2 * RAMP_S)
            assert stage.take_events() == [PeerCameOnline(peer(number)) for number in range(people)]
            await main(stage)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    run(running())


def test_who_comes_and_who_goes_is_told() -> None:
    async def main(stage: Stage) -> None:
        stage.come(7)
        assert stage.desk.is_online(peer(7))
        stage.go(0)
        stage.desk.went(peer(1), said_so=False)
        assert stage.take_events() == [
            PeerCameOnline(peer(7)),
            PeerWentOffline(peer(0), "goodbye"),
            PeerWentOffline(peer(1), "expired"),
        ]
        await asyncio.sleep(29.5)
        assert stage.desk.age_s(peer(7)) == 29.5
        assert stage.desk.age_s(peer(0)) == 0.0

    play(main)


def test_the_majority_holds_a_silent_peer_offline_until_it_shows_a_lease() -> None:
    async def main(stage: Stage) -> None:
        assert stage.accuse(0, 1, 2, 3) == ["taken"] * 3
        await asyncio.sleep(1)
        assert stage.asked == [peer(0)]
        assert stage.take_events() == []
        await asyncio.sleep(6)
        assert stage.take_events() == [PeerHeldOffline(peer(0), 3, 5)]
        assert not stage.desk.is_online(peer(0))
        assert stage.desk.tally(peer(0)) == Tally(3, 5)
        told = stage.desk.tell(Ask((peer(1), peer(8)), held=True)).standings
        assert told[:2] == (Standing(peer(1), "online", 2), Standing(peer(8), "absent"))
        assert told[2:] == (Standing(peer(0), "held offline", 1, 3, 5),)
        assert stage.desk.counts == PresenceCounts(6, 1, 3)
        stage.come(0)
        assert stage.take_events() == [PeerBackOnline(peer(0))]
        assert stage.desk.is_online(peer(0))
        assert stage.desk.tally(peer(0)) is None

    play(main)


def test_who_answers_when_accused_is_never_held_offline() -> None:
    async def main(stage: Stage) -> None:
        stage.answering.add(peer(0))
        stage.accuse(0, 1, 2, 3, 4)
        await asyncio.sleep(30)
        assert stage.asked == [peer(0)]
        assert stage.take_events() == []
        assert stage.desk.standing(peer(0)) == Standing(peer(0), "online", stage.seq)

    play(main)


def test_who_cannot_be_asked_is_held_offline_and_back_when_the_votes_are_withdrawn() -> None:
    async def main(stage: Stage) -> None:
        stage.accuse(3, 0, 1, 2)
        await asyncio.sleep(10)
        assert stage.take_events() == [PeerHeldOffline(peer(3), 3, 5)]
        stage.accuse(3, 0, 1, valid_s=0)
        await asyncio.sleep(1)
        assert stage.take_events() == [PeerBackOnline(peer(3))]

    play(main)


def test_who_has_left_meanwhile_does_not_come_back_with_the_end_of_the_votes() -> None:
    async def main(stage: Stage) -> None:
        stage.accuse(0, 1, 2, 3)
        await asyncio.sleep(10)
        stage.go(0)
        stage.take_events()
        stage.accuse(0, 1, 2, 3, valid_s=0)
        await asyncio.sleep(1)
        assert stage.take_events() == []

    play(main)


def test_so_many_accused_are_asked_at_once_and_the_others_after_them() -> None:
    async def main(stage: Stage) -> None:
        stage.slow = True
        for accused in range(QUESTIONS_MAX + 4):
            stage.accuse(accused, *range(20, 50))
        await asyncio.sleep(1)
        assert len(stage.asked) == QUESTIONS_MAX

    play(main, 50)


def test_the_super_peer_asks_not_itself() -> None:
    async def main(stage: Stage) -> None:
        stage.come(99)
        stage.accuse(99, 1, 2, 3, 4)
        await asyncio.sleep(1)
        assert stage.asked == []

    play(main)


def test_what_is_refused_is_said_why() -> None:
    async def main(stage: Stage) -> None:
        assert stage.accuse(0, 77) == ["not online"]
        assert stage.accuse(77, 0) == ["unknown"]
        vote = FailVote(peer(1), 1000, peer(0), 0, 600)
        assert stage.desk.take_vote(vote).verdict == "refuted"
        assert stage.desk.take_vote(vote).verdict == "old"

    play(main)


def test_who_shows_what_it_should_not_is_named_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    async def main(stage: Stage) -> None:
        stage.seq = 1000
        stage.accuse(0, 1)
        for _ in range(50):
            stage.seq = 500
            assert stage.accuse(0, 1) == ["old"]
        assert caplog.text.count(str(peer(1))) == 1
        for number in range(2000, 2000 + NAMED_MAX):
            stage.come(number)
            stage.seq = 1000
            stage.accuse(0, number)
            stage.seq = 500
            stage.accuse(0, number)
        await asyncio.sleep(NAME_EVERY_S)
        stage.seq = 500
        stage.accuse(0, 1)
        assert caplog.text.count(str(peer(1))) == 2
        assert len(stage.desk._named) == NAMED_MAX

    play(main)


def test_a_desk_that_is_shut_takes_nothing_and_knows_nobody() -> None:
    async def main(stage: Stage) -> None:
        stage.accuse(0, 1, 2, 3)
        await asyncio.sleep(10)
        stage.desk.shut()
        stage.take_events()
        assert stage.accuse(0, 1) == ["not here"]
        assert stage.desk.tell(Ask(held=True)) == Answer("not here")
        assert not stage.desk.is_online(peer(1))
        assert stage.desk.counts == PresenceCounts(0, 0, 0)
        await asyncio.sleep(1000)
        assert stage.take_events() == []
        stage.desk.open(stage.leases, lambda: NOWHERE)
        assert stage.accuse(0, 1) == ["taken"]

    play(main)
