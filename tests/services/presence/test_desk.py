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
from warren.services.presence.desk import (
    DOUBT_EVERY_S,
    DOUBTS_MAX,
    FELLOWS,
    JURY_MAX,
    NAME_EVERY_S,
    NAMED_MAX,
    QUESTIONS_MAX,
    WAITING_MAX,
    Desk,
)
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
    from collections.abc import Awaitable, Callable, Collection, Sequence

    import pytest

    from warren.core.peer_id import PeerId
    from warren.network.places import Place

ME, FELLOW = peer(99), peer(98)
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
        self.called: list[tuple[PeerId, list[PeerId]]] = []
        self.told: list[PeerId] = []
        self.asked_for: dict[PeerId, PeerId | None] = {}
        self.desk = Desk(ME, config, self.loop.time, self, self.events.append)

    def fellows(self) -> Collection[PeerId]:
        return (FELLOW,)

    def call(self, peer: PeerId, jury: Sequence[PeerId]) -> None:
        self.called.append((peer, list(jury)))

    def tell_fellows(self, peer: PeerId) -> None:
        self.told.append(peer)

    async def accuse(self, peer: PeerId, at: PeerId | None) -> None:
        self.asked.append(peer)
        self.asked_for[peer] = at
        await self._answer(peer)

    async def _answer(self, accused: PeerId) -> None:
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

    def vote(self, accused: int, *voters: int, valid_s: int = 600) -> list[str]:
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
        assert stage.vote(0, 1, 2, 3) == ["taken"] * 3
        await asyncio.sleep(1)
        assert stage.asked == [peer(0)]
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
        stage.vote(0, 1, 2, 3, 4)
        await asyncio.sleep(30)
        assert stage.asked == [peer(0)]
        assert stage.take_events() == []
        assert stage.desk.standing(peer(0)) == Standing(peer(0), "online", stage.seq)

    play(main)


def test_who_cannot_be_asked_is_held_offline_and_back_when_the_votes_are_withdrawn() -> None:
    async def main(stage: Stage) -> None:
        stage.vote(3, 0, 1, 2)
        await asyncio.sleep(10)
        assert stage.take_events() == [PeerHeldOffline(peer(3), 3, 5)]
        stage.vote(3, 0, 1, valid_s=0)
        await asyncio.sleep(1)
        assert stage.take_events() == [PeerBackOnline(peer(3))]

    play(main)


def test_who_has_left_meanwhile_does_not_come_back_with_the_end_of_the_votes() -> None:
    async def main(stage: Stage) -> None:
        released: list[PeerId] = []
        stage.desk.on_released = released.append
        stage.vote(0, 1, 2, 3)
        await asyncio.sleep(10)
        stage.go(0)
        stage.take_events()
        stage.vote(0, 1, 2, 3, valid_s=0)
        await asyncio.sleep(1)
        assert stage.take_events() == []
        assert released == [peer(0)]

    play(main)


def test_so_many_accused_are_asked_at_once_and_no_other_is_held_offline_before_its_turn() -> None:
    async def main(stage: Stage) -> None:
        stage.slow = True
        people = QUESTIONS_MAX + 4
        for accused in range(people):
            stage.vote(accused, *range(100, 250))
        await asyncio.sleep(60)
        assert len(stage.asked) == QUESTIONS_MAX
        assert stage.desk.counts.held_offline == 0
        assert stage.take_events() == []

    play(main, 250)


def test_nobody_votes_against_the_super_peer_itself() -> None:
    async def main(stage: Stage) -> None:
        assert stage.vote(99, 1, 2, 3, 4) == ["refuted"] * 4
        stage.desk.doubt(ME)
        await asyncio.sleep(1)
        assert stage.asked == []

    play(main)


# --- doubts -----------------------------------------------------------------------------------------------


def test_who_is_doubted_and_answers_is_asked_once_in_a_while_and_nobody_else_is_bothered() -> None:
    async def main(stage: Stage) -> None:
        stage.answering.add(peer(0))
        for _ in range(40):
            answer = stage.desk.take_doubt(peer(0), peer(1))
            assert [one.state for one in answer.standings] == ["online"]
            await asyncio.sleep(1)
        assert len(stage.asked) == len(stage.told) == 40 / DOUBT_EVERY_S
        assert stage.called == []

    play(main)


def test_who_is_doubted_and_silent_is_tried_by_all_and_needs_not_be_asked_again_soon() -> None:
    async def main(stage: Stage) -> None:
        stage.desk.take_doubt(peer(0), peer(1))
        await asyncio.sleep(1)
        assert [(peer(0), {*stage.called[0][1]})] == [(peer(0), {ME, *map(peer, range(1, 5))})]
        assert stage.told == [peer(0)]
        stage.vote(0, 1, 2, 3)
        await asyncio.sleep(1)
        assert stage.asked == [peer(0)]
        assert stage.take_events() == [PeerHeldOffline(peer(0), 3, 5)]
        # What was asked before its return says nothing.
        stage.come(0)
        stage.vote(0, 1, 2, 3)
        await asyncio.sleep(1)
        assert stage.asked == [peer(0)] * 2

    play(main)


