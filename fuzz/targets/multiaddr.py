"""Binary addresses: what is read prints, and what was printed reads the same."""

from __future__ import annotations

from warren.core.errors import InvalidMultiaddr
from warren.core.multiaddr import TEXT_MAX, Multiaddr

_TEXTS = (
    "/ip4/192.0.2.1/tcp/4101/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA",
    "/ip6/2001:db8::1/udp/4101/quic-v1/webtransport/certhash/uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g",
    "/ip6zone/eth0/ip6/fe80::1/tcp/1",
    "/dns4/a.example/tcp/443/tls/sni/b.example/ws",
    "/dnsaddr/a.example/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N/p2p-circuit",
    "/unix/run/warren.sock",
    "/memory/7",
)

DOCUMENTED = (InvalidMultiaddr,)
SEEDS = tuple(Multiaddr.parse(text).to_bytes() for text in _TEXTS)


def parse(data: bytes) -> Multiaddr:
    return Multiaddr.from_bytes(data)


def verify(data: bytes, addr: Multiaddr) -> None:
    text = str(addr)
    assert addr.to_bytes() == data
    assert len(text) <= TEXT_MAX
    assert text.isprintable()
    assert Multiaddr.parse(text) == addr
    look(addr)


def look(addr: Multiaddr) -> None:
    """Ask everything that a dialler asks; none of it may raise."""
    assert addr.components
    _ = (addr.host, addr.transport, addr.is_loopback, addr.is_private, addr.is_global, addr.is_unspecified)
    assert addr.port is None or 0 <= addr.port <= 0xFFFF
    bare = addr.without_peer()
    if addr.peer_id is not None and bare != addr and bare.without_peer() == bare:
        assert bare.with_peer(addr.peer_id) == addr
