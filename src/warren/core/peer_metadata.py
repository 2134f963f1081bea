"""Peer metadata: small facts that a peer tells of itself, signed by its own key and numbered.

In: our entries to seal; foreign envelopes to open. Out: envelope bytes; checked entries, sorted by key.
Refuses envelopes signed by another key than that of the peer they speak for, of another payload type, keys
that are empty or given twice, and what exceeds the caps below.
Like a peer record (RFC 0003 of libp2p), with a domain and payload type of our own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from warren.core import protobuf
from warren.core.envelope import SignedEnvelope
from warren.core.errors import InputError, InvalidPeerId, MisuseError, ProtocolViolation
from warren.core.peer_id import PeerId
from warren.core.proto import peer_metadata_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.core.keys import PrivateKey

DOMAIN: Final = "warren-peer-metadata"
PAYLOAD_TYPE: Final = b"/warren/peer-metadata"
# Attack: a peer that makes everybody keep and pass on whatever it likes. All four.
ENTRIES_MAX: Final = 32
KEY_BYTES_MAX: Final = 64
VALUE_BYTES_MAX: Final = 256
PAYLOAD_BYTES_MAX: Final = 4096
# Attack: the same; key and signature of the largest RSA keys take less than the second summand.
SEALED_BYTES_MAX: Final = PAYLOAD_BYTES_MAX + 2048


@dataclass(frozen=True, slots=True)
class PeerMetadata:
    """What `peer_id` says of itself. Of two the one with the higher `seq` (64 bits) holds.

    Raises InputError for entries beyond the caps.
    """

    peer_id: PeerId
    seq: int
    entries: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problem = _problem(self.entries)
        if problem:
            raise InputError(problem, hint="keep a few short facts; a share holds more")
        kept = MappingProxyType(dict(sorted(self.entries.items())))
        object.__setattr__(self, "entries", kept)

    def seal(self, key: PrivateKey) -> bytes:
        """The entries in a signed envelope.

        Raises `MisuseError` if `key` is another peer's, `InputError` if all is too much.
        """
        if key.peer_id != self.peer_id:
            raise MisuseError("peer metadata is signed by the peer it speaks for")
        payload = pb.PeerMetadata(
            peer_id=self.peer_id.to_bytes(),
            seq=self.seq,
            entries=[pb.PeerMetadata.Entry(key=name, value=value) for name, value in self.entries.items()],
        ).SerializeToString(deterministic=True)
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise InputError(
                f"the entries take {len(payload)} bytes, over {PAYLOAD_BYTES_MAX}",
                hint="remove or shorten some",
            )
        return SignedEnvelope.seal(key, DOMAIN, PAYLOAD_TYPE, payload).to_bytes()

    @classmethod
    def open(cls, data: bytes) -> PeerMetadata:
        """Check and read a sealed one. Raises `ProtocolViolation`."""
        if len(data) > SEALED_BYTES_MAX:
            raise ProtocolViolation(f"peer metadata exceeds {SEALED_BYTES_MAX} bytes")
        envelope = SignedEnvelope.open(data, DOMAIN)
        if envelope.payload_type != PAYLOAD_TYPE:
            raise ProtocolViolation(f"payload type {envelope.payload_type.hex()} is not peer metadata")
        message = protobuf.parse(pb.PeerMetadata, envelope.payload, "peer metadata", PAYLOAD_BYTES_MAX)
        try:
            peer = PeerId(message.peer_id)
        except InvalidPeerId as error:
            raise ProtocolViolation(f"malformed peer metadata: {error}") from error
        if peer != envelope.public_key.peer_id:
            raise ProtocolViolation(f"{envelope.public_key.peer_id} signed metadata that speak for {peer}")
        entries = {entry.key: entry.value for entry in message.entries}
        if len(entries) != len(message.entries):
            raise ProtocolViolation("peer metadata name a key twice")
        try:
            return cls(peer, message.seq, entries)
        except InputError as error:
            raise ProtocolViolation(f"peer metadata: {error}") from error


def _problem(entries: Mapping[str, str]) -> str:
    """What is wrong with the entries, in words; empty if nothing is."""
    if len(entries) > ENTRIES_MAX:
        return f"there are {len(entries)} entries, {ENTRIES_MAX} at most"
    for key, value in entries.items():
        try:
            key_bytes, value_bytes = len(key.encode()), len(value.encode())
        except UnicodeEncodeError:
            return f"{key!a} or its value is not text"
        if not 0 < key_bytes <= KEY_BYTES_MAX:
            return f"a key has 1 to {KEY_BYTES_MAX} bytes, not {key_bytes}"
        if value_bytes > VALUE_BYTES_MAX:
            return f"the value of {key!r} takes {value_bytes} bytes, over {VALUE_BYTES_MAX}"
    return ""