def test_an_answer_that_comes_after_the_votes_is_in_time_while_the_question_is_under_way() -> None:
    async def main(stage: Stage) -> None:
        stage.slow = True
        stage.desk.doubt(peer(0))
        await asyncio.sleep(1)
        stage.vote(0, 1, 2, 3)
        await asyncio.sleep(1)
        assert stage.asked == [peer(0)]
        assert stage.desk.counts.held_offline == 0
        stage.come(0)
        await asyncio.sleep(1)
        assert stage.desk.counts.votes == 0

    play(main)


def test_a_doubt_of_another_super_peer_is_looked_into_and_passed_on_to_nobody() -> None:
    async def main(stage: Stage) -> None:
        stage.desk.take_doubt(peer(0), FELLOW)
        stage.desk.take_doubt(peer(77), FELLOW)  # not here
        await asyncio.sleep(1)
        assert stage.asked_for == {peer(0): FELLOW}
        assert stage.told == []

    play(main)


def test_a_doubt_of_who_is_not_here_goes_to_other_super_peers_alone() -> None:
    async def main(stage: Stage) -> None:
        answer = stage.desk.take_doubt(peer(77), peer(1))
        assert answer == Answer(standings=(Standing(peer(77), "absent"),))
        await asyncio.sleep(1)
        assert (stage.asked, stage.told) == ([], [peer(77)])

    play(main)


def test_a_doubt_of_a_stranger_counts_for_nothing() -> None:
    async def main(stage: Stage) -> None:
        stage.desk.take_doubt(peer(0), peer(55))
        await asyncio.sleep(1)
        assert (stage.asked, stage.told) == ([], [])

    play(main)


def test_a_flood_of_doubts_is_bounded() -> None:
    async def main(stage: Stage) -> None:
        stage.slow = True
        for number in range(1000, 1000 + 2 * DOUBTS_MAX):
            stage.desk.take_doubt(peer(number), peer(1))
        assert len(stage.told) == FELLOWS.burst
        for number in range(WAITING_MAX + 300):
            stage.desk.take_doubt(peer(number), peer(1))
        assert len(stage.desk._waiting) == WAITING_MAX
        await asyncio.sleep(1)
        assert len(stage.asked) == QUESTIONS_MAX
        assert len(stage.desk._doubts) == DOUBTS_MAX
        # Whom votes doubt does not wait behind them.
        stage.slow = False
        stage.vote(WAITING_MAX + 200, *range(1000))
        await asyncio.sleep(1)
        assert peer(WAITING_MAX + 200) in stage.desk._accused

    play(main, WAITING_MAX + 300)


def test_where_all_together_would_not_suffice_nobody_is_called() -> None:
    async def main(stage: Stage) -> None:
        stage.desk.doubt(peer(0))
        await asyncio.sleep(1)
        assert stage.asked == [peer(0)]
        assert stage.called == []

    play(main, 2 * JURY_MAX + 3)


def test_what_is_refused_is_said_why() -> None:
    async def main(stage: Stage) -> None:
        assert stage.vote(0, 77) == ["not online"]
        assert stage.vote(77, 0) == ["unknown"]
        vote = FailVote(peer(1), 1000, peer(0), 0, 600)
        assert stage.desk.take_vote(vote).verdict == "refuted"
        assert stage.desk.take_vote(vote).verdict == "old"

    play(main)


def test_who_shows_what_it_should_not_is_named_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    async def main(stage: Stage) -> None:
        stage.seq = 1000
        stage.vote(0, 1)
        for _ in range(50):
            stage.seq = 500
            assert stage.vote(0, 1) == ["old"]
        assert caplog.text.count(str(peer(1))) == 1
        for number in range(2000, 2000 + NAMED_MAX):
            stage.come(number)
            stage.seq = 1000
            stage.vote(0, number)
            stage.seq = 500
            stage.vote(0, number)
        await asyncio.sleep(NAME_EVERY_S)
        stage.seq = 500
        stage.vote(0, 1)
        assert caplog.text.count(str(peer(1))) == 2
        assert len(stage.desk._named) == NAMED_MAX

    play(main)


def test_a_desk_that_is_shut_takes_nothing_and_knows_nobody() -> None:
    async def main(stage: Stage) -> None:
        stage.vote(0, 1, 2, 3)
        await asyncio.sleep(10)
        stage.desk.shut()
        stage.take_events()
        assert stage.vote(0, 1) == ["not here"]
        assert stage.desk.tell(Ask(held=True)) == Answer("not here")
        assert not stage.desk.is_online(peer(1))
        assert stage.desk.counts == PresenceCounts(0, 0, 0)
        await asyncio.sleep(1000)
        assert stage.take_events() == []
        stage.desk.open(stage.leases, lambda: NOWHERE)
        assert stage.vote(0, 1) == ["taken"]

    play(main)
