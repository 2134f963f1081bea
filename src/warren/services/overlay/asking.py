"""One search under way among super-peers: round after round, then the DHT.

In:  events of the routing machine, holders of rare words. Out: what is found, each hit once, as it comes; how
many super-peers have looked, of about how many.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from warren.core.errors import WarrenError
from warren.core.found import Counts
from warren.protocols.overlay.messages import Ask
from warren.services.overlay.deepening import End, Round
from warren.services.overlay.routing import Deliver, RoundEnded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from warren.core.found import Found
    from warren.core.peer_id import PeerId
    from warren.core.query import Query
    from warren.protocols.overlay.messages import Hits
    from warren.services.overlay.deepening import Deepening
    from warren.services.overlay.interfaces import Holder, Rare

    Begin = Callable[[Ask], None]
    AskGuest = Callable[[Holder, Ask, float], AsyncGenerator[Hits, None]]

ROUND_S: Final = 4.0
"""A round takes no longer. Fault: super-peers that do not answer."""
SEARCH_S: Final = 9.0
"""All rounds together; a search that a peer asked for ends a little later."""
GRACE_S: Final = 1.0
"""After its deadline a round ends even if nobody says so. Fault: this node is no super-peer any more."""
RARE_S: Final = 4.0
"""For looking in the DHT, and asking those who are found."""
GUESTS_MAX: Final = 20
"""Holders of a rare word that are asked. Attack: provider records without end."""
_log = logging.getLogger(__name__)


class Asking:
    """See the module. Iterate `run` once; `take` is called with what the routing machine says meanwhile."""

    def __init__(
        self,
        id_: bytes,
        me: PeerId,
        query: Query,
        machine: Deepening,
        begin: Begin,
        now: Callable[[], float],
    ) -> None:
        """begin: starts a round."""
        self.id = id_
        self._query = query
        self._machine = machine
        self._begin = begin
        self._now = now
        self._until = now() + SEARCH_S
        self._events: asyncio.Queue[Deliver | RoundEnded | Counts | None] = asyncio.Queue()
        self._seen: set[tuple[PeerId, str]] = set()
        self._responders = {me}
        self._asked = 0
        self._about = 0
        self._ring = 0

    def take(self, event: Deliver | RoundEnded) -> None:
        """What comes of this search."""
        self._events.put_nowait(event)

    async def run(
        self, rare: Rare | None, word: str | None, ask_guest: AskGuest
    ) -> AsyncGenerator[Found | Counts, None]:
        """All that is found."""
        while True:
            step = self._machine.next(len(self._seen), self._ring)
            if isinstance(step, End) or self._now() >= self._until:
                return
            if isinstance(step, Round):
                answers = self._round(step)
            elif rare is not None and word is not None:
                answers = self._rare(rare, word, ask_guest)
            else:
                continue
            async with aclosing(answers) as found:
                async for one in found:
                    yield one
                    if len(self._seen) >= self._query.limit:
                        return

    async def _round(self, step: Round) -> AsyncGenerator[Found | Counts, None]:
        until = min(self._now() + ROUND_S, self._until)
        left_s = until - self._now()
        wanted = self._query.limit - len(self._seen)
        self._begin(
            Ask(self.id, step.number, step.ttl, step.breadth, wanted, int(left_s * 1000), self._query)
        )
        while True:
            event = await self._next(until + GRACE_S)
            if event is None:
                return
            if isinstance(event, Deliver):
                for one in self._fresh(event.responder, event.hits):
                    yield one
            elif isinstance(event, RoundEnded) and event.round == step.number:
                self._ring = event.ring
                yield self._count(event.asked, event.skipped)
                return

    async def _next(self, until: float) -> Deliver | RoundEnded | Counts | None:
        try:
            async with asyncio.timeout_at(until):
                return await self._events.get()
        except TimeoutError:
            return None

    async def _rare(self, rare: Rare, word: str, ask_guest: AskGuest) -> AsyncGenerator[Found | Counts, None]:
        tasks = asyncio.create_task(self._ask_holders(rare, word, ask_guest))
        try:
            while (event := await self._events.get()) is not None:
                if isinstance(event, Deliver):
                    for one in self._fresh(event.responder, event.hits):
                        yield one
                elif isinstance(event, Counts):
                    yield self._count(event.asked, event.about)
        finally:
            tasks.cancel()
            await asyncio.gather(tasks, return_exceptions=True)

    async def _ask_holders(self, rare: Rare, word: str, ask_guest: AskGuest) -> None:
        """Ask each as it is found; the end of all is told by None."""
        try:
            async with (
                asyncio.timeout(RARE_S),
                asyncio.TaskGroup() as tasks,
                aclosing(rare.find(word)) as found,
            ):
                asked: set[PeerId] = set()
                async for holder in found:
                    if holder.peer in self._responders or holder.peer in asked:
                        continue
                    asked.add(holder.peer)
                    tasks.create_task(self._ask_holder(holder, ask_guest))
                    if len(asked) >= GUESTS_MAX:
                        break
        except TimeoutError:
            _log.debug("overlay: the holders of a rare word took too long")
        except WarrenError as error:
            _log.debug("overlay: the DHT does not say who has a rare word: %s", error)
        finally:
            self._events.put_nowait(None)

    async def _ask_holder(self, holder: Holder, ask_guest: AskGuest) -> None:
        ask = Ask(self.id, 1, 1, 0, self._query.limit, int(RARE_S * 1000), self._query)
        left = self._query.limit
        try:
            async with aclosing(ask_guest(holder, ask, RARE_S)) as answers:
                async for answer in answers:
                    hits = answer.hits[:left]
                    left -= len(hits)
                    self._events.put_nowait(Deliver(self.id, holder.peer, hits))
            self._events.put_nowait(Counts(1, 0))
        except WarrenError as error:
            _log.debug("overlay: asking %s: %s", holder.peer, error)

    def _fresh(self, responder: PeerId, hits: Sequence[Found]) -> list[Found]:
        self._responders.add(responder)
        fresh = []
        for hit in hits:
            key = (hit.owner, hit.entry.path)
            if key not in self._seen:
                self._seen.add(key)
                fresh.append(hit)
        return fresh

    def _count(self, asked: int, skipped: int) -> Counts:
        self._asked += asked
        self._about = max(self._about, self._asked + skipped)
        return Counts(self._asked, self._about)
