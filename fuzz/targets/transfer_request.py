"""Requests of the transfer protocol, as a stranger sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core import varint
from warren.core.errors import ProtocolViolation
from warren.protocols.transfer import messages
from warren.protocols.transfer.messages import ChunksRequest, ListRequest, TreeRequest, TurnRequest

if TYPE_CHECKING:
    from warren.protocols.transfer.messages import Request


def _body(request: Request) -> bytes:
    """Without the length before it."""
    framed = messages.encode_request(request)
    found = varint.decode(framed)
    assert found is not None
    return framed[found[1] :]


DOCUMENTED = (ProtocolViolation,)
SEEDS = (
    _body(ListRequest(1, "share/folder", "last", 100)),
    _body(TreeRequest(2, [bytes(messages.CID_BYTES)])),
    _body(ChunksRequest(300, [bytes(messages.DIGEST_BYTES)] * 3, check=True)),
    _body(TurnRequest(4)),
    _body(TurnRequest(5, give_back=True)),
)


def parse(data: bytes) -> Request:
    return messages.decode_request(data)


def verify(_data: bytes, request: Request) -> None:
    assert messages.decode_request(_body(request)) == request
    match request:
        case ListRequest(_, path, after, limit):
            assert max(len(path.encode()), len(after.encode())) <= messages.PATH_BYTES_MAX
            assert limit <= messages.LISTING_ENTRIES_MAX
        case TreeRequest(_, wants) | ChunksRequest(_, wants):
            assert 1 <= len(wants) <= messages.WANTS_MAX
