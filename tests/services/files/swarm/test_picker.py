from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING

from warren.services.files.swarm.picker import (
    ASKED_BYTES_MAX,
    ASKED_PIECES_MAX,
    COPIES_MAX,
    REQUEST_BYTES_MAX,
    REQUEST_PIECES_MAX,
    WINDOW_BYTES,
    Done,
    Picker,
    Request,
    Wait,
)
from warren.services.files.swarm.pieces import CHUNK_BYTES, STALE_MAX, State
from warren.services.files.walk import LEAF_UNKNOWN, TargetFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from warren.services.files.swarm.pieces import Offer, Piece

FILE = TargetFile("f", "f", 10**12)
LIMIT = 16 * CHUNK_BYTES


def digest(number: int) -> bytes:
    """Of a chunk; those of neighbours begin differently, as hashes do."""
    return (number * 0x9E3779B97F4A7C15 % (1 << 64)).to_bytes(8) + number.to_bytes(24)


def filled(count: int, length: int = CHUNK_BYTES, *, sequential: bool = False, seed: int = 0) -> Picker:
    picker = Picker(sequential=sequential, seed=seed)
    for number in range(count):
        picker.add(digest(number), length, FILE, number * length, number)
    return picker


def requests(picker: Picker, offer: Offer, limit: int = LIMIT) -> list[list[Piece]]:
    found = []
    while isinstance(decision := picker.next(offer, limit), Request):
        found.append(decision.pieces)
    return found


def numbers(pieces: Iterable[Piece]) -> list[int]:
    return [piece.numbers[0] for piece in pieces]


def asked(picker: Picker, offer: Offer, limit: int = LIMIT) -> list[int]:
    return [number for pieces in requests(picker, offer, limit) for number in numbers(pieces)]


def arrive(picker: Picker, offer: Offer, pieces: Iterable[Piece]) -> None:
    for piece in pieces:
        assert picker.on_arrival(offer, piece)
        picker.on_success(piece)


# --- one source -------------------------------------------------------------------------------------------


def test_large_chunks_fill_the_bytes() -> None:
    picker = filled(100)
    offer = picker.join()
    found = requests(picker, offer)
    assert [numbers(pieces) for pieces in found] == [[at, at + 1, at + 2, at + 3] for at in (0, 4, 8, 12)]
    assert picker.backlog == 84
    arrive(picker, offer, found[0][:1])
    assert picker.next(offer, LIMIT) == Wait()
    arrive(picker, offer, found[0][1:2])
    assert [len(pieces) for pieces in requests(picker, offer)] == [2]


def test_small_chunks_fill_the_count() -> None:
    picker = filled(20_000, 10)
    found = requests(picker, picker.join())
    assert {len(pieces) for pieces in found} == {REQUEST_PIECES_MAX}
    assert sum(map(len, found)) <= ASKED_PIECES_MAX


def test_a_chunk_larger_than_the_room_is_still_asked_for() -> None:
    picker = filled(5)
    assert asked(picker, picker.join(), limit=1) == [0]


def test_a_chunk_of_unknown_length_counts_as_a_whole_one() -> None:
    picker = filled(40, LEAF_UNKNOWN)
    assert len(asked(picker, picker.join())) == 16


def test_equal_chunks_are_asked_for_once_while_they_are_on_their_way() -> None:
    picker = Picker()
    offer = picker.join()
    for offset in range(10):
        picker.add(digest(1), 5, FILE, offset, offset)
    ((piece,),) = requests(picker, offer)
    assert [offset for _, offset in piece.targets] == piece.numbers == list(range(10))
    picker.add(digest(1), 5, FILE, 10, 10)
    assert len(piece.targets) == 11
    picker.add(digest(1), 6, FILE, 11, 11)  # another length: somebody lies, and it will show
    picker.on_arrival(offer, piece)
    picker.add(digest(1), 5, FILE, 12, 12)
    assert len(piece.targets) == 11
    assert picker.backlog == 2


