"""With which super-peers to register: the nearest, with as little moving as may be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.directory.made import key
from warren.services.directory import choosing as module
from warren.services.directory.choosing import BACKOFF_FIRST_S, BACKOFF_MAX_S, STAY_S, Choosing, Plan

A, B, C, D = sorted(key(number).peer_id for number in range(1, 5))
NOTHING = ((), ())


class Chance:
    """Draws at this share of the way from the lowest to the highest."""

    def __init__(self, share: float = 0.5) -> None:
        self.share = share

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self.share


MIDDLE = Chance()


def offered(want: int, **rtts: float | None) -> Choosing:
    choosing = Choosing(want, MIDDLE)
    for name, rtt_s in rtts.items():
        choosing.offer({"a": A, "b": B, "c": C, "d": D}[name], is_elected=False, rtt_s=rtt_s)
    return choosing


def test_the_nearest_are_chosen() -> None:
    choosing = offered(2, a=0.3, b=0.1, c=None, d=0.2)
    assert choosing.plan(0.0) == Plan((B, D), (), STAY_S, 0)
    assert choosing.chosen == [B, D]
    assert choosing.plan(0.0)[:2] == NOTHING


def test_too_few_is_told() -> None:
    choosing = offered(2, a=0.3)
    assert choosing.plan(0.0) == Plan((A,), (), None, 1)
    assert Choosing(2, MIDDLE).plan(0.0) == Plan((), (), None, 2)


def test_another_takes_the_place_of_one_that_is_lost() -> None:
    choosing = offered(1, a=0.1, b=0.2)
    choosing.plan(0.0)
    choosing.withdraw(A)
    assert choosing.plan(0.0).begin == (B,)


def test_who_failed_is_left_alone_for_a_while_that_doubles() -> None:
    choosing = offered(1, a=0.1)
    now = 0.0
    for wait in (1, 2, 4, 8):
        assert choosing.plan(now).begin == (A,)
        choosing.failed(A, now)
        plan = choosing.plan(now)
        assert (plan.begin, plan.look_at) == ((), now + wait * BACKOFF_FIRST_S)
        now += wait * BACKOFF_FIRST_S
    choosing.plan(now)
    choosing.succeeded(A)
    choosing.failed(A, now)
    assert choosing.plan(now).look_at == now + BACKOFF_FIRST_S
    for _ in range(30):
        choosing.failed(A, now)
    assert choosing.plan(now).look_at == now + BACKOFF_MAX_S
    choosing.failed(B, now)  # nobody
    choosing.succeeded(B)


def test_whom_one_super_peer_sent_away_at_once_do_not_come_back_at_once() -> None:
    for share in (0.0, 0.5, 1.0):
        choosing = Choosing(1, Chance(share))
        choosing.offer(A, is_elected=False, rtt_s=0.1)
        choosing.plan(0.0)
        choosing.failed(A, 0.0)
        assert choosing.plan(0.0).look_at == BACKOFF_FIRST_S * (0.5 + share)


def test_one_moves_only_to_a_much_nearer_one_and_not_at_once() -> None:
    choosing = offered(1, a=0.1)
    choosing.plan(0.0)
    choosing.offer(B, is_elected=False, rtt_s=0.04)
    assert choosing.plan(STAY_S - 1)[:2] == NOTHING
    assert choosing.plan(STAY_S)[:2] == ((B,), (A,))
    choosing.offer(A, is_elected=False, rtt_s=0.03)
    choosing.offer(C, is_elected=False, rtt_s=None)
    choosing.offer(D, is_elected=False, rtt_s=0.033)
    assert choosing.plan(3 * STAY_S)[:2] == NOTHING
    near = offered(1, a=0.004)
    near.plan(0.0)
    near.offer(B, is_elected=False, rtt_s=0.001)
    assert near.plan(9 * STAY_S)[:2] == NOTHING


def test_one_of_unknown_distance_is_left_for_one_that_is_near() -> None:
    choosing = offered(1, a=None)
    choosing.plan(0.0)
    choosing.offer(B, is_elected=False, rtt_s=0.5)
    assert choosing.plan(STAY_S)[:2] == ((B,), (A,))


def test_one_that_was_told_to_be_a_super_peer_comes_before_elected_ones_at_once() -> None:
    choosing = Choosing(1, MIDDLE)
    choosing.offer(A, is_elected=True, rtt_s=0.001)
    choosing.plan(0.0)
    choosing.offer(B, is_elected=False, rtt_s=0.5)
    assert choosing.plan(0.0)[:2] == ((B,), (A,))
    assert choosing.plan(9 * STAY_S)[:2] == NOTHING  # nor back, however much nearer it is


def test_a_round_trip_that_is_not_measured_any_more_is_remembered() -> None:
    choosing = offered(1, a=0.1, b=0.2)
    choosing.offer(A, is_elected=False, rtt_s=None)
    assert choosing.plan(0.0).begin == (A,)


def test_only_so_many_candidates_are_remembered() -> None:
    before, module.CANDIDATES_MAX = module.CANDIDATES_MAX, 1  # type: ignore[misc]
    try:
        assert offered(2, a=0.1, b=0.1).candidates == [A]
    finally:
        module.CANDIDATES_MAX = before  # type: ignore[misc]


steps = st.lists(
    st.tuples(
        st.sampled_from(["offer", "elected", "withdraw", "failed", "plan"]),
        st.sampled_from([A, B, C, D]),
        st.floats(0, 1),
        st.floats(0, 100),
    ),
    max_size=50,
)


@given(st.integers(0, 3), steps)
def test_never_more_than_wanted_and_always_all_that_can_be(
    want: int, some: list[tuple[str, object, float, float]]
) -> None:
    choosing, now = Choosing(want, MIDDLE), 0.0
    begun: set[object] = set()
    for what, peer, rtt_s, seconds in some:
        now += seconds
        if what in ("offer", "elected"):
            choosing.offer(peer, is_elected=what == "elected", rtt_s=rtt_s)  # type: ignore[arg-type]
        elif what == "withdraw":
            choosing.withdraw(peer)  # type: ignore[arg-type]
            begun.discard(peer)
        elif what == "failed":
            choosing.failed(peer, now)  # type: ignore[arg-type]
            begun.discard(peer)
        else:
            plan = choosing.plan(now)
            assert begun.isdisjoint(plan.begin)
            begun = (begun | set(plan.begin)) - set(plan.leave)
            assert len(begun) <= want
            assert plan.wanting == want - len(begun)
        assert set(choosing.chosen) == begun
