"""`Directory`: searching what is shared, here and elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.services.directory.merging import Merging
from warren.services.directory.search import Search, Source

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.core.query import Query
    from warren.network.network import Network

SEARCH_S: Final = 10.0


class Directory:
    """What a node shares and knows to be shared."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def search(self, query: Query, *, ttl: int | None = None, timeout_s: float = SEARCH_S) -> Search:
        """Look here and elsewhere. ttl: how far super-peers pass it on; None: as they see fit."""
        del ttl
        merging = Merging(query.limit, is_here=self._is_here, latency=self._latency)
        sources: list[Source] = []
        return Search(sources, merging, timeout_s)

    def _is_here(self, peer: PeerId) -> bool:
        return peer == self._network.peer_id or self._network.is_connected(peer)

    def _latency(self, peer: PeerId) -> float | None:
        trips = [one.rtt_s for one in self._network.sockets(peer) if one.rtt_s is not None]
        return min(trips, default=None)
