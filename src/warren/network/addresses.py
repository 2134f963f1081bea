"""Where peers may be reached: addresses that expire, bounded per peer and in all. Pure.

While a peer is connected what is known of it stays: a connection of hours must not leave us without a way
back when it breaks. From its end on each address has its whole life again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId


class _Life(NamedTuple):
    """Until when an address is remembered, and for how long after the peer was there."""

    until: float
    ttl_s: float


_Known: TypeAlias = "dict[Multiaddr, _Life]"


class AddressBook:
    """Addresses by peer; of the peers that are not connected the one touched longest ago goes first."""

    __slots__ = ("_away", "_connected", "_peers_max", "_per_peer_max")

    def __init__(self, per_peer_max: int, peers_max: int) -> None:
        self._per_peer_max = per_peer_max
        self._peers_max = peers_max
        self._away: dict[PeerId, _Known] = {}
        self._connected: dict[PeerId, _Known] = {}

    def add(self, peer: PeerId, addresses: Iterable[Multiaddr], now: float, ttl_s: float) -> None:
        """Remember addresses for `ttl_s` seconds from `now`; a longer life that was promised before stays."""
        connected = self._connected.get(peer)
        known = self._away.pop(peer, {}) if connected is None else connected
        life = _Life(now + ttl_s, ttl_s)
        for address in addresses:
            bare = address.without_peer()
            known[bare] = max(life, known.pop(bare, life))
        while len(known) > self._per_peer_max:
            del known[min(known, key=lambda a: known[a])]
        if connected is None:
            self._keep(peer, known)

    def get(self, peer: PeerId, now: float) -> list[Multiaddr]:
        """The addresses that have not expired, in the order they were learnt."""
        connected = self._connected.get(peer)
        if connected is not None:
            return list(connected)
        return list(_unexpired(self._away.get(peer, {}), now))

    def on_connected(self, peer: PeerId, now: float) -> None:
        """From now on the addresses of `peer` do not expire."""
        if peer not in self._connected:
            self._connected[peer] = _unexpired(self._away.pop(peer, {}), now)

    def on_disconnected(self, peer: PeerId, now: float) -> None:
        """From now on the addresses of `peer` expire again, each after its whole life."""
        known = self._connected.pop(peer, {})
        lives = {a: _Life(max(life.until, now + life.ttl_s), life.ttl_s) for a, life in known.items()}
        self._keep(peer, lives)

    def _keep(self, peer: PeerId, known: _Known) -> None:
        if not known:
            return
        while len(self._away) >= self._peers_max:
            del self._away[next(iter(self._away))]
        self._away[peer] = known


def _unexpired(known: _Known, now: float) -> _Known:
    return {address: life for address, life in known.items() if life.until > now}
