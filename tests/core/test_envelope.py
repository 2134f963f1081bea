from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core import vectors
from warren.core import envelope
from warren.core.envelope import SignedEnvelope
from warren.core.errors import MisuseError, ProtocolViolation
from warren.core.keys import PrivateKey, PublicKey
from warren.core.peer_record import PeerRecord

KEY = PrivateKey.from_seed(bytes(range(32)))


def test_an_envelope_of_go_libp2p() -> None:
    opened = SignedEnvelope.open(vectors.ENVELOPE_GO, "libp2p-testing")
    assert opened.payload_type == b"/libp2p/testdata"
    assert opened.payload == b"hello world!"
    assert opened.to_bytes() == vectors.ENVELOPE_GO
    with pytest.raises(ProtocolViolation, match="does not hold"):
        SignedEnvelope.open(vectors.ENVELOPE_GO, "libp2p-tasting")


@given(
    st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()),
    st.binary(max_size=10),
    st.binary(max_size=300),
)
def test_what_is_sealed_opens_for_its_domain_alone(domain: str, payload_type: bytes, payload: bytes) -> None:
    sealed = SignedEnvelope.seal(KEY, domain, payload_type, payload)
    data = sealed.to_bytes()
    assert SignedEnvelope.open(data, domain) == sealed
    assert SignedEnvelope.open(data, domain).to_bytes() == data
    assert sealed.public_key.peer_id == KEY.peer_id
    with pytest.raises(ProtocolViolation):
        SignedEnvelope.open(data, domain + "x")


def test_fields_cannot_be_shifted_into_each_other() -> None:
    sealed = SignedEnvelope.seal(KEY, "domain", b"ab", b"cd")
    moved = SignedEnvelope(sealed.public_key, b"abc", b"d", sealed.signature)
    with pytest.raises(ProtocolViolation):
        SignedEnvelope.open(moved.to_bytes(), "domain")


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_byte_that_counts_can_be_changed(at: int, change: int) -> None:
    sealed = SignedEnvelope.seal(KEY, "domain", b"\x03\x01", b"payload" * 9)
    data = bytearray(sealed.to_bytes())
    data[at % len(data)] ^= change
    try:
        opened = SignedEnvelope.open(bytes(data), "domain")
    except ProtocolViolation:
        return
    assert opened == sealed  # only a field's number or an unknown field may differ without harm


@given(st.binary(max_size=200))
def test_bytes_raise_only_what_is_documented(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        SignedEnvelope.open(data, "domain")


def test_large_envelopes_open_and_oversized_ones_do_not() -> None:
    payload = bytes(envelope.ENVELOPE_BYTES_MAX - 200)
    sealed = SignedEnvelope.seal(KEY, "domain", b"", payload)
    assert SignedEnvelope.open(sealed.to_bytes(), "domain") == sealed
    too_large = SignedEnvelope.seal(KEY, "domain", b"", payload + bytes(200))
    with pytest.raises(ProtocolViolation, match="exceeds"):
        SignedEnvelope.open(too_large.to_bytes(), "domain")


def test_a_domain_is_needed() -> None:
    with pytest.raises(MisuseError):
        SignedEnvelope.seal(KEY, "", b"", b"")


def test_an_envelope_is_checked_once_however_often_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[bytes] = []
    verify = PublicKey.verify

    def counted(key: PublicKey, signature: bytes, data: bytes) -> bool:
        checked.append(signature)
        return verify(key, signature, data)

    monkeypatch.setattr(PublicKey, "verify", counted)
    record = PeerRecord(KEY.peer_id, 77, ()).seal(KEY)
    assert PeerRecord.open(record) == PeerRecord.open(record)
    assert len(checked) == 1
    large = SignedEnvelope.seal(KEY, "domain", b"", bytes(envelope.REMEMBERED_BYTES_MAX)).to_bytes()
    assert SignedEnvelope.open(large, "domain") == SignedEnvelope.open(large, "domain")
    assert len(checked) == 3
