"""Keys and values of the DHT; the payload is signed honestly, so that the parser behind it is reached."""

from __future__ import annotations

from warren.core import varint
from warren.core.envelope import SignedEnvelope
from warren.core.errors import InvalidRecord, ProtocolViolation
from warren.core.keys import PrivateKey
from warren.protocols.kad.namespaces import namespaces_of
from warren.protocols.kad.signed import DOMAIN, NAME_BYTES_MAX, PAYLOAD_TYPE, SignedRecord

_KEY = PrivateKey.from_seed(bytes(32))
_RECORD = SignedRecord(_KEY.peer_id, b"a name", 7, b"value")
_PAYLOAD = SignedEnvelope.open(_RECORD.seal(_KEY), DOMAIN).payload
_NAMESPACES = namespaces_of("/warren/kad/1.0.0", lambda: 0.0)

DOCUMENTED = (InvalidRecord, ProtocolViolation)
SEEDS = (
    varint.encode(len(_RECORD.key)) + _RECORD.key + _PAYLOAD,
    varint.encode(40) + b"/pk/" + _KEY.peer_id.to_bytes() + _KEY.public_key.to_protobuf(),
)


def parse(data: bytes) -> SignedRecord:
    size, start = varint.decode(data) or (0, 0)
    key, rest = data[start : start + size], data[start + size :]
    raw = SignedEnvelope.seal(_KEY, DOMAIN, PAYLOAD_TYPE, rest).to_bytes()
    if key.startswith(b"/pk/"):
        _NAMESPACES.validate(key, rest)
    else:
        _NAMESPACES.validate(key, raw)
    return SignedRecord.open(key, raw)


def verify(_data: bytes, record: SignedRecord) -> None:
    assert record.peer == _KEY.peer_id
    assert 1 <= len(record.name) <= NAME_BYTES_MAX
    assert SignedRecord.open(record.key, record.seal(_KEY)) == record
