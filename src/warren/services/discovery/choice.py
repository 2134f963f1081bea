"""Which of those that were found to dial, and when. Pure: time and chance are arguments.

In:  `Found`, what became of dials and connections. Out: `Dial(target, addresses)` or `Wait(until)`.

Everybody may name anything, so nothing that is named costs much: attempts are paid for from two purses, of
the source that named it and of all together. A dial that meets its peer gets its price back, so that many
honest peers are met quickly and a liar's purse stays empty. How often each host is tried is counted where
others than discovery dial, too (`network/hearsay.py`); not at addresses that are known first-hand.
Within a source those are dialled first that were never tried, in an order that only chance knows; sources
take turns, and whom several named has its turn with each. Each target has a back-off of its own that doubles,
drawn from half to one and a half of its length; a new address ends it, and so does a source that names the
target anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

from warren.core.peer_id import PeerId
from warren.network.limits import ip_group
from warren.services.discovery.purse import Purse

if TYPE_CHECKING:
    from warren.core.multiaddr import Multiaddr
    from warren.services.discovery.model import Found

Target: TypeAlias = "PeerId | Multiaddr"
"""A peer, or an address at which nobody knows who is."""


class Chance(Protocol):
    """Where jitter and order come from."""

    def uniform(self, low: float, high: float) -> float: ...

    def below(self, n: int) -> int: ...


class Hosts(Protocol):
    """How often the host of an address may be tried. Whoever dials takes the attempts."""

    def left(self, address: Multiaddr, now: float) -> int:
        """How often now."""
        ...

    def ready_at(self, address: Multiaddr, now: float) -> float:
        """When once."""
        ...


@dataclass(frozen=True, slots=True)
class ChoicePolicy:
    """How much is dialled on the word of discoveries. A purse holds so many attempts at addresses, and gets
    one more each so many seconds.
    """

    connections: int = 16
    """Peers up to which others are dialled."""
    at_once: int = 4
    """Dials under way."""
    first_s: float = 2.0
    """The wait for a target after its first failure; doubles up to `longest_s`."""
    longest_s: float = 600.0
    """The longest wait for a target that failed."""
    spared_s: float = 120.0
    """The wait for a target that others hold for offline."""
    targets_max: int = 256
    """Peers and addresses of one source. Attack: names without end. One that was never met gives way."""
    addresses_max: int = 8
    """Remembered addresses of one target. Attack: a peer that is said to be everywhere."""
    addresses_at_once: int = 4
    """Tried in one dial."""
    source_burst: int = 12
    """The purse of a source. Attack: a liar on the local link that announces 10,000 addresses makes this node
    a scanner."""
    source_every_s: float = 10.0
    """Until a source may cause one attempt more."""
    total_burst: int = 32
    """The purse of all together. Attack: several liars at once."""
    total_every_s: float = 2.0
    """Until all together may cause one attempt more."""


@dataclass(frozen=True, slots=True)
class Dial:
    """Dial this one now, then report `met` or `missed`. first_hand: as in `Found`."""

    target: Target
    addresses: tuple[Multiaddr, ...]
    first_hand: tuple[Multiaddr, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is due before `until`; None: not before something happens."""

    until: float | None


class _Candidate:
    __slots__ = (
        "addresses",
        "due",
        "failures",
        "first_hand",
        "met",
        "paid",
        "payer",
        "peer",
        "rank",
        "sources",
    )

    def __init__(self, rank: float, now: float) -> None:
        self.sources: set[str] = set()
        self.rank = rank
        self.addresses: list[Multiaddr] = []
        self.first_hand: set[Multiaddr] = set()
        self.due: float | None = now  # None: connected, or a dial is under way
        self.failures = 0
        self.met = False
        self.peer: PeerId | None = None  # who was met at an address
        self.paid: tuple[Multiaddr, ...] = ()
        self.payer = ""  # the source whose purse paid for the dial


