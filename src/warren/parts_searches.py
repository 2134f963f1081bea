"""How standing searches are tied to the directory and to fetching. Only wiring.

In:  the parts that do not know each other. Out: `Searches`, loaded, which looks when a peer comes.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from warren.core.errors import WarrenError
from warren.network.events import PeerConnected
from warren.services.searches.model import HOLDERS_MAX, Match
from warren.services.searches.searches import Searches

if TYPE_CHECKING:
    from pathlib import Path

    from warren.core.query import Query
    from warren.network.network import Network
    from warren.runtime.seam import Database
    from warren.services.directory.directory import Directory
    from warren.services.directory.model import Hit
    from warren.services.files.fetcher import Fetcher

SEARCH_S = 15.0
_log = logging.getLogger(__name__)


async def assemble_searches(
    network: Network, state: Database, directory: Directory, fetcher: Fetcher, downloads: Path
) -> Searches:
    """Standing searches. downloads: where what they fetch goes. Raises `StorageError`."""

    async def search(query: Query) -> list[Match]:
        found: dict[int, Hit] = {}
        async with directory.search(query, timeout_s=SEARCH_S) as under_way:
            async for hit in under_way:
                found[hit.number] = hit
        matches = (_match(hit, network) for hit in found.values())
        return [match for match in matches if match.holders]

    async def fetch(match: Match) -> bool:
        try:
            # Whoever announced it need not hold it, nor have told the truth.
            transfer = fetcher.get(
                match.cid, downloads, peers=match.holders, name=match.name, size_max=match.size
            )
            async with transfer:
                await transfer.result()
        except WarrenError as error:
            _log.info("fetching %s: %s", match.name, error)
            return False
        return True

    searches = Searches(state, network.runtime.clock, search, fetch, network.events.emit)
    await searches.load()
    network.events.on(PeerConnected, lambda _: searches.wake())
    return searches


def _match(hit: Hit, network: Network) -> Match:
    """What others have of it: what this node has itself is nothing new."""
    is_own = any(one.peer == network.peer_id for one in hit.holders)
    holders = () if is_own else tuple(one.peer for one in hit.holders[:HOLDERS_MAX])
    return Match(hit.cid, hit.name, hit.kind, hit.size, hit.metadata.title, holders, online=hit.online)
