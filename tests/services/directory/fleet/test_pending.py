"""What waits to be put into the store."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.services.directory.naive_index import peer
from warren.services.directory.fleet.pending import BYTES_MAX, OWNER_BYTES_MAX, Delta, Pending, Work

ALICE, BOB = peer("alice"), peer("bob")


def delta(number: int, size: int = 10) -> Delta:
    return Delta(1, number, number + 1, bytes(size))


def drained(pending: Pending) -> list[tuple[object, str, list[int]]]:
    found: list[tuple[object, str, list[int]]] = []
    while pending:
        owner, work = pending.take()
        found.append((owner, work.what, [one.from_seq for one in work.deltas]))
    return found


def test_deltas_stay_in_order_and_who_waited_longest_goes_first() -> None:
    pending = Pending()
    for number, owner in ((1, ALICE), (1, BOB), (2, ALICE)):
        pending.add_delta(owner, delta(number))
    assert len(pending) == 2
    assert ALICE in pending
    assert drained(pending) == [(ALICE, "deltas", [1, 2]), (BOB, "deltas", [1])]


def test_a_snapshot_takes_the_place_of_deltas_and_holds_later_ones() -> None:
    pending = Pending()
    pending.add_delta(ALICE, delta(1))
    pending.add_snapshot(ALICE)
    pending.add_delta(ALICE, delta(2))
    assert drained(pending) == [(ALICE, "snapshot", [])]


def test_who_is_forgotten_and_comes_back_is_put_whole() -> None:
    pending = Pending()
    pending.add_delta(ALICE, delta(1))
    pending.add_forgotten(ALICE)
    pending.add_forgotten(BOB)
    pending.add_delta(ALICE, delta(2))
    assert drained(pending) == [(ALICE, "snapshot", []), (BOB, "forget", [])]


def test_deltas_beyond_their_room_become_a_snapshot() -> None:
    pending = Pending()
    pending.add_delta(ALICE, delta(1, OWNER_BYTES_MAX))
    pending.add_delta(BOB, delta(1))
    pending.add_delta(ALICE, delta(2))
    assert drained(pending) == [(ALICE, "snapshot", []), (BOB, "deltas", [1])]
    for number in range(100):
        pending.add_delta(peer(number), delta(1, OWNER_BYTES_MAX))
    assert {what for _, what, _ in drained(pending)} == {"deltas", "snapshot"}


def test_what_could_not_be_done_goes_before_what_came_meanwhile() -> None:
    pending = Pending()
    pending.add_delta(ALICE, delta(1))
    pending.add_delta(BOB, delta(1))
    owner, work = pending.take()
    pending.add_delta(ALICE, delta(2))
    pending.put_back(owner, work)
    assert drained(pending) == [(ALICE, "deltas", [1, 2]), (BOB, "deltas", [1])]
    for before, later, left in (
        ("snapshot", "deltas", "snapshot"),
        ("forget", "deltas", "snapshot"),
        ("deltas", "forget", "forget"),
        ("forget", "snapshot", "snapshot"),
        ("snapshot", "forget", "forget"),
    ):
        _add(pending, later)
        pending.put_back(ALICE, Work(before))  # type: ignore[arg-type]
        assert drained(pending) == [(ALICE, left, [])]


def _add(pending: Pending, what: str) -> None:
    if what == "deltas":
        pending.add_delta(ALICE, delta(1))
    elif what == "forget":
        pending.add_forgotten(ALICE)
    else:
        pending.add_snapshot(ALICE)


@given(st.lists(st.tuples(st.sampled_from(["deltas", "forget", "snapshot", "take", "fail"]), st.booleans())))
def test_what_it_counts_is_what_it_holds(steps: list[tuple[str, bool]]) -> None:
    pending = Pending()
    for number, (step, large) in enumerate(steps):
        if step == "deltas":
            pending.add_delta(
                ALICE if number % 3 else BOB, delta(number, OWNER_BYTES_MAX // 2 if large else 9)
            )
        elif step in ("take", "fail") and pending:
            owner, work = pending.take()
            if step == "fail":
                pending.add_delta(owner, delta(number))
                pending.put_back(owner, work)
        elif step in ("forget", "snapshot"):
            _add(pending, step)
        assert pending._bytes == sum(work.size for work in pending._works.values()) <= BYTES_MAX
    drained(pending)
    assert pending._bytes == 0
