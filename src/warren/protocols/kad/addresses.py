"""Which addresses of peers to believe, and which subnet a peer counts for. Pure.

In:  addresses that a peer told of others, and the address of that peer. Out: those worth dialling, by the
rule of `core/reach.py`.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from warren.core import reach
from warren.core.ip import ip_of
from warren.core.reach import Reach, reach_of, teller_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.multiaddr import Multiaddr

_SUBNET_BITS: Final = {4: 24, 6: 48}
"""What one party can easily have many addresses of: an IPv4 /24, an IPv6 /48."""


def believable(addresses: Sequence[Multiaddr], teller: Multiaddr | None) -> tuple[Multiaddr, ...]:
    """Those of `addresses` that a peer at `teller` may tell of; None: a peer whose place is not known."""
    return reach.believable(addresses, teller_at(teller))


def is_public(addresses: Sequence[Multiaddr]) -> bool:
    """Whether any of these can be dialled from the whole internet."""
    return any(reach_of(address) is Reach.PUBLIC for address in addresses)


def subnet(address: Multiaddr | None) -> str:
    """What counts as one neighbourhood of hosts; "" where there is no IP."""
    return _subnet((address.host if address is not None else None) or "")


@lru_cache(maxsize=4096)
def _subnet(host: str) -> str:
    ip = ip_of(host)
    if ip is None:
        return ""
    return str(ipaddress.ip_network((ip, _SUBNET_BITS[ip.version]), strict=False))
