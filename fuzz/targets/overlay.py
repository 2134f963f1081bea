"""A message between super-peers, and the filter that a summary holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.cid import Cid
from warren.core.entry import Entry, Metadata
from warren.core.errors import ProtocolViolation
from warren.core.found import Found
from warren.core.peer_id import PeerId
from warren.core.query import Query, terms_of
from warren.protocols.overlay.messages import (
    HITS_MAX,
    TTL_MAX,
    Again,
    Ask,
    Done,
    Hits,
    Join,
    Summary,
    decode,
    encode,
)
from warren.services.overlay.bloom import Bloom, Flips, difference, empty, flip

if TYPE_CHECKING:
    from warren.protocols.overlay.messages import (
        Message,
    )

DOCUMENTED = (ProtocolViolation,)
_ID = bytes(range(16))
_PEER = PeerId(b"\x00\x24\x08\x01\x12\x20" + bytes(32))
_ENTRY = Entry(
    "a/b.pdf", "file", 5, Cid.raw_sha256(bytes(32)), Metadata("t", "a", ("n",), ("d",), ("t",), "l")
)
_FILTER = Bloom(10, b"\x11\x00\x00\x80" * 32)
SEEDS = tuple(
    encode(one)
    for one in (
        Join(),
        Again(),
        Ask(_ID, 1, 5, 2, 20, 4000, Query(terms_of('"light" house'), ("pdf",), 1, 9, "a", "b", online=True)),
        Hits(_ID, _PEER, (Found(_PEER, _ENTRY, 1.5, True),)),
        Done(_ID, 1, 2, 3, 4, refused=True),
        Summary(0, 7, 1, True, 10, *difference(empty(10), _FILTER)),
        Summary(1, 7, 2, False, 10, 1, difference(empty(10), _FILTER).data),
    )
)


def parse(data: bytes) -> Message:
    """A summary is taken apart to its bits."""
    message = decode(data)
    if isinstance(message, Summary) and message.flips:
        bloom = flip(empty(message.bits_log2), Flips(message.form, message.flips))
        assert len(bloom.bits) == 1 << message.bits_log2 >> 3
    return message


def verify(_data: bytes, message: Message) -> None:
    match message:
        case Ask():
            assert 0 < message.ttl <= TTL_MAX
            assert message.breadth <= message.ttl
        case Hits():
            assert len(message.hits) <= HITS_MAX
        case _:
            pass
    assert decode(encode(message)) == message
