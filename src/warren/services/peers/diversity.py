"""Choices that one owner of addresses cannot fill: peers spread over groups of addresses. Pure.

In:  peers with their addresses, chance. Out: some of them, from as many groups as there are.

An attacker makes peer ids for nothing and fills a table with them (eclipse); what costs is addresses in many
networks. So a choice first draws the group, then the peer: thousands of peers of one group are drawn as often
as the single peer of another. The measure is Bitcoin Core's: the /16 of an IPv4 address, the /32 of an IPv6
address, as large as one customer of a provider gets (Heilman et al. 2015, https://eprint.iacr.org/2015/263).
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from warren.core.ip import ip_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from warren.core.multiaddr import Multiaddr

IP4_BITS: Final = 16
IP6_BITS: Final = 32


class Chance(Protocol):
    """Where the draw comes from."""

    def below(self, n: int) -> int: ...


class HasAddresses(Protocol):
    """A peer as far as the draw is concerned."""

    @property
    def addresses(self) -> Sequence[Multiaddr]: ...


P = TypeVar("P", bound=HasAddresses)


def group_of(peer: HasAddresses) -> str:
    """The group of a peer: that of its best address. Relayed and named ones are groups of their own."""
    return group_of_address(peer.addresses[0]) if peer.addresses else ""


def group_of_address(address: Multiaddr) -> str:
    """The group of an address. Private addresses cost their owner nothing either: one LAN is one group."""
    return _group_of_host(address.host) if address.host is not None else str(address)


def spread(
    candidates: Sequence[P], count: int, chance: Chance, *, taken: Collection[str] = (), once: bool = False
) -> list[P]:
    """Draw up to `count` peers, one of each group in turn; groups in `taken` come last.

    once: at most one of a group, and none of those taken.
    """
    groups: dict[str, list[P]] = {}
    for peer in candidates:
        groups.setdefault(group_of(peer), []).append(peer)
    order = _shuffled([group for group in groups if group not in taken], chance)
    if not once:
        order += _shuffled([group for group in groups if group in taken], chance)
    chosen: list[P] = []
    while order and len(chosen) < count:
        for group in order[: count - len(chosen)]:
            members = groups[group]
            chosen.append(members.pop(chance.below(len(members))))
        order = [] if once else [group for group in order if groups[group]]
    return chosen


def _shuffled(names: list[str], chance: Chance) -> list[str]:
    names = sorted(names)
    for last in range(len(names) - 1, 0, -1):
        other = chance.below(last + 1)
        names[last], names[other] = names[other], names[last]
    return names


@lru_cache(maxsize=4096)
def _group_of_host(host: str) -> str:
    ip = ip_of(host)
    if ip is None:
        return host
    bits = IP4_BITS if ip.version == 4 else IP6_BITS
    return str(ipaddress.ip_network((ip, bits), strict=False))