class Choice:
    """Of one node."""

    __slots__ = ("_candidates", "_chance", "_dialling", "_hosts", "_policy", "_served", "_sources", "_total")

    def __init__(self, policy: ChoicePolicy, chance: Chance, now: float, hosts: Hosts) -> None:
        """hosts: how often each may be tried on the word of others."""
        self._policy = policy
        self._chance = chance
        self._hosts = hosts
        self._candidates: dict[Target, _Candidate] = {}
        self._dialling: set[Target] = set()
        self._sources: dict[str, Purse] = {}
        self._served: list[str] = []  # sources, who was served longest ago first
        self._total = Purse(policy.total_burst, policy.total_every_s, now)

    def __len__(self) -> int:
        return len(self._candidates)

    def add(self, found: Found, now: float, *, connected: bool = False) -> bool:
        """Take in what was found; False if its source had named it and nothing is new.

        connected: a socket with the peer exists.
        """
        if not found.addresses:
            return False
        if found.peer is not None:
            return self._add(found.peer, found, now, connected)
        ones = (replace(found, addresses=(one,)) for one in found.addresses)
        news = [self._add(one.addresses[0], one, now, connected) for one in ones]
        return any(news)

    def remove(self, peer: PeerId, source: str) -> None:
        """Who named it says that it is gone. Whoever else named it stands by its word."""
        candidate = self._candidates.get(peer)
        if candidate is not None:
            self._disown(peer, candidate, source)

    def met(self, target: Target, peer: PeerId) -> None:
        """A dial that `next` asked for met `peer`, and the connection stands."""
        candidate = self._end(target)
        if candidate is not None:
            self._pay(candidate.payer, candidate.paid, -1)
            candidate.failures, candidate.met, candidate.peer = 0, True, peer

    def spared(self, target: Target, now: float) -> None:
        """It was not dialled after all: it costs nobody anything, and has its turn again later."""
        candidate = self._end(target)
        if candidate is not None:
            self._pay(candidate.payer, candidate.paid, -1)
            self._due_within(candidate, now, self._policy.spared_s)

    def missed(self, target: Target, now: float) -> None:
        """It met nobody, or somebody else."""
        candidate = self._end(target)
        if candidate is not None:
            candidate.failures += 1
            # Beyond 2**30 the power only grows the number, not the wait.
            doubled = self._policy.first_s * 2.0 ** min(candidate.failures - 1, 30)
            self._due_within(candidate, now, min(doubled, self._policy.longest_s))

    def connected(self, peer: PeerId) -> None:
        """A connection with a peer stands, whoever dialled."""
        candidate = self._candidates.get(peer)
        if candidate is not None:
            candidate.met, candidate.peer, candidate.due, candidate.failures = True, peer, None, 0

    def lost(self, peer: PeerId, now: float) -> None:
        """The last connection with a peer is gone."""
        for target, candidate in self._candidates.items():
            if candidate.peer == peer and candidate.due is None and target not in self._dialling:
                candidate.peer = None
                self._due_within(candidate, now, self._policy.first_s)

    def standing(self) -> list[PeerId]:
        """With whom a connection is thought to stand."""
        met = [candidate.peer for candidate in self._candidates.values() if candidate.due is None]
        return [peer for peer in met if peer is not None]

    def next(self, now: float, connections: int) -> Dial | Wait:
        """What to do now, with so many peers connected."""
        policy = self._policy
        if connections + len(self._dialling) >= policy.connections or len(self._dialling) >= policy.at_once:
            return Wait(None)
        if not self._total.left(now):
            return Wait(self._total.ready_at(now))
        wakes: list[float] = []
        for source in list(self._served):
            if not self._sources[source].left(now):
                wakes.append(self._sources[source].ready_at(now))
                continue
            dial = self._first_of(source, now, wakes)
            if dial is not None:
                self._served.remove(source)
                self._served.append(source)
                return dial
        return Wait(min(wakes, default=None))

    # --- inside -------------------------------------------------------------------------------------------

    def _add(self, target: Target, found: Found, now: float, connected: bool) -> bool:
        source = found.source
        candidate = self._candidates.get(target)
        if candidate is None:
            candidate = _Candidate(self._chance.uniform(0.0, 1.0), now)
            if connected:
                candidate.due, candidate.peer = None, target if isinstance(target, PeerId) else None
        anew = source not in candidate.sources
        if anew:
            self._make_room(source)
            self._candidates[target] = candidate
            candidate.sources.add(source)
            self._open_purse(source, now)
        news = self._learn(candidate, found)
        if (news or anew) and candidate.due is not None:
            candidate.due, candidate.failures = now, 0
        return anew or news

    def _learn(self, candidate: _Candidate, found: Found) -> bool:
        """Whether an address is new. The newest first: where somebody was is no more than where it is said to
        be now. What is known first-hand is pushed out by nothing that others say.
        """
        candidate.first_hand.update(found.first_hand)
        known = candidate.addresses
        news = [one for one in dict.fromkeys(found.addresses) if one not in known]
        ranked = sorted(news + known, key=lambda one: one not in candidate.first_hand)
        kept = set(ranked[: self._policy.addresses_max])
        candidate.addresses = [one for one in news + known if one in kept]
        candidate.first_hand &= kept
        return bool(news)

    def _open_purse(self, source: str, now: float) -> None:
        if source not in self._sources:
            self._sources[source] = Purse(self._policy.source_burst, self._policy.source_every_s, now)
            self._served.append(source)

    def _make_room(self, source: str) -> None:
        """Of its own source only: who invents names pushes out nobody else's."""
        mine = [
            (target, one)
            for target, one in self._candidates.items()
            if source in one.sources and one.due is not None
        ]
        if len(mine) >= self._policy.targets_max:
            unmet = [target for target, one in mine if not one.met] or [target for target, _ in mine]
            gone = unmet[self._chance.below(len(unmet))]
            self._disown(gone, self._candidates[gone], source)

    def _disown(self, target: Target, candidate: _Candidate, source: str) -> None:
        """A source does not stand for it any more; without any it is forgotten, once no dial is under way."""
        candidate.sources.discard(source)
        if not candidate.sources and target not in self._dialling:
            del self._candidates[target]

    def _first_of(self, source: str, now: float, wakes: list[float]) -> Dial | None:
        best: tuple[tuple[int, float], Target, tuple[Multiaddr, ...]] | None = None
        for target, candidate in self._candidates.items():
            if source not in candidate.sources or candidate.due is None:
                continue
            if candidate.due > now:
                wakes.append(candidate.due)
                continue
            order = (candidate.failures, candidate.rank)
            if best is not None and best[0] <= order:
                continue
            affordable = self._affordable(candidate, source, now, wakes)
            if affordable:
                best = (order, target, affordable)
        if best is None:
            return None
        _, target, addresses = best
        candidate = self._candidates[target]
        candidate.due, candidate.payer, candidate.paid = None, source, addresses
        self._dialling.add(target)
        self._pay(source, addresses, 1)
        return Dial(target, addresses, tuple(one for one in addresses if one in candidate.first_hand))

    def _affordable(
        self, candidate: _Candidate, source: str, now: float, wakes: list[float]
    ) -> tuple[Multiaddr, ...]:
        """The addresses that the purses can pay for, and that may be tried."""
        most = min(self._policy.addresses_at_once, self._total.left(now), self._sources[source].left(now))
        left: dict[str, int] = {}
        chosen: list[Multiaddr] = []
        # After a failure it is the turn of the next ones.
        start = candidate.failures * self._policy.addresses_at_once % max(len(candidate.addresses), 1)
        for address in candidate.addresses[start:] + candidate.addresses[:start]:
            if len(chosen) == most:
                break
            host = ip_group(address.host or "")
            remaining = left.setdefault(host, self._hosts.left(address, now))
            if address in candidate.first_hand:
                chosen.append(address)
            elif remaining:
                left[host] -= 1
                chosen.append(address)
            else:
                wakes.append(self._hosts.ready_at(address, now))
        return tuple(chosen)

    def _pay(self, source: str, addresses: tuple[Multiaddr, ...], sign: int) -> None:
        self._total.pay(sign * len(addresses))
        self._sources[source].pay(sign * len(addresses))

    def _end(self, target: Target) -> _Candidate | None:
        self._dialling.discard(target)
        candidate = self._candidates.get(target)
        if candidate is not None and not candidate.sources:
            del self._candidates[target]
        return candidate

    def _due_within(self, candidate: _Candidate, now: float, wait_s: float) -> None:
        candidate.due = now + self._chance.uniform(wait_s / 2, wait_s * 1.5)
