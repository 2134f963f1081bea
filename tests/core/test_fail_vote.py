"""Fail votes: what is sealed opens again, nobody speaks for another, and the caps hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.envelope import SignedEnvelope
from warren.core.errors import InputError, MisuseError, ProtocolViolation
from warren.core.fail_vote import (
    DOMAIN,
    PAYLOAD_BYTES_MAX,
    PAYLOAD_TYPE,
    SEALED_BYTES_MAX,
    VALID_S_MAX,
    FailVote,
)
from warren.core.keys import PrivateKey
from warren.core.proto import fail_vote_pb2 as pb

KEY = PrivateKey.from_seed(bytes(range(32)))
ME = KEY.peer_id
OTHER = PrivateKey.from_seed(bytes(32)).peer_id
UINT64 = st.integers(0, (1 << 64) - 1)
TOO_MUCH = 1 << 64


def sealed(payload: bytes, *, payload_type: bytes = PAYLOAD_TYPE, domain: str = DOMAIN) -> bytes:
    return SignedEnvelope.seal(KEY, domain, payload_type, payload).to_bytes()


def payload(*, peer: bytes = ME.to_bytes(), accused: bytes = OTHER.to_bytes(), valid_s: int = 600) -> bytes:
    return pb.FailVote(peer_id=peer, seq=1, accused=accused, valid_s=valid_s).SerializeToString()


@given(UINT64, UINT64, st.integers(0, VALID_S_MAX), UINT64)
def test_round_trip(seq: int, against: int, valid_s: int, cast_at: int) -> None:
    vote = FailVote(ME, seq, OTHER, against, valid_s, cast_at)
    assert FailVote.open(vote.seal(KEY)) == vote
    assert vote.withdraws == (valid_s == 0)


def test_nobody_speaks_for_another() -> None:
    with pytest.raises(MisuseError):
        FailVote(OTHER, 1, ME, 1, 600).seal(KEY)
    with pytest.raises(ProtocolViolation, match="signed a vote of"):
        FailVote.open(sealed(payload(peer=OTHER.to_bytes(), accused=ME.to_bytes())))


@pytest.mark.parametrize(
    "vote",
    [
        (ME, 1, ME, 1, 600, 0),
        (ME, 1, OTHER, 1, -1, 0),
        (ME, 1, OTHER, 1, VALID_S_MAX + 1, 0),
        (ME, -1, OTHER, 1, 600, 0),
        (ME, TOO_MUCH, OTHER, 1, 600, 0),
        (ME, 1, OTHER, TOO_MUCH, 600, 0),
        (ME, 1, OTHER, 1, 600, TOO_MUCH),
    ],
)
def test_what_is_out_of_range_is_refused(vote: tuple[object, ...]) -> None:
    with pytest.raises(InputError):
        FailVote(*vote)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(SEALED_BYTES_MAX + 1),
        sealed(b"\xff"),
        sealed(payload(), payload_type=b"\x03\x01"),
        sealed(payload(), domain="warren-lease"),
        sealed(payload() + b"\x82\x01\xff\x01" + bytes(PAYLOAD_BYTES_MAX)),
        sealed(payload(valid_s=VALID_S_MAX + 1)),
        sealed(payload(peer=b"\x12")),
        sealed(payload(accused=b"")),
        sealed(payload(accused=ME.to_bytes())),
    ],
)
def test_what_is_malformed_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        FailVote.open(data)


@given(st.binary(max_size=120))
def test_signed_junk_raises_only_what_is_documented(junk: bytes) -> None:
    try:
        vote = FailVote.open(sealed(junk))
    except ProtocolViolation:
        return
    assert vote.peer_id == ME
