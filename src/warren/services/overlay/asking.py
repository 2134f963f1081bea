"""One search under way among super-peers: round after round, then the DHT.

In:  events of the routing machine, holders of rare words. Out: what is found, each hit once, as it comes; how
many super-peers have looked, of about how many. It ends with as many contents as are wanted, when there is
nobody left to ask, or when its time is over.

Of what one neighbour or guest sends, half of what is wanted is told at once, the rest at the end if others
have not more (spreading.py). Nobody elsewhere may say what this node has: that is looked up here.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, TypeAlias

from warren.core.errors import WarrenError
from warren.core.found import Counts
from warren.protocols.overlay.messages import Ask
from warren.services.overlay.deepening import End, Round
from warren.services.overlay.routing import Deliver, RoundEnded
from warren.services.overlay.spreading import Spread
from warren.services.overlay.visits import Given

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from warren.core.cid import Cid
    from warren.core.found import Found
    from warren.core.peer_id import PeerId
    from warren.core.query import Query
    from warren.protocols.overlay.messages import Hits
    from warren.protocols.overlay.rounds import Rounds
    from warren.services.overlay.deepening import Deepening
    from warren.services.overlay.interfaces import Holder, Rare

    Begin = Callable[[Ask], None]
    Step: TypeAlias = list[Found] | Counts
    AskGuest = Callable[[Holder, Ask, float], AsyncGenerator[Hits, None]]

ROUND_S: Final = 4.0
"""A round takes no longer. Fault: super-peers that do not answer."""
SEARCH_S: Final = 9.0
"""All rounds together; a search that a peer asked for ends a little later."""
GRACE_S: Final = 1.0
"""After its deadline a round ends even if nobody says so. Fault: this node is no super-peer any more."""
RARE_S: Final = 4.0
"""For looking in the DHT, and asking those who are found."""
HITS_MAX: Final = 2000
"""Hits told to who searches. Attack: hits without end."""
HELD_MAX: Final = 500
"""Hits that wait for those of others. Attack: memory, by the same."""
GUESTS_MAX: Final = 20
"""Holders of a rare word that are asked. Attack: provider records without end."""
_log = logging.getLogger(__name__)


class Asking:
    """See the module. Iterate `run` once; `take` is called with what the routing machine says meanwhile."""

    def __init__(
        self,
        rounds: Rounds,
        me: PeerId,
        query: Query,
        machine: Deepening,
        begin: Begin,
        now: Callable[[], float],
        *,
        neighbours: int,
    ) -> None:
        """begin: starts a round. neighbours: so many can be asked."""
        self.id = rounds.id
        self._rounds = rounds
        self._me = me
        self._query = query
        self._machine = machine
        self._begin = begin
        self._now = now
        self._until = now() + SEARCH_S
        self._events: asyncio.Queue[Deliver | RoundEnded | Counts | None] = asyncio.Queue()
        self._spread = Spread(query.limit, _key, HITS_MAX)
        self._spread.among(neighbours)
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
        async with aclosing(self._steps(rare, word, ask_guest)) as steps:
            async for step in steps:
                if isinstance(step, Counts):
                    yield step
                    continue
                for hit in step:
                    yield hit
                if self._spread.enough:
                    break
        for _, hit in self._spread.release():
            yield hit

    async def _steps(
        self, rare: Rare | None, word: str | None, ask_guest: AskGuest
    ) -> AsyncGenerator[Step, None]:
        while self._now() < self._until:
            step = self._machine.next(self._spread.hits, self._ring, enough=self._spread.enough)
            if isinstance(step, End):
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

    async def _round(self, step: Round) -> AsyncGenerator[Step, None]:
        until = min(self._now() + ROUND_S, self._until)
        left_ms = int((until - self._now()) * 1000)
        number, ttl, breadth = step
        proof = self._rounds.proof(number)
        self._begin(Ask(self.id, number, ttl, breadth, self._query.limit, left_ms, self._query, proof))
        while True:
            event = await self._next(until + GRACE_S)
            if event is None:
                return
            if isinstance(event, Deliver):
                yield self._fresh(event)
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

    async def _rare(self, rare: Rare, word: str, ask_guest: AskGuest) -> AsyncGenerator[Step, None]:
        tasks = asyncio.create_task(self._ask_holders(rare, word, ask_guest))
        try:
            while (event := await self._events.get()) is not None:
                if isinstance(event, Deliver):
                    yield self._fresh(event)
                elif isinstance(event, Counts):
                    yield self._count(event.asked, event.about)
        finally:
            tasks.cancel()
            await asyncio.gather(tasks, return_exceptions=True)

    async def _ask_holders(self, rare: Rare, word: str, ask_guest: AskGuest) -> None:
        """Ask each as it is found; the end of all is told by None."""
        try:
            async with (
                asyncio.timeout_at(min(self._now() + RARE_S, self._until)),
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
        given = Given(ask.wanted)
        try:
            async with aclosing(ask_guest(holder, ask, RARE_S)) as answers:
                async for answer in answers:
                    if not given.take(answer.hits):
                        break
                    self._events.put_nowait(Deliver(self.id, holder.peer, holder.peer, answer.hits))
            self._events.put_nowait(Counts(1, 0))
        except WarrenError as error:
            _log.debug("overlay: asking %s: %s", holder.peer, error)

    def _fresh(self, event: Deliver) -> list[Found]:
        self._responders.add(event.responder)
        hits = [hit for hit in event.hits if hit.owner != self._me]
        return self._spread.take(event.source, event.responder, hits, room=HELD_MAX)

    def _count(self, asked: int, skipped: int) -> Counts:
        self._asked += asked
        self._about = max(self._about, self._asked + skipped)
        return Counts(self._asked, self._about)


def _key(_: PeerId, hit: Found) -> tuple[PeerId, str, Cid, bool]:
    """By which a hit is known when it comes again."""
    return hit.owner, hit.entry.path, hit.entry.cid, hit.online
