"""Peers and addresses that the tests of the DHT make up."""

from __future__ import annotations

from functools import lru_cache

from warren.core.multiaddr import Multiaddr
from warren.core.peer_id import PeerId
from warren.protocols.kad.messages import PeerInfo


@lru_cache(maxsize=100_000)
def peer(number: int) -> PeerId:
    """A peer id that nobody has the key of."""
    return PeerId(b"\x00\x24\x08\x01\x12\x20" + number.to_bytes(32))


def address(number: int) -> Multiaddr:
    """An address on the internet, each in a subnet of its own."""
    return Multiaddr.tcp(f"60.{number >> 8 & 255}.{number & 255}.1", 4101)


def info(number: int) -> PeerInfo:
    return PeerInfo(peer(number), (address(number),))