def test_done_only_when_all_is_kept_and_nothing_more_comes() -> None:
    picker = filled(1, 5)
    offer = picker.join()
    ((piece,),) = requests(picker, offer)
    assert picker.next(offer, LIMIT) == Wait()
    arrive(picker, offer, [piece])
    assert picker.next(offer, LIMIT) == Wait()
    assert [picker.hungry] == [True]
    picker.add(digest(2), 5, FILE, 5, 1)
    assert not picker.hungry
    arrive(picker, offer, requests(picker, offer)[0])
    picker.close()
    assert picker.next(offer, LIMIT) == Done()


def test_what_did_not_fit_is_asked_for_again_alone_and_checked() -> None:
    picker = filled(30, 5)
    offer = picker.join()
    request = picker.next(offer, 12)
    assert isinstance(request, Request)
    first, second = request.pieces
    assert picker.on_arrival(offer, first)
    assert not picker.on_failure(offer, first)
    assert picker.next(offer, LIMIT) == Request([first], check=True)
    assert picker.next(offer, LIMIT) == Wait()  # nothing more is asked of who is suspected
    arrive(picker, offer, [second, first])
    assert len(asked(picker, offer)) == 28


def test_who_insists_lies_and_others_are_asked() -> None:
    picker = filled(3, 5)
    liar, other = picker.join(), picker.join()
    ((first, *_),) = requests(picker, liar)
    picker.on_arrival(liar, first)
    picker.on_failure(liar, first)
    assert asked(picker, other) == [0], "nobody waits for it"
    assert picker.next(liar, LIMIT) == Request([first], check=True)
    picker.on_arrival(liar, first)
    assert picker.on_failure(liar, first)
    picker.leave(liar)
    assert sorted(asked(picker, other)) == [1, 2]


def test_who_was_refuted_before_it_was_asked_again_is_asked_all_else_checked() -> None:
    picker = filled(5)
    liar, other = picker.join(), picker.join()
    ((first,),) = requests(picker, liar, CHUNK_BYTES)
    picker.on_arrival(liar, first)
    assert not picker.on_failure(liar, first)
    ((again,),) = requests(picker, other, CHUNK_BYTES)
    assert again is first
    arrive(picker, other, [first])
    request = picker.next(liar, LIMIT)
    assert isinstance(request, Request)
    assert (request.check, len(request.pieces)) == (True, 1)
    picker.on_arrival(liar, request.pieces[0])
    assert picker.on_failure(liar, request.pieces[0])


def test_of_who_has_everything_each_of_many_takes_what_the_count_says() -> None:
    taken = []
    for lead in range(14, 20):
        picker = filled(8)
        whole = picker.join()
        picker.spread()
        assert picker.is_guessing
        request = picker.next(whole, CHUNK_BYTES, lead)
        assert isinstance(request, Request)
        taken += [piece.order for piece in request.pieces]
    assert taken == [6, 7, 0, 1, 2, 3]


def test_what_is_rarer_goes_before_what_the_count_says() -> None:
    picker = filled(3)
    whole = picker.join()
    picker.join({0, 1})
    request = picker.next(whole, CHUNK_BYTES, 0)
    assert isinstance(request, Request)
    assert [piece.order for piece in request.pieces] == [2]
    assert not picker.is_guessing


def test_it_is_known_of_whom_something_is_wanted() -> None:
    picker = filled(2)
    part, nothing = picker.join({0}), picker.join(set())
    assert picker.wants([7, 0])
    assert not picker.wants([7])
    assert picker.wants_of(part)
    assert not picker.wants_of(nothing)
    ((piece,),) = requests(picker, part)
    assert picker.wants_of(part), "it is being sent"
    assert not picker.wants([0])
    arrive(picker, part, [piece])
    assert not picker.wants_of(part)


def test_what_was_to_be_checked_still_is_when_it_is_lost() -> None:
    picker = filled(3, 5)
    offer = picker.join()
    ((first, second, third),) = requests(picker, offer)
    for piece in (first, second):
        picker.on_arrival(offer, piece)
        picker.on_failure(offer, piece)
    assert picker.next(offer, LIMIT) == Request([first], check=True)
    picker.on_lost(offer)
    assert picker.next(offer, LIMIT) == Request([second], check=True)
    arrive(picker, offer, [second])
    assert picker.next(offer, LIMIT) == Request([first], check=True)
    arrive(picker, offer, [first])
    assert picker.next(offer, LIMIT) == Request([third])


