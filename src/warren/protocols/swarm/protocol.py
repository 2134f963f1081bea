"""`/warren/swarm/1.0.0`: ask a peer what it has of a content, and tell it what we have.

In:  on one side a peer and a request; on the other requests of peers that Noise has authenticated, and who
answers them. Out: answers. Each exchange is a request of the messages protocol (docs/protocols/messages.md).
Spec: docs/protocols/swarm.md.

Refuses what messages.py refuses; who asks more often than the allowances is told that this node is busy,
whatever it asked for.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import ProtocolViolation
from warren.network.allowance import Allowances, Rate, Seldom
from warren.protocols.swarm.messages import Answer, Ask

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.network.network import Network

PROTOCOL: Final = "/warren/swarm/1.0.0"
TIMEOUT_S: Final = 10.0
"""For a request and its answer, the dial included."""
ASKS: Final = Rate(64, 20)
"""Of one peer: three contents that it fetches at once, of each of which it tells four times a second, and a
word on each turn. Attack: requests without end; each costs some look-ups, and up to four signatures."""
ASKS_ALL: Final = Rate(2000, 400)
"""Of all together. Attack: the same under many identities."""
PEERS_MAX: Final = 10_000
"""Peers whose allowance is remembered. Attack: identities without end."""
NAMED_EVERY_S: Final = 60.0
"""Between two lines in the log on the same peer. Attack: a log that fills the disk."""
_BUSY: Final = Answer("busy").to_bytes()
_log = logging.getLogger(__name__)


class Member(Protocol):
    """Who knows what this node has, and for whom."""

    async def answer(self, asker: PeerId, ask: Ask) -> Answer:
        """What the asker may know. What is not for it is answered like what is not there."""
        ...


class SwarmProtocol:
    """Answers from now on, and asks."""

    __slots__ = ("_asks", "_member", "_named", "_network")

    def __init__(self, network: Network, member: Member) -> None:
        self._network = network
        self._member = member
        self._asks: Allowances[PeerId] = Allowances(ASKS, ASKS_ALL, PEERS_MAX, network.clock())
        self._named: Seldom[PeerId] = Seldom(NAMED_EVERY_S, PEERS_MAX)
        network.handle_request(PROTOCOL, self._answer)

    async def ask(self, peer: PeerId, ask: Ask) -> Answer:
        """Connects if need be. Raises `ProtocolViolation`, `ProtocolNotSupported`, `Refused` (what was asked
        is malformed), `RequestTimeout`, and what connecting raises.
        """
        payload = await self._network.request(peer, PROTOCOL, ask.to_bytes(), timeout_s=TIMEOUT_S)
        return Answer.from_bytes(payload)

    async def _answer(self, peer: PeerId, payload: bytes) -> bytes:
        now = self._network.clock()
        if not self._asks.take(peer, now):
            self._warn(peer, now, "asks too often what there is")
            return _BUSY
        try:
            ask = Ask.from_bytes(payload)
        except ProtocolViolation as error:
            self._warn(peer, now, f"is refused: {error}")
            raise
        return (await self._member.answer(peer, ask)).to_bytes()

    def _warn(self, peer: PeerId, now: float, text: str) -> None:
        if self._named.is_due(peer, now):
            _log.warning("%s %s", peer, text)
