"""Tickets given, held and shown: good for whom they are alone, and bounded."""

from __future__ import annotations

import pytest

from warren.core.cid import Cid
from warren.core.errors import ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.ticket import CLOCK_S, VALID_S, Ticket
from warren.protocols.swarm.messages import TICKETS_MAX
from warren.services.files.swarm import tickets as module
from warren.services.files.swarm.tickets import Tickets

KEYS = [PrivateKey.from_seed(bytes([n]) * 32) for n in range(8)]
ME, ORIGIN, ASKER, OTHER = KEYS[:4]
ROOT, SECOND = (Cid.raw_sha256(bytes([n]) * 32) for n in (1, 2))


class Desk(Tickets):
    def __init__(self, key: PrivateKey = ME) -> None:
        self.now = 1_800_000_000.0
        super().__init__(key, lambda: self.now)

    def shows(self, asker: PrivateKey, *sealed: bytes, origin: PrivateKey = ORIGIN) -> bool:
        self.show(asker.peer_id, ROOT, sealed, [origin.peer_id])
        return self.admit(asker.peer_id, ROOT, origin.peer_id)


def given(origin: PrivateKey = ORIGIN, grantee: PrivateKey = ASKER, root: Cid = ROOT) -> bytes:
    return Desk(origin).give(root, grantee.peer_id)


def test_whoever_was_given_a_ticket_is_admitted_for_a_week() -> None:
    desk = Desk()
    assert not desk.admit(ASKER.peer_id, ROOT, ORIGIN.peer_id)
    assert not desk.shown_by(ASKER.peer_id)
    assert desk.shows(ASKER, given())
    assert desk.shown_by(ASKER.peer_id)
    assert not desk.admit(ASKER.peer_id, SECOND, ORIGIN.peer_id)
    assert not desk.admit(ASKER.peer_id, ROOT, OTHER.peer_id)
    assert not desk.admit(OTHER.peer_id, ROOT, ORIGIN.peer_id)
    desk.now += VALID_S + CLOCK_S - 1
    assert desk.admit(ASKER.peer_id, ROOT, ORIGIN.peer_id)
    desk.now += 1
    assert not desk.admit(ASKER.peer_id, ROOT, ORIGIN.peer_id)


def test_the_origin_needs_none() -> None:
    assert Desk().admit(ORIGIN.peer_id, ROOT, ORIGIN.peer_id)


@pytest.mark.parametrize(
    "sealed",
    [
        given(grantee=OTHER),
        given(root=SECOND),
        given(origin=OTHER),
        b"no ticket",
        Ticket(ORIGIN.peer_id, ROOT, ASKER.peer_id, 1).seal(ORIGIN),
        Ticket(ORIGIN.peer_id, ROOT, ASKER.peer_id, 1 << 62).seal(ORIGIN),
    ],
    ids=["of another grantee", "of another root", "of another origin", "malformed", "expired", "for ever"],
)
def test_what_is_no_good_ticket_admits_nobody(sealed: bytes) -> None:
    desk = Desk()
    assert not desk.shows(ASKER, sealed)
    assert not desk.shown_by(ASKER.peer_id)
    assert desk.shows(ASKER, sealed, given())  # the others beside it count


def test_only_so_many_are_looked_at() -> None:
    assert not Desk().shows(ASKER, *[b""] * TICKETS_MAX, given())


def test_an_older_ticket_shortens_nothing() -> None:
    desk = Desk()
    newer = Ticket(ORIGIN.peer_id, ROOT, ASKER.peer_id, int(desk.now) + VALID_S).seal(ORIGIN)
    older = Ticket(ORIGIN.peer_id, ROOT, ASKER.peer_id, int(desk.now) + 60).seal(ORIGIN)
    desk.shows(ASKER, newer)
    desk.shows(ASKER, older)
    desk.now += VALID_S
    assert desk.admit(ASKER.peer_id, ROOT, ORIGIN.peer_id)


def test_what_was_shown_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHOWN_PEERS_MAX", 2)
    monkeypatch.setattr(module, "SHOWN_ROOTS_MAX", 2)
    desk = Desk()
    roots = [Cid.raw_sha256(bytes([n]) * 32) for n in range(3)]
    for root in roots:
        desk.show(ASKER.peer_id, root, [given(root=root)], [ORIGIN.peer_id])
    assert [desk.admit(ASKER.peer_id, root, ORIGIN.peer_id) for root in roots] == [False, True, True]
    for key in KEYS[3:6]:
        desk.shows(key, given(grantee=key))
    assert [desk.shown_by(key.peer_id) for key in (ASKER, *KEYS[3:6])] == [False, False, True, True]


def test_tickets_given_to_this_node_are_held() -> None:
    desk = Desk()
    mine = given(grantee=ME)
    assert desk.held(ROOT) == ()
    assert desk.keep(mine, ROOT).origin == ORIGIN.peer_id
    assert desk.held(ROOT) == (mine,)
    assert desk.held(SECOND) == ()
    assert desk.holds(ROOT, ORIGIN.peer_id)
    assert not desk.holds(ROOT, OTHER.peer_id)
    assert not desk.holds(SECOND, ORIGIN.peer_id)
    assert desk.holds(SECOND, ME.peer_id)  # what it tells of itself
    assert desk.keep(given(OTHER, ME), ROOT, OTHER.peer_id).origin == OTHER.peer_id
    assert len(desk.held(ROOT)) == 2
    desk.now += VALID_S + CLOCK_S
    assert desk.held(ROOT) == ()
    assert not desk.holds(ROOT, ORIGIN.peer_id)


@pytest.mark.parametrize(
    ("sealed", "origin"),
    [(given(grantee=OTHER), None), (given(grantee=ME, root=SECOND), None), (given(grantee=ME), OTHER)],
)
def test_what_is_of_no_use_to_this_node_is_refused(sealed: bytes, origin: PrivateKey | None) -> None:
    with pytest.raises(ProtocolViolation, match="not good for us"):
        Desk().keep(sealed, ROOT, origin.peer_id if origin is not None else None)


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_MAX", 2)
    desk = Desk()
    for key in KEYS[1:7]:
        desk.keep(given(key, ME), ROOT)
    assert len(desk.held(ROOT)) == TICKETS_MAX
    assert [Ticket.open(one).origin for one in desk.held(ROOT)] == [
        key.peer_id for key in reversed(KEYS[3:7])
    ]
    for number in (2, 3):
        root = Cid.raw_sha256(bytes([number]) * 32)
        desk.keep(given(grantee=ME, root=root), root)
    assert desk.held(ROOT) == ()
