"""Where peers may be reached: addresses that expire, bounded per peer and in all. Pure.

While a peer is connected what is known of it stays: a connection of hours must not leave us without a way
back when it breaks. From its end on each address has its whole life again. Where we have met a peer ourselves
is known apart from what others say: it is let go last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId


class _Life(NamedTuple):
    """Whether the peer was met there; until when an address is remembered, and for how long after the peer
    was there.
    """

    met: bool
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

    def add(
        self, peer: PeerId, addresses: Iterable[Multiaddr], now: float, ttl_s: float, *, met: bool = False
    ) -> None:
        """Remember addresses for `ttl_s` seconds from `now`; a longer life that was promised before stays.

        met: a dial of ours met the peer there.
        """
        connected = self._connected.get(peer)
        known = self._away.pop(peer, {}) if connected is None else connected
        for address in addresses:
            bare = address.without_peer()
            known[bare] = _longer(_Life(met, now + ttl_s, ttl_s), known.pop(bare, None))
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

    def met_at(self, peer: PeerId, now: float) -> list[Multiaddr]:
        """Those of them at which a dial of ours met the peer."""
        known = self._connected.get(peer) or self._away.get(peer, {})
        return [address for address in self.get(peer, now) if known[address].met]

    def on_connected(self, peer: PeerId, now: float) -> None:
        """From now on the addresses of `peer` do not expire."""
        if peer not in self._connected:
            self._connected[peer] = _unexpired(self._away.pop(peer, {}), now)

    def on_disconnected(self, peer: PeerId, now: float) -> None:
        """From now on the addresses of `peer` expire again, each after its whole life."""
        known = self._connected.pop(peer, {})
        lives = {a: life._replace(until=max(life.until, now + life.ttl_s)) for a, life in known.items()}
        self._keep(peer, lives)

    def _keep(self, peer: PeerId, known: _Known) -> None:
        if not known:
            return
        while len(self._away) >= self._peers_max:
            del self._away[next(iter(self._away))]
        self._away[peer] = known


def _longer(life: _Life, before: _Life | None) -> _Life:
    if before is None:
        return life
    return _Life(life.met or before.met, max(life.until, before.until), max(life.ttl_s, before.ttl_s))


def _unexpired(known: _Known, now: float) -> _Known:
    return {address: life for address, life in known.items() if life.until > now}
