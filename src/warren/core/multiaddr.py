"""Multiaddrs: self-describing network addresses such as `/ip4/192.0.2.1/tcp/4101/p2p/12D3KooW...`.

In: text from people and files, or foreign bytes. Out: either form again, and the parts that a dialler asks
for. The binary form is the identity of an address; text is canonical (RFC 5952 for IPv6, `/p2p` for `/ipfs`,
base58btc peer ids). Refuses protocols not in the table, malformed values, over 20 components, and over 512
bytes or 1,024 characters.
https://github.com/multiformats/multiaddr
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from warren.core import varint
from warren.core.errors import InputError, InvalidMultiaddr, ProtocolViolation
from warren.core.multiaddr_protocols import (
    BY_CODE,
    BY_NAME,
    DNS,
    IP4,
    IP6,
    IP6ZONE,
    P2P,
    TCP,
    VARIABLE,
    Protocol,
)
from warren.core.peer_id import PeerId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Attack: addresses so long that storing and printing them is what costs. Real ones stay under 300 characters.
TEXT_MAX: Final = 1024
BYTES_MAX: Final = 512
COMPONENTS_MAX: Final = 20
# No mix of components of this many bytes can print as more than TEXT_MAX characters.
_BYTES_SURELY_SHORT: Final = 256
_REMEMBERED_MAX: Final = 4096

_HOSTS: Final = frozenset({"ip4", "ip6", "dns", "dns4", "dns6", "dnsaddr"})
_ANNOTATIONS: Final = frozenset({"p2p", "certhash", "sni"})
_TRANSPORTS: Final = frozenset(
    {
        "tcp",
        "udp",
        "quic",
        "quic-v1",
        "ws",
        "wss",
        "webtransport",
        "webrtc",
        "webrtc-direct",
        "unix",
        "memory",
    }
)
# What a local network, a link or a carrier's NAT (RFC 6598) reaches and the internet does not.
_PRIVATE: Final = tuple(
    ipaddress.ip_network(block)
    for block in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
        "fe80::/10",
    )
)

_Part = tuple[Protocol, bytes]


class Multiaddr:
    """An address. Immutable, hashable, ordered; equal when the binary forms are.

    `Multiaddr(raw)` takes the binary form and raises `InvalidMultiaddr`.
    """

    __slots__ = ("_raw", "_text")

    def __init__(self, raw: bytes) -> None:
        _split(raw)
        self._raw: Final = raw
        self._text = ""

    @classmethod
    def from_bytes(cls, raw: bytes) -> Multiaddr:
        """Read the binary form. Raises `InvalidMultiaddr`."""
        return cls(raw)

    @classmethod
    def parse(cls, text: str) -> Multiaddr:
        """Read the text form; trailing slashes are allowed. Raises `InvalidMultiaddr`."""
        if len(text) > TEXT_MAX:
            raise InvalidMultiaddr(f"address exceeds {TEXT_MAX} characters")
        try:
            return cls(_join(_parse(text)))
        except InputError as error:
            raise InvalidMultiaddr(f"{text!r} is not an address: {error}") from error

    @classmethod
    def tcp(cls, host: str, port: int) -> Multiaddr:
        """The address of a TCP port; `host` is an IP (with `%zone` if need be) or a DNS name.

        Raises `InvalidMultiaddr`.
        """
        tcp = (TCP, TCP.to_bytes(str(port)))
        if ":" in host:
            address, _, zone = host.partition("%")
            ip6 = (IP6, IP6.to_bytes(address))
            return cls(_join([(IP6ZONE, IP6ZONE.to_bytes(zone)), ip6, tcp] if zone else [ip6, tcp]))
        if host[-1:].isdigit():  # no DNS name that we take ends in a number
            return cls(_join([(IP4, IP4.to_bytes(host)), tcp]))
        return cls(_join([(DNS, DNS.to_bytes(host)), tcp]))

    def to_bytes(self) -> bytes:
        """The binary form."""
        return self._raw

    def __str__(self) -> str:
        if not self._text:
            self._text = "".join([protocol.write(value) for protocol, value in _split(self._raw)])
        return self._text

    def __repr__(self) -> str:
        return f"Multiaddr({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Multiaddr) and self._raw == other._raw)

    def __hash__(self) -> int:
        return hash(self._raw)

    def __lt__(self, other: Multiaddr) -> bool:
        return self._raw < other._raw

    @property
    def components(self) -> tuple[tuple[str, str], ...]:
        """Each protocol's name with its value in text ("" where it has none)."""
        return tuple((protocol.name, protocol.to_text(value)) for protocol, value in _split(self._raw))

    @property
    def protocols(self) -> tuple[str, ...]:
        """The name of each protocol: `components` without what it costs to put values in text."""
        return tuple([protocol.name for protocol, _ in _split(self._raw)])

    @property
    def peer_id(self) -> PeerId | None:
        """Who is expected at the end of this address: the last `/p2p`, unless a circuit leads on from it."""
        for protocol, value in reversed(_split(self._raw)):
            if protocol.name == "p2p":
                return PeerId(value)
            if protocol.name == "p2p-circuit":
                return None
        return None

    def with_peer(self, peer: PeerId) -> Multiaddr:
        """The address ending in `/p2p/<peer>`, in place of the peer it may end in now."""
        return Multiaddr(self.without_peer().to_bytes() + _join([(P2P, peer.to_bytes())]))

    def without_peer(self) -> Multiaddr:
        """The address without the `/p2p` it may end in. One that is nothing else stays as it is."""
        parts = _split(self._raw)
        if len(parts) > 1 and parts[-1][0] is P2P:
            return Multiaddr(_join(parts[:-1]))
        return self

    @property
    def host(self) -> str | None:
        """The first IP (with `%zone` if it has one) or DNS name, as a socket call takes it."""
        zone = ""
        for protocol, value in _split(self._raw):
            if protocol.name == "ip6zone":
                zone = "%" + protocol.to_text(value)
            elif protocol.name in _HOSTS:
                return protocol.to_text(value) + zone
        return None

    @property
    def port(self) -> int | None:
        """The first TCP or UDP port."""
        for protocol, value in _split(self._raw):
            if protocol.name in ("tcp", "udp"):
                return int.from_bytes(value, "big")
        return None

    @property
    def transport(self) -> str:
        """What carries the connection: "tcp" only if nothing is layered on it, "wss" also for `/tls/ws`,
        "p2p-circuit" for any relayed address, "" where no transport is named.
        """
        names = [name for name in self.protocols if name not in _ANNOTATIONS]
        if "p2p-circuit" in names:
            return "p2p-circuit"
        last = names[-1] if names else ""
        if last == "ws" and "tls" in names:
            return "wss"
        return last if last in _TRANSPORTS else ""

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine itself."""
        ip = self.ip
        return ip.is_loopback if ip else self.host == "localhost"

    @property
    def is_unspecified(self) -> bool:
        """Whether the host stands for all interfaces (`0.0.0.0`, `::`)."""
        ip = self.ip
        return ip is not None and ip.is_unspecified

    @property
    def is_private(self) -> bool:
        """Whether the host is an IP that only a local network, a link or a carrier's NAT reaches."""
        value = self._ip_value()
        return value is not None and _is_private(value)

    @property
    def is_global(self) -> bool:
        """Whether the host is an IP that the whole internet can route to."""
        ip = self.ip
        return ip is not None and ip.is_global and not ip.is_multicast

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The IP of the host, one mapped into IPv6 as the IPv4 that it is; None for a name."""
        value = self._ip_value()
        return _ip_of(value) if value is not None else None

    def _ip_value(self) -> bytes | None:
        for protocol, value in _split(self._raw):
            if protocol.name in ("ip4", "ip6"):
                return value
        return None


# A node asks the same of the same addresses over and over: as many are remembered as it may have peers.
@lru_cache(maxsize=_REMEMBERED_MAX)
def _ip_of(value: bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if len(value) == 4:
        return ipaddress.IPv4Address(value)
    ip = ipaddress.IPv6Address(value)
    return ip.ipv4_mapped or ip


@lru_cache(maxsize=_REMEMBERED_MAX)
def _is_private(value: bytes) -> bool:
    ip = _ip_of(value)
    return any(ip in block for block in _PRIVATE)


@lru_cache(maxsize=_REMEMBERED_MAX)
def _split(raw: bytes) -> tuple[_Part, ...]:
    """The components of a binary address, all checked. Raises `InvalidMultiaddr`."""
    if not raw or len(raw) > BYTES_MAX:
        raise InvalidMultiaddr(f"an address has 1 to {BYTES_MAX} bytes, not {len(raw)}")
    parts: list[_Part] = []
    pos = 0
    while pos < len(raw):
        if parts and parts[-1][0].name == "unix":
            raise InvalidMultiaddr("a unix path ends the address: in text all that follows belongs to it")
        part, pos = _read_component(raw, pos)
        parts.append(part)
    if len(parts) > COMPONENTS_MAX:
        raise InvalidMultiaddr(f"address has over {COMPONENTS_MAX} components")
    if len(raw) > _BYTES_SURELY_SHORT and sum(len(p.write(value)) for p, value in parts) > TEXT_MAX:
        raise InvalidMultiaddr(f"address exceeds {TEXT_MAX} characters")
    return tuple(parts)


def _read_component(raw: bytes, pos: int) -> tuple[_Part, int]:
    try:
        code, pos = _read_number(raw, pos)
        protocol = BY_CODE.get(code)
        if protocol is None:
            raise InvalidMultiaddr(f"unknown protocol code {code}")
        size, pos = _read_number(raw, pos) if protocol.size == VARIABLE else (protocol.size, pos)
        value = raw[pos : pos + size]
        if len(value) < size:
            raise InvalidMultiaddr(f"value of /{protocol.name} is cut short")
        if protocol.check is not None:
            protocol.check(value)
    except (InputError, ProtocolViolation) as error:
        raise InvalidMultiaddr(f"malformed address: {error}") from error
    return (protocol, value), pos + size


def _read_number(raw: bytes, pos: int) -> tuple[int, int]:
    number = varint.decode(raw, pos)
    if number is None:
        raise InvalidMultiaddr("cut short")
    return number


def _join(parts: Iterable[_Part]) -> bytes:
    out: list[bytes] = []
    for protocol, value in parts:
        out.append(varint.encode(protocol.code))
        if protocol.size == VARIABLE:
            out.append(varint.encode(len(value)))
        out.append(value)
    return b"".join(out)


def _parse(text: str) -> Iterator[_Part]:
    if text[:1] != "/":
        raise InvalidMultiaddr("it does not start with a slash")
    words = iter(text.rstrip("/").split("/")[1:])
    for name in words:
        protocol = BY_NAME.get(name)
        if protocol is None:
            raise InvalidMultiaddr(f"unknown protocol {name!r}")
        if not protocol.size:
            yield protocol, b""
            continue
        value = "/" + "/".join(words) if name == "unix" else next(words, "")
        yield protocol, protocol.to_bytes(value)
