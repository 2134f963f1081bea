"""Who asked for a root lately, so that those who want the same find each other. Pure.

In:  peers that were answered. Out: some of them by lot; to who asks often, newcomers only, but for now and
then. Whom a peer may be told of is for the caller to say.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Entropy

K = TypeVar("K")
V = TypeVar("V")
W = TypeVar("W")

LATELY_S: Final = 1800.0
"""Who did not ask for so long is told of no more."""
ALL_S: Final = 15.0
"""How often a peer is told of others than newcomers."""
_LONG_AGO: Final = float("-inf")
PEERS_MAX: Final = 128
"""Of one root. Attack: identities without end. The one that asked longest ago goes."""
ROOTS_MAX: Final = 512
"""Roots that are remembered. Attack: a peer that asks for everything there is."""
ROOTS_EACH_MAX: Final = 64
"""Of one peer: of more, those that it asked for last. Attack: the same, to let all others be forgotten."""


@dataclass(slots=True)
class _Fellow:
    """One peer: when it was first and last heard of; when it was told of all others, and of the newcomers."""

    first: float
    last: float
    told_all: float = _LONG_AGO
    told: float = _LONG_AGO


class Fellows:
    """Of all roots of one node."""

    __slots__ = ("_by_peer", "_by_root", "_entropy")

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._by_root: OrderedDict[Cid, OrderedDict[PeerId, _Fellow]] = OrderedDict()
        self._by_peer: dict[PeerId, OrderedDict[Cid, None]] = {}

    def asked(self, root: Cid, peer: PeerId, now: float) -> None:
        """A peer asked for a root and was answered, at `now` (monotonic seconds)."""
        peers = self._by_root.setdefault(root, OrderedDict())
        peers.setdefault(peer, _Fellow(now, now)).last = now
        peers.move_to_end(peer)
        self._by_root.move_to_end(root)
        roots = self._by_peer.setdefault(peer, OrderedDict())
        roots[root] = None
        roots.move_to_end(root)
        if len(peers) > PEERS_MAX:
            self.gone(root, next(iter(peers)))
        if len(roots) > ROOTS_EACH_MAX:
            self.gone(next(iter(roots)), peer)
        if len(self._by_root) > ROOTS_MAX:
            oldest = next(iter(self._by_root))
            for one in list(self._by_root[oldest]):
                self.gone(oldest, one)

    def news(
        self, root: Cid, asker: PeerId, count: int, now: float, may_tell: Callable[[PeerId], bool]
    ) -> tuple[PeerId, ...]:
        """For `asker`, which asked before (see `asked`): as `some`, or those that came since it was told."""
        one = self._by_root[root][asker]
        since, one.told = one.told, now
        if now >= one.told_all + ALL_S:
            since, one.told_all = _LONG_AGO, now
        return self.some(root, count, now, lambda peer: peer != asker and may_tell(peer), since)

    def some(
        self,
        root: Cid,
        count: int,
        now: float,
        may_tell: Callable[[PeerId], bool],
        since: float = _LONG_AGO,
    ) -> tuple[PeerId, ...]:
        """Up to `count` who asked lately and may be told of, by lot; first heard of at `since` or later."""
        every: Mapping[PeerId, _Fellow] = self._by_root.get(root, {})
        for peer in [peer for peer, one in every.items() if one.last < now - LATELY_S]:
            self.gone(root, peer)
        chosen = [peer for peer, one in every.items() if one.first >= since and may_tell(peer)]
        while len(chosen) > count:
            chosen[self._entropy.below(len(chosen))] = chosen[-1]
            chosen.pop()
        return tuple(chosen)

    def gone(self, root: Cid, peer: PeerId) -> None:
        """It does not have the root, as far as anybody knows."""
        _take(self._by_root, root, peer)
        _take(self._by_peer, peer, root)


def _take(table: MutableMapping[K, OrderedDict[V, W]], key: K, value: V) -> None:
    """Take a value out of the table, and what is empty then."""
    values = table.get(key)
    if values is not None:
        values.pop(value, None)
        if not values:
            del table[key]
