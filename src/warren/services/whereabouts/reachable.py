"""Which addresses to give to somebody who shall reach this node.

In:  the addresses listened on, the numeric addresses of the machine's interfaces. Out: addresses, best first.
Pure.

Left out is what nobody else can dial: unspecified addresses (replaced by those of the interfaces), IPv6
link-local ones (they need the dialler's own zone), and loopback, unless there is nothing else: then both are
on one machine.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from warren.core.multiaddr import Multiaddr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def reachable(listen: Sequence[Multiaddr], interfaces: Sequence[str]) -> list[Multiaddr]:
    """What others may dial; global addresses first, then private ones, loopback only if alone."""
    found = list(dict.fromkeys(_expanded(listen, interfaces)))
    others = [address for address in found if not address.is_loopback]
    return sorted(others or found, key=lambda address: not address.is_global)


def _expanded(listen: Sequence[Multiaddr], interfaces: Sequence[str]) -> Iterator[Multiaddr]:
    for address in listen:
        bare = address.without_peer()
        if bare.is_unspecified:
            yield from _on_each(bare, interfaces)
        elif bare.host is None or not _is_link_local(bare.host):
            yield bare


def _on_each(address: Multiaddr, interfaces: Iterable[str]) -> Iterator[Multiaddr]:
    (family, unspecified), *_ = address.components
    tail = str(address).removeprefix(f"/{family}/{unspecified}")
    for host in interfaces:
        if not _is_link_local(host) and (":" in host) == (family == "ip6"):
            yield Multiaddr.parse(f"/{family}/{host}{tail}")


def _is_link_local(host: str) -> bool:
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return False
    return ip.version == 6 and ip.is_link_local
