"""Whom to ask when: newcomers at once, who has more soon, else somebody now and then."""

from __future__ import annotations

from tests.protocols.exchange.book import key
from warren.protocols.exchange.schedule import AskNow, Schedule, SchedulePolicy, Wait

A, B, C, D = (key(number).peer_id for number in range(4))
POLICY = SchedulePolicy()


class Lots:
    """Draws the middle and the first."""

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2

    def below(self, n: int) -> int:
        return 0


def schedule(**policy: float) -> Schedule:
    return Schedule(SchedulePolicy(**policy), Lots(), 0.0)  # type: ignore[arg-type]


def test_a_newcomer_is_asked_at_once_and_then_somebody_by_lot() -> None:
    made = schedule()
    assert made.next(0.0) == Wait(None)
    made.join(A, 1.0)
    made.join(A, 1.0)
    assert made.next(1.0) == AskNow(A)
    made.answered(A, 2.0, more=False)
    assert made.next(2.0) == Wait(POLICY.every_s)
    assert made.next(POLICY.every_s) == AskNow(A)
    made.failed(A)
    assert made.next(POLICY.every_s) == Wait(2 * POLICY.every_s)


def test_a_lot_with_nobody_there_is_drawn_again_later() -> None:
    made = schedule()
    assert made.next(POLICY.every_s) == Wait(None)
    made.join(A, POLICY.every_s + 1)
    assert made.next(POLICY.every_s + 1) == AskNow(A)


def test_who_has_more_is_asked_again_soon_but_not_without_end() -> None:
    made = schedule(rounds_max=3)
    made.join(A, 0.0)
    for number in range(3):
        assert made.next(number * POLICY.more_s) == AskNow(A)
        made.answered(A, number * POLICY.more_s, more=True)
    assert made.next(3 * POLICY.more_s) == Wait(POLICY.every_s)


def test_who_comes_back_at_once_is_asked_later() -> None:
    made = schedule()
    made.join(A, 0.0)
    assert made.next(0.0) == AskNow(A)
    made.leave(A)
    made.answered(A, 1.0, more=True)
    made.join(A, 2.0)
    assert made.next(2.0) == Wait(POLICY.again_s)
    made.leave(A)
    made.join(A, 2 * POLICY.again_s)
    assert made.next(2 * POLICY.again_s) == AskNow(A)


def test_so_many_asks_at_once_and_no_more() -> None:
    made = schedule(asks_max=2)
    for peer in (A, B, C):
        made.join(peer, 0.0)
    assert [made.next(0.0) for _ in range(3)] == [AskNow(A), AskNow(B), Wait(None)]
    made.failed(A)
    assert made.next(0.0) == AskNow(C)


def test_who_is_being_asked_is_not_asked_twice() -> None:
    made = schedule(every_s=2.0)
    made.join(A, 0.0)
    assert made.next(0.0) == AskNow(A)
    assert made.next(2.0) == Wait(4.0)
    made.answered(A, 3.0, more=False)
    assert made.next(3.0) == AskNow(A)


def test_asks_of_long_ago_are_forgotten() -> None:
    made = schedule(remembered_max=1, asks_max=9)
    for peer in (A, B):
        made.join(peer, 0.0)
        assert made.next(0.0) == AskNow(peer)
        made.answered(peer, 0.0, more=False)
        made.leave(peer)
    made.join(B, 1.0)
    assert made.next(1.0) == Wait(POLICY.again_s)
    made.join(A, 1.0)
    assert made.next(1.0) == AskNow(A)
