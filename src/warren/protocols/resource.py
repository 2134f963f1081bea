"""`/warren/resource/1.0.0`: ask a peer what it says of a file or folder that it shares.

In:  on one side a peer and a path there; on the other requests of peers that Noise has authenticated, and who
says what each may know. Out: the peer's own word in its signed envelope (core/resource.py), or nothing: where
it says nothing, where nothing lies, and where that is not for the asker, which all look alike.
Spec: docs/protocols/resource.md. Requests are bounded as docs/protocols/messages.md says.

Refuses paths that are too long or no text, words of another publisher than the peer, more questions than a
peer may ask, and what core/resource.py refuses.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import LimitReached, ProtocolNotSupported, ProtocolViolation
from warren.core.resource import Resource
from warren.network.allowance import Allowances, Rate, Seldom

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.network.network import Network

PROTOCOL: Final = "/warren/resource/1.0.0"
PATH_BYTES_MAX: Final = 4096
"""Attack: paths that no file system has and every look-up has to carry."""
TIMEOUT_S: Final = 10.0
ANSWERS: Final = Rate(200, 20)
"""Of one peer. Attack: questions without end; each is looked up in two tables."""
ANSWERS_ALL: Final = Rate(4000, 400)
"""Of all together. Attack: the same under many identities."""
PEERS_MAX: Final = 10_000
"""Peers whose allowance is remembered. Attack: identities without end."""
NAMED_EVERY_S: Final = 60.0
"""Between two lines in the log on the same peer. Attack: a log that fills the disk."""
_log = logging.getLogger(__name__)


class Speaker(Protocol):
    """Who knows what this node says, and to whom."""

    async def word_for(self, peer: PeerId, path: str) -> bytes | None:
        """This node's word on what it shares at SHARE/PATH, sealed, if the peer may see that."""
        ...


class ResourceProtocol:
    """Answers from now on, and asks."""

    __slots__ = ("_answers", "_named", "_network", "_speaker")

    def __init__(self, network: Network, speaker: Speaker) -> None:
        self._network = network
        self._speaker = speaker
        self._answers: Allowances[PeerId] = Allowances(ANSWERS, ANSWERS_ALL, PEERS_MAX, network.clock())
        self._named: Seldom[PeerId] = Seldom(NAMED_EVERY_S, PEERS_MAX)
        network.handle_request(PROTOCOL, self._answer)

    async def ask(self, peer: PeerId, path: str, *, timeout_s: float = TIMEOUT_S) -> bytes | None:
        """The sealed word of `peer` on what it shares at SHARE/PATH, checked to be its own; None: nothing.

        Connects if need be. Raises `ProtocolViolation`, `ProtocolNotSupported`, `RequestTimeout`, and what
        connecting raises.
        """
        try:
            answer = await self._network.request(peer, PROTOCOL, path.encode(), timeout_s=timeout_s)
        except ProtocolNotSupported as error:
            raise ProtocolNotSupported(
                f"{peer} says nothing of its files", hint="it may run another program, or an older Warren"
            ) from error
        if not answer:
            return None
        publisher = Resource.open(answer).publisher
        if publisher != peer:
            raise ProtocolViolation(f"{peer} passes on what {publisher} said as its own")
        return answer

    async def _answer(self, peer: PeerId, payload: bytes) -> bytes:
        now = self._network.clock()
        if not self._answers.take(peer, now):
            if self._named.is_due(peer, now):
                _log.warning("%s asks too often what is said of files, and is refused", peer)
            raise LimitReached("protocols.resource.ANSWERS", "this is asked too often", hint="wait a while")
        if len(payload) > PATH_BYTES_MAX:
            raise ProtocolViolation(f"a path of more than {PATH_BYTES_MAX} bytes")
        try:
            path = payload.decode()
        except UnicodeDecodeError as error:
            raise ProtocolViolation("a path that is no text") from error
        return await self._speaker.word_for(peer, path) or b""