def test_a_suspect_that_leaves_gives_all_of_it_back() -> None:
    picker = filled(3, 5)
    suspect, other = picker.join(), picker.join()
    ((first, second, third),) = requests(picker, suspect)
    for piece in (first, second):
        picker.on_arrival(suspect, piece)
    picker.on_failure(suspect, first)
    picker.leave(suspect)
    assert asked(picker, other) == [0, 2]
    assert not picker.on_failure(suspect, second)  # verified only after it was gone: no proof of anything
    picker.on_lost(other)
    assert asked(picker, other) == [0, 1, 2]
    assert third.copies == 1


def test_what_was_lost_comes_first_and_in_order() -> None:
    picker = filled(20)
    offer = picker.join()
    before = [piece for pieces in requests(picker, offer) for piece in pieces]
    arrive(picker, offer, before[:3])
    picker.on_lost(offer)
    assert asked(picker, offer)[:13] == numbers(before[3:])
    picker.on_lost(offer)
    picker.on_lost(offer)
    assert picker.backlog == 17


# --- many sources -----------------------------------------------------------------------------------------


def test_sources_share_the_work_and_the_bytes_under_way() -> None:
    picker = filled(200)
    offers = [picker.join() for _ in range(4)]
    found = [asked(picker, offer) for offer in offers]
    assert [len(one) for one in found] == [16, 16, 1, 1]  # one piece each in any case
    everything = list(itertools.chain(*found))
    assert sorted(everything) == list(range(34))
    assert len(everything) * CHUNK_BYTES <= ASKED_BYTES_MAX + 4 * CHUNK_BYTES


def test_the_rarest_goes_first() -> None:
    picker = filled(8)
    offers = [picker.join({0, 1, 2, 3, 4, 5}), picker.join({0, 1, 2, 3}), picker.join({0, 1}), picker.join()]
    assert {frozenset(asked(picker, offers[3], 2 * CHUNK_BYTES))} == {frozenset({6, 7})}
    assert {frozenset(asked(picker, offers[0], 2 * CHUNK_BYTES))} == {frozenset({4, 5})}
    assert asked(picker, offers[2], CHUNK_BYTES)[0] in {0, 1}


def test_what_others_come_to_have_is_no_longer_rare() -> None:
    picker = filled(6)
    bits = {0, 1}
    part, whole = picker.join(bits), picker.join()
    bits |= {2, 3, 4, 99}
    picker.on_gained([2, 3, 4, 99])
    assert asked(picker, whole, CHUNK_BYTES) == [5]
    bits -= {3}
    picker.on_shrunk()
    picker.on_lost(whole)
    assert set(asked(picker, whole, 2 * CHUNK_BYTES)) == {3, 5}
    picker.leave(part)
    picker.on_lost(whole)
    assert len(asked(picker, whole)) == 6


def test_what_one_tells_that_left_does_not_count() -> None:
    picker = filled(2)
    left = picker.join({0})
    picker.leave(left)
    picker.has_all(left)
    assert asked(picker, picker.join({1})) == [1]


def test_one_that_comes_and_goes_costs_by_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    picker, ranked, rank = filled(1000), [], Picker._rank

    def count(self: Picker, piece: Piece) -> None:
        ranked.append(piece)
        rank(self, piece)

    monkeypatch.setattr(Picker, "_rank", count)
    offer = picker.join()
    picker.has_part(offer, {3, 5})
    picker.has_part(offer, {5, 7})
    picker.leave(offer)
    assert [piece.numbers[0] for piece in ranked] == [3, 5, 3, 5, 5, 7, 5, 7]


def test_a_part_turns_out_to_be_all_and_all_a_part() -> None:
    picker = filled(4)
    offer = picker.join({1})
    assert asked(picker, offer) == [1]
    picker.has_all(offer)
    picker.has_all(offer)
    assert sorted(asked(picker, offer)) == [0, 2, 3]
    picker.on_lost(offer)
    picker.has_part(offer, {2})
    assert asked(picker, offer) == [2]


def test_who_has_one_of_equal_chunks_has_them_all() -> None:
    picker = filled(2)
    offer = picker.join({7})
    picker.add(digest(1), CHUNK_BYTES, FILE, 7, 7)
    assert asked(picker, offer) == [1]


