"""Many answers, one list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.protocols.directory.made import entry, key
from warren.core.found import Found
from warren.services.directory.merging import HOLDERS_MAX, PATHS_MAX, Merging
from warren.services.directory.model import Holder

if TYPE_CHECKING:
    from warren.services.directory.model import Hit

A, B, C = (key(number).peer_id for number in (1, 2, 3))


def merging(limit: int = 10, **latencies: float) -> Merging:
    here = {A: latencies.get("a"), B: latencies.get("b")}
    return Merging(limit, is_here=lambda peer: here.get(peer) is not None, latency=here.get)


def found(owner: object, path: str, score: float = 1.0, *, online: bool = True, like: str = "") -> Found:
    one = entry(path)
    if like:
        one = type(one)(path, one.kind, one.size, entry(like).cid, one.metadata)
    return Found(owner, one, score, online)  # type: ignore[arg-type]


def take(merged: Merging, one: Found) -> Hit | None:
    """The hit that this belongs to, if it says anything new."""
    number = merged.take(one)
    return merged.hit(number) if number is not None else None


def test_what_has_the_same_content_is_one_hit_with_all_its_holders() -> None:
    merged = merging()
    first = take(merged, found(A, "a.txt"))
    assert first is not None
    assert (first.number, first.name, first.holders) == (1, "a.txt", (Holder(A, ("a.txt",), online=True),))
    second = take(merged, found(B, "b.txt", like="a.txt", online=False))
    assert second is not None
    assert (second.number, second.paths, second.online) == (1, ("a.txt", "b.txt"), True)
    assert [one.peer for one in second.holders] == [A, B]
    other = take(merged, found(A, "c.txt"))
    assert other is not None
    assert (other.number, len(merged)) == (2, 2)


def test_nothing_is_told_twice() -> None:
    merged = merging()
    assert take(merged, found(A, "a.txt")) is not None
    assert take(merged, found(A, "a.txt")) is None
    assert take(merged, found(A, "a.txt", online=False)) is None
    assert take(merged, found(A, "a.txt", score=0.5)) is None


def test_the_copy_that_fits_best_is_shown() -> None:
    merged = merging()
    take(merged, found(A, "a.txt"))
    hit = take(merged, found(A, "better.txt", 2.0, like="a.txt"))
    assert hit is not None
    assert (hit.name, hit.score, hit.holders[0].paths) == ("better.txt", 2.0, ("a.txt", "better.txt"))
    assert take(merged, found(A, "better.txt", 3.0, like="a.txt")) is not None


def test_who_is_there_comes_first_and_the_nearest_of_them() -> None:
    merged = merging(a=0.2, b=0.1)
    hits = [take(merged, found(owner, "a.txt", online=False)) for owner in (C, A, B)]
    hit = hits[-1]
    assert hit is not None
    assert [(one.peer, one.online, one.latency_s) for one in hit.holders] == [
        (B, True, 0.1),
        (A, True, 0.2),
        (C, False, None),
    ]
    hit = take(merged, found(C, "a.txt"))
    assert hit is not None
    assert all(one.online for one in hit.holders)


def test_what_nobody_there_holds_is_marked() -> None:
    hit = take(merging(), found(C, "a.txt", online=False))
    assert hit is not None
    assert not hit.online


def test_contents_holders_and_paths_have_bounds() -> None:
    merged = merging(limit=1)
    take(merged, found(A, "a.txt"))
    assert take(merged, found(A, "b.txt")) is None
    paths = [take(merged, found(A, f"{number}.txt", like="a.txt")) for number in range(PATHS_MAX + 5)]
    assert max(len(hit.holders[0].paths) for hit in paths if hit is not None) == PATHS_MAX
    owners = [key(100 + number).peer_id for number in range(HOLDERS_MAX + 5)]
    hits = [take(merged, found(owner, "a.txt")) for owner in owners]
    assert max(len(hit.holders) for hit in hits if hit is not None) == HOLDERS_MAX


def test_who_is_seen_here_takes_the_place_of_one_that_others_name() -> None:
    merged = merging(a=0.1)
    for number in range(HOLDERS_MAX):
        take(merged, found(key(100 + number).peer_id, "a.txt"))
    hit = take(merged, found(A, "a.txt"))
    assert hit is not None
    assert (len(hit.holders), hit.holders[0].peer) == (HOLDERS_MAX, A)
    assert take(merged, found(B, "a.txt")) is None
