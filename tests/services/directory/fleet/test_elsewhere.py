"""Who is there at other super-peers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.services.directory.naive_index import peer
from warren.services.directory.fleet import elsewhere
from warren.services.directory.fleet.elsewhere import Elsewhere
from warren.services.directory.fleet.keys import SHARDS, Place, shard_of

if TYPE_CHECKING:
    import pytest

ALICE, BOB = peer("alice"), peer("bob")
ONE, OTHER = peer("one"), peer("other")


def test_who_has_two_leases_is_there_until_both_are_over() -> None:
    there = Elsewhere()
    assert there.note(Place(ALICE, ONE), 10.0)
    assert not there.note(Place(ALICE, OTHER), 20.0)
    assert not there.note(Place(ALICE, ONE), 30.0)
    assert (ALICE in there, BOB in there, len(there)) == (True, False, 1)
    assert not there.end(Place(ALICE, ONE))
    assert not there.end(Place(ALICE, ONE))
    assert there.end(Place(ALICE, OTHER))
    assert (ALICE in there, len(there), there.places()) == (False, 0, [])


def test_a_lease_is_looked_at_when_its_time_is_over_as_it_was_told_last() -> None:
    there = Elsewhere()
    there.note(Place(ALICE, ONE), 10.0)
    there.note(Place(BOB, ONE), 12.0)
    there.note(Place(ALICE, ONE), 15.0)
    assert there.next_at == 10.0
    assert there.due(11.0) == []
    assert there.due(12.0) == [Place(BOB, ONE)]
    there.end(Place(BOB, ONE))
    assert there.due(20.0) == [Place(ALICE, ONE)]
    assert there.due(20.0) == []
    there.recall(Place(ALICE, ONE), 20.0)
    there.recall(Place(BOB, ONE), 20.0)
    assert there.due(20.0) == [Place(ALICE, ONE)]


def test_nothing_is_due_where_nobody_is() -> None:
    assert Elsewhere().next_at is None
    assert Elsewhere().due(1e9) == []


def test_there_is_room_for_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "LEASES_MAX", 2)
    there = Elsewhere()
    assert [there.note(Place(peer(number), ONE), 1.0) for number in range(3)] == [True, True, False]
    assert len(there) == 2


def test_places_are_read_as_they_are_written() -> None:
    place = Place(ALICE, ONE)
    assert Place.parse(str(place)) == place
    for text in ("", "x", str(ALICE), f"{ALICE} ", f"{ALICE} {ONE} {ONE}", f" {ALICE} {ONE}"):
        assert Place.parse(text) is None


def test_owners_are_dealt_out_to_all_parts() -> None:
    assert {shard_of(peer(number)) for number in range(200)} == set(range(SHARDS))
