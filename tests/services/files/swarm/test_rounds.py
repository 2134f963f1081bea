from __future__ import annotations

from warren.core.cid import Cid
from warren.runtime.simulated import World
from warren.services.files.swarm.rounds import ROOTS_MAX, Rounds

ROOTS = [Cid.raw_sha256(number.to_bytes(32)) for number in range(ROOTS_MAX + 1)]


def rounds(name: str = "n") -> Rounds:
    return Rounds(World().runtime(name).entropy)


def test_each_root_has_a_count_of_its_own() -> None:
    of = rounds()
    first, other = of.take(ROOTS[0]), of.take(ROOTS[1])
    assert [of.take(ROOTS[0]) - first, of.take(ROOTS[1]) - other, of.take(ROOTS[0]) - first] == [1, 1, 2]


def test_two_nodes_begin_at_different_places() -> None:
    assert rounds("a").take(ROOTS[0]) != rounds("b").take(ROOTS[0])


def test_the_root_that_was_asked_for_longest_ago_is_forgotten() -> None:
    of = rounds()
    kept, gone = of.take(ROOTS[1]), of.take(ROOTS[0])
    of.take(ROOTS[1])
    for root in ROOTS[2:]:
        of.take(root)
    assert of.take(ROOTS[1]) == kept + 2
    assert of.take(ROOTS[0]) != gone + 1
