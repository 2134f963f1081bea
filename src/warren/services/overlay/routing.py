"""Where queries go, and how hits come back: one super-peer's part of a search. Pure.

In:  who is a neighbour, messages of neighbours and guests, what the local index found, times in monotonic
seconds. Out: actions: messages to send, a look into the local index, hits for who asked here, whom to blame.

A query has a random id. A search asks in rounds, each wider than the one before; each round of an id is
handled once, what comes again by another way is answered with an empty `Done`. A super-peer looks into its
own index once an id, and then asks the neighbours behind which something may be: those that `Steer` names,
and all while the query has breadth. It never asks whom it was asked by. Hits go back the way the query came,
each once by (responder, owner, path, content), no more than are wanted, and those of one neighbour not before
those of others (spreading.py). Each `Ask` is answered with exactly one `Done`: when the branches behind are
done or gone, or at the deadline, which is nearer on each hop, so that whoever asked still hears of it.

Refuses rounds that the asker did not begin, hits that do not fit the query, more hits than were asked for,
and queries beyond what it can remember; who sent such is blamed by name.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from warren.core.matching import matches
from warren.protocols.overlay.messages import Ask, Done, Hits, split
from warren.protocols.overlay.rounds import is_proven
from warren.services.overlay.spreading import Spread
from warren.services.overlay.visits import Branch, Given, Visit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.cid import Cid
    from warren.core.found import Found
    from warren.core.peer_id import PeerId
    from warren.core.query import Query

KEEP_OF_LEFT: Final = 0.85
"""Of the time that is left, what the next hop gets."""
HOP_S: Final = 0.05
"""And less by this: what a message takes."""


@dataclass(frozen=True, slots=True)
class RoutingLimits:
    """What others can make a super-peer remember.

    visits_max: queries. Attack: ids without end. When all are under way, more are refused.
    remember_s: an id that comes again within this is not handled again. Attack: replays, loops.
    hits_max: of one query, to tell which came before. Attack: hits without end.
    hits_all_max: the same of all queries together, some hundred bytes each. The oldest are forgotten then.
    held_max: hits of all queries together that wait for those of others. Attack: memory, by the same.
    deadline_s: the longest that a query of another may take here. Attack: queries that stay for ever.
    """

    visits_max: int = 4096
    remember_s: float = 120.0
    hits_max: int = 1000
    hits_all_max: int = 200_000
    held_max: int = 4096
    deadline_s: float = 15.0


class Send(NamedTuple):
    """Send a message to a neighbour, or to the guest whose question has this id."""

    peer: PeerId
    message: Ask | Hits | Done


class Look(NamedTuple):
    """Look into the local index for at most `wanted`, and say `found`."""

    id: bytes
    query: Query
    wanted: int


class Deliver(NamedTuple):
    """Hits for a search that was begun here. source: who sent them, a neighbour or a guest."""

    id: bytes
    source: PeerId
    responder: PeerId
    hits: tuple[Found, ...]


class RoundEnded(NamedTuple):
    """A round of a search that was begun here. complete: not by the deadline. See `Done`."""

    id: bytes
    round: int
    asked: int
    skipped: int
    ring: int
    complete: bool


class Blame(NamedTuple):
    """A neighbour did what no honest one does. counts: it is sure; else it is named, and nothing follows."""

    peer: PeerId
    what: str
    counts: bool = True


Action: TypeAlias = Send | Look | Deliver | RoundEnded | Blame


class Steer(Protocol):
    """Where something may be found: `Summaries`."""

    def reach(self, query: Query, peers: Sequence[PeerId], now: float) -> list[int]:
        """How many hops a query has to go behind each of `peers`; 0: it finds nothing there."""
        ...


class Routing:
    """See the module."""

    def __init__(self, me: PeerId, steer: Steer, limits: RoutingLimits | None = None) -> None:
        self._me = me
        self._steer = steer
        self._limits = limits or RoutingLimits()
        self._neighbours: dict[PeerId, None] = {}
        self._visits: OrderedDict[bytes, Visit] = OrderedDict()
        self._deadlines: list[tuple[float, bytes, int]] = []
        self._held = 0
        """Hits of all queries that wait."""
        self._hits = 0
        """And that were handed on."""

    @property
    def neighbours(self) -> tuple[PeerId, ...]:
        """Who is a neighbour now."""
        return tuple(self._neighbours)

    def __len__(self) -> int:
        """How many queries are remembered."""
        return len(self._visits)

    def join(self, peer: PeerId) -> None:
        """A new neighbour."""
        self._neighbours[peer] = None

    def leave(self, peer: PeerId, now: float) -> list[Action]:
        """A neighbour is gone: nothing more comes of what it was asked."""
        self._neighbours.pop(peer, None)
        actions: list[Action] = []
        for id_, visit in list(self._visits.items()):
            if peer in visit.waiting:
                visit.waiting.discard(peer)
                actions += self._settle(id_, visit, now)
        return actions

    # --- queries ------------------------------------------------------------------------------------------

    def ask(self, ask: Ask, now: float, *, own: bool = True) -> list[Action]:
        """Begin a round of a search that begins here. `left_ms` is until its deadline, whatever limits say.

        own: the user of this node searches, and not a peer, which may ask for what is not asked for.
        """
        visit = self._visits.get(ask.id)
        if visit is None:
            visit = self._admit(ask, None, now)
        else:
            self._widen(visit, ask, None)
        if visit is None:
            return [RoundEnded(ask.id, ask.round, 0, 0, 0, complete=False)]
        visit.own = own
        visit.deadline = now + ask.left_ms / 1000
        return self._handle(ask.id, visit, now)

    def end(self, id_: bytes) -> None:
        """A search of our own is over; what still comes of it is late."""
        visit = self._visits.get(id_)
        if visit is not None:
            visit.open = False
            visit.waiting.clear()

    def heard(self, peer: PeerId, message: Ask | Hits | Done, now: float) -> list[Action]:
        """Take what a neighbour, or a guest, says."""
        match message:
            case Ask():
                return self._on_ask(peer, message, now)
            case Hits():
                return self._on_hits(peer, message)
            case Done():
                return self._on_done(peer, message, now)

    def _on_ask(self, peer: PeerId, ask: Ask, now: float) -> list[Action]:
        actions: list[Action] = []
        if not is_proven(ask.id, ask.round, ask.proof):
            refused = Send(peer, Done(ask.id, ask.round, refused=True))
            return [Blame(peer, "a round that nobody began"), refused]
        visit = self._visits.get(ask.id)
        if peer not in self._neighbours:
            ask = replace(ask, ttl=1, breadth=0)
        if visit is None:
            visit = self._admit(ask, peer, now)
            if visit is None:
                return [Send(peer, Done(ask.id, ask.round, refused=True))]
        elif ask.round <= visit.round or visit.parent is None:
            return [Send(peer, Done(ask.id, ask.round))]
        else:
            if visit.open and visit.parent is not None:
                actions.append(Send(visit.parent, visit.done(ask.id)))
            self._widen(visit, ask, peer)
        visit.deadline = now + min(ask.left_ms / 1000, self._limits.deadline_s)
        return actions + self._handle(ask.id, visit, now)

    def _admit(self, ask: Ask, parent: PeerId | None, now: float) -> Visit | None:
        self._forget(now)
        if len(self._visits) >= self._limits.visits_max and not self._drop_oldest():
            return None
        spread = Spread(ask.wanted, _key, self._limits.hits_max)
        visit = Visit(
            ask.query, parent, ask.round, ask.ttl, ask.breadth, ask.wanted, spread, 0.0, now, ask.proof
        )
        self._visits[ask.id] = visit
        return visit

    def _widen(self, visit: Visit, ask: Ask, parent: PeerId | None) -> None:
        visit.parent, visit.round, visit.proof = parent, ask.round, ask.proof
        visit.ttl, visit.breadth, visit.wanted = ask.ttl, ask.breadth, ask.wanted
        visit.open, visit.asked, visit.skipped, visit.ring = True, 0, 0, 0
        visit.spread.renew(ask.wanted)
        visit.waiting.clear()

    def _handle(self, id_: bytes, visit: Visit, now: float) -> list[Action]:
        heapq.heappush(self._deadlines, (visit.deadline, id_, visit.round))
        if visit.parent is None:  # who asks here has looked at what is here
            visit.looked = True
        if visit.looked:
            return self._expand(id_, visit, now)
        if visit.looking:
            return []
        visit.looking = True
        return [Look(id_, visit.query, visit.wanted)]

    def found(self, id_: bytes, hits: Sequence[Found], now: float) -> list[Action]:
        """What the local index has for a `Look`."""
        visit = self._visits.get(id_)
        if visit is None or visit.looked:
            return []
        visit.looked = True
        if not visit.open:
            return []
        visit.asked += 1
        ours = self._pass(id_, visit, self._me, self._me, hits)
        return [*ours, *self._expand(id_, visit, now)]

    def _expand(self, id_: bytes, visit: Visit, now: float) -> list[Action]:
        """Ask the neighbours behind which something may be, as far as the query goes."""
        ours = visit.parent is None
        ttl = visit.ttl if ours else visit.ttl - 1
        breadth = min(visit.breadth if ours else visit.breadth - 1, ttl)
        left_ms = int(((visit.deadline - now) * KEEP_OF_LEFT - HOP_S) * 1000)
        others = [peer for peer in self._neighbours if peer != visit.parent]
        if visit.left <= 0 or left_ms <= 0:
            ttl = 0
        reaches = self._reaches(visit.query, others, ttl, breadth, now)
        if breadth <= 0 and (ours or visit.breadth > 0):
            visit.ring = len(others)
        actions: list[Action] = []
        for peer, reach in zip(others, reaches, strict=True):
            branch, before = Branch(reach, max(breadth, 0)), visit.branches.get(peer)
            if not reach:
                visit.skipped += before is None
            elif before is None or branch.ttl > before.ttl or branch.breadth > before.breadth:
                visit.branches[peer] = branch
                visit.waiting.add(peer)
                visit.given.setdefault(peer, Given()).wanted += visit.left
                ask = Ask(id_, visit.round, *branch, visit.left, left_ms, visit.query, visit.proof)
                actions.append(Send(peer, ask))
        visit.spread.among(len(visit.waiting))
        return actions + self._settle(id_, visit, now)

    def _reaches(
        self, query: Query, peers: Sequence[PeerId], ttl: int, breadth: int, now: float
    ) -> list[int]:
        """The hops that each gets; 0: it is not asked."""
        if ttl <= 0:
            return [0] * len(peers)
        if breadth > 0:
            return [ttl] * len(peers)
        return [min(reach, ttl) for reach in self._steer.reach(query, peers, now)]

    # --- what comes back ----------------------------------------------------------------------------------

    def _on_hits(self, peer: PeerId, message: Hits) -> list[Action]:
        visit = self._visits.get(message.id)
        if visit is None or not visit.open or peer not in visit.waiting:
            return []  # late: we said that we were done
        if not visit.given[peer].take(message.hits):
            return [Blame(peer, "more hits than were asked for")]
        fitting = [hit for hit in message.hits if matches(visit.query, hit.entry)]
        actions: list[Action] = []
        if len(fitting) < len(message.hits):
            actions.append(Blame(peer, "hits that do not fit the query", counts=visit.own))
        return actions + self._pass(message.id, visit, peer, message.responder, fitting)

    def _pass(
        self, id_: bytes, visit: Visit, source: PeerId, responder: PeerId, hits: Sequence[Found]
    ) -> list[Action]:
        """Hand on what is new and wanted, and does not take the room of others."""
        if visit.parent is None:
            return [Deliver(id_, source, responder, tuple(hits))] if hits else []
        spread = visit.spread
        self._held -= spread.held
        self._hits -= spread.hits
        room = self._limits.held_max - self._held
        fresh = spread.take(source, responder, hits, room=room, ours=source == self._me)
        self._held += spread.held
        self._hits += spread.hits
        while self._hits > self._limits.hits_all_max and self._drop_oldest():
            pass
        return [Send(visit.parent, message) for message in split(id_, responder, fresh)]

    def _release(self, id_: bytes, visit: Visit, parent: PeerId) -> list[Action]:
        """Hand on what waited for the hits of others."""
        self._held -= visit.spread.held
        self._hits -= visit.spread.hits
        by_responder: dict[PeerId, list[Found]] = {}
        for responder, hit in visit.spread.release():
            by_responder.setdefault(responder, []).append(hit)
        self._hits += visit.spread.hits
        return [
            Send(parent, message)
            for responder, hits in by_responder.items()
            for message in split(id_, responder, hits)
        ]

    def _on_done(self, peer: PeerId, done: Done, now: float) -> list[Action]:
        visit = self._visits.get(done.id)
        if visit is None or not visit.open or done.round != visit.round or peer not in visit.waiting:
            return []
        visit.waiting.discard(peer)
        visit.asked += done.asked
        visit.beyond[peer] = done.skipped, done.ring
        return self._settle(done.id, visit, now)

    def _settle(self, id_: bytes, visit: Visit, now: float) -> list[Action]:
        """Say that all is done, if it is."""
        if not visit.open or not visit.looked or visit.waiting:
            return []
        return self._close(id_, visit, complete=now < visit.deadline)

    def _close(self, id_: bytes, visit: Visit, *, complete: bool) -> list[Action]:
        visit.open = False
        visit.waiting.clear()
        done = visit.done(id_)
        if visit.parent is None:
            return [RoundEnded(id_, done.round, done.asked, done.skipped, done.ring, complete)]
        return [*self._release(id_, visit, visit.parent), Send(visit.parent, done)]

    # --- time ---------------------------------------------------------------------------------------------

    def next_due(self) -> float | None:
        """When `expire` has something to do."""
        return self._deadlines[0][0] if self._deadlines else None

    def expire(self, now: float) -> list[Action]:
        """End what is past its deadline, and forget what is long gone."""
        actions: list[Action] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            _, id_, round_ = heapq.heappop(self._deadlines)
            visit = self._visits.get(id_)
            if visit is not None and visit.open and visit.round == round_:
                actions += self._close(id_, visit, complete=False)
        self._forget(now)
        return actions

    def _forget(self, now: float) -> None:
        while self._visits:
            id_, visit = next(iter(self._visits.items()))
            if visit.open or visit.seen_at + self._limits.remember_s > now:
                return
            self._drop(id_)

    def _drop_oldest(self) -> bool:
        oldest = next((id_ for id_, one in self._visits.items() if not one.open), None)
        if oldest is not None:
            self._drop(oldest)
        return oldest is not None

    def _drop(self, id_: bytes) -> None:
        self._hits -= self._visits.pop(id_).spread.hits


def _key(responder: PeerId, hit: Found) -> tuple[PeerId, PeerId, str, Cid]:
    """By which a hit is known when it comes again by another way. Nobody can stand in front of another's
    hits but with hits that are the same.
    """
    return responder, hit.owner, hit.entry.path, hit.entry.cid
