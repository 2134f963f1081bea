"""`/warren/resource/1.0.0`: ask a peer what it says of a file or folder that it shares.

In:  on one side a peer and a path there; on the other requests of peers that Noise has authenticated, and who
says what each may know. Out: the peer's own word in its signed envelope (core/resource.py), or nothing: where
it says nothing, where nothing lies, and where that is not for the asker, which all look alike.
Spec: docs/protocols/resource.md. Requests are bounded as docs/protocols/messages.md says.

Refuses paths that are too long or no text, words of another publisher than the peer, and what
core/resource.py refuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import ProtocolNotSupported, ProtocolViolation
from warren.core.resource import Resource

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.network.network import Network

PROTOCOL: Final = "/warren/resource/1.0.0"
PATH_BYTES_MAX: Final = 4096
"""Attack: paths that no file system has and every look-up has to carry."""
TIMEOUT_S: Final = 10.0


class Speaker(Protocol):
    """Who knows what this node says, and to whom."""

    async def word_for(self, peer: PeerId, path: str) -> bytes | None:
        """This node's word on what it shares at SHARE/PATH, sealed, if the peer may see that."""
        ...


class ResourceProtocol:
    """Answers from now on, and asks."""

    __slots__ = ("_network", "_speaker")

    def __init__(self, network: Network, speaker: Speaker) -> None:
        self._network = network
        self._speaker = speaker
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
        if len(payload) > PATH_BYTES_MAX:
            raise ProtocolViolation(f"a path of more than {PATH_BYTES_MAX} bytes")
        try:
            path = payload.decode()
        except UnicodeDecodeError as error:
            raise ProtocolViolation("a path that is no text") from error
        return await self._speaker.word_for(peer, path) or b""
