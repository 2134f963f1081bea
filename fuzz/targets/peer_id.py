"""Peer ids, binary and in text."""

from __future__ import annotations

from warren.core.errors import InvalidKey, InvalidPeerId
from warren.core.peer_id import PeerId

DOCUMENTED = (InvalidPeerId, InvalidKey)
SEEDS = (
    b"\x12\x20" + bytes(32),
    b"\x00\x24\x08\x01\x12\x20" + bytes(32),
    b"QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
    b"12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA",
    b"bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe",
    b"k51qzi5uqu5dhb6l8spkdx7yxafegfkee5by8h7lmjh2ehc2sgg34z7c15vzqs",
)


def parse(data: bytes) -> PeerId:
    try:
        peer = PeerId(data)
    except InvalidPeerId:
        peer = PeerId.parse(data.decode("utf-8", "surrogateescape"))
    peer.public_key()
    return peer


def verify(_data: bytes, peer: PeerId) -> None:
    assert PeerId.parse(str(peer)) == PeerId.parse(peer.to_cid_text()) == PeerId(peer.to_bytes()) == peer
    key = peer.public_key()
    assert key is None or key.peer_id == peer
