"""The messages of Kademlia as plain values.

In:  what we want to say; the bytes of one frame, as a stranger sent it. Out: the other form. Requests and
answers are one message. Wire: proto/dht.proto, each behind its length as a varint.
https://github.com/libp2p/specs/blob/master/kad-dht/README.md#rpc-messages

Refuses, with `ProtocolViolation`, what is no message and keys and values beyond their bounds. Peers and
addresses that cannot be read, and those beyond the counts below, are left out.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core import protobuf
from warren.core.errors import InputError, InvalidMultiaddr, InvalidPeerId, ProtocolViolation
from warren.core.framing import frame
from warren.core.multiaddr import Multiaddr
from warren.core.peer_id import PeerId
from warren.protocols.kad import rfc3339
from warren.protocols.kad.proto import dht_pb2 as pb
from warren.protocols.kad.records import KEY_BYTES_MAX, VALUE_BYTES_MAX, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

REQUEST_BYTES_MAX: Final = VALUE_BYTES_MAX + 16 * 1024
"""A record, its key twice, and ourselves as a provider. Attack: requests that are buffered in full."""
ANSWER_BYTES_MAX: Final = 512 * 1024
"""A record and some thousand providers, whom Go sends all at once. Attack: answers that fill the memory."""
CLOSER_MAX: Final = 20
"""Peers read of an answer, and sent in one: k. Attack: a liar who names peers without end."""
PROVIDERS_MAX: Final = 200
"""Providers read of one answer. Attack: a liar who makes up providers without end."""
ADDRESSES_MAX: Final = 8
"""Addresses read of one peer, and sent for one. Attack: who is named with thousands makes us a scanner."""
_SHARED_MAX: Final = 8192
_YEAR_9000_S: Final = 221_845_392_000


class Kind(enum.IntEnum):
    """What a request asks for; the numbers that travel."""

    PUT_VALUE = 0
    GET_VALUE = 1
    ADD_PROVIDER = 2
    GET_PROVIDERS = 3
    FIND_NODE = 4
    PING = 5


class PeerInfo(NamedTuple):
    """A peer and where it may be reached; the addresses carry no peer id."""

    peer: PeerId
    addresses: tuple[Multiaddr, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer. key: a peer id, a multihash, or the key of a record, in bytes."""

    kind: Kind
    key: bytes = b""
    record: Record | None = None
    closer: Sequence[PeerInfo] = ()
    providers: Sequence[PeerInfo] = ()

    def to_frame(self) -> bytes:
        """The bytes that travel, with their length before them."""
        message = pb.Message(type=self.kind.value, key=self.key)  # type: ignore[arg-type]
        if self.record is not None:
            message.record.CopyFrom(_record_message(self.record))
        for peer, addresses in self.closer:
            message.closerPeers.add(id=peer.to_bytes(), addrs=_encoded(addresses))
        for peer, addresses in self.providers:
            message.providerPeers.add(id=peer.to_bytes(), addrs=_encoded(addresses))
        return frame(message.SerializeToString())

    @classmethod
    def from_bytes(cls, data: bytes) -> Message:
        """Read the payload of a frame. Raises `ProtocolViolation`."""
        message = protobuf.parse(pb.Message, data, "the message of Kademlia")
        try:
            kind = Kind(message.type)
        except ValueError as error:
            raise ProtocolViolation(f"{message.type} is no kind of message of Kademlia") from error
        _check(len(message.key), KEY_BYTES_MAX, "key")
        return cls(
            kind,
            message.key,
            _record(message.record) if message.HasField("record") else None,
            _peers(message.closerPeers[:CLOSER_MAX]),
            _peers(message.providerPeers[:PROVIDERS_MAX]),
        )


def _record_message(record: Record) -> pb.Record:
    received, text = record.time_received, ""
    if received is not None:
        # Apart: seconds and billionths of them together do not fit in a float.
        seconds, rest = divmod(received, 1)
        text = rfc3339.show(int(seconds) * rfc3339.NANOSECONDS + round(rest * rfc3339.NANOSECONDS))
    return pb.Record(key=record.key, value=record.value, timeReceived=text)


def _record(message: pb.Record) -> Record:
    _check(len(message.key), KEY_BYTES_MAX, "key of a record")
    _check(len(message.value), VALUE_BYTES_MAX, "value")
    return Record(message.key, message.value, _time(message.timeReceived))


def _time(text: str) -> float | None:
    """When the other side received a record: its word, and only that."""
    try:
        seconds = rfc3339.parse(text) / rfc3339.NANOSECONDS
    except InputError:
        return None
    return seconds if seconds < _YEAR_9000_S else None


def _check(size: int, most: int, what: str) -> None:
    if size > most:
        raise ProtocolViolation(f"a {what} of {size} bytes (at most {most} are allowed)")


def _encoded(addresses: Sequence[Multiaddr]) -> list[bytes]:
    return [address.to_bytes() for address in addresses[:ADDRESSES_MAX]]


def _peers(messages: Iterable[pb.Message.Peer]) -> tuple[PeerInfo, ...]:
    found = []
    for message in messages:
        try:
            peer = _peer(message.id)
        except InvalidPeerId:
            continue
        found.append(PeerInfo(peer, tuple(_addresses(message.addrs[:ADDRESSES_MAX]))))
    return tuple(found)


def _addresses(encoded: Iterable[bytes]) -> Iterable[Multiaddr]:
    for raw in encoded:
        try:
            yield _address(raw)
        except InvalidMultiaddr:
            continue  # of a transport that we do not know


# The same peers are named over and over: equal ones are held once, and checked once.
@lru_cache(maxsize=_SHARED_MAX)
def _peer(raw: bytes) -> PeerId:
    return PeerId(raw)


@lru_cache(maxsize=_SHARED_MAX)
def _address(raw: bytes) -> Multiaddr:
    return Multiaddr(raw).without_peer()
