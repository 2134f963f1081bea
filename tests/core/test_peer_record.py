from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core import vectors
from warren.core import peer_record
from warren.core.envelope import SignedEnvelope
from warren.core.errors import MisuseError, ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.peer_record import DOMAIN, PAYLOAD_TYPE, PeerRecord
from warren.core.proto import peer_record_pb2 as pb

KEY = PrivateKey.from_seed(bytes(range(32)))
ADDRS = (Multiaddr.parse("/ip4/192.0.2.1/tcp/4101"), Multiaddr.parse("/ip6/2001:db8::1/udp/4101/quic-v1"))


def sealed(payload: bytes, *, payload_type: bytes = PAYLOAD_TYPE, domain: str = DOMAIN) -> bytes:
    return SignedEnvelope.seal(KEY, domain, payload_type, payload).to_bytes()


@pytest.mark.parametrize(
    "data", [vectors.ED25519_RECORD_JS, vectors.SECP256K1_RECORD_JS, vectors.RSA_RECORD_JS]
)
def test_records_of_js_libp2p_open(data: bytes) -> None:
    record = PeerRecord.open(data)
    assert (record.seq, record.addrs) == (1570215229, ADDRS)


def test_ours_are_byte_for_byte_those_of_js_and_py_libp2p() -> None:
    key = PrivateKey.from_protobuf(vectors.ED25519_PRIVATE)
    assert PeerRecord(key.peer_id, 1570215229, ADDRS).seal(key) == vectors.ED25519_RECORD_JS
    assert PeerRecord(KEY.peer_id, 7, ADDRS[:1]).seal(KEY) == vectors.RECORD_PY
    assert PeerRecord.open(vectors.RECORD_PY) == PeerRecord(KEY.peer_id, 7, ADDRS[:1])


@given(st.integers(0, (1 << 64) - 1), st.lists(st.sampled_from(ADDRS), max_size=4))
def test_round_trip(seq: int, addrs: list[Multiaddr]) -> None:
    record = PeerRecord(KEY.peer_id, seq, tuple(addrs))
    assert PeerRecord.open(record.seal(KEY)) == record


def test_nobody_speaks_for_another() -> None:
    other = PrivateKey.from_seed(bytes(32))
    with pytest.raises(MisuseError):
        PeerRecord(other.peer_id, 1, ADDRS).seal(KEY)
    payload = pb.PeerRecord(peer_id=other.peer_id.to_bytes(), seq=1).SerializeToString()
    with pytest.raises(ProtocolViolation, match="speaks for"):
        PeerRecord.open(sealed(payload))


def test_addresses_we_cannot_read_are_left_out() -> None:
    payload = pb.PeerRecord(
        peer_id=KEY.peer_id.to_bytes(),
        addresses=[
            pb.PeerRecord.AddressInfo(multiaddr=raw) for raw in (b"\xbc\x03", ADDRS[0].to_bytes(), b"")
        ],
    ).SerializeToString()
    assert PeerRecord.open(sealed(payload)).addrs == ADDRS[:1]


def test_address_floods_are_refused() -> None:
    address = pb.PeerRecord.AddressInfo(multiaddr=ADDRS[0].to_bytes())
    payload = pb.PeerRecord(
        peer_id=KEY.peer_id.to_bytes(), addresses=[address] * (peer_record.ADDRESSES_MAX + 1)
    ).SerializeToString()
    with pytest.raises(ProtocolViolation, match="256"):
        PeerRecord.open(sealed(payload))


def test_other_payloads_are_refused() -> None:
    good = pb.PeerRecord(peer_id=KEY.peer_id.to_bytes()).SerializeToString()
    for data in (
        sealed(good, payload_type=b"/libp2p/routing-state-record"),
        sealed(good, domain="libp2p-routing-state"),
        sealed(b"\xff"),
        sealed(b""),
        b"",
    ):
        with pytest.raises(ProtocolViolation):
            PeerRecord.open(data)


@given(st.binary(max_size=100))
def test_signed_junk_raises_only_what_is_documented(payload: bytes) -> None:
    try:
        record = PeerRecord.open(sealed(payload))
    except ProtocolViolation:
        return
    assert record.peer_id == KEY.peer_id
