"""How much a vote weighs: by the age of the voter's lease, and once for each network. Pure.

In:  who is online, where, for how long. Out: which share of their weight some of them have.

    identity  w = min(1, age / ramp)^2          a minute old, with a ramp of an hour: 1/3600
    host      weighs as much as its oldest identity; its voice is the part of that which its accusing
              identities have of the sum of all identities on it
    network   weighs as much as its heaviest host; its voice is the part of that which its hosts' voices have
              of the sum of its hosts' weights
    share     = the sum of the voices of all networks / the sum of the weights of all networks

So a thousand identities on one host are one host that speaks with a thousand tongues; a /24 full of hosts
is one network; and in a LAN, which is all one network, each host has its say. The square is against many
networks at once: 10,000 fresh identities of ten seconds in as many networks weigh 0.08 together, where one
that has been there for an hour weighs 1. The accused itself is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from warren.core.peer_id import PeerId
    from warren.services.presence.places import Place

    Hosts = dict[str, dict[PeerId, float]]


class Share(NamedTuple):
    """What the accusers of a peer are among those online. share: of the weight, 0 to 1. hosts: of the
    accusers. online: peers that could accuse, the accused not among them.
    """

    share: float
    accusers: int
    hosts: int
    online: int


def weight(age_s: float, ramp_s: float) -> float:
    """What an identity weighs whose lease is so old."""
    return float(min(1.0, max(age_s, 0.0) / ramp_s) ** 2)


class Census:
    """Who was online at one moment, and what each weighs."""

    __slots__ = ("_heaviest", "_networks", "_places", "_total")

    def __init__(self, online: Iterable[tuple[PeerId, Place, float]]) -> None:
        """online: peer, place, weight."""
        self._networks: dict[str, Hosts] = {}
        self._places: dict[PeerId, Place] = {}
        for peer, place, weighs in online:
            self._networks.setdefault(place.network, {}).setdefault(place.host, {})[peer] = weighs
            self._places[peer] = place
        self._heaviest = {name: _weight_of(hosts, None) for name, hosts in self._networks.items()}
        self._total = sum(self._heaviest.values())

    def __contains__(self, peer: object) -> bool:
        return peer in self._places

    def share(self, accused: PeerId, accusers: Collection[PeerId]) -> Share:
        """Which share the accusers have that are online."""
        present = {peer for peer in accusers if peer in self._places and peer != accused}
        hosts = {self._places[peer].host for peer in present}
        online = len(self._places) - (accused in self._places)
        total, own = self._total, self._places.get(accused)
        if own is not None:
            total += _weight_of(self._networks[own.network], accused) - self._heaviest[own.network]
        voices = sum(
            _voice_of(self._networks[name], accused, present)
            for name in {self._places[peer].network for peer in present}
        )
        # Sums of floating-point numbers in different orders: a share is never above all there is.
        return Share(min(voices / total, 1.0) if total > 0 else 0.0, len(present), len(hosts), online)


def _weight_of(hosts: Hosts, without: PeerId | None) -> float:
    return max((_heaviest(host, without) for host in hosts.values()), default=0.0)


def _heaviest(host: dict[PeerId, float], without: PeerId | None) -> float:
    return max((weighs for peer, weighs in host.items() if peer != without), default=0.0)


def _voice_of(hosts: Hosts, accused: PeerId, accusers: Collection[PeerId]) -> float:
    of_all = spoken = 0.0
    for host in hosts.values():
        weighs = _heaviest(host, accused)
        together = sum(one for peer, one in host.items() if peer != accused)
        if together > 0:
            of_all += weighs
            spoken += weighs * sum(one for peer, one in host.items() if peer in accusers) / together
    return _weight_of(hosts, accused) * spoken / of_all if of_all > 0 else 0.0
