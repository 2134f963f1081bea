"""The classic form of a peer list, `{"ip_address": [{"ipv4", "latency", "download", "upload", "port no"}]}`.

In:  an entry as JSON has it, or what is known of a peer. Out: its address and figures; an entry, or why it
cannot be one. Latency is in milliseconds, speeds in Mbit/s; numbers may be written as text. The form has no
peer ids, so what it names are addresses whose peer is to be met; and it holds only TCP over IPv4. Pure.

Refuses, with InputError in words for the user: entries without a valid `ipv4` and `port no`, addresses where
no peer can be, figures that are no numbers of a sane size.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from warren.core.errors import InputError
from warren.core.multiaddr import Multiaddr
from warren.services.peers import fields

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.services.peers.model import Figure

NAME: Final = "ip_address"
FIELDS: Final = ("ipv4", "latency", "download", "upload", "port no")
MS_MAX: Final = 3.6e6
MBIT_PER_S_MAX: Final = 1e9
_MS_PER_S: Final = 1000.0
_BYTES_PER_MBIT: Final = 125_000.0
_DECIMALS: Final = 6


@dataclass(frozen=True, slots=True)
class ClassicEntry:
    """One entry in our units: seconds, bytes per second. None: not given."""

    address: Multiaddr
    latency_s: float | None = None
    download_bytes_per_s: float | None = None
    upload_bytes_per_s: float | None = None


def read_entry(value: Any) -> tuple[ClassicEntry, str]:
    """The entry, and a remark on what of it means nothing here. Raises InputError."""
    if not isinstance(value, dict):
        raise InputError('it is no object with "ipv4" and "port no"')
    address = Multiaddr.tcp(_host(value.get("ipv4")), _port(value.get("port no")))
    latency = fields.number(value.get("latency"), '"latency"', MS_MAX)
    download = fields.number(value.get("download"), '"download"', MBIT_PER_S_MAX)
    upload = fields.number(value.get("upload"), '"upload"', MBIT_PER_S_MAX)
    entry = ClassicEntry(
        address,
        None if latency is None else latency / _MS_PER_S,
        None if download is None else download * _BYTES_PER_MBIT,
        None if upload is None else upload * _BYTES_PER_MBIT,
    )
    return entry, fields.strange(value, FIELDS)


def write_entry(
    addresses: Iterable[Multiaddr], latency: Figure | None, download: Figure | None, upload: Figure | None
) -> dict[str, Any] | str:
    """The entry of a peer with its first address that the form can hold; or why there is none."""
    known = list(addresses)
    for address in known:
        if [name for name, _ in address.components] == ["ip4", "tcp"]:
            return {
                "ipv4": address.host,
                "latency": None if latency is None else round(latency.value * _MS_PER_S, _DECIMALS),
                "download": None if download is None else round(download.value / _BYTES_PER_MBIT, _DECIMALS),
                "upload": None if upload is None else round(upload.value / _BYTES_PER_MBIT, _DECIMALS),
                "port no": address.port,
            }
    return _why_not(known)


def _why_not(addresses: list[Multiaddr]) -> str:
    if not addresses:
        return "no address is known"
    if all(address.transport == "p2p-circuit" for address in addresses):
        return "only reachable through a relay"
    if all((address.host or "").count(":") for address in addresses if address.transport != "p2p-circuit"):
        return "no IPv4 address, only IPv6"
    return "no address of TCP over IPv4"


def _host(value: Any) -> str:
    if not isinstance(value, str):
        raise InputError('"ipv4" is missing' if value is None else '"ipv4" is no text')
    try:
        host = ipaddress.IPv4Address(value.strip())
    except ValueError:
        raise InputError(f'"ipv4" is no IPv4 address: {value[:40]!r}') from None
    if host.is_unspecified or host.is_multicast or host == ipaddress.IPv4Address("255.255.255.255"):
        raise InputError(f"no peer can be at {host}")
    return str(host)


def _port(value: Any) -> int:
    port = fields.number(value, '"port no"', 65_535)
    if port is None:
        raise InputError('"port no" is missing')
    if port != int(port) or port == 0:
        raise InputError('"port no" is no port')
    return int(port)
