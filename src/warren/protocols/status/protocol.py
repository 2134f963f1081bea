"""`/warren/status/1.0.0`: ask a peer how it is doing, and see how long it takes to answer.

In:  on one side a peer; on the other a stream of a peer that Noise has authenticated, and who says what the
peer may know. Out: `PeerStatus`: the facts, and the seconds from the question to the answer on a connection
that stood already. The response time is noted beside the round trip of ping: a node that answers pings at
once and questions late is busy.
Spec: docs/protocols/status.md.

Refuses late and oversized messages, and more questions than the allowances: they are answered by a reset.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from warren.core.errors import LimitReached, ProtocolNotSupported, ProtocolViolation, RequestTimeout
from warren.core.framing import frame
from warren.protocols.status.facts import (
    FACTS_BYTES_MAX,
    QUESTION_BYTES_MAX,
    Facts,
    question,
    read_question,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.stream import Stream

PROTOCOL: Final = "/warren/status/1.0.0"
TIMEOUT_S: Final = 10.0
"""For a question or an answer. Attack: a stream on which nothing is said, or slowly."""
EVERY_S: Final = 0.2
"""Between questions of one peer that are answered. Attack: questions without end; those of contacts cost a
look at every socket."""
PEERS_MAX: Final = 1024
"""Peers whose last question is remembered, and that are answered at once. Attack: keys without end."""


class Responses(Protocol):
    """Who keeps how fast peers answer."""

    async def note_response(self, peer: PeerId, response_s: float) -> None:
        """So long it took to answer just now."""
        ...


class PeerStatus(NamedTuple):
    """What a peer said of itself, and how many seconds that took."""

    facts: Facts
    response_s: float


class StatusProtocol:
    """Answers from now on, and asks."""

    __slots__ = ("_answered_at", "_facts", "_network", "_responses")

    def __init__(
        self, network: Network, facts: Callable[[PeerId], Awaitable[Facts]], responses: Responses
    ) -> None:
        """facts: what a peer may know of this node, now."""
        self._network = network
        self._facts = facts
        self._responses = responses
        self._answered_at: OrderedDict[PeerId, float] = OrderedDict()
        network.handle_stream(PROTOCOL, self._serve)

    async def ask(self, peer: PeerId, *, timeout_s: float = TIMEOUT_S) -> PeerStatus:
        """How a peer is doing; connects if need be.

        Raises RequestTimeout, ProtocolNotSupported, ProtocolViolation, StreamReset (it was asked a moment
        ago), and what connecting raises.
        """
        socket = await self._network.connect(peer, timeout_s=timeout_s)
        began = self._network.clock()
        try:
            async with asyncio.timeout(timeout_s):
                # Written at once, without waiting for the agreement on the protocol: one round trip.
                facts = await _exchange(socket.open_stream((PROTOCOL,)))
        except TimeoutError as error:
            raise RequestTimeout(f"{peer} did not answer within {timeout_s:g} s") from error
        except ProtocolNotSupported as error:
            raise ProtocolNotSupported(
                f"{peer} does not tell how it is doing", hint="it may run another program, or an older Warren"
            ) from error
        answer = PeerStatus(facts, self._network.clock() - began)
        await self._responses.note_response(peer, answer.response_s)
        return answer

    async def _serve(self, stream: Stream) -> None:
        self._check_rate(stream.peer_id)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                read_question(await stream.read_frame(QUESTION_BYTES_MAX))
        except TimeoutError as error:
            raise ProtocolViolation(f"no question within {TIMEOUT_S:g} s") from error
        facts = await self._facts(stream.peer_id)
        stream.write_nowait(frame(facts.to_bytes()))

    def _check_rate(self, peer: PeerId) -> None:
        now = self._network.clock()
        before = self._answered_at.get(peer)
        if before is not None and now < before + EVERY_S:
            raise LimitReached("status", f"{peer} asks too often")
        oldest = next(iter(self._answered_at.values()), now)
        if len(self._answered_at) >= PEERS_MAX:
            if now < oldest + EVERY_S:
                raise LimitReached("status", "too many peers ask")
            self._answered_at.popitem(last=False)
        self._answered_at[peer] = now
        self._answered_at.move_to_end(peer)


async def _exchange(stream: Stream) -> Facts:
    try:
        stream.write_nowait(frame(question()))
        return Facts.from_bytes(await stream.read_frame(FACTS_BYTES_MAX))
    finally:
        stream.close_nowait()
