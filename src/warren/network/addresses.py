"""Where peers may be reached: addresses that expire, bounded per peer and in all. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId

PERMANENT_S = math.inf


class AddressBook:
    """Addresses by peer; the peer that was touched longest ago goes first when there are too many."""

    __slots__ = ("_peers", "_peers_max", "_per_peer_max")

    def __init__(self, per_peer_max: int, peers_max: int) -> None:
        self._per_peer_max = per_peer_max
        self._peers_max = peers_max
        self._peers: dict[PeerId, dict[Multiaddr, float]] = {}

    def add(self, peer: PeerId, addresses: Iterable[Multiaddr], now: float, ttl_s: float) -> None:
        """Remember addresses for `ttl_s` seconds from `now`; a longer life that was promised before stays."""
        known = self._peers.pop(peer, {})
        for address in addresses:
            bare = address.without_peer()
            until = max(now + ttl_s, known.pop(bare, 0.0))
            known[bare] = until
        while len(known) > self._per_peer_max:
            del known[min(known, key=lambda a: known[a])]
        if not known:
            return
        while len(self._peers) >= self._peers_max:
            del self._peers[next(iter(self._peers))]
        self._peers[peer] = known

    def get(self, peer: PeerId, now: float) -> list[Multiaddr]:
        """The addresses that have not expired, in the order they were learnt."""
        return [address for address, until in self._peers.get(peer, {}).items() if until > now]

    def remove(self, peer: PeerId) -> None:
        """Forget a peer."""
        self._peers.pop(peer, None)
