"""The messages of a swarm, and the maps of leaves that grow by them."""

from __future__ import annotations

from warren.core.cid import Cid
from warren.core.errors import ProtocolViolation
from warren.core.keys import PrivateKey
from warren.protocols.swarm.messages import (
    FELLOWS_MAX,
    LEAVES_MAX,
    SEGMENT_BYTES,
    SEGMENTS_MAX,
    TICKETS_MAX,
    Answer,
    Ask,
    Fellow,
    Holding,
    Segment,
    Version,
)
from warren.services.files.swarm.holdings import Holdings

_PEER = PrivateKey.from_seed(bytes(32)).peer_id
_HOLDING = Holding(False, Version(7, 3), 0, (Segment(0, bytes([5]) * SEGMENT_BYTES), Segment(9, bytes(32))))
_FELLOWS = (Fellow(_PEER, b"r", 4), Fellow(_PEER))

DOCUMENTED = (ProtocolViolation,)
SEEDS = (
    b"\x00" + Ask(Cid.raw_sha256(bytes(32)), (b"ticket",), _HOLDING, Version(1, 2)).to_bytes(),
    b"\x00" + Ask(Cid.raw_sha256(bytes(32))).to_bytes(),
    b"\x01"
    + Answer("ok", False, b"ticket", None, _HOLDING, Version(1, 2), (Fellow(_PEER, b"r", 4),)).to_bytes(),
    b"\x01" + Answer("ok", True, b"", _PEER, Holding(complete=True)).to_bytes(),
    b"\x01" + Answer("busy").to_bytes(),
)


def parse(data: bytes) -> Ask | Answer:
    """The first byte chooses the reader."""
    return Answer.from_bytes(data[1:]) if data[:1] == b"\x01" else Ask.from_bytes(data[1:])


def verify(_data: bytes, message: Ask | Answer) -> None:
    if isinstance(message, Answer):
        assert Answer.from_bytes(message.to_bytes()) == message
        assert len(message.fellows) <= FELLOWS_MAX
        holding: Holding | None = message.holding
    else:
        assert Ask.from_bytes(message.to_bytes()) == message
        assert len(message.tickets) <= TICKETS_MAX
        holding = message.mine
    if holding is None:
        return
    assert len(holding.segments) <= SEGMENTS_MAX
    every = Holdings()
    one = every.note(_PEER, asked=True)
    assert one is not None
    change = every.take(one, holding)
    assert one.bits.count == len(change.gained) == len(list(one.bits))
    assert all(number < LEAVES_MAX for number in one.bits)
