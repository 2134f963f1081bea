"""The tables: bounds, uniqueness, whose an address is, and what an invitation is worth."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from warren.core.errors import InputError, LimitReached
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.protocols.invite.messages import Declined, Reason
from warren.services.contacts import store
from warren.services.contacts.model import Contact, Invite

if TYPE_CHECKING:
    from collections.abc import Iterator

ANNA, BOB, EVE = (PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in (1, 2, 3))
HOME, CAFE = Multiaddr.parse("/ip4/192.0.2.1/tcp/1"), Multiaddr.parse("/ip4/192.0.2.2/tcp/2")
TOKEN = bytes(range(32))


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    for script in store.migrations():
        connection.executescript(script)
    yield connection
    connection.close()


def contact(db: sqlite3.Connection, peer=ANNA) -> Contact:  # type: ignore[no-untyped-def]
    found = store.find(db, peer)
    assert found is not None
    return found


def test_contacts_come_in_the_order_of_their_names(db: sqlite3.Connection) -> None:
    assert store.load_all(db) == []
    assert store.find(db, ANNA) is None
    assert store.add(db, BOB, "bob", "Robert", 1.0)
    assert store.add(db, ANNA, "Anna", "", 2.0)
    assert [one.petname for one in store.load_all(db)] == ["Anna", "bob"]
    assert contact(db, BOB) == Contact(BOB, "bob", "Robert", 1.0)


def test_a_contact_is_added_once_and_keeps_its_name(db: sqlite3.Connection) -> None:
    assert store.add(db, ANNA, "anna", "", 1.0)
    assert not store.add(db, ANNA, "other", "", 2.0)
    assert contact(db).petname == "anna"


def test_petnames_are_unique_whatever_their_case(db: sqlite3.Connection) -> None:
    store.add(db, ANNA, "anna", "", 1.0)
    store.add(db, BOB, "ANNA", "", 1.0)
    assert contact(db, BOB).petname == "ANNA-2"
    with pytest.raises(InputError, match="another contact"):
        store.rename(db, BOB, "Anna")
    store.rename(db, BOB, "bob")
    store.rename(db, BOB, "BOB")
    assert contact(db, BOB).petname == "BOB"


def test_the_table_is_bounded(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "CONTACTS_MAX", 1)
    store.add(db, ANNA, "anna", "", 1.0)
    with pytest.raises(LimitReached) as caught:
        store.add(db, BOB, "bob", "", 1.0)
    assert caught.value.limit == "contacts_max"


def test_what_a_contact_says_of_its_addresses_replaces_what_it_said(db: sqlite3.Connection) -> None:
    store.add(db, ANNA, "anna", "", 1.0)
    assert store.tell(db, ANNA, [HOME, HOME], 1.0)
    assert not store.tell(db, ANNA, [HOME], 2.0)
    assert store.tell(db, ANNA, [CAFE], 3.0)
    assert contact(db).told == (CAFE,)
    many = [Multiaddr.tcp("192.0.2.9", port) for port in range(1, 100)]
    store.tell(db, ANNA, many, 4.0)
    assert sorted(contact(db).told) == sorted(many[: store.TOLD_MAX])


def test_proven_addresses_come_first_and_outlive_what_is_told(db: sqlite3.Connection) -> None:
    store.add(db, ANNA, "anna", "", 1.0)
    store.tell(db, ANNA, [CAFE, HOME], 1.0)
    assert store.prove(db, ANNA, HOME, 2.0)
    assert not store.prove(db, ANNA, HOME, 2.0 + store.PROOF_FRESH_S / 2)
    assert store.prove(db, ANNA, HOME, 2.0 + store.PROOF_FRESH_S)
    assert store.prove(db, ANNA, HOME, 1.0)  # the clock was set back
    store.tell(db, ANNA, [], 9.0)
    assert contact(db).addresses == contact(db).proven == (HOME,)


def test_an_address_belongs_to_who_proved_it_last(db: sqlite3.Connection) -> None:
    for peer, name in ((ANNA, "anna"), (BOB, "bob"), (EVE, "eve")):
        store.add(db, peer, name, "", 1.0)
    store.prove(db, ANNA, HOME, 1.0)
    store.tell(db, BOB, [HOME], 1.0)
    store.prove(db, BOB, HOME, 2.0)
    store.prove(db, EVE, HOME, 3.0)
    assert contact(db, ANNA).addresses == ()
    assert contact(db, BOB).told == (HOME,)
    assert contact(db, BOB).proven == ()
    assert contact(db, EVE).proven == (HOME,)


def test_old_proofs_go_when_there_are_many(db: sqlite3.Connection) -> None:
    store.add(db, ANNA, "anna", "", 1.0)
    for port in range(1, store.PROVEN_MAX + 5):
        store.prove(db, ANNA, Multiaddr.tcp("192.0.2.9", port), float(port))
    ports = [address.port for address in contact(db).proven]
    assert ports == list(range(store.PROVEN_MAX + 4, 4, -1))


def test_who_is_no_contact_any_more_teaches_nothing(db: sqlite3.Connection) -> None:
    assert not store.tell(db, ANNA, [HOME], 1.0)
    assert not store.prove(db, ANNA, HOME, 1.0)
    assert db.execute("SELECT count(*) FROM contact_addresses").fetchone() == (0,)


def test_a_removed_contact_leaves_nothing(db: sqlite3.Connection) -> None:
    store.add(db, ANNA, "anna", "", 1.0)
    store.tell(db, ANNA, [HOME], 1.0)
    store.remove(db, ANNA)
    assert store.find(db, ANNA) is None
    assert db.execute("SELECT count(*) FROM contact_addresses").fetchone() == (0,)


# --- invitations ---------------------------------------------------------------------------------------


def invite(db: sqlite3.Connection, uses: int = 1, petname: str | None = None) -> None:
    store.add_invite(db, Invite(TOKEN, petname, uses, 100.0, 200.0))


def use(db: sqlite3.Connection, peer=ANNA, now: float = 150.0) -> str | None:  # type: ignore[no-untyped-def]
    petname = store.use_invite(db, TOKEN, peer, now)
    store.add(db, peer, petname or "guest", "", now)
    return petname


def declined(db: sqlite3.Connection, peer=BOB, now: float = 150.0) -> Reason:  # type: ignore[no-untyped-def]
    with pytest.raises(Declined) as caught:
        use(db, peer, now)
    return caught.value.reason


def test_an_invitation_counts_its_uses(db: sqlite3.Connection) -> None:
    assert declined(db) == Reason.UNKNOWN
    invite(db, uses=2, petname="friend")
    assert use(db, ANNA) == "friend"
    assert [one.uses_left for one in store.open_invites(db, 150.0)] == [1]
    assert use(db, BOB) == "friend"
    assert declined(db, EVE) == Reason.USED_UP
    assert store.open_invites(db, 150.0) == []


def test_an_invitation_expires(db: sqlite3.Connection) -> None:
    invite(db)
    assert declined(db, now=200.0) == Reason.EXPIRED
    assert use(db, now=199.9) is None


def test_who_asks_again_costs_nothing_even_after_the_end(db: sqlite3.Connection) -> None:
    invite(db)
    use(db, ANNA)
    use(db, ANNA)
    use(db, ANNA, now=999.0)
    assert len(store.load_all(db)) == 1


def test_a_contact_that_uses_another_invitation_costs_nothing(db: sqlite3.Connection) -> None:
    store.add(db, ANNA, "anna", "", 1.0)
    invite(db)
    use(db, ANNA)
    assert use(db, BOB) is None


def test_who_was_removed_does_not_come_back_by_the_same_code(db: sqlite3.Connection) -> None:
    invite(db, uses=5)
    use(db, ANNA)
    store.remove(db, ANNA)
    assert declined(db, ANNA) == Reason.REMOVED
    use(db, BOB)


def test_an_ended_invitation_is_used_up(db: sqlite3.Connection) -> None:
    invite(db, uses=5)
    store.end_invite(db, TOKEN)
    assert declined(db) == Reason.USED_UP


def test_invitations_are_bounded_and_old_ones_go(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "INVITES_MAX", 1)
    invite(db)
    with pytest.raises(LimitReached):
        store.add_invite(db, Invite(b"other", None, 1, 150.0, 300.0))
    late = 200.0 + store.INVITE_KEPT_S
    store.add_invite(db, Invite(b"later", None, 1, late, late + 1))
    assert declined(db, now=late) == Reason.EXPIRED
    store.add_invite(db, Invite(b"latest", None, 1, late + 2, late + 3))
    assert declined(db, now=late) == Reason.UNKNOWN
