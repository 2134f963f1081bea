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

TOLD: Final = "peers"
"""The source that connected peers are, all together."""
SOURCE_MAX: Final = 8
"""Of any other source: the local link, the DHT. Attack: false senders without end; each has one guess."""
TOLD_MAX: Final = 32
"""Of all peers that tell, so that all candidates are right once in 87,381 times. Attack: the same."""
TELLER_MAX: Final = 17
"""Of one peer that tells: all that it may name. Attack: the same, by one of those that are connected."""
ADDRESSES_MAX: Final = 16


class Candidates:
    """Of one receiver."""

    __slots__ = ("_addresses", "_by_source", "_by_teller", "_me", "_waiting", "tried")

    def __init__(self, me: PeerId) -> None:
        self._me = me
        self._waiting: deque[PeerId] = deque()
        self._addresses: dict[PeerId, list[Multiaddr]] = {}
        self._by_source: Counter[str] = Counter()
        self._by_teller: Counter[PeerId | None] = Counter()
        self.tried = 0
        """How many were taken by `next`."""

    def add(
        self, peer: PeerId, addresses: Sequence[Multiaddr], source: str, teller: PeerId | None = None
    ) -> None:
        """A source names somebody, or says more of where it is. teller: which peer, where that is `TOLD`."""
        if peer == self._me:
            return
        known = self._addresses.get(peer)
        if known is None:
            if not self._has_room(source, teller):
                return
            self._by_source[source] += 1
            self._by_teller[teller] += 1
            known = self._addresses[peer] = []
            self._waiting.append(peer)
        known += [address for address in addresses if address not in known][: ADDRESSES_MAX - len(known)]

    def _has_room(self, source: str, teller: PeerId | None) -> bool:
        if source == TOLD:
            return self._by_source[source] < TOLD_MAX and self._by_teller[teller] < TELLER_MAX
        return self._by_source[source] < SOURCE_MAX

    def next(self) -> PeerId | None:
        """Whom to try now; None: nobody is left."""
        if not self._waiting:
            return None
        self.tried += 1
        return self._waiting.popleft()

    def addresses(self, peer: PeerId) -> list[Multiaddr]:
        """Where it may be, as far as the sources say by now."""
        return list(self._addresses.get(peer, ()))
