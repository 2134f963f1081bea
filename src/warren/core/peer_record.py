"""Peer records: the addresses a peer claims, signed by its own key and numbered.

In: our addresses to seal; foreign envelopes to open. Out: envelope bytes; checked records. Refuses records
signed by another key than that of the peer they speak for, of another payload type, or with over 256
addresses. Addresses that we cannot read are left out: newer peers may name protocols that we do not know.
https://github.com/libp2p/specs/blob/master/RFC/0003-routing-records.md, but with the domain and payload type
that the implementations share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core import protobuf
from warren.core.envelope import ENVELOPE_BYTES_MAX, SignedEnvelope
from warren.core.errors import InvalidMultiaddr, InvalidPeerId, MisuseError, ProtocolViolation
from warren.core.multiaddr import Multiaddr
from warren.core.peer_id import PeerId
from warren.core.proto import peer_record_pb2 as pb
from warren.core.proto.envelope_pb2 import Envelope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.core.keys import PrivateKey

DOMAIN: Final = "libp2p-peer-record"
PAYLOAD_TYPE: Final = b"\x03\x01"
# Attack: one record that fills everybody's address book.
ADDRESSES_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """Where `peer_id` says it listens. Of two records the one with the higher `seq` (64 bits) holds."""

    peer_id: PeerId
    seq: int
    addrs: tuple[Multiaddr, ...]

    def seal(self, key: PrivateKey) -> bytes:
        """The record in a signed envelope. Raises `MisuseError` if `key` is another peer's."""
        if key.peer_id != self.peer_id:
            raise MisuseError("a peer record is signed by the peer it speaks for")
        payload = pb.PeerRecord(
            peer_id=self.peer_id.to_bytes(),
            seq=self.seq,
            addresses=[pb.PeerRecord.AddressInfo(multiaddr=addr.to_bytes()) for addr in self.addrs],
        ).SerializeToString(deterministic=True)
        return SignedEnvelope.seal(key, DOMAIN, PAYLOAD_TYPE, payload).to_bytes()

    @staticmethod
    def open(data: bytes) -> PeerRecord:
        """Check and read a sealed record. Raises `ProtocolViolation`."""
        return _read(SignedEnvelope.open(data, DOMAIN))


def _read(envelope: SignedEnvelope) -> PeerRecord:
    if envelope.payload_type != PAYLOAD_TYPE:
        raise ProtocolViolation(f"payload type {envelope.payload_type.hex()} is not a peer record")
    message = protobuf.parse(pb.PeerRecord, envelope.payload, "peer record")
    try:
        peer = PeerId(message.peer_id)
    except InvalidPeerId as error:
        raise ProtocolViolation(f"malformed peer record: {error}") from error
    if peer != envelope.public_key.peer_id:
        raise ProtocolViolation(f"{envelope.public_key.peer_id} signed a record that speaks for {peer}")
    if len(message.addresses) > ADDRESSES_MAX:
        raise ProtocolViolation(f"peer record holds over {ADDRESSES_MAX} addresses")
    return PeerRecord(peer, message.seq, tuple(_readable(message)))


def claimed(data: bytes) -> tuple[PeerId, int]:
    """Whose record a sealed one claims to be, and its number. Nothing is checked: it is a tenth of the work.

    Good for leaving out what is known already. Sealed metadata are read as well: their first two fields are
    the same. Raises `ProtocolViolation` for what cannot be read.
    """
    envelope = protobuf.parse(Envelope, data, "signed envelope", ENVELOPE_BYTES_MAX)
    message = protobuf.parse(pb.PeerRecord, envelope.payload, "peer record")
    try:
        return PeerId(message.peer_id), message.seq
    except InvalidPeerId as error:
        raise ProtocolViolation(f"malformed peer record: {error}") from error


def _readable(message: pb.PeerRecord) -> Iterator[Multiaddr]:
    for info in message.addresses:
        try:
            yield Multiaddr.from_bytes(info.multiaddr)
        except InvalidMultiaddr:
            continue
