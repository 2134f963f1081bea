"""An iterative look-up as a machine: whom to ask next, and when it is over. Pure.

In:  a position, the known peers nearest to it, answers and failures, the time. Out: `Ask`, `Wait` or `Done`;
then the nearest peers that answered.

It ends when the nearest `enough` of all that are known have answered, when nobody is left to ask, or at its
bounds of requests and time. No peer is asked twice. On disjoint paths (S/Kademlia) what a peer tells is
believed only on the path on which it was asked, so a liar misleads one path; each path sees its own nearest
to the end, and a peer that another path has asked is not asked again.

Memory is bounded by the requests: at most k peers are read of each answer. Who names peers that do not
answer loses credit: what is known from such peers only is asked last.
https://github.com/libp2p/specs/blob/master/kad-dht/README.md#peer-routing
"""

from __future__ import annotations

import enum
from bisect import insort
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from warren.core.bounds import check_settings
from warren.protocols.kad.keyspace import position
from warren.protocols.kad.messages import ADDRESSES_MAX, PeerInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId

_TELLERS_MAX: Final = 3
"""Whose word is kept for each peer: addresses of so many, so that the first liar does not hide a peer."""
_UNANSWERED_MAX: Final = 4
"""So many named in vain, and more than not, and a teller has no credit left."""


@dataclass(frozen=True, slots=True)
class LookupConfig:
    """How look-ups go. Times in seconds."""

    k: int = 20
    """How many of the nearest peers to find. All libp2p implementations agree on 20."""
    alpha: int = 10
    """Requests at once. More is quicker and asks more peers in vain; Go and JavaScript take 10 as well."""
    requests_max: int = 120
    """Requests of one look-up: stops liars who name peers without end."""
    request_timeout_s: float = 5.0
    """For one peer, connecting included: stops who takes requests and never answers."""
    timeout_s: float = 60.0
    """For a whole look-up: it ends with what it has."""

    def __post_init__(self) -> None:
        check_settings(self, "dht.lookup.")


class Ask(NamedTuple):
    """Ask this peer now, then report `on_success` or `on_failure`."""

    peer: PeerId
    addresses: tuple[Multiaddr, ...]


class Wait(NamedTuple):
    """Nothing to do before somebody answers; call `next` again at `until` at the latest."""

    until: float


class Done(NamedTuple):
    """It is over."""


Action: TypeAlias = Ask | Wait | Done


class _State(enum.Enum):
    NEW = enum.auto()
    ASKED = enum.auto()
    ANSWERED = enum.auto()
    FAILED = enum.auto()


class _Candidate:
    __slots__ = (
        "addresses",
        "deadline",
        "depth",
        "distance",
        "in_vain",
        "path",
        "peer",
        "proved",
        "state",
        "tellers",
    )

    def __init__(self, peer: PeerId, distance: int, depth: int) -> None:
        self.peer = peer
        self.distance = distance
        self.depth = depth
        """Requests one after the other up to its answer."""
        self.addresses: list[Multiaddr] = []
        self.state = _State.NEW
        self.deadline = 0.0
        self.path = 0
        self.tellers: list[_Candidate] = []
        self.proved = self.in_vain = 0
        """Of those that it named: how many answered, how many failed."""

    @property
    def discredited(self) -> bool:
        return self.in_vain >= _UNANSWERED_MAX and self.in_vain > self.proved

    @property
    def doubtful(self) -> bool:
        """Whether it is known only from peers without credit, and not from our own table."""
        return self.depth > 1 and all(teller.discredited for teller in self.tellers)


def _distance(candidate: _Candidate) -> int:
    return candidate.distance


class _Path:
    """What one path knows, nearest first."""

    __slots__ = ("known", "order")

    def __init__(self) -> None:
        self.known: set[PeerId] = set()
        self.order: list[_Candidate] = []

    def add(self, candidate: _Candidate) -> None:
        if candidate.peer not in self.known:
            self.known.add(candidate.peer)
            insort(self.order, candidate, key=_distance)

    def best(self, enough: int) -> _Candidate | None:
        """Whom this path should ask next; None while its nearest are asked or have answered."""
        standing, doubtful = 0, None
        for candidate in self.order:
            if candidate.state is _State.FAILED:
                continue
            if candidate.state is not _State.NEW:
                standing += 1
                if standing >= enough:
                    return None
            elif not candidate.doubtful:
                return candidate
            elif doubtful is None:
                doubtful = candidate
        return doubtful


