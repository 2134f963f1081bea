"""Resources: the payload is signed honestly, so that the parser behind the signature is reached."""

from __future__ import annotations

from warren.core.cid import Cid
from warren.core.entry import ABSTRACT_CHARS_MAX, NAMES_MAX, Metadata
from warren.core.envelope import SignedEnvelope
from warren.core.errors import ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.resource import DOMAIN, PAYLOAD_TYPE, Resource

_KEY = PrivateKey.from_seed(bytes(32))
_SAID = Metadata("Äpfel", "On apples.", ("A. Author", "B"), ("botany",), ("fruit",), "CC-BY-4.0")
_SEALED = Resource(_KEY.peer_id, Cid.raw_sha256(bytes(32)), 7, _SAID).seal(_KEY)

DOCUMENTED = (ProtocolViolation,)
SEEDS = (SignedEnvelope.open(_SEALED, DOMAIN).payload,)


def parse(data: bytes) -> Resource:
    return Resource.open(SignedEnvelope.seal(_KEY, DOMAIN, PAYLOAD_TYPE, data or b"\0").to_bytes())


def verify(_data: bytes, resource: Resource) -> None:
    assert resource.publisher == _KEY.peer_id
    assert len(resource.metadata.abstract) <= ABSTRACT_CHARS_MAX
    assert len(resource.metadata.authors) <= NAMES_MAX
    assert Resource.open(resource.seal(_KEY)) == resource
