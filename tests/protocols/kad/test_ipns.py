"""vectors/ipns.json was made with the js package `ipns` (vectors/make.mjs)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warren.core.errors import InputError, InvalidRecord
from warren.core.keys import PrivateKey, PublicKey
from warren.core.peer_id import PeerId
from warren.protocols.kad import dag_cbor, rfc3339
from warren.protocols.kad.ipns import IPNS_BYTES_MAX, IpnsRecord, IpnsValidator, key_of
from warren.protocols.kad.proto.ipns_pb2 import IpnsEntry

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "vectors" / "ipns.json").read_text())
KEY = PrivateKey.from_seed(bytes(32))
NAME = key_of(KEY.peer_id)
NOW = 1_800_000_000.0
ENDS_NS = rfc3339.parse("2099-01-01T00:00:00Z")
RECORD = IpnsRecord(b"/ipfs/bafkqaaa", 5, ENDS_NS)
FIELDS: dict[str, dag_cbor.Value] = {
    "Value": b"/ipfs/bafkqaaa",
    "Validity": b"2099-01-01T00:00:00Z",
    "ValidityType": 0,
    "Sequence": 5,
    "TTL": 1,
}


def validator(now: float = NOW) -> IpnsValidator:
    return IpnsValidator(lambda: now)


def signed(data: bytes, **fields: Any) -> bytes:
    signature = KEY.sign(b"ipns-signature:" + data)
    return IpnsEntry(data=data, signature_v2=signature, **fields).SerializeToString()


def with_v1(record: IpnsRecord, key: PrivateKey = KEY) -> IpnsEntry:
    """The record with the fields of version 1 beside it, which readers from before 2021 need."""
    entry = IpnsEntry.FromString(record.seal(key))
    entry.value, entry.validity = record.value, rfc3339.show(record.ends_ns).encode()
    entry.validity_type, entry.sequence, entry.ttl = 0, record.sequence, record.ttl_ns
    entry.signature_v1 = key.sign(entry.value + entry.validity + b"EOL")
    return entry


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["case"])
def test_records_of_js_are_read(vector: dict[str, Any]) -> None:
    key, raw = bytes.fromhex(vector["key"]), bytes.fromhex(vector["record"])
    validator().validate(key, raw)
    record = IpnsRecord.open(key, raw)
    assert record.value.decode() == vector["value"]
    assert record.sequence == int(vector["sequence"])
    assert rfc3339.show(record.ends_ns) == vector["ends"]
    assert record.ttl_ns == int(vector["ttl_ns"])
    assert key == key_of(PublicKey.from_protobuf(bytes.fromhex(vector["public_key"])).peer_id)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["case"])
def test_ours_are_the_records_of_js_byte_for_byte(vector: dict[str, Any]) -> None:
    key = PrivateKey.from_seed(b"\7" * 32)
    if bytes.fromhex(vector["public_key"]) != key.public_key.to_protobuf():
        return
    theirs = IpnsEntry.FromString(bytes.fromhex(vector["record"]))
    record = IpnsRecord(
        vector["value"].encode(),
        int(vector["sequence"]),
        rfc3339.parse(vector["ends"]),
        int(vector["ttl_ns"]),
    )
    ours = with_v1(record, key) if theirs.HasField("value") else IpnsEntry.FromString(record.seal(key))
    assert ours == theirs


@given(st.binary(max_size=200), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.booleans())
def test_round_trip(value: bytes, sequence: int, ttl_ns: int, both: bool) -> None:
    record = IpnsRecord(value, sequence, ENDS_NS, ttl_ns)
    raw = with_v1(record).SerializeToString() if both else record.seal(KEY)
    assert IpnsRecord.open(NAME, raw) == record


@settings(max_examples=200)
@given(st.booleans(), st.data())
def test_no_byte_of_a_record_can_be_changed(both: bool, data: st.DataObject) -> None:
    raw = bytearray(with_v1(RECORD).SerializeToString() if both else RECORD.seal(KEY))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        opened = IpnsRecord.open(NAME, bytes(raw))
    except InvalidRecord:
        return
    assert opened == RECORD  # the signature of version 1 counts for nothing


def test_a_record_ends() -> None:
    ends_s = ENDS_NS / rfc3339.NANOSECONDS
    validator(ends_s - 1).validate(NAME, RECORD.seal(KEY))
    for now in (ends_s, ends_s + 1):
        with pytest.raises(InvalidRecord, match="ended at 2099-01-01"):
            validator(now).validate(NAME, RECORD.seal(KEY))


def test_an_end_outside_of_the_years_that_can_be_written_is_an_end() -> None:
    data = dag_cbor.encode({**FIELDS, "Validity": b"0001-01-01T00:00:00+23:59"})
    with pytest.raises(InvalidRecord, match="beyond all years"):
        validator().validate(NAME, signed(data))


def test_fields_of_somebodys_own_are_read_over() -> None:
    data = dag_cbor.encode({**FIELDS, "_own": {"list": [1, None, 2.5, dag_cbor.Link(b"\1")]}})
    assert IpnsRecord.open(NAME, signed(data)).sequence == 5


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        dag_cbor.encode([]),
        *[
            dag_cbor.encode({key: one for key, one in FIELDS.items() if key != left_out})
            for left_out in FIELDS
        ],
        *[
            dag_cbor.encode({**FIELDS, **change})
            for change in (
                {"ValidityType": 1},
                {"ValidityType": False},
                {"Sequence": -1},
                {"Sequence": True},
                {"Sequence": b"1"},
                {"TTL": 1.0},
                {"Value": "text"},
                {"Validity": b"tomorrow"},
                {"Validity": b"\xff"},
            )
        ],
        # The same fields in another order: signed, but not DAG-CBOR.
        b"\xa5" + dag_cbor.encode(FIELDS)[11:] + dag_cbor.encode(FIELDS)[1:11],
    ],
)
def test_signed_data_that_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRecord):
        IpnsRecord.open(NAME, signed(data))


@pytest.mark.parametrize("field", ["value", "validity", "validity_type", "sequence", "ttl"])
def test_version_1_must_say_the_same(field: str) -> None:
    entry = with_v1(RECORD)
    setattr(entry, field, b"other" if isinstance(getattr(entry, field), bytes) else 99)
    with pytest.raises(InvalidRecord, match="another one outside"):
        IpnsRecord.open(NAME, entry.SerializeToString())
    entry.ClearField(field)
    if field != "validity_type":  # what is left out reads as zero, as it is here
        with pytest.raises(InvalidRecord, match="another one outside"):
            IpnsRecord.open(NAME, entry.SerializeToString())


@pytest.mark.parametrize("field", ["signature_v2", "data"])
def test_version_1_alone_is_refused(field: str) -> None:
    entry = with_v1(RECORD)
    entry.ClearField(field)
    with pytest.raises(InvalidRecord, match="lacks the signature of version 2"):
        IpnsRecord.open(NAME, entry.SerializeToString())


def test_a_key_that_is_not_the_names_is_refused() -> None:
    other = PrivateKey.from_seed(b"x" * 32)
    entry = IpnsEntry.FromString(RECORD.seal(other))
    entry.pub_key = other.public_key.to_protobuf()
    with pytest.raises(InvalidRecord, match="stands in an IPNS record of"):
        IpnsRecord.open(NAME, entry.SerializeToString())
    with pytest.raises(InvalidRecord, match="does not hold"):
        IpnsRecord.open(NAME, RECORD.seal(other))


def test_a_name_that_is_a_hash_needs_the_key_beside_it() -> None:
    vector = next(one for one in VECTORS if "hash" in one["case"])
    entry = IpnsEntry.FromString(bytes.fromhex(vector["record"]))
    entry.ClearField("pub_key")
    with pytest.raises(InvalidRecord, match="lacks its key"):
        IpnsRecord.open(bytes.fromhex(vector["key"]), entry.SerializeToString())
    entry.pub_key = b"no key"
    with pytest.raises(InvalidRecord, match="cannot be read"):
        IpnsRecord.open(bytes.fromhex(vector["key"]), entry.SerializeToString())


@pytest.mark.parametrize("key", [b"/ipns/", b"/ipns/x", NAME + b"\0", b"/ipns/12D3KooW"])
def test_keys_that_are_no_names_are_refused(key: bytes) -> None:
    with pytest.raises(InvalidRecord, match="no IPNS name"):
        IpnsRecord.open(key, RECORD.seal(KEY))


def test_large_records_are_neither_read_nor_made() -> None:
    with pytest.raises(InvalidRecord, match="10240 bytes at most"):
        IpnsRecord.open(NAME, bytes(IPNS_BYTES_MAX + 1))
    with pytest.raises(InputError, match="10240 bytes at most"):
        IpnsRecord(bytes(IPNS_BYTES_MAX), 0, ENDS_NS).seal(KEY)


@pytest.mark.parametrize("raw", [b"", b"\xff", b"\x0a\xff"])
def test_bytes_that_are_no_record_are_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRecord):
        IpnsRecord.open(NAME, raw)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.binary(max_size=1)), min_size=1, max_size=5),
    st.randoms(),
)
def test_the_later_of_the_highest_sequence_wins_in_any_order(
    made: list[tuple[int, int, bytes]], rng: object
) -> None:
    values = [IpnsRecord(value, sequence, ENDS_NS + later).seal(KEY) for sequence, later, value in made]
    best = values[validator().select(NAME, values)]
    record = IpnsRecord.open(NAME, best)
    assert (record.sequence, record.ends_ns - ENDS_NS) == max((one, two) for one, two, _ in made)
    rng.shuffle(values)  # type: ignore[attr-defined]
    assert values[validator().select(NAME, values)] == best


def test_names_are_peer_ids() -> None:
    assert key_of(PeerId.of_key(KEY.public_key.to_protobuf())) == NAME
