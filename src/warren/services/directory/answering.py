"""Answering peers: queries, who is there, and what is for super-peers where this node is one.

In:  calls of peers, each with the peer proven by its connection. Out: answers that hold what the asker may
see and nothing else. Every call is paid for from a budget; who floods is refused and named in the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import LimitReached, StorageError
from warren.core.found import Counts, Found
from warren.network.limits import ip_group
from warren.protocols.directory.messages import (
    NOBODY,
    Bye,
    End,
    LeaseCall,
    OnlineAnswer,
    PresenceCall,
    QueryCall,
    Reason,
    RefusedAnswer,
    RegistrationCall,
    Standing,
    in_messages,
)
from warren.services.directory.budgets import QUERIES, QUESTIONS, Budget
from warren.services.directory.super_peer import Parts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from warren.core.peer_id import PeerId
    from warren.core.query import Query
    from warren.network.socket import Socket
    from warren.protocols.directory.messages import Answer, Call
    from warren.services.directory.index.interface import Index
    from warren.services.directory.role import Role
    from warren.services.directory.super_peer import SuperPeer

QUERY_S: Final = 30.0
"""For one query passed on to others. Attack: super-peers that never end their answers."""
_log = logging.getLogger(__name__)


class Overlay(Protocol):
    """Other super-peers, asked together."""

    def __call__(
        self, query: Query, ttl: int | None, asker: PeerId | None = None, group: str | None = None
    ) -> AsyncGenerator[Found | Counts, None]:
        """What they find, as it comes, and how many of them have answered. Only what is public.

        ttl: how often they pass it on; None: as is usual. asker: on whose behalf, None: of the user of this
        node; group: of its address, None for this machine. Raises `LimitReached`.
        """
        ...


class Answering:
    """Who answers here; see `protocols.directory.protocol.Answerer`."""

    def __init__(
        self, index: Index, super_peer: SuperPeer, role: Role, me: PeerId, now: Callable[[], float]
    ) -> None:
        self.index = index
        self.super_peer = super_peer
        self.role = role
        self.me = me
        self.now = now
        self.queries = Budget(QUERIES, now())
        self.questions = Budget(QUESTIONS, now())
        self.overlay: Overlay | None = None
        """Asked besides, while this node is a super-peer."""

    def converse(self, socket: Socket) -> Conversing:
        """With the peer of a connection."""
        return Conversing(self, socket)


class Conversing:
    """One stream of a peer."""

    def __init__(self, answering: Answering, socket: Socket) -> None:
        self._all = answering
        self._peer = socket.peer_id
        address = socket.remote_addr
        local = address is None or address.host is None or address.is_loopback
        self._host = address.host if address is not None else None
        self._group = None if local or address is None else ip_group(str(address.host))
        self._parts = Parts()

    def end(self) -> None:
        """The stream is over."""
        self._all.super_peer.drop(self._parts)

    async def answer(self, call: Call) -> AsyncGenerator[Answer, None]:
        """All answers to a call."""
        match call:
            case QueryCall():
                async with contextlib.aclosing(self._query(call)) as answers:
                    async for answer in answers:
                        yield answer
            case LeaseCall() | RegistrationCall() | Bye():
                yield await self._registering(call)
            case PresenceCall():
                is_online = self._all.super_peer.is_online
                yield self._paid(
                    OnlineAnswer(tuple(is_online(peer) or peer == self._all.me for peer in call.peers))
                )
            case Standing():
                self._all.role.heard(self._peer, call)
                yield self._paid(self._all.role.standing())

    async def _registering(self, call: LeaseCall | RegistrationCall | Bye) -> Answer:
        super_peer = self._all.super_peer
        if not super_peer.active:
            return RefusedAnswer(Reason.NO_SUPER_PEER, "it is no super-peer")
        if isinstance(call, Bye):
            super_peer.leave(self._peer)
            return super_peer.held(self._peer)
        if isinstance(call, LeaseCall):
            return super_peer.lease(self._peer, self._group, call.envelope, self._host)
        return await super_peer.register(self._peer, self._group, call.envelope, self._parts)

    def _paid(self, answer: Answer) -> Answer:
        return answer if self._pays(self._all.questions) else RefusedAnswer(Reason.TOO_OFTEN)

    def _pays(self, budget: Budget) -> bool:
        now = self._all.now()
        if budget.take(self._peer, self._group, now):
            return True
        if budget.is_to_be_named(self._peer, now):
            _log.warning("%s asks too often and is refused", self._peer)
        return False

    async def _query(self, call: QueryCall) -> AsyncGenerator[Answer, None]:
        if not self._pays(self._all.queries):
            yield RefusedAnswer(Reason.TOO_OFTEN, "it asks too often")
            return
        try:
            results = await self._all.index.search(call.query, self._peer)
        except StorageError as error:
            _log.warning("a query was not answered: %s", error)
            yield RefusedAnswer(Reason.NOT_KEPT, "the index cannot be read now")
            return
        # Who is no super-peer speaks for itself alone, whatever its index still holds of others.
        is_super, me = self._all.super_peer.active, self._all.me
        hits = [Found(*one) for one in results.hits if is_super or one.owner == me]
        for answer in in_messages(hits):
            yield answer
        counts = NOBODY
        if is_super and call.ttl != 0 and call.query.cid is None:
            async with contextlib.aclosing(self._far(call)) as far:
                async for one in far:
                    if isinstance(one, Counts):
                        counts = one
                        yield counts
                    else:
                        yield next(in_messages([one]))
        yield End(results.total, results.exact, counts)

    async def _far(self, call: QueryCall) -> AsyncGenerator[Found | Counts, None]:
        """What other super-peers find; nothing, where they cannot be asked now."""
        if (overlay := self._all.overlay) is None:
            return
        answers = overlay(call.query, call.ttl, self._peer, self._group)
        try:
            async with contextlib.aclosing(_within(answers)) as far:
                async for one in far:
                    yield one
        except LimitReached as error:
            if self._all.queries.is_to_be_named(self._peer, self._all.now()):
                _log.warning("a query of %s is not passed on: %s", self._peer, error)


async def _within(far: AsyncGenerator[Found | Counts, None]) -> AsyncGenerator[Found | Counts, None]:
    """What comes in time. Each step has a deadline of its own: it may run in a task of its own."""
    until = asyncio.get_running_loop().time() + QUERY_S
    async with contextlib.aclosing(far):
        while True:
            try:
                async with asyncio.timeout_at(until):
                    one = await anext(far)
            except (TimeoutError, StopAsyncIteration):
                return
            yield one