class Lookup:
    """One look-up; see the module's header."""

    __slots__ = (
        "_by_peer",
        "_config",
        "_enough",
        "_flying",
        "_own",
        "_paths",
        "_target",
        "_turn",
        "_until",
        "failures",
        "finished",
        "requests",
    )

    def __init__(
        self,
        target: int,
        known: Sequence[PeerInfo],
        config: LookupConfig,
        *,
        own: PeerId,
        now: float,
        enough: int | None = None,
        paths: int = 1,
    ) -> None:
        """target: a position. known: whom this node knows near it. own: who is never asked.

        enough: so many of the nearest must answer; k without it. paths: disjoint paths.
        """
        self._target = target
        self._config = config
        self._own = own
        self._enough = config.k if enough is None else enough
        self._until = now + config.timeout_s
        self._by_peer: dict[PeerId, _Candidate] = {}
        self._paths = [_Path() for _ in range(paths)]
        self._turn = 0
        self._flying: dict[PeerId, _Candidate] = {}
        self.requests = 0
        self.failures = 0
        self.finished = False
        """Whether it is over."""
        for number, info in enumerate(known):
            self._learn(info, None, number % paths)

    # --- what happened --------------------------------------------------------------------------------------

    def on_success(self, peer: PeerId, closer: Sequence[PeerInfo]) -> None:
        """`peer` answered, and named these. An answer that came too late is dropped."""
        candidate = self._flying.pop(peer, None)
        if candidate is None:
            return
        candidate.state = _State.ANSWERED
        for teller in candidate.tellers:
            teller.proved += 1
        for info in closer[: self._config.k]:
            self._learn(info, candidate, candidate.path)

    def on_failure(self, peer: PeerId) -> None:
        """`peer` could not be reached, did not answer or broke the protocol."""
        candidate = self._flying.pop(peer, None)
        if candidate is None:
            return
        candidate.state = _State.FAILED
        self.failures += 1
        for teller in candidate.tellers:
            teller.in_vain += 1

    def finish(self) -> None:
        """Whoever looks has found what it wants: `next` says `Done` from now on."""
        self.finished = True

    # --- what to do -----------------------------------------------------------------------------------------

    def next(self, now: float) -> Action:
        """What to do now. Each `Ask` is followed by `on_success` or `on_failure`, at the latest by the time
        that `Wait` names: then the peer counts as failed.
        """
        self._expire(now)
        if self.finished or now >= self._until:
            self.finished = True
            return Done()
        if len(self._flying) < self._config.alpha and self.requests < self._config.requests_max:
            candidate = self._choose()
            if candidate is not None:
                return self._ask(candidate, now)
        if not self._flying:
            self.finished = True
            return Done()
        return Wait(min(self._until, *(candidate.deadline for candidate in self._flying.values())))

    # --- what came of it ------------------------------------------------------------------------------------

    def closest(self) -> list[PeerInfo]:
        """The nearest peers that answered, k at most, nearest first."""
        return [info for info, _ in self._answered()]

    @property
    def hops(self) -> int:
        """Requests one after the other up to the answer of the nearest peer; 0 when nobody answered."""
        return next((depth for _, depth in self._answered()), 0)

    def depth(self, peer: PeerId) -> int:
        """Requests one after the other up to the answer of `peer`, were it asked; 0 when it is unknown."""
        candidate = self._by_peer.get(peer)
        return candidate.depth if candidate is not None else 0

    @property
    def size(self) -> int:
        """Peers that it has heard of."""
        return len(self._by_peer)

    # --- inside ---------------------------------------------------------------------------------------------

    def _answered(self) -> list[tuple[PeerInfo, int]]:
        answered = [c for c in self._by_peer.values() if c.state is _State.ANSWERED]
        answered.sort(key=_distance)
        return [(PeerInfo(c.peer, tuple(c.addresses)), c.depth) for c in answered[: self._config.k]]

    def _learn(self, info: PeerInfo, teller: _Candidate | None, path: int) -> None:
        peer, addresses = info
        if peer == self._own:
            return
        candidate = self._by_peer.get(peer)
        depth = 1 if teller is None else teller.depth + 1
        if candidate is None:
            candidate = _Candidate(peer, position(peer.to_bytes()) ^ self._target, depth)
            self._by_peer[peer] = candidate
        if candidate.state is _State.NEW and len(candidate.tellers) < _TELLERS_MAX:
            candidate.depth = min(candidate.depth, depth)
            if teller is not None and teller not in candidate.tellers:
                candidate.tellers.append(teller)
            _merge(candidate.addresses, addresses)
        self._paths[path].add(candidate)

    def _choose(self) -> _Candidate | None:
        """The next of the path whose turn it is, or of the first after it that has work."""
        for _ in self._paths:
            number = self._turn
            self._turn = (number + 1) % len(self._paths)
            candidate = self._paths[number].best(self._enough)
            if candidate is not None:
                candidate.path = number
                return candidate
        return None

    def _ask(self, candidate: _Candidate, now: float) -> Ask:
        candidate.state = _State.ASKED
        candidate.deadline = now + self._config.request_timeout_s
        self._flying[candidate.peer] = candidate
        self.requests += 1
        return Ask(candidate.peer, tuple(candidate.addresses))

    def _expire(self, now: float) -> None:
        late = [peer for peer, candidate in self._flying.items() if candidate.deadline <= now]
        for peer in late:
            self.on_failure(peer)


def _merge(addresses: list[Multiaddr], more: Sequence[Multiaddr]) -> None:
    """Behind the first address, so that of two tellers neither is tried last with all of his."""
    addresses[1:1] = [address for address in more[:ADDRESSES_MAX] if address not in addresses]
    del addresses[2 * ADDRESSES_MAX :]
