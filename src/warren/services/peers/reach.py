"""Where peers are: which host, and how far, as far as an address tells. Values only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from warren.network.limits import ip_group

if TYPE_CHECKING:
    from warren.core.multiaddr import Multiaddr

HERE: Final = 0
NEAR: Final = 1
FAR: Final = 2
"""How far a peer is: on this machine, in this LAN, beyond. Who is near is no witness for who is far: the LAN
may work while the way out of it does not."""


class Place(NamedTuple):
    """Where a peer lives. host: probes to one are kept apart. reach: `HERE`, `NEAR` or `FAR`."""

    host: str
    reach: int = FAR


def place_of(address: Multiaddr | None) -> Place:
    """Where a peer with this address lives."""
    host = address.host if address is not None else None
    return Place(ip_group(host) if host is not None else str(address), reach_of(address))


def reach_of(address: Multiaddr | None) -> int:
    """How far an address is; `FAR` where it does not tell."""
    if address is None or not (address.is_loopback or address.is_private):
        return FAR
    return HERE if address.is_loopback else NEAR
