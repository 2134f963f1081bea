"""Who asked for a root lately, so that those who want the same find each other. Pure.

In:  peers that were answered. Out: some of them by lot. Whom a peer may be told of is for the caller to say.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Entropy

LATELY_S: Final = 1800.0
"""Who did not ask for so long is told of no more."""
PEERS_MAX: Final = 128
"""Of one root. Attack: identities without end. The one that asked longest ago goes."""
ROOTS_MAX: Final = 512
"""Roots that are remembered. Attack: a peer that asks for everything there is."""


class Fellows:
    """Of all roots of one node."""

    __slots__ = ("_by_root", "_entropy")

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._by_root: OrderedDict[Cid, OrderedDict[PeerId, float]] = OrderedDict()

    def asked(self, root: Cid, peer: PeerId, now: float) -> None:
        """A peer asked for a root and was answered, at `now` (monotonic seconds)."""
        peers = self._by_root.setdefault(root, OrderedDict())
        peers[peer] = now
        peers.move_to_end(peer)
        if len(peers) > PEERS_MAX:
            peers.popitem(last=False)
        self._by_root.move_to_end(root)
        if len(self._by_root) > ROOTS_MAX:
            self._by_root.popitem(last=False)

    def some(
        self, root: Cid, count: int, now: float, may_tell: Callable[[PeerId], bool]
    ) -> tuple[PeerId, ...]:
        """Up to `count` who asked lately and may be told of, by lot."""
        peers = self._by_root.get(root, OrderedDict())
        while peers and next(iter(peers.values())) < now - LATELY_S:
            peers.popitem(last=False)
        chosen = [peer for peer in peers if may_tell(peer)]
        while len(chosen) > count:
            chosen[self._entropy.below(len(chosen))] = chosen[-1]
            chosen.pop()
        return tuple(chosen)

    def gone(self, root: Cid, peer: PeerId) -> None:
        """It does not have the root, as far as anybody knows."""
        self._by_root.get(root, OrderedDict()).pop(peer, None)
