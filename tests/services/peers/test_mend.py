"""Contacts and peers are in line again, whichever of them was lost."""

from __future__ import annotations

from tests.services.peers.support import ANNA, BOB, CEM, HOME, database
from warren.services.contacts import store as contacts
from warren.services.peers import reading
from warren.services.peers.mend import mend
from warren.services.peers.store import Room, follow_contact


def test_either_table_makes_good_what_the_other_lost() -> None:
    db = database()
    room = Room(db, lambda: 1)
    contacts.add(db, ANNA, "Anna", "", 1.0)
    contacts.tell(db, ANNA, [HOME], 1.0)
    follow_contact(db, BOB, "bob", [HOME], 2.0, room)  # only this half is left of Bob
    contacts.add(db, CEM, "Cem", "", 3.0)
    follow_contact(db, CEM, "cem", [], 3.0, room)
    mend(db)
    mend(db)
    assert [one.petname for one in contacts.load_all(db)] == ["Anna", "bob", "Cem"]
    found = contacts.find(db, BOB)
    assert found is not None
    assert found.addresses == (HOME,)
    assert [one.peer_id for one in reading.page(db, None, 0, 9)] == [ANNA, BOB, CEM]
    assert reading.get(db, [ANNA])[0].addresses == (HOME,)


def test_what_is_no_contact_becomes_none() -> None:
    db = database()
    Room(db, lambda: 1).take_in(ANNA, 0, 1.0)
    mend(db)
    assert contacts.load_all(db) == []
    assert reading.count(db) == 1
