"""Fail votes: the payload is signed honestly, so that the parser behind the signature is reached."""

from __future__ import annotations

from warren.core.envelope import SignedEnvelope
from warren.core.errors import ProtocolViolation
from warren.core.fail_vote import DOMAIN, PAYLOAD_TYPE, VALID_S_MAX, FailVote
from warren.core.keys import PrivateKey

_KEY = PrivateKey.from_seed(bytes(32))
_OTHER = PrivateKey.from_seed(bytes([1]) * 32).peer_id
_SEALED = FailVote(_KEY.peer_id, 7, _OTHER, 3, 600, 1_800_000_000).seal(_KEY)

DOCUMENTED = (ProtocolViolation,)
SEEDS = (SignedEnvelope.open(_SEALED, DOMAIN).payload,)


def parse(data: bytes) -> FailVote:
    return FailVote.open(SignedEnvelope.seal(_KEY, DOMAIN, PAYLOAD_TYPE, data or b"\0").to_bytes())


def verify(_data: bytes, vote: FailVote) -> None:
    assert vote.peer_id == _KEY.peer_id != vote.accused
    assert 0 <= vote.valid_s <= VALID_S_MAX
    assert FailVote.open(vote.seal(_KEY)) == vote
