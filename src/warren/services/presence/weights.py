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

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.core.peer_id import PeerId
    from warren.network.places import Place

_CANCELLED: Final = 1e-9
"""A difference that is a smaller part than this has too few digits left."""


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


class _Host:
    """What the identities on it weigh: each, together, and the heaviest, which is what the host weighs."""

    __slots__ = ("heaviest", "together", "weights")

    def __init__(self, weights: Iterable[float]) -> None:
        self.weights = list(weights)
        self.together = sum(self.weights)
        self.heaviest = max(self.weights, default=0.0)

    def voice(self, spoken: float) -> float:
        """What is said for it by identities that weigh so much."""
        return self.heaviest * spoken / self.together if self.together > 0 else 0.0


class _Network:
    """The same of the hosts in a network."""

    __slots__ = ("heaviest", "hosts", "together")

    def __init__(self, hosts: dict[str, _Host]) -> None:
        self.hosts = hosts
        self.together = sum(host.heaviest for host in hosts.values())
        self.heaviest = max((host.heaviest for host in hosts.values()), default=0.0)

    @classmethod
    def of(cls, members: Iterable[tuple[str, float]]) -> _Network:
        """members: host and weight of each identity."""
        hosts: defaultdict[str, list[float]] = defaultdict(list)
        for host, weighs in members:
            hosts[host].append(weighs)
        return cls({host: _Host(weights) for host, weights in hosts.items()})

    def voice(self, spoken: dict[str, float]) -> float:
        """What is said for it on each host."""
        if self.together <= 0:
            return 0.0
        voices = sum(self.hosts[name].voice(said) for name, said in spoken.items())
        return self.heaviest * voices / self.together

    def without(self, host: str, weighs: float) -> _Network:
        """It, as if an identity were not there."""
        weights = list(self.hosts[host].weights)
        weights.remove(weighs)
        return _Network(self.hosts | {host: _Host(weights)})


class Census:
    """Who was online at one moment, and what each weighs. 10,000 peers take 30 ms."""

    __slots__ = ("_heaviest", "_members", "_networks", "_people", "_ranked", "_total")

    def __init__(self, online: Iterable[tuple[PeerId, Place, float]]) -> None:
        """online: peer, place, weight."""
        self._people: dict[PeerId, tuple[Place, float]] = {}
        self._members: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
        self._ranked: list[PeerId] = []
        """The heaviest, as many as were asked for: the same for each who is accused."""
        self._networks: dict[str, _Network] = {}
        """Those that were spoken for: most are not."""
        heaviest: dict[str, float] = {}
        for peer, place, weighs in online:
            self._people[peer] = place, weighs
            host, network = place
            self._members[network].append((host, weighs))
            if weighs > heaviest.get(network, 0.0):
                heaviest[network] = weighs
        self._heaviest = heaviest
        self._total = sum(heaviest.values())

    def heaviest(self, most: int, but: PeerId) -> list[PeerId]:
        """The `most` who weigh the most, one of them left out."""
        if len(self._ranked) != min(most + 1, len(self._people)):
            self._ranked = heapq.nlargest(most + 1, self._people, key=lambda peer: self._people[peer][1])
        return [peer for peer in self._ranked if peer != but][:most]

    def share(self, accused: PeerId, accusers: Iterable[PeerId]) -> Share:
        """Which share the accusers, each named once, have that are online."""
        spoken: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
        count = 0
        for peer in accusers:
            found = self._people.get(peer)
            if found is not None and peer != accused:
                (host, network), weighs = found
                spoken[network][host] += weighs
                count += 1
        hosts = sum(len(said) for said in spoken.values())
        total, voices, own = self._total, 0.0, self._people.get(accused)
        if own is not None:
            (host, network), weighs = own
            left = self._network(network).without(host, weighs)
            total = self._total_without(network) + left.heaviest
            voices = left.voice(spoken.pop(network, {}))
        voices += sum(self._network(name).voice(said) for name, said in spoken.items())
        # Sums of floating-point numbers in different orders: a share is never above all there is.
        share = min(voices / total, 1.0) if total > 0 else 0.0
        return Share(share, count, hosts, len(self._people) - (own is not None))

    def _total_without(self, network: str) -> float:
        """What all other networks weigh."""
        rest = self._total - self._heaviest.get(network, 0.0)
        if rest > self._total * _CANCELLED:
            return rest
        # Next to one that weighs all, the others would be lost in its last digits.
        return sum(weighs for name, weighs in self._heaviest.items() if name != network)

    def _network(self, name: str) -> _Network:
        network = self._networks.get(name)
        if network is None:
            network = self._networks[name] = _Network.of(self._members[name])
        return network
