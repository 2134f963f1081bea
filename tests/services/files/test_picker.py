from __future__ import annotations

import hashlib
import random

from hypothesis import given
from hypothesis import strategies as st

from warren.services.files.picker import (
    ASKED_PIECES_MAX,
    CHUNK_BYTES,
    REQUEST_BYTES_MAX,
    REQUEST_PIECES_MAX,
    Done,
    Picker,
    Piece,
    Request,
    Wait,
)
from warren.services.files.walk import LEAF_UNKNOWN, TargetFile

FILE = TargetFile("f", "f", 10**12)
ASKED_MAX = 16 * CHUNK_BYTES


def digest(number: int) -> bytes:
    return number.to_bytes(32)


def filled(count: int, length: int, asked_max: int = ASKED_MAX) -> Picker:
    picker = Picker(asked_max)
    for number in range(count):
        picker.add(digest(number), length, FILE, number * length)
    return picker


def requests(picker: Picker) -> list[list[Piece]]:
    found = []
    while isinstance(decision := picker.next(0), Request):
        found.append(decision.pieces)
    return found


def test_large_chunks_fill_the_bytes() -> None:
    picker = filled(100, CHUNK_BYTES)
    found = requests(picker)
    assert [len(pieces) for pieces in found] == [4, 4, 4, 4]
    assert picker.backlog == 84
    arrive(picker, found[0][:1])
    assert isinstance(picker.next(0), Wait)
    arrive(picker, found[0][1:2])
    assert [len(pieces) for pieces in requests(picker)] == [2]


def test_small_chunks_fill_the_count() -> None:
    found = requests(filled(20_000, 10))
    assert {len(pieces) for pieces in found} == {REQUEST_PIECES_MAX}
    assert sum(map(len, found)) <= ASKED_PIECES_MAX


def test_a_chunk_larger_than_the_room_is_still_asked_for() -> None:
    assert [len(pieces) for pieces in requests(filled(5, CHUNK_BYTES, asked_max=CHUNK_BYTES))] == [1]


def test_a_chunk_of_unknown_length_counts_as_a_whole_one() -> None:
    picker = filled(40, LEAF_UNKNOWN)
    assert sum(map(len, requests(picker))) == 16


def test_equal_chunks_are_asked_for_once_while_they_are_on_their_way() -> None:
    picker = Picker(ASKED_MAX)
    for offset in range(10):
        picker.add(digest(1), 5, FILE, offset)
    ((piece,),) = requests(picker)
    assert [offset for _, offset in piece.targets] == list(range(10))
    picker.add(digest(1), 5, FILE, 10)
    assert len(piece.targets) == 11
    picker.add(digest(1), 6, FILE, 11)  # another length: somebody lies, and it will show
    picker.on_arrival(piece)
    picker.add(digest(1), 5, FILE, 12)
    assert len(piece.targets) == 11
    assert picker.backlog == 2


def test_done_only_when_all_is_kept_and_nothing_more_comes() -> None:
    picker = filled(1, 5)
    ((piece,),) = requests(picker)
    assert isinstance(picker.next(0), Wait)
    picker.on_arrival(piece)
    picker.on_success(piece)
    assert isinstance(picker.next(0), Wait)
    picker.close()
    assert isinstance(picker.next(0), Done)


def test_what_did_not_fit_is_asked_for_again_alone_and_checked() -> None:
    picker = filled(3, 5)
    ((first, *_),) = requests(picker)
    picker.on_arrival(first)
    picker.on_failure(first)
    assert picker.next(0) == Request([first], check=True)
    assert isinstance(picker.next(0), Wait)


def test_what_was_to_be_checked_still_is_when_it_is_lost() -> None:
    picker = filled(3, 5)
    ((first, second, third),) = requests(picker)
    for piece in (first, second):
        picker.on_arrival(piece)
        picker.on_failure(piece)
    assert picker.next(0) == Request([first], check=True)
    picker.on_lost()
    decisions = [picker.next(0) for _ in range(4)]
    assert decisions == [
        Request([first], check=True), Request([second], check=True), Request([third]), Wait()
    ]  # fmt: skip


def test_what_was_lost_comes_first_and_in_order() -> None:
    picker = filled(20, CHUNK_BYTES)
    before = [piece for pieces in requests(picker) for piece in pieces]
    arrive(picker, before[:3])
    picker.on_lost()
    after = [piece for pieces in requests(picker) for piece in pieces]
    assert after[:13] == before[3:]
    picker.on_lost()
    picker.on_lost()
    assert picker.backlog == 17


def test_a_chunk_fits_by_its_digest_and_its_length() -> None:
    data = memoryview(b"data")
    right = hashlib.sha256(data).digest()
    for key, length, fits in (
        (right, 4, True),
        (right, LEAF_UNKNOWN, True),
        (right, 3, False),
        (right, 5, False),
        (digest(1), 4, False),
        (digest(1), LEAF_UNKNOWN, False),
    ):
        assert Piece(key, length, FILE, 0).fits(data) is fits


def arrive(picker: Picker, pieces: list[Piece]) -> None:
    for piece in pieces:
        picker.on_arrival(piece)
        picker.on_success(piece)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from([1, 1000, CHUNK_BYTES])), max_size=60),
    st.integers(CHUNK_BYTES, ASKED_MAX),
    st.integers(0, 1 << 32),
)
def test_everything_wanted_is_got_whatever_happens(
    wanted: list[tuple[int, int]], asked_max: int, seed: int
) -> None:
    picker, chance = Picker(asked_max), random.Random(seed)
    waiting = list(enumerate(wanted))
    asked: list[Piece] = []
    filled_places: list[int] = []
    while not isinstance(decision := picker.next(0), Done):
        if isinstance(decision, Request):
            assert sum(piece.weight for piece in decision.pieces) <= REQUEST_BYTES_MAX
            asked += decision.pieces
            assert sum(piece.weight for piece in asked) <= asked_max + CHUNK_BYTES
            continue
        if waiting and (not asked or chance.random() < 0.5):
            place, (number, length) = waiting.pop(0)
            picker.add(digest(number), length, FILE, place)
        elif asked and chance.random() < 0.1:
            picker.on_lost()
            asked.clear()
        elif asked:
            piece = asked.pop(0)
            picker.on_arrival(piece)
            if chance.random() < 0.1:
                picker.on_failure(piece)
            else:
                filled_places += [place for _, place in piece.targets]
                picker.on_success(piece)
        else:
            picker.close()
    assert sorted(filled_places) == list(range(len(wanted)))
