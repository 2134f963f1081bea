"""Who asked for a root lately, so that those who want the same find each other. Pure.

In:  peers that were answered. Out: some of them by lot; to who asks often, newcomers only, but for now and
then. Whom a peer may be told of is for the caller to say.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Entropy

LATELY_S: Final = 1800.0
"""Who did not ask for so long is told of no more."""
ALL_S: Final = 15.0
"""How often a peer is told of others than newcomers."""
_LONG_AGO: Final = float("-inf")
PEERS_MAX: Final = 128
"""Of one root. Attack: identities without end. The one that asked longest ago goes."""
ROOTS_MAX: Final = 512
"""Roots that are remembered. Attack: a peer that asks for everything there is."""


@dataclass(slots=True)
class _Fellow:
    """One peer: when it was first and last heard of; when it was told of all others, and of the newcomers."""

    first: float
    last: float
    told_all: float = _LONG_AGO
    told: float = _LONG_AGO


class Fellows:
    """Of all roots of one node."""

    __slots__ = ("_by_root", "_entropy")

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._by_root: OrderedDict[Cid, OrderedDict[PeerId, _Fellow]] = OrderedDict()

    def asked(self, root: Cid, peer: PeerId, now: float) -> None:
        """A peer asked for a root and was answered, at `now` (monotonic seconds)."""
        peers = self._by_root.setdefault(root, OrderedDict())
        peers.setdefault(peer, _Fellow(now, now)).last = now
        peers.move_to_end(peer)
        if len(peers) > PEERS_MAX:
            peers.popitem(last=False)
        self._by_root.move_to_end(root)
        if len(self._by_root) > ROOTS_MAX:
            self._by_root.popitem(last=False)

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
        """Up to `count` who asked lately, for the first time at `since` or later, and may be told of, by lot."""
        peers = self._by_root.get(root, OrderedDict())
        while peers and next(iter(peers.values())).last < now - LATELY_S:
            peers.popitem(last=False)
        chosen = [peer for peer, one in peers.items() if one.first >= since and may_tell(peer)]
        while len(chosen) > count:
            chosen[self._entropy.below(len(chosen))] = chosen[-1]
            chosen.pop()
        return tuple(chosen)

    def gone(self, root: Cid, peer: PeerId) -> None:
        """It does not have the root, as far as anybody knows."""
        self._by_root.get(root, OrderedDict()).pop(peer, None)
