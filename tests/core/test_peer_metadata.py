"""Peer metadata: what is sealed opens again, nobody speaks for another, and the caps hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.envelope import SignedEnvelope
from warren.core.errors import InputError, MisuseError, ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.peer_metadata import (
    DOMAIN,
    ENTRIES_MAX,
    KEY_BYTES_MAX,
    PAYLOAD_TYPE,
    SEALED_BYTES_MAX,
    VALUE_BYTES_MAX,
    PeerMetadata,
)
from warren.core.peer_record import PeerRecord
from warren.core.proto import peer_metadata_pb2 as pb

KEY = PrivateKey.from_seed(bytes(range(32)))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def sealed(payload: bytes, *, payload_type: bytes = PAYLOAD_TYPE, domain: str = DOMAIN) -> bytes:
    return SignedEnvelope.seal(KEY, domain, payload_type, payload).to_bytes()


def payload(*entries: tuple[str, str], peer: bytes = KEY.peer_id.to_bytes(), seq: int = 1) -> bytes:
    made = [pb.PeerMetadata.Entry(key=key, value=value) for key, value in entries]
    return pb.PeerMetadata(peer_id=peer, seq=seq, entries=made).SerializeToString()


@given(st.integers(0, (1 << 64) - 1), st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=8))
def test_round_trip(seq: int, entries: dict[str, str]) -> None:
    metadata = PeerMetadata(KEY.peer_id, seq, entries)
    assert PeerMetadata.open(metadata.seal(KEY)) == metadata
    assert list(metadata.entries) == sorted(entries)


def test_the_largest_fits() -> None:
    entries = {f"{n:02}": "x" * 240 for n in range(16)}
    assert len(PeerMetadata(KEY.peer_id, 1, entries).seal(KEY)) <= SEALED_BYTES_MAX


def test_nobody_speaks_for_another() -> None:
    other = PrivateKey.from_seed(bytes(32))
    with pytest.raises(MisuseError):
        PeerMetadata(other.peer_id, 1, {}).seal(KEY)
    with pytest.raises(ProtocolViolation, match="speak for"):
        PeerMetadata.open(sealed(payload(peer=other.peer_id.to_bytes())))


@pytest.mark.parametrize(
    "entries",
    [
        {f"{n}": "" for n in range(ENTRIES_MAX + 1)},
        {"": "x"},
        {"k" * (KEY_BYTES_MAX + 1): "x"},
        {"ä" * (KEY_BYTES_MAX // 2 + 1): "x"},
        {"k": "x" * (VALUE_BYTES_MAX + 1)},
        {"k": "\ud800"},
    ],
)
def test_what_is_over_the_caps_is_refused(entries: dict[str, str]) -> None:
    with pytest.raises(InputError):
        PeerMetadata(KEY.peer_id, 1, entries)


def test_all_together_is_capped_too() -> None:
    entries = {f"{n:02}": "x" * VALUE_BYTES_MAX for n in range(20)}
    with pytest.raises(InputError, match="4096"):
        PeerMetadata(KEY.peer_id, 1, entries).seal(KEY)
    with pytest.raises(ProtocolViolation, match="exceeds"):
        PeerMetadata.open(sealed(payload(*entries.items())))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(SEALED_BYTES_MAX + 1),
        sealed(b"\xff"),
        sealed(payload(("k", "v")), payload_type=b"\x03\x01"),
        sealed(payload(("k", "v")), domain="libp2p-peer-record"),
        sealed(payload(("k", "v"), ("k", "w"))),
        sealed(payload(("", "v"))),
        sealed(payload(("k", "v"), peer=b"\x12")),
        PeerRecord(KEY.peer_id, 1, ()).seal(KEY),
    ],
)
def test_what_is_malformed_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        PeerMetadata.open(data)