def test_each_fetch_takes_another_order_once_others_fetch_too() -> None:
    orders = []
    for seed in (1, 0xDEADBEEF):
        picker = filled(1000, 10, seed=seed)
        offer = picker.join()
        picker.spread()
        picker.spread()
        orders.append(asked(picker, offer))
        assert sorted(orders[-1]) == list(range(1000))
    assert orders[0] != orders[1] != sorted(orders[1])


def test_a_source_that_stalls_is_overtaken() -> None:
    picker = filled(4)
    slow, other = picker.join(), picker.join()
    ((first, second, *_),) = requests(picker, slow)
    picker.on_stalled(slow)
    picker.on_stalled(slow)
    assert picker.next(slow, LIMIT) == Wait()
    assert asked(picker, other) == [0, 1, 2, 3]
    picker.on_recovered(slow)
    picker.on_recovered(slow)
    assert picker.on_arrival(slow, first)
    picker.on_success(first)
    assert not picker.on_arrival(other, first)  # too late
    arrive(picker, other, [second])
    picker.on_lost(other)
    assert picker.backlog == 0  # the first one still is to send the rest


def test_what_nobody_else_took_is_still_expected_of_who_recovers() -> None:
    picker = filled(2)
    offer = picker.join()
    requests(picker, offer)
    picker.on_stalled(offer)
    assert picker.backlog == 2
    picker.on_recovered(offer)
    assert picker.backlog == 0


def test_what_arrives_of_one_that_stalls_is_not_asked_for_again() -> None:
    picker = filled(1)
    offer, other = picker.join(), picker.join()
    ((piece,),) = requests(picker, offer)
    picker.on_stalled(offer)
    assert picker.on_arrival(offer, piece)
    assert picker.backlog == 0
    assert asked(picker, other) == []


def test_a_check_of_one_that_stalls_is_given_up() -> None:
    picker = filled(1)
    offer, other = picker.join(), picker.join()
    ((piece,),) = requests(picker, offer)
    picker.on_arrival(offer, piece)
    picker.on_failure(offer, piece)
    picker.next(offer, LIMIT)
    picker.on_stalled(offer)
    assert asked(picker, other) == [0]
    picker.on_lost(offer)
    assert picker.next(offer, LIMIT) == Request([piece], check=True), "it still is to prove what it sent"


# --- the end ----------------------------------------------------------------------------------------------


def test_in_the_end_the_idle_help_the_one_that_takes_longest() -> None:
    picker = filled(8)
    slow, slower, quick = picker.join(), picker.join(), picker.join()
    slow.bytes_per_s, slower.bytes_per_s, quick.bytes_per_s = 4.0 * CHUNK_BYTES, 2.0 * CHUNK_BYTES, 100.0e6
    assert asked(picker, slow, 4 * CHUNK_BYTES) == [0, 1, 2, 3]
    assert asked(picker, slower, 4 * CHUNK_BYTES) == [4, 5, 6, 7]
    assert picker.next(quick, LIMIT) == Wait()  # more may come
    picker.close()
    assert asked(picker, quick) == [7, 6, 5, 4]
    assert {piece.copies for piece in slower.asked} == {COPIES_MAX}
    lone = picker.join()
    assert asked(picker, lone) == [3, 2, 1, 0]
    assert asked(picker, picker.join()) == []


def test_in_the_end_nobody_helps_who_would_not_be_sooner() -> None:
    picker = filled(4)
    offer, other = picker.join(), picker.join({0, 1, 2})
    offer.bytes_per_s, other.bytes_per_s = 4.0 * CHUNK_BYTES, 0.5 * CHUNK_BYTES
    order = asked(picker, offer)
    picker.close()
    assert picker.next(other, LIMIT) == Wait()
    other.bytes_per_s = 1.5 * CHUNK_BYTES
    assert asked(picker, other) == [number for number in reversed(order) if number != 3][:1]


def test_help_is_no_larger_than_a_request() -> None:
    picker = filled(12)
    offer, other = picker.join(), picker.join()
    assert len(asked(picker, offer)) == 12
    picker.close()
    request = picker.next(other, LIMIT)
    assert isinstance(request, Request)
    assert len(request.pieces) * CHUNK_BYTES == REQUEST_BYTES_MAX


