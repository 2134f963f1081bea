"""A sequential fetch of one file in which somebody reads at other places than at its beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.files.swarm.test_picker import (
    FILE,
    LIMIT,
    arrive,
    asked,
    digest,
    filled,
    numbers,
    requests,
)
from warren.services.files.swarm.picker import NEAR_BYTES, WINDOW_BYTES, Done, Picker, Request
from warren.services.files.swarm.pieces import CHUNK_BYTES

if TYPE_CHECKING:
    from warren.services.files.swarm.pieces import Offer

WINDOW = WINDOW_BYTES // CHUNK_BYTES
NEAR = NEAR_BYTES // CHUNK_BYTES


def at(*chunks: float) -> list[int]:
    return [int(one * CHUNK_BYTES) for one in chunks]


def order(picker: Picker, offer: Offer) -> list[int]:
    """In which order all of it comes that is still wanted, one request after the other."""
    found: list[int] = []
    while isinstance(request := picker.next(offer, 1), Request):
        found += numbers(request.pieces)
        arrive(picker, offer, request.pieces)
    return found


@pytest.mark.parametrize("inside", [0, 0.5, 0.999999])
def test_what_lies_from_there_on_comes_first_and_what_lies_before_last(inside: float) -> None:
    picker = filled(100, sequential=True)
    assert picker.seek(at(70 + inside))
    assert order(picker, picker.join()) == [*range(70, 100), *range(70)]


def test_the_window_moves_there_and_what_was_asked_for_is_not_asked_for_again() -> None:
    picker = filled(100, sequential=True)
    slow, quick = picker.join(), picker.join({*range(100)})
    slow.bytes_per_s, quick.bytes_per_s = 1.0, 1e9
    assert asked(picker, slow, 4 * CHUNK_BYTES) == [0, 1, 2, 3]
    assert picker.seek(at(60))
    ((first,),) = requests(picker, quick, 1)
    assert numbers([first]) == [60]
    assert picker.next(slow, 4 * CHUNK_BYTES) != Done()
    third = picker.join()
    got: list[int] = []
    while isinstance(request := picker.next(third, LIMIT), Request):
        got += numbers(request.pieces)
        arrive(picker, third, request.pieces)
    assert got[: WINDOW + 4] == [*range(61, 61 + WINDOW), 0, 1, 2, 3]  # then it helps with what takes longest


def test_where_it_comes_soon_anyway_nothing_changes() -> None:
    picker = filled(100, sequential=True)
    assert not picker.seek(at(0))
    assert not picker.seek(at(NEAR))
    assert picker.seek(at(50))
    assert not picker.seek(at(50))
    assert not picker.seek(at(50 + NEAR))
    assert picker.seek(at(49))
    assert order(picker, picker.join())[:3] == [49, 50, 51]
    assert not picker.seek(at(3))  # nothing is missing any more


def test_two_who_read_take_turns_however_often_they_say_where_they_are() -> None:
    picker = filled(100, sequential=True)
    offer = picker.join()
    assert picker.seek(at(20))
    assert picker.seek(at(20, 80))
    assert not picker.seek(at(80, 20))
    got: list[int] = []
    for _ in range(10):
        ((piece,),) = requests(picker, offer, 1)
        got += numbers([piece])
        arrive(picker, offer, [piece])
        assert not picker.seek(at(20 + (len(got) + 1) // 2, 80 + len(got) // 2))
    assert got == [20, 80, 21, 81, 22, 82, 23, 83, 24, 84]
    assert picker.seek(at(50))  # one is gone, the other jumped
    assert order(picker, offer)[:2] == [50, 51]


def test_what_is_known_later_takes_its_place() -> None:
    picker = filled(10, sequential=True)
    offer = picker.join()
    assert [picker.seeks_beyond] == [False]
    assert picker.seek(at(15))
    assert [picker.seeks_beyond] == [True]
    for number in range(10, 20):
        picker.add(digest(number), CHUNK_BYTES, FILE, number * CHUNK_BYTES, number)
    assert [picker.seeks_beyond] == [False]
    assert order(picker, offer) == [15, 16, 17, 18, 19, *range(15)]


def test_a_chunk_comes_in_time_for_the_nearest_of_its_places() -> None:
    picker = filled(10, sequential=True)
    offer = picker.join()
    assert picker.seek(at(9))
    for number in range(10, 20):  # the chunk of place 3 once more, at place 12
        same = 3 if number == 12 else number
        picker.add(digest(same), CHUNK_BYTES, FILE, number * CHUNK_BYTES, number)
    assert order(picker, offer)[:5] == [9, 10, 11, 3, 13]


def test_before_anything_is_known_there_is_nothing_to_put_first() -> None:
    picker = Picker(sequential=True)
    assert not picker.seek(at(5))
    picker.add(digest(0), 7, FILE, 0)
    assert not picker.seek([6])


@given(
    places=st.lists(st.integers(0, 40 * CHUNK_BYTES - 1), min_size=1, max_size=4),
    kept=st.sets(st.integers(0, WINDOW - 1)),
    bits=st.none() | st.sets(st.integers(0, 39)),
)
def test_nothing_is_lost_and_each_is_served_nearest_first(
    places: list[int], kept: set[int], bits: set[int] | None
) -> None:
    picker = filled(40, sequential=True)
    whole = picker.join()
    for pieces in requests(picker, whole, 40 * CHUNK_BYTES):
        for piece in pieces:
            if piece.numbers[0] in kept:
                arrive(picker, whole, [piece])
    picker.on_lost(whole)
    changed = picker.seek(places)
    part = picker.join(bits) if bits is not None else whole
    got = order(picker, part)
    assert len(got) == len(set(got))
    assert set(got) <= (set(range(40)) if bits is None else bits) - kept  # the window holds a part back

    def behind(number: int) -> int:
        start = number * CHUNK_BYTES
        ahead = [max(0, start - place) for place in places if start + CHUNK_BYTES > place]
        return min(ahead, default=start + (1 << 50))

    if changed:
        assert [behind(one) for one in got] == sorted(behind(one) for one in got)
    picker.close()
    got += order(picker, whole)
    assert set(got) == set(range(40)) - kept
    assert picker.next(whole, LIMIT) == Done()
