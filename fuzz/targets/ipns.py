"""IPNS records: whole ones, and data that is signed honestly, so that the parser behind is reached."""

from __future__ import annotations

from warren.core.errors import InvalidRecord
from warren.core.keys import PrivateKey
from warren.protocols.kad import rfc3339
from warren.protocols.kad.ipns import IPNS_BYTES_MAX, IpnsRecord, IpnsValidator, key_of
from warren.protocols.kad.proto.ipns_pb2 import IpnsEntry

_KEY = PrivateKey.from_seed(bytes(32))
_NAME = key_of(_KEY.peer_id)
_RECORD = IpnsRecord(b"/ipfs/bafkqaaa", 5, 2**61)
# Beside what is signed: the fields of version 1.
_V1 = IpnsEntry(
    value=_RECORD.value,
    validity=rfc3339.show(_RECORD.ends_ns).encode(),
    validity_type=0,
    sequence=_RECORD.sequence,
    ttl=_RECORD.ttl_ns,
)

DOCUMENTED = (InvalidRecord,)
SEEDS = (
    b"\0" + _RECORD.seal(_KEY),
    b"\0" + _RECORD.seal(_KEY) + _V1.SerializeToString(),
    b"\1" + IpnsEntry.FromString(_RECORD.seal(_KEY)).data,
)


def parse(data: bytes) -> IpnsRecord:
    raw = data[1:]
    if data[:1] == b"\1":
        raw = IpnsEntry(data=raw, signature_v2=_KEY.sign(b"ipns-signature:" + raw)).SerializeToString()
    IpnsValidator(lambda: 0.0).validate(_NAME, raw)
    return IpnsRecord.open(_NAME, raw)


def verify(data: bytes, record: IpnsRecord) -> None:
    assert len(data) <= IPNS_BYTES_MAX
    assert record.ends_ns > 0
    if data[:1] == b"\0":
        assert record == _RECORD
