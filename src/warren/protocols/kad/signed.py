"""Values that a peer signs under names of its own: `/warren/PEER-ID/NAME`.

In:  our key, a name, a number and a value to seal; foreign keys and values. Out: bytes; checked records. The
peer id stands in its base 58 form; the name is any 1 to 512 bytes. Of two records under one name the one with
the higher sequence holds. Spec: docs/protocols/kad.md; the wire form is proto/signed.proto.

Refuses records that are not signed by the peer in the key, for this purpose and for that very name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core import protobuf
from warren.core.envelope import SignedEnvelope
from warren.core.errors import InputError, InvalidPeerId, InvalidRecord, ProtocolViolation
from warren.core.peer_id import PeerId
from warren.protocols.kad.proto import signed_pb2 as pb
from warren.protocols.kad.records import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.keys import PrivateKey

NAMESPACE: Final = "warren"
DOMAIN: Final = "warren-dht-record"
PAYLOAD_TYPE: Final = b"/warren/dht-record"

# Attack: names that are the value, and escape its bound.
NAME_BYTES_MAX: Final = 512
# So that the whole envelope stays within what the DHT keeps: 64 KiB.
CONTENT_BYTES_MAX: Final = 63 * 1024
SEQUENCE_MAX: Final = (1 << 64) - 1

_PREFIX: Final = b"/warren/"


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """What `peer` says under `name`."""

    peer: PeerId
    name: bytes
    sequence: int
    value: bytes

    @property
    def key(self) -> bytes:
        """Where the DHT keeps it."""
        return key_of(self.peer, self.name)

    def seal(self, key: PrivateKey) -> bytes:
        """The record as the DHT keeps it. Raises `InputError` for a name or value out of bounds."""
        check_name(self.name)
        if len(self.value) > CONTENT_BYTES_MAX:
            raise InputError(
                f"a value has {CONTENT_BYTES_MAX} bytes at most, not {len(self.value)}",
                hint="share it as a file (warren share) and put its content id here",
            )
        payload = pb.SignedRecord(name=self.name, sequence=self.sequence, value=self.value)
        data = payload.SerializeToString(deterministic=True)
        return SignedEnvelope.seal(key, DOMAIN, PAYLOAD_TYPE, data).to_bytes()

    @classmethod
    def open(cls, key: bytes, value: bytes) -> SignedRecord:
        """Check and read what was kept under `key`. Raises `InvalidRecord`."""
        peer, name = split_key(key)
        try:
            envelope = SignedEnvelope.open(value, DOMAIN)
            message = protobuf.parse(pb.SignedRecord, envelope.payload, "the payload")
        except ProtocolViolation as error:
            raise InvalidRecord(f"not a signed record: {error}") from error
        if envelope.payload_type != PAYLOAD_TYPE:
            raise InvalidRecord(f"payload type '{shown(envelope.payload_type)}' is not a record of the DHT")
        if envelope.public_key.peer_id != peer:
            raise InvalidRecord(f"{envelope.public_key.peer_id} signed a record under a name of {peer}")
        if message.name != name:
            raise InvalidRecord("the record was signed for another name")
        return cls(peer, name, message.sequence, message.value)


class SignedValidator:
    """See `Validator`."""

    __slots__ = ()

    def validate(self, key: bytes, value: bytes) -> None:
        SignedRecord.open(key, value)

    def select(self, key: bytes, values: Sequence[bytes]) -> int:
        # Only its owner can make two of one sequence; which of them then wins does not matter, but must be
        # the same for all.
        return max(
            range(len(values)), key=lambda at: (SignedRecord.open(key, values[at]).sequence, values[at])
        )


def key_of(peer: PeerId, name: bytes) -> bytes:
    """The key of a name. Raises `InputError` for a name out of bounds."""
    check_name(name)
    return b"%b%b/%b" % (_PREFIX, str(peer).encode(), name)


def split_key(key: bytes) -> tuple[PeerId, bytes]:
    """Whose name it is, and which. Raises `InvalidRecord`."""
    parts = key.removeprefix(_PREFIX).split(b"/", 1)
    if not key.startswith(_PREFIX) or len(parts) < 2 or not 1 <= len(parts[1]) <= NAME_BYTES_MAX:
        raise InvalidRecord(f"key '{shown(key)}' is not /warren/PEER-ID/NAME")
    try:
        peer = PeerId.parse(parts[0].decode("ascii"))
    except (InvalidPeerId, UnicodeDecodeError) as error:
        raise InvalidRecord(f"key '{shown(key)}' names no peer: {error}") from error
    if str(peer).encode() != parts[0]:
        # One name has one key, or a newer value could hide under another spelling.
        raise InvalidRecord(f"key '{shown(key)}' must name the peer as {peer}")
    return peer, parts[1]


def check_name(name: bytes) -> None:
    """Raise `InputError` unless this can be a name."""
    if not 1 <= len(name) <= NAME_BYTES_MAX:
        raise InputError(
            f"a name has 1 to {NAME_BYTES_MAX} bytes, not {len(name)}", hint="choose another name"
        )
