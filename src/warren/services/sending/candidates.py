"""Who may be the sender that a code speaks of, one after the other.

In:  what discovery and connected peers say of a channel. Out: which of them to try next. Pure.

Under a number of four digits anybody may stand, and each one that is tried has one guess at the words. So no
more than some are tried for one receiver: of each source a few, whatever the others say, so that whoever
fills one source keeps nobody from being found by another.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId

SOURCE_MAX: Final = 8
"""Of one source: the local link, the DHT, one peer that told. Attack: false senders without end."""
TRIED_MAX: Final = 32
"""In all. Attack: the same; each has one guess, so that all together are right once in 131,072 times."""
ADDRESSES_MAX: Final = 16


class Candidates:
    """Of one receiver."""

    __slots__ = ("_addresses", "_by_source", "_me", "_waiting", "tried")

    def __init__(self, me: PeerId) -> None:
        self._me = me
        self._waiting: deque[PeerId] = deque()
        self._addresses: dict[PeerId, list[Multiaddr]] = {}
        self._by_source: Counter[str] = Counter()
        self.tried = 0
        """How many were taken by `next`."""

    def add(self, peer: PeerId, addresses: Sequence[Multiaddr], source: str) -> None:
        """A source names somebody, or says more of where it is."""
        if peer == self._me:
            return
        known = self._addresses.get(peer)
        if known is None:
            if self._by_source[source] >= SOURCE_MAX or len(self._addresses) >= TRIED_MAX:
                return
            self._by_source[source] += 1
            known = self._addresses[peer] = []
            self._waiting.append(peer)
        known += [address for address in addresses if address not in known][: ADDRESSES_MAX - len(known)]

    def next(self) -> PeerId | None:
        """Whom to try now; None: nobody is left."""
        if not self._waiting:
            return None
        self.tried += 1
        return self._waiting.popleft()

    def addresses(self, peer: PeerId) -> list[Multiaddr]:
        """Where it may be, as far as the sources say by now."""
        return list(self._addresses.get(peer, ()))
