"""The overlay of one node: its neighbours among super-peers, the queries it passes on, the searches it
begins.

In:  connected peers that speak the overlay, messages of neighbours, queries of this node and of peers that
ask it. Out: what others find; answers from the local index, public entries alone.

What is decided is decided in routing.py, summaries.py, deepening.py and neighbours.py; here are the streams,
the clock and the index. Refuses floods by budgets for each peer and group of addresses; whoever sends what no
honest super-peer sends is named in the log, and after some times is a neighbour no more.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.core.errors import LimitReached, ProtocolViolation, WarrenError
from warren.core.matching import matches
from warren.core.query import LIMIT_MAX
from warren.network.allowance import Each
from warren.network.events import PeerDisconnected, PeerIdentified
from warren.protocols.overlay.messages import TTL_MAX, Again, Ask, Done, Hits, Join, Summary, split
from warren.protocols.overlay.protocol import PROTOCOL, OverlayProtocol
from warren.protocols.overlay.rounds import SECRET_BYTES, Rounds
from warren.services.overlay.asking import Asking
from warren.services.overlay.budgets import (
    ASKS,
    GUESTS,
    MESSAGES,
    OWN_ASKS,
    REMEMBERED_MAX,
    SUMMARIES,
    Blames,
    Budget,
)
from warren.services.overlay.config import check_neighbour
from warren.services.overlay.deepening import Deepening, DeepeningPolicy
from warren.services.overlay.neighbours import Neighbourhood
from warren.services.overlay.rare import rarest
from warren.services.overlay.reaching import DIAL_EVERY_S, Reaching
from warren.services.overlay.routing import Blame, Deliver, Look, RoundEnded, Routing, Send
from warren.services.overlay.searches import Asker, Searches
from warren.services.overlay.spreading import of_owners
from warren.services.overlay.summaries import Summaries
from warren.services.overlay.summarising import Summarising

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

    from warren.core.found import Counts, Found
    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.core.query import Query
    from warren.network.network import Network
    from warren.network.socket import Socket
    from warren.protocols.overlay.messages import Message
    from warren.services.overlay.config import OverlayConfig
    from warren.services.overlay.interfaces import Holder, PublicIndex, PublicWords, Rare
    from warren.services.overlay.reaching import Find
    from warren.services.overlay.routing import Action

LOOKS_MAX: Final = 32
"""Looks into the index at once. Attack: queries that wait for it in memory, more than the budgets let in."""
_TAG: Final = "overlay"
_log = logging.getLogger(__name__)


class Overlay:
    """Of one node; `run` as long as it lives. It does nothing while the node is no super-peer."""

    def __init__(
        self,
        network: Network,
        config: OverlayConfig,
        index: PublicIndex,
        words: Callable[[], PublicWords],
        rare: Rare | None,
        *,
        group_of: Callable[[Multiaddr], str],
        find: Find | None,
    ) -> None:
        """words: the public words, for a reader who knows none. rare: None without a DHT. find: other
        super-peers that may be dialled; None: nobody is looked for.
        """
        self._network = network
        self._config = config
        self._index = index
        self._words = words
        self._rare = rare
        self._group_of = group_of
        self._now = network.clock
        self._configured = {
            peer: address
            for address in map(check_neighbour, config.neighbours)
            if (peer := address.peer_id) is not None and peer != network.peer_id
        }
        self._reaching = Reaching(network, self._configured, find)
        self._protocol = OverlayProtocol(network)
        self._active = False
        self._switched = asyncio.Event()
        self._changed = asyncio.Event()
        self._timed = asyncio.Event()
        self._own_asks: Each[PeerId] = Each(OWN_ASKS, REMEMBERED_MAX)
        self._budgets = {"asks": Budget(ASKS), "summaries": Budget(SUMMARIES), "messages": Budget(MESSAGES)}
        self._guests = Budget(GUESTS)
        self._blames = Blames()
        self._searches = Searches()
        self._begin()

    def _begin(self) -> None:
        """Forget all that was: who was a neighbour, what they said."""
        entropy = self._network.runtime.entropy
        self._candidates: dict[PeerId, str] = {}
        self._neighbours = Neighbourhood(self._configured, self._config.degree, entropy)
        self._summaries = Summaries(int.from_bytes(entropy.bytes(8)) >> 1)
        self._routing = Routing(self._network.peer_id, self._summaries)
        self._summarising = Summarising(
            self._summaries,
            self._words(),
            self._rare,
            self._config.rare_words,
            self._now,
            self._protocol.send,
        )
        self._looked_until: float | None = None
        self._looks = asyncio.Semaphore(LOOKS_MAX)
        self._tasks: asyncio.TaskGroup | None = None

    @property
    def neighbours(self) -> tuple[PeerId, ...]:
        """Who is a neighbour now."""
        return self._routing.neighbours

    def set_active(self, active: bool) -> None:
        """Whether this node is a super-peer."""
        self._active = active
        self._switched.set()

    # --- life ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Take part while this node is a super-peer, until cancelled. May be run again after a fault."""
        while True:
            self._switched.clear()
            if self._active:
                await self._take_part()
            else:
                await self._switched.wait()

    async def _take_part(self) -> None:
        events = self._network.events.subscribe(PeerIdentified, PeerDisconnected)
        self._begin()
        self._protocol.serve(self)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                works = [
                    tasks.create_task(work)
                    for work in (
                        self._summarising.run(),
                        self._expire(),
                        self._look_for_neighbours(),
                        self._reaching.run(self._candidates, lambda: self._neighbours.wants_more),
                    )
                ]
                watch = tasks.create_task(self._watch(events))
                while self._active:
                    self._switched.clear()
                    await self._switched.wait()
                for work in (*works, watch):
                    work.cancel()
        finally:
            events.close()
            self._tasks = None
            for peer in self._routing.neighbours:
                self._network.unprotect(peer, _TAG)
            self._protocol.stop()

    async def _watch(self, events: object) -> None:
        for socket in self._network.sockets():
            if socket.identity is not None:
                self._meet(socket, socket.identity)
        async for event in events:  # type: ignore[attr-defined]
            match event:
                case PeerIdentified(_, socket, info):
                    self._meet(socket, info)
                case PeerDisconnected(peer, _):
                    self._pass_over(peer)
                case _:
                    pass

    def _meet(self, socket: Socket, info: object) -> None:
        if PROTOCOL in getattr(info, "protocols", ()):
            self._candidates[socket.peer_id] = self._group(socket)
            self._changed.set()
        else:
            self._pass_over(socket.peer_id)

    def _pass_over(self, peer: PeerId) -> None:
        """It is no candidate, or not any more. Of the many weak peers that come and go none ever was."""
        if self._candidates.pop(peer, None) is not None:
            self._changed.set()

    async def _expire(self) -> None:
        while True:
            self._act(self._routing.expire(self._now()))
            self._timed.clear()
            self._looked_until = self._routing.next_due()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._looked_until):
                    await self._timed.wait()

    # --- neighbours ---------------------------------------------------------------------------------------

    async def _look_for_neighbours(self) -> None:
        """Ask those who are connected to join, whenever one comes or goes, and again after a while."""
        while True:
            self._changed.clear()
            now = self._now()
            for peer in self._neighbours.next(self._candidates, now):
                self._neighbours.tried(peer, now)
                self._spawn(self._join(peer))
            with suppress(TimeoutError):
                async with asyncio.timeout(DIAL_EVERY_S):
                    await self._changed.wait()

    async def _join(self, peer: PeerId) -> None:
        try:
            await self._protocol.join(peer)
        except WarrenError as error:
            _log.debug("overlay: %s cannot be joined: %s", peer, error)

    # --- what the protocol asks and tells (see `Super`) ---------------------------------------------------

    def may_join(self, socket: Socket) -> bool:
        """Whether the peer may be a neighbour: one that we asked may."""
        peer = socket.peer_id
        if self._neighbours.is_banned(peer, self._now()):
            return False
        return self._protocol.is_open(peer) or self._neighbours.may_join(
            peer, self._group(socket), self._now()
        )

    async def joined(self, socket: Socket) -> None:
        """The peer joins; it is a neighbour once it can be sent to as well. Raises what joining raises."""
        peer = socket.peer_id
        self._neighbours.joined(peer, self._group(socket))
        self._network.protect(peer, _TAG)
        await self._protocol.join(peer)
        self._routing.join(peer)
        self._summaries.join(peer, self._now())
        self._summarising.wake()
        _log.debug("overlay: %s is a neighbour", peer)

    def left(self, peer: PeerId) -> None:
        """The peer is no neighbour any more."""
        self._network.unprotect(peer, _TAG)
        self._neighbours.left(peer)
        self._summaries.leave(peer)
        self._act(self._routing.leave(peer, self._now()))
        self._changed.set()

    def heard(self, peer: PeerId, message: Message) -> None:
        """A neighbour says something. Raises `LimitReached` where it says too much, `ProtocolViolation`."""
        now, group = self._now(), self._neighbours.group(peer)
        if not self._budgets["messages"].take(peer, group, now):
            self._blame(peer, "messages without end")
            raise LimitReached("overlay messages", f"{peer} sends without end")
        match message:
            case Ask():
                if not self._budgets["asks"].take(peer, group, now):
                    self._protocol.send(peer, Done(message.id, message.round, refused=True))
                    is_own = not self._budgets["asks"].has(peer, now)  # and not that of its network
                    self._blame(peer, "too many queries", counts=is_own)
                    return
                self._act(self._routing.heard(peer, message, now))
            case Hits() | Done():
                self._act(self._routing.heard(peer, message, now))
            case Summary() | Again():
                self._on_summary(peer, message, group, now)
            case Join():
                raise ProtocolViolation("overlay: a neighbour that joins twice")

    def offended(self, peer: PeerId, what: str) -> None:
        """A neighbour broke the rules."""
        self._blame(peer, f"what it must not: {what}")

    def _on_summary(self, peer: PeerId, message: Summary | Again, group: str, now: float) -> None:
        if not self._budgets["summaries"].take(peer, group, now):
            self._blame(peer, "too many summaries")
        elif isinstance(message, Again):
            self._summaries.again(peer)
        elif not self._summaries.receive(peer, message, now):
            self._protocol.send(peer, Again())
        self._summarising.wake()

    async def answer(self, socket: Socket, ask: Ask) -> AsyncGenerator[Hits | Done, None]:
        """What a guest gets: what is here, and nothing of others. Raises `LimitReached`."""
        peer = socket.peer_id
        if not self._guests.take(peer, self._group(socket), self._now()):
            if self._blames.should_name(peer, self._now()):
                _log.warning("overlay: %s asks too often; it is not answered", peer)
            raise LimitReached("overlay guests", f"{peer} asks too often")
        for message in split(ask.id, self._network.peer_id, await self._look(ask.query, ask.wanted)):
            yield message
        yield Done(ask.id, ask.round, asked=1)

    # --- searching ----------------------------------------------------------------------------------------

    async def search(
        self, query: Query, ttl: int | None = None, asker: PeerId | None = None, group: str | None = None
    ) -> AsyncGenerator[Found | Counts, None]:
        """What other super-peers find, each hit once, as it comes, and how many of them looked.

        ttl: hops it goes, at most; None: as is configured. asker: the peer that wants to know, of that group
        of addresses, None for this machine; None: the user of this node. It ends when `query.limit` contents
        were found, all have answered, or the time is over. Raises `LimitReached`.
        """
        hops = min(self._config.ttl if ttl is None else ttl, TTL_MAX)
        if not self._active or hops < 1:
            return
        query = replace(query, after=0)
        word = rarest(query, self._summaries.holders) if self._rare is not None else None
        own = asker is None
        asking = Asking(
            Rounds(self._network.random_bytes(SECRET_BYTES)),
            self._network.peer_id,
            query,
            Deepening(hops, DeepeningPolicy(), rare=word is not None),
            lambda ask: self._act(self._routing.ask(ask, self._now(), own=own)),
            self._now,
            neighbours=len(self._routing.neighbours),
        )
        with self._searches.begun(asking, None if asker is None else Asker(asker, group or "")):
            answers = asking.run(self._rare, word, partial(self._ask_guest, own))
            try:
                async with aclosing(answers) as found:
                    async for one in found:
                        yield one
            finally:
                self._routing.end(asking.id)

    async def _ask_guest(
        self, own: bool, holder: Holder, ask: Ask, timeout_s: float
    ) -> AsyncGenerator[Hits, None]:
        await self._network.connect(holder.peer, holder.addresses, timeout_s=timeout_s, passing=True)
        try:
            async with aclosing(self._protocol.ask(holder.peer, ask, timeout_s)) as answers:
                async for answer in answers:
                    fitting = tuple(hit for hit in answer.hits if matches(ask.query, hit.entry))
                    if len(fitting) < len(answer.hits):
                        self._blame(holder.peer, "hits that do not fit the query", counts=own)
                    yield replace(answer, hits=fitting)
        except ProtocolViolation as error:
            self.offended(holder.peer, str(error))
            raise

    # --- inside -------------------------------------------------------------------------------------------

    def _act(self, actions: Iterable[Action]) -> None:
        unsent: list[tuple[PeerId, Ask]] = []
        for action in actions:
            match action:
                case Send(peer, Ask() as ask) if not self._own_asks.of(peer, self._now()).take(self._now()):
                    unsent.append((peer, ask))
                case Send(peer, message):
                    if not self._protocol.send(peer, message):
                        self._protocol.drop(peer)
                case Look(id_, query, wanted):
                    self._spawn(self._look_for(id_, query, wanted))
                case Deliver() | RoundEnded():
                    self._searches.take(action)
                case Blame(peer, what, counts):
                    self._blame(peer, what, counts=counts)
        for peer, ask in unsent:  # as if the neighbour had said so
            self._act(self._routing.heard(peer, Done(ask.id, ask.round, refused=True), self._now()))
        due = self._routing.next_due()
        if due is not None and (self._looked_until is None or due < self._looked_until):
            self._timed.set()

    async def _look_for(self, id_: bytes, query: Query, wanted: int) -> None:
        async with self._looks:
            found = await self._look(query, wanted)
        self._act(self._routing.found(id_, found, self._now()))

    async def _look(self, query: Query, wanted: int) -> Sequence[Found]:
        """More than is wanted is looked for, so that no owner of many fills the answer alone."""
        limit = min(2 * wanted, LIMIT_MAX)
        try:
            return of_owners(await self._index.find(replace(query, limit=limit, after=0)), wanted)
        except WarrenError as error:
            _log.warning("overlay: the index does not answer: %s", error)
            return ()

    def _blame(self, peer: PeerId, what: str, *, counts: bool = True) -> None:
        now = self._now()
        too_often = counts and self._blames.add(peer, now)
        if too_often or self._blames.should_name(peer, now):
            end = "; it is no neighbour any more" if too_often else ""
            _log.warning("overlay: %s sends %s%s", peer, what, end)
        if too_often:
            self._neighbours.ban(peer, now)
            self._protocol.drop(peer)

    def _group(self, socket: Socket) -> str:
        address = socket.remote_addr
        return "" if address is None or address.is_loopback else self._group_of(address)

    def _spawn(self, work: object) -> None:
        if self._tasks is not None:
            self._tasks.create_task(work)  # type: ignore[arg-type]
        else:
            work.close()  # type: ignore[attr-defined]
