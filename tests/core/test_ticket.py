"""Tickets: what is sealed opens again, nobody speaks for another, and each is good for one thing alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.cid import Cid
from warren.core.envelope import SignedEnvelope
from warren.core.errors import InputError, MisuseError, ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.proto import ticket_pb2 as pb
from warren.core.ticket import (
    CLOCK_S,
    DOMAIN,
    PAYLOAD_BYTES_MAX,
    PAYLOAD_TYPE,
    SEALED_BYTES_MAX,
    VALID_S,
    Ticket,
)

KEY = PrivateKey.from_seed(bytes(range(32)))
OTHER = PrivateKey.from_seed(bytes(32)).peer_id
THIRD = PrivateKey.from_seed(b"3" * 32).peer_id
ORIGIN = KEY.peer_id
ROOT, SECOND = (Cid.raw_sha256(bytes([n]) * 32) for n in (1, 2))
NOW = 1_800_000_000


def sealed(payload: bytes, *, payload_type: bytes = PAYLOAD_TYPE, domain: str = DOMAIN) -> bytes:
    return SignedEnvelope.seal(KEY, domain, payload_type, payload).to_bytes()


def payload(**changed: bytes) -> bytes:
    fields = {"origin": ORIGIN.to_bytes(), "root": ROOT.to_bytes(), "grantee": OTHER.to_bytes()}
    return pb.Ticket(**{**fields, **changed}, expires_at=NOW).SerializeToString()


@given(st.integers(0, (1 << 64) - 1), st.sampled_from([OTHER, THIRD, ORIGIN]), st.binary(max_size=32))
def test_round_trip(expires_at: int, grantee: object, digest: bytes) -> None:
    root = Cid.raw_sha256(digest.ljust(32))
    ticket = Ticket(ORIGIN, root, grantee, expires_at)  # type: ignore[arg-type]
    assert Ticket.open(ticket.seal(KEY)) == ticket


def test_a_ticket_is_good_for_one_origin_root_and_grantee() -> None:
    ticket = Ticket(ORIGIN, ROOT, OTHER, NOW)
    assert ticket.is_good(origin=ORIGIN, root=ROOT, grantee=OTHER, wall_s=NOW)
    assert not ticket.is_good(origin=OTHER, root=ROOT, grantee=OTHER, wall_s=NOW)
    assert not ticket.is_good(origin=ORIGIN, root=SECOND, grantee=OTHER, wall_s=NOW)
    assert not ticket.is_good(origin=ORIGIN, root=ROOT, grantee=THIRD, wall_s=NOW)


@pytest.mark.parametrize(
    ("wall_s", "good"),
    [
        (NOW - VALID_S, True),
        (NOW - VALID_S - CLOCK_S, True),  # our clock is late
        (NOW - VALID_S - CLOCK_S - 1, False),  # good for longer than tickets are
        (NOW + CLOCK_S - 1, True),  # our clock is early
        (NOW + CLOCK_S, False),
    ],
)
def test_a_ticket_is_good_for_a_week_and_what_clocks_differ_by(wall_s: int, good: object) -> None:
    assert Ticket(ORIGIN, ROOT, OTHER, NOW).is_good(
        origin=ORIGIN, root=ROOT, grantee=OTHER, wall_s=wall_s
    ) is (good is True)


def test_nobody_gives_tickets_of_another() -> None:
    with pytest.raises(MisuseError, match="by its origin"):
        Ticket(OTHER, ROOT, THIRD, NOW).seal(KEY)
    with pytest.raises(ProtocolViolation, match="signed a ticket of"):
        Ticket.open(sealed(payload(origin=OTHER.to_bytes())))


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "malformed"),
        (bytes(SEALED_BYTES_MAX + 1), "exceeds"),
        (sealed(payload(), domain="warren-lease"), "does not hold"),
        (sealed(payload(), payload_type=b"/warren/lease"), "is not a ticket"),
        (sealed(bytes(PAYLOAD_BYTES_MAX + 1)), "exceeds"),
        (sealed(b"\xff"), "malformed"),
        (sealed(payload(root=b"x")), "malformed"),
        (sealed(payload(grantee=b"x")), "malformed"),
        (sealed(payload(origin=b"")), "malformed"),
    ],
)
def test_what_is_no_ticket_is_refused(data: bytes, match: str) -> None:
    with pytest.raises(ProtocolViolation, match=match):
        Ticket.open(data)


@pytest.mark.parametrize("expires_at", [-1, 1 << 64])
def test_a_time_out_of_range_is_refused(expires_at: int) -> None:
    with pytest.raises(InputError, match="64 bits"):
        Ticket(ORIGIN, ROOT, OTHER, expires_at)
