"""The messages of presence, and the envelopes in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.errors import ProtocolViolation
from warren.core.fail_vote import FailVote
from warren.core.keys import PrivateKey
from warren.core.lease import Lease
from warren.protocols.presence.messages import (
    ASKED_MAX,
    HELD_MAX,
    Accused,
    Answer,
    Ask,
    CastVote,
    Doubt,
    Standing,
    read_call,
)

if TYPE_CHECKING:
    from warren.protocols.presence.messages import (
        Call,
    )

_KEY = PrivateKey.from_seed(bytes(32))
_OTHER = PrivateKey.from_seed(bytes([1]) * 32).peer_id
_LEASE = Lease(_KEY.peer_id, 7, 60).seal(_KEY)

DOCUMENTED = (ProtocolViolation,)
SEEDS = (
    b"\x00" + CastVote(FailVote(_KEY.peer_id, 8, _OTHER, 3, 600).seal(_KEY)).to_bytes(),
    b"\x00" + Ask((_OTHER, _KEY.peer_id), held=True).to_bytes(),
    b"\x00" + Accused().to_bytes(),
    b"\x00" + Accused(_OTHER).to_bytes(),
    b"\x00" + Doubt(_OTHER).to_bytes(),
    b"\x01" + Answer("old", (Standing(_OTHER, "held offline", 3, 4, 5),), _LEASE).to_bytes(),
)


def parse(data: bytes) -> Call | Answer:
    """The first byte chooses the reader; envelopes are opened, too."""
    if data[:1] == b"\x01":
        answer = Answer.from_bytes(data[1:])
        if answer.lease:
            Lease.open(answer.lease)
        return answer
    call = read_call(data[1:])
    match call:
        case CastVote(sealed):
            FailVote.open(sealed)
        case _:
            pass
    return call


def verify(_data: bytes, message: Call | Answer) -> None:
    if isinstance(message, Answer):
        assert len(message.standings) <= ASKED_MAX + HELD_MAX
        assert Answer.from_bytes(message.to_bytes()) == message
    else:
        assert read_call(message.to_bytes()) == message
