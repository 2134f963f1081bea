from __future__ import annotations

from dataclasses import dataclass

from warren.services.files.swarm.rotation import (
    AT_ONCE_MAX,
    REPLACE_S,
    SETTLED_S,
    USELESS_S,
    for_any,
    for_better,
)


@dataclass
class Seat:
    complete: bool | None = False
    is_stalled: bool = False
    since: float = 0.0
    used_at: float = 0.0
    wanted_at: float = 0.0


NOW = 5.0


def test_for_one_that_has_something_the_longest_useless_gives_way_at_once() -> None:
    useless, longer = Seat(wanted_at=NOW - 0.1), Seat(wanted_at=NOW - 0.2)
    assert for_better([Seat(wanted_at=NOW), useless, longer], NOW) is longer


def test_nobody_of_use_gives_way_nor_one_that_just_came_nor_who_has_everything() -> None:
    came = NOW - SETTLED_S / 2
    stay = [
        Seat(wanted_at=NOW),
        Seat(since=came, wanted_at=came),
        Seat(complete=True),
        Seat(complete=None),
    ]
    assert for_better(stay, NOW) is None
    stay[1].since = NOW - SETTLED_S
    assert for_better(stay, NOW) is stay[1]


def test_for_others_some_give_way_that_were_useless_for_a_while() -> None:
    seats = [Seat(wanted_at=NOW - USELESS_S - number) for number in range(10)]
    assert for_any(seats, NOW) == seats[: -AT_ONCE_MAX - 1 : -1]
    assert for_any([Seat(wanted_at=NOW - USELESS_S / 2)], NOW) == []


def test_the_one_that_sent_nothing_for_longest_gives_way_as_well() -> None:
    now = 100.0
    idle = [Seat(used_at=now - REPLACE_S - number, wanted_at=now) for number in range(3)]
    assert for_any(idle, now) == idle[-1:]
    whole = Seat(complete=True, wanted_at=now)
    assert for_any([whole], now) == []
    whole.is_stalled = True
    assert for_any([whole], now) == [whole]
