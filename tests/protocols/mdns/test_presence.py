"""Who is on the link: decided without a clock of its own."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from warren.protocols.mdns.presence import Ask, Gone, Presence, PresencePolicy, Wait

POLICY = PresencePolicy()


class Chance:
    """The middle of everything, unless it has a seed."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed) if seed is not None else None

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high) if self._random else (low + high) / 2

    def below(self, n: int) -> int:
        return self._random.randrange(n) if self._random else 0


class Link:
    """A presence, and the time; whoever is `there` answers each question at once."""

    def __init__(self, policy: PresencePolicy = POLICY, seed: int | None = None) -> None:
        self.presence = Presence(policy, Chance(seed))
        self.now = 0.0
        self.there: set[str] = set()
        self.asks: list[float] = []
        self.gone: list[tuple[float, str]] = []

    def run(self, until: float) -> None:
        while True:
            match self.presence.next(self.now):
                case Ask():
                    self.asks.append(self.now)
                    for name in sorted(self.there):
                        self.presence.heard(name, self.now)
                case Gone(name):
                    self.gone.append((self.now, name))
                case Wait(wake):
                    assert wake > self.now, "it turns without time passing"
                    if wake > until:
                        self.now = until
                        return
                    self.now = wake


def test_it_asks_at_once_and_ever_more_rarely_while_nobody_is_there() -> None:
    link = Link()
    link.run(3600.0)
    gaps = [later - earlier for earlier, later in zip(link.asks, link.asks[1:], strict=False)]
    assert link.asks[0] == 0.0
    assert gaps == sorted(gaps)
    assert gaps[0] >= 1.0
    assert gaps[-1] >= POLICY.slowest_s * 0.8


def test_who_answers_stays() -> None:
    link = Link()
    link.there = {"anna", "ben"}
    link.run(3600.0)
    assert link.gone == []
    gaps = [later - earlier for earlier, later in zip(link.asks, link.asks[1:], strict=False)]
    assert min(gaps) >= 1.0
    assert max(gaps) <= POLICY.fresh_s * 1.2


def test_who_is_silent_is_gone_within_fifteen_seconds_and_after_two_questions() -> None:
    link = Link()
    link.there = {"anna", "ben"}
    link.run(100.0)
    link.there = {"anna"}
    asked = len(link.asks)
    link.run(200.0)
    [(at, name)] = link.gone
    assert name == "ben"
    assert 5.0 < at - 100.0 < 15.0
    assert len([one for one in link.asks[asked:] if one <= at]) >= 2
    assert "anna" in link.presence


def test_one_answer_that_is_lost_costs_nobody_their_place() -> None:
    link = Link()
    link.there = {"anna"}
    link.run(100.0)
    link.there = set()
    asked = len(link.asks)
    while len(link.asks) == asked:
        link.run(link.now + 0.5)
    link.there = {"anna"}
    link.run(300.0)
    assert link.gone == []


def test_a_doubt_is_settled_quickly_either_way() -> None:
    for is_there in (True, False):
        link = Link()
        link.there = {"anna"}
        link.run(100.0)
        link.there = {"anna"} if is_there else set()
        link.presence.doubt("anna", link.now)
        link.run(100.0 + POLICY.doubt_s + 0.01)
        assert bool(link.gone) is not is_there


def test_a_forged_goodbye_is_answered_and_believed_by_nobody() -> None:
    link = Link()
    link.there = {"anna"}
    link.run(100.0)
    for _ in range(100):
        link.presence.goodbye("anna", link.now)
        link.run(link.now + 1.0)
    assert link.gone == []
    assert len(link.asks) < 150


def test_a_true_goodbye_is_noticed_in_three_seconds() -> None:
    link = Link()
    link.there = {"anna", "ben"}
    link.run(100.0)
    link.there = {"ben"}
    link.presence.goodbye("anna", link.now)
    link.run(103.0)
    assert [name for _, name in link.gone] == ["anna"]


def test_doubts_about_strangers_are_nothing() -> None:
    link = Link()
    link.run(10.0)
    link.presence.doubt("nobody", link.now)
    link.presence.goodbye("nobody", link.now)
    link.presence.met("nobody")
    assert isinstance(link.presence.next(link.now), Wait)


def test_names_without_end_push_out_nobody_who_was_met() -> None:
    presence = Presence(PresencePolicy(names_max=10), Chance(1))
    presence.heard("anna", 0.0)
    presence.met("anna")
    removed = [presence.heard(f"liar-{number}", 1.0) for number in range(1000)]
    assert "anna" in presence
    assert len([one for one in removed if one is None]) == 9
    assert "anna" not in removed


def do(link: Link, what: str, name: str) -> None:
    """What can happen to a name: it comes or goes silently, is heard, doubted, bidden farewell, met."""
    match what:
        case "a":
            link.there ^= {name}
        case "h":
            link.presence.heard(name, link.now)
        case "d":
            link.presence.doubt(name, link.now)
        case "g":
            link.presence.goodbye(name, link.now)
        case _:
            link.presence.met(name)


@given(st.integers(0, 2**32), st.lists(st.tuples(st.sampled_from("ahdgm"), st.integers(0, 4)), max_size=60))
def test_whatever_happens_it_asks_no_more_than_once_a_second_and_ends_nobody_unasked(
    seed: int, happenings: list[tuple[str, int]]
) -> None:
    link = Link(PresencePolicy(names_max=3), seed)
    for what, who in happenings:
        name = f"name-{who}"
        do(link, what, name)
        link.run(link.now + 1.3)
    gaps = [later - earlier for earlier, later in zip(link.asks, link.asks[1:], strict=False)]
    assert all(gap >= POLICY.first_s - 1e-6 for gap in gaps)
    # What says nothing is gone in the end, and what answers is there.
    link.there = {"name-0"}
    link.run(link.now + 100.0)
    assert [name for name in (f"name-{who}" for who in range(5)) if name in link.presence] == ["name-0"]
