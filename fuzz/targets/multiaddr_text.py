"""Addresses in text."""

from __future__ import annotations

from fuzz.targets import multiaddr
from warren.core.multiaddr import Multiaddr

DOCUMENTED = multiaddr.DOCUMENTED
SEEDS = tuple(str(Multiaddr.from_bytes(raw)).encode() for raw in multiaddr.SEEDS)


def parse(data: bytes) -> Multiaddr:
    return Multiaddr.parse(data.decode("utf-8", "surrogateescape"))


def verify(_data: bytes, addr: Multiaddr) -> None:
    assert Multiaddr.from_bytes(addr.to_bytes()) == addr
    assert Multiaddr.parse(str(addr)) == addr
    multiaddr.look(addr)
