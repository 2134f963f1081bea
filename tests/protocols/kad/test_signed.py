from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warren.core.envelope import SignedEnvelope
from warren.core.errors import InputError, InvalidRecord
from warren.core.keys import PrivateKey
from warren.core.multibase import base32_encode
from warren.protocols.kad.proto.signed_pb2 import SignedRecord as Message
from warren.protocols.kad.records import KEY_BYTES_MAX, VALUE_BYTES_MAX
from warren.protocols.kad.signed import (
    CONTENT_BYTES_MAX,
    DOMAIN,
    NAME_BYTES_MAX,
    PAYLOAD_TYPE,
    SEQUENCE_MAX,
    SignedRecord,
    SignedValidator,
    key_of,
    split_key,
)

ANNA = PrivateKey.from_seed(b"a" * 32)
BERT = PrivateKey.from_seed(b"b" * 32)
NAMES = st.binary(min_size=1, max_size=NAME_BYTES_MAX)


def record(name: bytes = b"n", sequence: int = 1, value: bytes = b"v") -> SignedRecord:
    return SignedRecord(ANNA.peer_id, name, sequence, value)


@given(NAMES, st.integers(0, SEQUENCE_MAX), st.binary())
def test_round_trip(name: bytes, sequence: int, value: bytes) -> None:
    made = record(name, sequence, value)
    assert SignedRecord.open(made.key, made.seal(ANNA)) == made
    assert split_key(made.key) == (ANNA.peer_id, name)


def test_the_largest_fits_what_the_dht_keeps() -> None:
    made = record(b"n" * NAME_BYTES_MAX, SEQUENCE_MAX, bytes(CONTENT_BYTES_MAX))
    assert len(made.key) <= KEY_BYTES_MAX
    assert len(made.seal(ANNA)) <= VALUE_BYTES_MAX


@settings(max_examples=200)
@given(st.data())
def test_no_byte_of_a_record_can_be_changed(data: st.DataObject) -> None:
    raw = bytearray(record().seal(ANNA))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        opened = SignedRecord.open(record().key, bytes(raw))
    except InvalidRecord:
        return
    assert opened == record()  # what protobuf reads over does not change what was signed


@given(NAMES)
def test_a_record_belongs_under_its_own_name_alone(name: bytes) -> None:
    made = record(b"the name it was signed for")
    if name != made.name:
        with pytest.raises(InvalidRecord, match="another name"):
            SignedRecord.open(key_of(ANNA.peer_id, name), made.seal(ANNA))


def test_another_peers_signature_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="signed a record under a name of"):
        SignedRecord.open(record().key, record().seal(BERT))


@pytest.mark.parametrize(
    ("domain", "kind", "payload"),
    [
        ("another domain", PAYLOAD_TYPE, Message(name=b"n").SerializeToString()),
        (DOMAIN, b"\x03\x01", Message(name=b"n").SerializeToString()),
        (DOMAIN, PAYLOAD_TYPE, b"\x0a\xff"),
    ],
)
def test_envelopes_for_another_purpose_are_refused(domain: str, kind: bytes, payload: bytes) -> None:
    raw = SignedEnvelope.seal(ANNA, domain, kind, payload).to_bytes()
    with pytest.raises(InvalidRecord):
        SignedRecord.open(record().key, raw)


@pytest.mark.parametrize("value", [b"", b"plain", bytes(VALUE_BYTES_MAX)])
def test_what_is_not_signed_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidRecord):
        SignedValidator().validate(record().key, value)


@pytest.mark.parametrize(
    "key",
    [
        b"/warren/",
        b"/warren/%b" % str(ANNA.peer_id).encode(),
        b"/warren/%b/" % str(ANNA.peer_id).encode(),
        b"/warren/%b/%b" % (str(ANNA.peer_id).encode(), b"n" * (NAME_BYTES_MAX + 1)),
        b"/warren/anna/n",
        b"/warren/\xff/n",
        b"/warren/%b/n" % ANNA.peer_id.to_cid_text().encode(),
        b"/warren/b%b/n" % base32_encode(b"\x01\x72" + ANNA.peer_id.to_bytes()).encode(),
        b"/other/%b/n" % str(ANNA.peer_id).encode(),
        b"//warren/%b/n" % str(ANNA.peer_id).encode(),
    ],
)
def test_a_key_has_one_form(key: bytes) -> None:
    with pytest.raises(InvalidRecord):
        split_key(key)


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=2)), min_size=1, max_size=6), st.randoms())
def test_the_highest_sequence_wins_in_any_order(made: list[tuple[int, bytes]], rng: object) -> None:
    values = [record(sequence=sequence, value=value).seal(ANNA) for sequence, value in made]
    best = values[SignedValidator().select(record().key, values)]
    assert SignedRecord.open(record().key, best).sequence == max(sequence for sequence, _ in made)
    rng.shuffle(values)  # type: ignore[attr-defined]
    assert values[SignedValidator().select(record().key, values)] == best


@pytest.mark.parametrize(
    "bad", [record(name=b""), record(name=bytes(513)), record(value=bytes(63 * 1024 + 1))]
)
def test_what_is_out_of_bounds_is_not_sealed(bad: SignedRecord) -> None:
    with pytest.raises(InputError) as caught:
        bad.seal(ANNA)
    assert caught.value.hint