def test_the_first_copy_that_fits_counts_and_the_other_helps_where_it_does_not() -> None:
    picker = filled(1)
    offer, other, third = picker.join(), picker.join(), picker.join()
    ((piece,),) = requests(picker, offer)
    picker.close()
    assert asked(picker, other) == [0]
    assert picker.on_arrival(offer, piece)
    assert not picker.on_failure(offer, piece)
    assert picker.on_arrival(other, piece)
    picker.on_success(piece)
    assert picker.next(offer, LIMIT) == Done()
    assert piece.state is State.KEPT
    assert picker.next(third, LIMIT) == Done()


def test_a_liar_with_a_copy_elsewhere_leaves_it_to_that() -> None:
    picker = filled(1)
    liar, other = picker.join(), picker.join()
    ((piece,),) = requests(picker, liar)
    picker.on_arrival(liar, piece)
    picker.on_failure(liar, piece)
    picker.next(liar, LIMIT)
    piece.state = State.ASKED
    picker.close()
    assert asked(picker, other) == [0]
    picker.on_arrival(liar, piece)
    assert picker.on_failure(liar, piece)
    assert (piece.state, picker.backlog) == (State.ASKED, 0)


def test_what_another_sent_meanwhile_is_not_checked() -> None:
    picker = filled(2)
    offer, other = picker.join(), picker.join()
    ((first, second),) = requests(picker, offer)
    picker.close()
    requests(picker, other)
    picker.on_arrival(offer, first)
    picker.on_failure(offer, first)
    arrive(picker, other, [first])
    assert picker.next(offer, LIMIT) == Wait()
    assert not offer.is_suspect
    arrive(picker, other, [second])
    assert picker.next(offer, LIMIT) == Done()


# --- reading along ----------------------------------------------------------------------------------------


def test_a_sequential_fetch_stays_near_its_first_gap() -> None:
    window = WINDOW_BYTES // CHUNK_BYTES
    picker = filled(100, sequential=True)
    slow, quick = picker.join(), picker.join({*range(100)})
    slow.bytes_per_s, quick.bytes_per_s = 1.0, 100.0e6
    ((first, *rest),) = requests(picker, slow, 4 * CHUNK_BYTES)
    assert numbers([first, *rest]) == [0, 1, 2, 3]
    got: list[int] = []
    while isinstance(request := picker.next(quick, LIMIT), Request):
        got += numbers(request.pieces)
        if 0 in got:
            break
        arrive(picker, quick, request.pieces)
    assert got[: window - 3] == list(range(4, window + 1))
    assert got[window - 3 :] == [0, 1, 2, 3]  # nothing else is left to do in the window
    arrive(picker, quick, [first, *rest])
    assert asked(picker, quick)[0] == window + 1


# --- size -------------------------------------------------------------------------------------------------


def test_what_is_out_of_date_is_forgotten() -> None:
    bits: set[int] = set()
    picker = filled(2000, 1000)
    part, whole = picker.join(bits), picker.join()
    for number in range(2000):
        bits.add(number)
        picker.on_gained([number])
    for _ in range(20):
        for offer in (part, whole):
            picker.on_lost(offer)
            assert requests(picker, offer, 1)
            assert len(offer.shelf) <= 2 * picker.backlog + STALE_MAX
    assert len(picker._common) <= 2 * picker.backlog + STALE_MAX


def test_those_who_fetch_at_the_same_time_share_the_pieces_out() -> None:
    names = [0x1234567890ABCDEF, 0xFEDCBA0987654321, 0x0F1E2D3C4B5A6978]
    parts: list[set[int]] = []
    for me in names:
        picker = Picker(seed=me)
        for number in range(300):
            picker.add(hashlib.sha256(b"%d" % number).digest(), 1000, FILE, 0, number)
        offer = picker.join()
        for _ in range(2):
            picker.share_out(me, [other for other in names if other != me])
        order = asked(picker, offer)
        assert sorted(order) == list(range(300))
        parts.append(set(order[:70]))
    assert parts[0].isdisjoint(parts[1] | parts[2])
    assert parts[1].isdisjoint(parts[2])
