from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core import vectors
from warren.core import multibase, multihash
from warren.core.errors import InvalidKey, InvalidPeerId
from warren.core.keys import PublicKey
from warren.core.peer_id import PeerId

# Examples of the specification: https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md#decoding
HASHED = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
HASHED_CID = "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe"
INLINE = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"

PEERS = st.builds(PeerId.of_key, st.binary(min_size=1, max_size=80))


@pytest.mark.parametrize(
    ("key", "text", "cid_text"),
    [
        (
            vectors.ED25519_PUBLIC,
            "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq",
            "bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt6",
        ),
        (
            vectors.SECP256K1_PUBLIC,
            "16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY",
            "bafzaajiiaijcca3xo7uzjzcsyilaj6i54cj44qk7kqzpoao5rti2pjx6udtdbp6kte",
        ),
        (
            vectors.RSA_PUBLIC,
            "QmaeANgBs1DTSxWSrPPtobgQuxW8XTfsS4ydbK4rCHzqxG",
            "bafzbeifwzcumbiyql7bhv7fe7mixg6i7aohegq75k234m63bnw6dbicmzu",
        ),
    ],
)
def test_ids_are_those_of_js_libp2p(key: bytes, text: str, cid_text: str) -> None:
    peer = PublicKey.from_protobuf(key).peer_id
    assert (str(peer), peer.to_cid_text()) == (text, cid_text)
    assert PeerId.parse(text) == PeerId.parse(cid_text) == peer


def test_both_text_forms_of_one_id() -> None:
    assert PeerId.parse(HASHED) == PeerId.parse(HASHED_CID)
    assert str(PeerId.parse(HASHED_CID)) == HASHED
    assert PeerId.parse(HASHED).to_cid_text() == HASHED_CID
    assert PeerId.parse("k51qzi5uqu5dhb6l8spkdx7yxafegfkee5by8h7lmjh2ehc2sgg34z7c15vzqs") == PeerId.parse(
        "12D3KooWCryG7Mon9orvQxcS1rYZjotPgpwoJNHHKcLLfE4Hf5mV"
    )


def test_keys_of_up_to_42_bytes_are_held_whole() -> None:
    assert PeerId.of_key(bytes(42)).to_bytes() == b"\x00\x2a" + bytes(42)
    assert PeerId.of_key(bytes(43)).to_bytes() == multihash.sha2_256(bytes(43))


def test_public_key_of_an_id() -> None:
    peer = PublicKey.from_protobuf(vectors.ED25519_PUBLIC).peer_id
    assert peer.public_key() == PublicKey.from_protobuf(vectors.ED25519_PUBLIC)
    assert PeerId.parse(HASHED).public_key() is None
    with pytest.raises(InvalidKey):
        PeerId.of_key(b"no key").public_key()


@given(PEERS)
def test_round_trips(peer: PeerId) -> None:
    raw = peer.to_bytes()
    for same in (
        PeerId(raw),
        PeerId.parse(peer.to_cid_text()),
        PeerId.parse("k" + multibase.base36_encode(b"\x01\x72" + raw)),
        PeerId.parse(str(peer)),
    ):
        assert same == peer
        assert hash(same) == hash(peer)
        assert str(same) == str(peer)


@given(st.lists(PEERS, max_size=6))
def test_order_is_that_of_the_bytes(peers: list[PeerId]) -> None:
    assert [peer.to_bytes() for peer in sorted(peers)] == sorted(peer.to_bytes() for peer in peers)


def test_text_for_people() -> None:
    peer = PeerId.parse(INLINE)
    assert repr(peer) == f"PeerId('{INLINE}')"
    assert peer.short == "eQAJU5SA"
    assert peer == peer  # noqa: PLR0124
    assert peer != INLINE
    assert peer != PeerId.parse(HASHED)
    assert peer >= PeerId.parse(INLINE)


@given(st.binary(max_size=60) | st.binary(max_size=44).map(lambda tail: b"\x00" + tail))
def test_bytes_raise_only_what_is_documented(raw: bytes) -> None:
    try:
        peer = PeerId(raw)
    except InvalidPeerId:
        return
    assert peer.to_bytes() == raw


@given(st.text(max_size=60) | st.from_regex(r"\A(1|Qm|b|k|z)[0-9A-Za-z]{0,60}\Z"))
def test_text_raises_only_what_is_documented(text: str) -> None:
    with contextlib.suppress(InvalidPeerId):
        PeerId.parse(text)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00",
        b"\x00\x00",
        b"\x00\x02a",
        b"\x00\x01ab",
        b"\x00\x2b" + bytes(43),
        b"\x12\x20" + bytes(31),
        b"\x12\x20" + bytes(33),
        b"\x13\x40" + bytes(64),
    ],
)
def test_malformed_bytes(raw: bytes) -> None:
    with pytest.raises(InvalidPeerId):
        PeerId(raw)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "Qm",
        "QmxoHT6iViN5xAjoz1VZ553cL31U9F94ht3QvWR1FrEbZY",  # a SHA2-256 of over 32 bytes
        HASHED[:-1],
        INLINE + "1",
        INLINE[:-1] + "0",
        "anna",
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",  # content, not a key
        "1" * 2000,
    ],
)
def test_malformed_text(text: str) -> None:
    with pytest.raises(InvalidPeerId):
        PeerId.parse(text)
