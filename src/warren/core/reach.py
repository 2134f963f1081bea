"""How near an address is, and who is believed about it. Pure.

In:  addresses that somebody told of, and where that one speaks from. Out: those that are believed.
The rule: nobody is believed about a network nearer to us than the one he speaks from. Whoever reaches us over
the internet may name addresses of the internet only; a neighbour in the local network private ones too; one
on the same link those of the link too; a program on this machine loopback ones too. Else anyone could make us
knock on the doors of our own network. Of several who tell of one address the nearest counts.

What the user says, and where this node itself has met a peer, is believed anyway. From nobody else are names
(they could resolve to anything), relayed addresses and those without a port.
"""

from __future__ import annotations

import ipaddress
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.multiaddr import Multiaddr


class Reach(IntEnum):
    """From how far away an address is dialled, or somebody speaks; what is nearer is less.

    The numbers are kept in databases and travel in messages.
    """

    NOWHERE = 0
    """An address that does not tell. Of who tells: the user, or who has sifted before; believed about all."""
    LOOPBACK = 1
    """This machine."""
    LINK = 2
    """The same link: `169.254.0.0/16`, `fe80::/10`."""
    PRIVATE = 3
    """The local network, or a carrier's NAT; and the special ranges that nobody on the internet routes."""
    PUBLIC = 4
    """The internet."""


_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All that is given out for the internet (RFC 4291, section 2.4)."""
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def believable(addresses: Sequence[Multiaddr], teller: Reach) -> tuple[Multiaddr, ...]:
    """Those of `addresses` that somebody who speaks from `teller` may tell of."""
    for address in addresses:
        if _reach(address) < teller:
            return tuple([address for address in addresses if _reach(address) >= teller])
    return tuple(addresses)  # all of them, nearly always: the same tuple


def teller_at(place: Multiaddr | None) -> Reach:
    """How far away somebody at `place` speaks from; one whose place is not known, or a relay's, is far."""
    reach = _reach(place) if place is not None else Reach.NOWHERE
    return reach if reach is not Reach.NOWHERE else Reach.PUBLIC


def teller_of(number: int) -> Reach:
    """The same from a number that was kept or sent; what is none of ours is far."""
    return Reach(number) if Reach.LOOPBACK <= number <= Reach.PUBLIC else Reach.PUBLIC


def reach_of(address: Multiaddr) -> Reach:
    """From how far away `address` can be dialled."""
    return _reach(address)


@lru_cache(maxsize=4096)
def _reach(address: Multiaddr) -> Reach:
    if not address.port or address.transport == "p2p-circuit":
        return Reach.NOWHERE
    ip = address.ip
    if ip is None or ip.is_unspecified or ip.is_multicast:
        return Reach.NOWHERE
    if ip.is_loopback:
        return Reach.LOOPBACK
    if ip.is_link_local:
        return Reach.LINK
    return Reach.PUBLIC if _is_routed(ip) else Reach.PRIVATE


def _is_routed(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether the internet routes it; what a translator (RFC 6052) or a 6to4 router (RFC 3056) would turn
    into an IPv4 address counts as that.
    """
    if ip.version == 6:
        inner = ipaddress.IPv4Address(ip.packed[-4:]) if ip in _NAT64 else ip.sixtofour
        if inner is not None:
            return inner.is_global
        return ip in _UNICAST and ip.is_global
    return ip.is_global
