"""Leases: what is sealed opens again, nobody speaks for another, and the caps hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.envelope import SignedEnvelope
from warren.core.errors import InputError, MisuseError, ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.lease import (
    DOMAIN,
    PAYLOAD_BYTES_MAX,
    PAYLOAD_TYPE,
    SEALED_BYTES_MAX,
    VALID_S_MAX,
    Lease,
)
from warren.core.peer_record import claimed
from warren.core.proto import lease_pb2 as pb

KEY = PrivateKey.from_seed(bytes(range(32)))
OTHER = PrivateKey.from_seed(bytes(32))
UINT64 = st.integers(0, (1 << 64) - 1)


def sealed(payload: bytes, *, payload_type: bytes = PAYLOAD_TYPE, domain: str = DOMAIN) -> bytes:
    return SignedEnvelope.seal(KEY, domain, payload_type, payload).to_bytes()


def payload(*, peer: bytes = KEY.peer_id.to_bytes(), valid_s: int = 60, super_peer: bytes = b"") -> bytes:
    message = pb.Lease(peer_id=peer, seq=1, valid_s=valid_s, super_peer=super_peer)
    return message.SerializeToString()


@given(UINT64, st.integers(1, VALID_S_MAX), UINT64, st.sampled_from([None, OTHER.peer_id]))
def test_round_trip(seq: int, valid_s: int, held_s: int, super_peer: object) -> None:
    lease = Lease(KEY.peer_id, seq, valid_s, held_s, super_peer)  # type: ignore[arg-type]
    data = lease.seal(KEY)
    assert Lease.open(data) == lease
    assert claimed(data) == (KEY.peer_id, seq)


def test_a_lease_is_for_one_super_peer_or_for_anyone() -> None:
    assert Lease(KEY.peer_id, 1, 60).is_for(OTHER.peer_id)
    assert Lease(KEY.peer_id, 1, 60, super_peer=OTHER.peer_id).is_for(OTHER.peer_id)
    assert not Lease(KEY.peer_id, 1, 60, super_peer=OTHER.peer_id).is_for(KEY.peer_id)


def test_nobody_speaks_for_another() -> None:
    with pytest.raises(MisuseError):
        Lease(OTHER.peer_id, 1, 60).seal(KEY)
    with pytest.raises(ProtocolViolation, match="signed a lease of"):
        Lease.open(sealed(payload(peer=OTHER.peer_id.to_bytes())))


@pytest.mark.parametrize(
    ("seq", "valid_s", "held_s"),
    [
        (1, 0, 0),
        (1, -1, 0),
        (1, VALID_S_MAX + 1, 0),
        (-1, 60, 0),
        (1 << 64, 60, 0),
        (1, 60, -1),
        (1, 60, 1 << 64),
    ],
)
def test_numbers_out_of_range_are_refused(seq: int, valid_s: int, held_s: int) -> None:
    with pytest.raises(InputError):
        Lease(KEY.peer_id, seq, valid_s, held_s)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(SEALED_BYTES_MAX + 1),
        sealed(b"\xff"),
        sealed(payload(), payload_type=b"\x03\x01"),
        sealed(payload(), domain="warren-fail-vote"),
        sealed(payload() + b"\x82\x01\xff\x01" + bytes(PAYLOAD_BYTES_MAX)),
        sealed(payload(valid_s=0)),
        sealed(payload(valid_s=VALID_S_MAX + 1)),
        sealed(payload(peer=b"\x12")),
        sealed(payload(super_peer=b"\x12")),
    ],
)
def test_what_is_malformed_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        Lease.open(data)


@given(st.binary(max_size=100))
def test_signed_junk_raises_only_what_is_documented(junk: bytes) -> None:
    try:
        lease = Lease.open(sealed(junk))
    except ProtocolViolation:
        return
    assert lease.peer_id == KEY.peer_id
