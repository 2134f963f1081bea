"""Which addresses of peers to believe, and which subnet a peer counts for. Pure.

In:  addresses that a peer told of others, and the address of that peer. Out: those worth dialling.
The rule: nobody is believed about a network nearer to us than the one he speaks from. Whoever reaches us over
the internet may name addresses of the internet only; a neighbour in the local network private ones too; a
program on this machine loopback ones too. Else anyone could make us knock on the doors of our own network.

Left out besides: names (they could resolve to anything), relayed addresses and addresses without a port.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.multiaddr import Multiaddr

_LOOPBACK: Final = 0
_PRIVATE: Final = 1
_GLOBAL: Final = 2
_NOWHERE: Final = -1
_SUBNET_BITS: Final = {4: 24, 6: 48}
"""What one party can easily have many addresses of: an IPv4 /24, an IPv6 /48."""


def believable(addresses: Sequence[Multiaddr], teller: Multiaddr | None) -> tuple[Multiaddr, ...]:
    """Those of `addresses` that a peer at `teller` may tell of; None: a peer whose place is not known."""
    nearest = _reach(teller) if teller is not None else _GLOBAL
    if nearest == _NOWHERE:
        nearest = _GLOBAL
    for address in addresses:
        if _reach(address) < nearest:
            return tuple([address for address in addresses if _reach(address) >= nearest])
    return tuple(addresses)  # all of them, nearly always: the same tuple


def is_public(addresses: Sequence[Multiaddr]) -> bool:
    """Whether any of these can be dialled from the whole internet."""
    return any(_reach(address) == _GLOBAL for address in addresses)


@lru_cache(maxsize=4096)
def _reach(address: Multiaddr) -> int:
    """From how far away it can be dialled."""
    if not address.port or address.host is None or address.transport == "p2p-circuit":
        return _NOWHERE
    if address.is_loopback:
        return _LOOPBACK if address.host != "localhost" else _NOWHERE
    if address.is_global:
        return _GLOBAL
    return _PRIVATE if address.is_private else _NOWHERE


def subnet(address: Multiaddr | None) -> str:
    """What counts as one neighbourhood of hosts; "" where there is no IP."""
    return _subnet((address.host if address is not None else None) or "")


@lru_cache(maxsize=4096)
def _subnet(host: str) -> str:
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network((ip, _SUBNET_BITS[ip.version]), strict=False))
