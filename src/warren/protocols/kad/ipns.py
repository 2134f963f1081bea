"""IPNS records: where a name points, signed by the key that the name is the hash of.

In:  our own values to seal; foreign keys (`/ipns/` and the multihash of the key) and records. Out: bytes;
checked records. https://specs.ipfs.tech/ipns/ipns-record/

Only the signature of version 2 counts. Fields of version 1 may stand beside it and must then say the same.
Refuses records over 10 KiB, by another key, past their end, and of other validity than an end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from google.protobuf.message import DecodeError

from warren.core.errors import InputError, InvalidKey, InvalidPeerId, InvalidRecord, ProtocolViolation
from warren.core.keys import PublicKey
from warren.core.peer_id import PeerId
from warren.protocols.kad import dag_cbor, rfc3339
from warren.protocols.kad.proto import ipns_pb2 as pb
from warren.protocols.kad.records import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.core.keys import PrivateKey

PREFIX: Final = b"/ipns/"
# Attack: names that everybody keeps, as large as a file. The specification's limit.
IPNS_BYTES_MAX: Final = 10 * 1024
TTL_DEFAULT_NS: Final = 300 * rfc3339.NANOSECONDS

_SIGNED_PREFIX: Final = b"ipns-signature:"
_EOL: Final = 0  # the one kind of validity there is: until a time
_UINT64_MAX: Final = (1 << 64) - 1

_Fields: TypeAlias = "dict[str, dag_cbor.Value]"


@dataclass(frozen=True, slots=True)
class IpnsRecord:
    """value: a path such as `/ipfs/CID`. ends_ns: nanoseconds since 1970. ttl_ns: a hint for caches."""

    value: bytes
    sequence: int
    ends_ns: int
    ttl_ns: int = TTL_DEFAULT_NS

    def seal(self, key: PrivateKey) -> bytes:
        """The record under a signature. Raises `InputError` for a record over 10 KiB."""
        validity = rfc3339.show(self.ends_ns).encode()
        data = dag_cbor.encode(
            {
                "Value": self.value,
                "Validity": validity,
                "ValidityType": _EOL,
                "Sequence": self.sequence,
                "TTL": self.ttl_ns,
            }
        )
        entry = pb.IpnsEntry(signature_v2=key.sign(_SIGNED_PREFIX + data), data=data)
        raw = entry.SerializeToString(deterministic=True)
        if len(raw) > IPNS_BYTES_MAX:
            raise InputError(f"an IPNS record has {IPNS_BYTES_MAX} bytes at most, not {len(raw)}")
        return raw

    @classmethod
    def open(cls, key: bytes, raw: bytes) -> IpnsRecord:
        """Check and read what was kept under `key`, all but whether it is still valid.

        Raises `InvalidRecord`.
        """
        name = _name_of(key)
        if len(raw) > IPNS_BYTES_MAX:
            raise InvalidRecord(f"an IPNS record has {IPNS_BYTES_MAX} bytes at most, not {len(raw)}")
        try:
            entry = pb.IpnsEntry.FromString(raw)
        except DecodeError as error:
            raise InvalidRecord(f"malformed IPNS record: {error}") from error
        if not entry.data or not entry.signature_v2:
            raise InvalidRecord("the IPNS record lacks the signature of version 2")
        if not _key_for(name, entry).verify(entry.signature_v2, _SIGNED_PREFIX + entry.data):
            raise InvalidRecord(f"the signature of the IPNS record of {name} does not hold")
        fields = _fields(entry.data)
        if entry.HasField("signature_v1") or entry.HasField("value"):
            _check_v1(entry, fields)
        return cls._from_fields(fields)

    @classmethod
    def _from_fields(cls, fields: _Fields) -> IpnsRecord:
        if _uint(fields, "ValidityType") != _EOL:
            raise InvalidRecord("the IPNS record has a validity that is not an end")
        try:
            ends_ns = rfc3339.parse(_bytes(fields, "Validity").decode("ascii"))
        except (InputError, UnicodeDecodeError) as error:
            raise InvalidRecord(f"the IPNS record has an end that is no time: {error}") from error
        return cls(_bytes(fields, "Value"), _uint(fields, "Sequence"), ends_ns, _uint(fields, "TTL"))


class IpnsValidator:
    """See `Validator`. wall: Unix seconds now."""

    __slots__ = ("_wall",)

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall

    def validate(self, key: bytes, value: bytes) -> None:
        record = IpnsRecord.open(key, value)
        if record.ends_ns <= self._wall() * rfc3339.NANOSECONDS:
            raise InvalidRecord(f"the IPNS record ended at {_shown(record.ends_ns)}")

    def select(self, key: bytes, values: Sequence[bytes]) -> int:
        def rank(at: int) -> tuple[int, int, bytes]:
            record = IpnsRecord.open(key, values[at])
            return record.sequence, record.ends_ns, values[at]

        return max(range(len(values)), key=rank)


def key_of(name: PeerId) -> bytes:
    """Where the DHT keeps the record of a name, which is the id of its key."""
    return PREFIX + name.to_bytes()


def _name_of(key: bytes) -> PeerId:
    try:
        return PeerId(key.removeprefix(PREFIX))
    except InvalidPeerId as error:
        raise InvalidRecord(f"key '{shown(key)}' is no IPNS name: {error}") from error


def _key_for(name: PeerId, entry: pb.IpnsEntry) -> PublicKey:
    try:
        key = PublicKey.from_protobuf(entry.pub_key) if entry.pub_key else name.public_key()
    except InvalidKey as error:
        raise InvalidRecord(f"the key of the IPNS record cannot be read: {error}") from error
    if key is None:
        raise InvalidRecord("the IPNS record lacks its key, and the name is only the hash of it")
    if key.peer_id != name:
        raise InvalidRecord(f"the key of {key.peer_id} stands in an IPNS record of {name}")
    return key


def _fields(data: bytes) -> _Fields:
    try:
        fields = dag_cbor.decode(data)
    except ProtocolViolation as error:
        raise InvalidRecord(f"the IPNS record holds what is not DAG-CBOR: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidRecord("the IPNS record holds no fields")
    return fields


def _check_v1(entry: pb.IpnsEntry, fields: _Fields) -> None:
    """What stands outside of the signed data must not say anything else."""
    outside = {
        "Value": entry.value,
        "Validity": entry.validity,
        "ValidityType": entry.validity_type,
        "Sequence": entry.sequence,
        "TTL": entry.ttl,
    }
    for name, value in outside.items():
        if fields.get(name) != value:
            raise InvalidRecord(f"the IPNS record says one {name} in what is signed and another one outside")


def _bytes(fields: _Fields, name: str) -> bytes:
    value = fields.get(name)
    if not isinstance(value, bytes):
        raise InvalidRecord(f"the IPNS record lacks {name}")
    return value


def _uint(fields: _Fields, name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _UINT64_MAX:
        raise InvalidRecord(f"the IPNS record lacks {name}")
    return value


def _shown(time_ns: int) -> str:
    try:
        return rfc3339.show(time_ns)
    except InputError:
        return "a time beyond all years"
