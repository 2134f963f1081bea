"""The protocols a multiaddr can be made of: code, size, and how each value reads as text.

In: value text from people, or value bytes from afar. Out: the other of the two. Refuses values that the
protocol does not allow: DNS names outside letters, digits, `-` and `_`, or that a resolver would take for a
number; paths and zones with characters that do not print.
https://github.com/multiformats/multiaddr/blob/master/protocols.csv
"""

from __future__ import annotations

import ipaddress
import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from warren.core import multibase, multihash
from warren.core.errors import InvalidMultiaddr
from warren.core.peer_id import PeerId

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLE: Final = -1

_DNS_NAME_MAX: Final = 253
_DNS_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DNS_NAME: Final = re.compile(rf"{_DNS_LABEL}(?:\.{_DNS_LABEL})*\.?")
# Attack: resolvers read `2130706433` or `0x7f.1` as 127.0.0.1, which would pass for a name on the internet.
_NUMERIC_NAME: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?")
_ZONE: Final = re.compile(r"[!-.0-~]{1,64}")
_UINT64_MAX: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Protocol:
    """One row of the table. `size` is in bytes; `VARIABLE` values carry their length.

    `to_bytes` and `check` raise `InputError`; `to_text` takes checked bytes only.
    """

    name: str
    code: int
    size: int
    to_bytes: Callable[[str], bytes]
    to_text: Callable[[bytes], str]
    check: Callable[[bytes], object] | None = None

    def write(self, value: bytes) -> str:
        """The component in text, from its slash on."""
        if not self.size:
            return "/" + self.name
        if self.name == "unix":  # its value is a path and brings its own slash
            return "/unix" + self.to_text(value)
        return f"/{self.name}/{self.to_text(value)}"


def _ip4_to_bytes(text: str) -> bytes:
    try:
        return ipaddress.IPv4Address(text).packed
    except ValueError as error:
        raise InvalidMultiaddr(f"{text!r} is not an IPv4 address") from error


def _ip4_to_text(value: bytes) -> str:
    return ".".join(map(str, value))


def _ip6_to_bytes(text: str) -> bytes:
    try:
        if "%" in text:
            raise ValueError("zone")
        return ipaddress.IPv6Address(text).packed
    except ValueError as error:
        raise InvalidMultiaddr(f"{text!r} is not an IPv6 address without zone") from error


@lru_cache(maxsize=4096)
def _ip6_to_text(value: bytes) -> str:
    """RFC 5952 text. The standard library's differs between Python versions for mapped IPv4."""
    if value[:12] == b"\0\0\0\0\0\0\0\0\0\0\xff\xff":
        return "::ffff:" + _ip4_to_text(value[12:])
    groups = [f"{group:x}" for group in struct.unpack(">8H", value)]
    start, length = _longest_zero_run(groups)
    if length < 2:
        return ":".join(groups)
    return ":".join(groups[:start]) + "::" + ":".join(groups[start + length :])


def _longest_zero_run(groups: list[str]) -> tuple[int, int]:
    best_start = best_length = length = 0
    for index, group in enumerate(groups):
        length = length + 1 if group == "0" else 0
        if length > best_length:
            best_start, best_length = index - length + 1, length
    return best_start, best_length


def _number_to_bytes(text: str, size: int, highest: int) -> bytes:
    if not (text.isascii() and text.isdigit()) or len(text) > 20 or int(text) > highest:
        raise InvalidMultiaddr(f"{text!r} is not a number from 0 to {highest}")
    return int(text).to_bytes(size, "big")


def _port_to_bytes(text: str) -> bytes:
    return _number_to_bytes(text, 2, 0xFFFF)


def _memory_to_bytes(text: str) -> bytes:
    return _number_to_bytes(text, 8, _UINT64_MAX)


def _number_to_text(value: bytes) -> str:
    return str(int.from_bytes(value, "big"))


def _utf8_to_bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidMultiaddr("value holds lone surrogates") from error


def _utf8_to_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InvalidMultiaddr("value is not UTF-8") from error


def _check_dns(value: bytes) -> None:
    text = _utf8_to_text(value)
    if len(text) > _DNS_NAME_MAX or not _DNS_NAME.fullmatch(text):
        raise InvalidMultiaddr(f"{text!r} is not a DNS name")
    if _NUMERIC_NAME.fullmatch(text):
        raise InvalidMultiaddr(f"{text!r} reads as a number, not as a DNS name")


def _check_zone(value: bytes) -> None:
    if not _ZONE.fullmatch(_utf8_to_text(value)):
        raise InvalidMultiaddr("an IPv6 zone has 1 to 64 printing ASCII characters and no slash")


def _check_unix(value: bytes) -> None:
    text = _utf8_to_text(value)
    if len(text) < 2 or text[0] != "/" or text[-1] == "/" or not text.isprintable():
        raise InvalidMultiaddr("a unix path starts with a slash, does not end in one, and prints")


def _peer_to_bytes(text: str) -> bytes:
    return PeerId.parse(text).to_bytes()


def _certhash_to_text(value: bytes) -> str:
    return "u" + multibase.base64url_encode(value)


def _flag(name: str, code: int) -> Protocol:
    return Protocol(name, code, 0, _utf8_to_bytes, _utf8_to_text)


def _dns(name: str, code: int) -> Protocol:
    return Protocol(name, code, VARIABLE, _utf8_to_bytes, _utf8_to_text, _check_dns)


def _port(name: str, code: int) -> Protocol:
    return Protocol(name, code, 2, _port_to_bytes, _number_to_text)


IP4: Final = Protocol("ip4", 4, 4, _ip4_to_bytes, _ip4_to_text)
IP6: Final = Protocol("ip6", 41, 16, _ip6_to_bytes, _ip6_to_text)
IP6ZONE: Final = Protocol("ip6zone", 42, VARIABLE, _utf8_to_bytes, _utf8_to_text, _check_zone)
DNS: Final = _dns("dns", 53)
TCP: Final = _port("tcp", 6)
P2P: Final = Protocol("p2p", 421, VARIABLE, _peer_to_bytes, multibase.base58btc_encode, PeerId)

_TABLE: Final = (
    IP4,
    IP6,
    IP6ZONE,
    DNS,
    _dns("dns4", 54),
    _dns("dns6", 55),
    _dns("dnsaddr", 56),
    TCP,
    _port("udp", 273),
    P2P,
    _flag("p2p-circuit", 290),
    _flag("quic", 460),
    _flag("quic-v1", 461),
    _flag("webtransport", 465),
    Protocol("certhash", 466, VARIABLE, multibase.decode, _certhash_to_text, multihash.decode),
    _flag("webrtc-direct", 280),
    _flag("webrtc", 281),
    _flag("tls", 448),
    _dns("sni", 449),
    _flag("noise", 454),
    _flag("http", 480),
    _flag("https", 443),
    _flag("ws", 477),
    _flag("wss", 478),
    Protocol("unix", 400, VARIABLE, _utf8_to_bytes, _utf8_to_text, _check_unix),
    Protocol("memory", 777, 8, _memory_to_bytes, _number_to_text),
)

BY_CODE: Final = {protocol.code: protocol for protocol in _TABLE}
BY_NAME: Final = {protocol.name: protocol for protocol in _TABLE} | {"ipfs": P2P}
