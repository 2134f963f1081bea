"""Pulling the nodes of a fetch, of one of its sources after another.

In: the sources as they come and go. Out: all nodes pulled, or the reason why nobody could serve them. One
that fails is asked again only when the others failed as well.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from warren.core.errors import BadContent, ConnectionFailed, ContentUnknown, LimitReached, WarrenError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from warren.core.peer_id import PeerId
    from warren.services.files.ledger import Ledger
    from warren.services.files.nodes import NodePuller
    from warren.services.files.swarm.source import Source

RETRY_DELAYS_S: Final = (0.5, 1.0, 2.0, 4.0)
"""Waits after failures between which nothing arrived; then a source is dropped."""
NODES_S: Final = 5.0
"""Where there are other sources, one that is asked for nodes is to answer within this time."""
_log = logging.getLogger(__name__)


class TreePuller:
    """sources: the present ones. give_up: drops one for an error, and says whether that was its own fault.

    answer_s: for a source that is the only one.
    """

    def __init__(
        self,
        nodes: NodePuller,
        ledger: Ledger,
        sources: Mapping[PeerId, Source],
        give_up: Callable[[Source, WarrenError], bool],
        answer_s: float,
    ) -> None:
        self._nodes = nodes
        self._ledger = ledger
        self._sources = sources
        self._give_up = give_up
        self._answer_s = answer_s
        self._failures: dict[PeerId, int] = {}

    async def run(self) -> None:
        """Pull them all. Raises what no source could mend."""
        known = 0
        while True:
            source = await self._next_source()
            try:
                await self._nodes.run(source, NODES_S if len(self._sources) > 1 else self._answer_s)
            except WarrenError as error:
                if isinstance(error, BadContent) and error.peer != str(source.peer):
                    continue  # found out of one that was asked before
                if self._nodes.known > known:
                    known = self._nodes.known
                    self._failures.clear()
                if not (self._will_do(source, error) or self._give_up(source, error)):
                    raise
                await self._rest()
            else:
                return

    def _will_do(self, source: Source, error: WarrenError) -> bool:
        """Whether a source is some use though it gave no nodes."""
        if isinstance(error, ContentUnknown) and source.complete is False:
            self._failures[source.peer] = len(RETRY_DELAYS_S)  # the last one to ask again
            return True
        if not isinstance(error, ConnectionFailed | LimitReached):
            return False
        count = self._failures[source.peer] = self._failures.get(source.peer, 0) + 1
        _log.info("asking for the nodes of %s again: %s", self._ledger.wanted.cid, error)
        return count <= len(RETRY_DELAYS_S)

    async def _rest(self) -> None:
        """Wait before they are asked again who all failed."""
        least = min((self._failures.get(peer, 0) for peer in self._sources), default=0)
        if least:
            await asyncio.sleep(RETRY_DELAYS_S[min(least, len(RETRY_DELAYS_S)) - 1])

    async def _next_source(self) -> Source:
        """The best one: who did not fail, who has everything, who is quick."""
        while not (ready := [one for one in self._sources.values() if one.met]):
            await self._ledger.wait_moved()
        return max(ready, key=self._worth)

    def _worth(self, source: Source) -> tuple[int, bool, float]:
        failures = self._failures.get(source.peer, 0)
        return -failures, source.complete is not False, source.pipeline.bytes_per_s
