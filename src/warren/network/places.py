"""Where peers speak from, where they are counted or weighed: which host, in which network. Values only.

Identities cost nothing and addresses little, so whoever has a host has all identities on it, and whoever
has a network has all hosts in it: a /24 of IPv4, a /48 of IPv6, which is what one site is given (RFC 6177).
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.ip import ip_of
from warren.network.limits import ip_group

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

IP4_BITS: Final = 24
IP6_BITS: Final = 48
LOOPBACK: Final = "loopback"


class Place(NamedTuple):
    """Where a peer speaks from. host: an IPv4 address or the /64 of an IPv6 one. network: a /24 or a /48."""

    host: str
    network: str


NOWHERE: Final = Place("", "")
"""Of whom nothing is known, as through a relay: they are one host together."""


def place_of(peer: PeerId, host: str | None) -> Place:
    """The place of `peer`, whose connection comes from `host`; None: nobody knows.

    Who runs nodes on this very machine needs no crowd to harm it: there each counts as a host of its own,
    and all of them together as one network.
    """
    if host is None:
        return NOWHERE
    network = _network_of(host)
    return Place(str(peer) if network == LOOPBACK else ip_group(host), network)


@lru_cache(maxsize=4096)
def _network_of(host: str) -> str:
    ip = ip_of(host)
    if ip is None:
        return host
    if ip.is_loopback:
        return LOOPBACK
    bits = IP4_BITS if ip.version == 4 else IP6_BITS
    return str(ipaddress.ip_network((ip, bits), strict=False))
