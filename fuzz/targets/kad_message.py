"""Requests and answers of Kademlia, as a stranger sends them."""

from __future__ import annotations

from warren.core import varint
from warren.core.errors import ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.protocols.kad import messages
from warren.protocols.kad.messages import Kind, Message, PeerInfo
from warren.protocols.kad.records import KEY_BYTES_MAX, VALUE_BYTES_MAX, Record

_ANNA = PeerInfo(
    PrivateKey.from_seed(bytes(32)).peer_id,
    (Multiaddr.parse("/ip4/192.0.2.1/tcp/4101"), Multiaddr.parse("/ip6/2001:db8::1/tcp/4101")),
)


def _body(message: Message) -> bytes:
    """Without the length before it."""
    framed = message.to_frame()
    found = varint.decode(framed)
    assert found is not None
    return framed[found[1] :]


DOCUMENTED = (ProtocolViolation,)
SEEDS = (
    _body(Message(Kind.FIND_NODE, _ANNA.peer.to_bytes())),
    _body(Message(Kind.FIND_NODE, closer=(_ANNA, _ANNA))),
    _body(Message(Kind.PUT_VALUE, b"/pk/x", Record(b"/pk/x", b"value", 1767225600.25))),
    _body(Message(Kind.GET_PROVIDERS, b"\x12\x20" + bytes(32), providers=(_ANNA,))),
    _body(Message(Kind.PING)),
)


def parse(data: bytes) -> Message:
    return Message.from_bytes(data)


def verify(_data: bytes, message: Message) -> None:
    assert len(message.key) <= KEY_BYTES_MAX
    assert len(message.closer) <= messages.CLOSER_MAX
    assert len(message.providers) <= messages.PROVIDERS_MAX
    for _, addresses in (*message.closer, *message.providers):
        assert len(addresses) <= messages.ADDRESSES_MAX
    if message.record is not None:
        assert len(message.record.value) <= VALUE_BYTES_MAX
    again = Message.from_bytes(_body(message))
    assert (again.kind, again.key, again.closer) == (message.kind, message.key, message.closer)
    assert again.providers == message.providers
    assert (again.record is None) == (message.record is None)
