"""Resources: what somebody says of a file or folder, signed and numbered.

In:  our words to seal; foreign envelopes to open. Out: envelope bytes; checked words with who spoke them.
Whoever signed is the publisher: several may speak of the same content, each for itself alone. Refuses
envelopes of another purpose, content ids that are malformed, metadata beyond its bounds (core/entry.py), and
what exceeds the caps below.
Like a peer record (RFC 0003 of libp2p), with a domain and payload type of our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core import protobuf
from warren.core.cid import Cid
from warren.core.entry import Metadata
from warren.core.envelope import SignedEnvelope
from warren.core.errors import InputError, InvalidCid, MisuseError, ProtocolViolation
from warren.core.proto import resource_pb2 as pb

if TYPE_CHECKING:
    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId

DOMAIN: Final = "warren-resource"
PAYLOAD_TYPE: Final = b"/warren/resource"
# Attack: words that everybody must keep and pass on. The longest abstract takes 12 KB in nearly every script.
PAYLOAD_BYTES_MAX: Final = 16 * 1024
# Attack: the same; key and signature of the largest RSA keys take less than the second summand.
SEALED_BYTES_MAX: Final = PAYLOAD_BYTES_MAX + 2048
# Attack: a content id without end. The longest hash that is in use has 64 bytes.
CID_BYTES_MAX: Final = 128
SEQ_MAX: Final = (1 << 64) - 1
NOTHING: Final = Metadata()


@dataclass(frozen=True, slots=True)
class Resource:
    """What `publisher` says of the content `cid`. Of two of its words the one with the higher `seq` holds.

    Empty metadata takes back what was said before.
    """

    publisher: PeerId
    cid: Cid
    seq: int
    metadata: Metadata = NOTHING

    def seal(self, key: PrivateKey) -> bytes:
        """The words in a signed envelope.

        Raises `MisuseError` if `key` is another's than the publisher's, `InputError` if all is too much.
        """
        if key.peer_id != self.publisher:
            raise MisuseError("a resource is signed by its publisher")
        said = self.metadata
        payload = pb.Resource(
            cid=self.cid.to_bytes(),
            seq=self.seq,
            title=said.title,
            abstract=said.abstract,
            authors=said.authors,
            domains=said.domains,
            tags=said.tags,
            licence=said.licence,
        ).SerializeToString(deterministic=True)
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise InputError(
                f"the metadata takes {len(payload)} bytes, over {PAYLOAD_BYTES_MAX}",
                hint="shorten the abstract, or name fewer authors, domains and tags",
            )
        return SignedEnvelope.seal(key, DOMAIN, PAYLOAD_TYPE, payload).to_bytes()

    @classmethod
    def open(cls, data: bytes) -> Resource:
        """Check and read a sealed one. Raises `ProtocolViolation`."""
        if len(data) > SEALED_BYTES_MAX:
            raise ProtocolViolation(f"a resource exceeds {SEALED_BYTES_MAX} bytes")
        envelope = SignedEnvelope.open(data, DOMAIN)
        if envelope.payload_type != PAYLOAD_TYPE:
            raise ProtocolViolation(f"payload type {envelope.payload_type.hex()} is no resource")
        message = protobuf.parse(pb.Resource, envelope.payload, "a resource", PAYLOAD_BYTES_MAX)
        try:
            cid = Cid.from_bytes(_bounded(message.cid))
            return cls(envelope.public_key.peer_id, cid, message.seq, Metadata.read(message))
        except (InvalidCid, InputError) as error:
            raise ProtocolViolation(f"malformed resource: {error}") from error


def _bounded(raw: bytes) -> bytes:
    if len(raw) > CID_BYTES_MAX:
        raise InvalidCid(f"a content id exceeds {CID_BYTES_MAX} bytes")
    return raw
