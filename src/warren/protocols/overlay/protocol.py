"""`/warren/overlay/1.0.0` on the wire: streams of neighbours, and questions of guests.

In:  streams of peers; what is to be sent to whom. Out: messages to a `Super`, in the turn in which they come.
Spec: docs/protocols/overlay.md.

Each of two neighbours sends on a stream that it opened itself and keeps: a query of 60 bytes costs no
negotiation, and its hits cannot be overtaken by its end. Whoever is no neighbour asks on a stream of its own,
gets its answer there, and closes it.

Refuses whom the `Super` does not want, messages over their bounds, a neighbour that does not read what it is
sent, and a guest that takes its time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import LimitReached, ProtocolViolation, RequestTimeout
from warren.core.framing import frame
from warren.protocols.overlay.messages import (
    GUEST_BYTES_MAX,
    HITS_BYTES_MAX,
    NEIGHBOUR_BYTES_MAX,
    Ask,
    Done,
    Hits,
    Join,
    decode,
    encode,
    kind_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from typing import Literal

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.socket import Socket
    from warren.network.stream import Stream
    from warren.protocols.overlay.messages import (
        Message,
    )

PROTOCOL: Final = "/warren/overlay/1.0.0"
TIMEOUT_S: Final = 10.0
"""For the first message of a stream. Attack: streams on which nothing is said."""
UNSENT_BYTES_MAX: Final = 8 << 20
"""What waits for a neighbour to read. Attack: a neighbour that reads nothing, and lets this node hold it
all."""
GUESTS_MAX: Final = 128
"""Questions of guests at once. Attack: questions without end, each of which is held."""
GUESTS_PER_PEER_MAX: Final = 4
"""The same of one peer."""
ANSWERS_MAX: Final = 64
"""Messages of one answer to a guest. Attack: whom we ask answers without end."""
_log = logging.getLogger(__name__)


class Super(Protocol):
    """Who answers here. All but `joined` and `answer` are called in the turn of the loop in which it
    happens.
    """

    def may_join(self, socket: Socket) -> bool:
        """Whether the peer may be a neighbour."""
        ...

    async def joined(self, socket: Socket) -> None:
        """The peer is a neighbour; it is heard once this returns. Raises `WarrenError` where it cannot be."""
        ...

    def left(self, peer: PeerId) -> None:
        """It is none any more."""
        ...

    def heard(self, peer: PeerId, message: Message) -> None:
        """A neighbour says something. Raises `WarrenError` for what costs it the stream."""
        ...

    def offended(self, peer: PeerId, what: str) -> None:
        """A neighbour broke the rules; that cost it the stream."""
        ...

    def answer(self, socket: Socket, ask: Ask) -> AsyncGenerator[Hits | Done, None]:
        """What a guest gets. Raises `WarrenError` for what costs it the stream."""
        ...


class OverlayProtocol:
    """The streams of one node. `serve` until `stop`."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._super: Super | None = None
        self._inbound: dict[PeerId, Stream] = {}
        self._outbound: dict[PeerId, Stream] = {}
        self._opening: dict[PeerId, asyncio.Event] = {}
        self._guests: Counter[PeerId] = Counter()

    def serve(self, one: Super) -> None:
        """Take streams from now on."""
        self._super = one
        self._network.handle_stream(PROTOCOL, self._serve)

    def stop(self) -> None:
        """Take none any more, and end those of neighbours."""
        self._super = None
        self._network.remove_handler(PROTOCOL)
        for stream in [*self._inbound.values(), *self._outbound.values()]:
            stream.reset()
        self._inbound.clear()
        self._outbound.clear()

    # --- neighbours ---------------------------------------------------------------------------------------

    async def join(self, peer: PeerId) -> None:
        """Say to a connected peer that it shall be a neighbour. If it wants, it says so on a stream of its
        own.

        Raises what `open_stream` raises.
        """
        while (opening := self._opening.get(peer)) is not None:
            await opening.wait()
        if self.is_open(peer):
            return
        opening = self._opening[peer] = asyncio.Event()
        try:
            stream = await self._network.open_stream(peer, PROTOCOL, timeout_s=TIMEOUT_S)
            self._outbound[peer] = stream
            stream.write_nowait(frame(encode(Join())))
            self._count(Join(), "out")
        finally:
            del self._opening[peer]
            opening.set()

    def send(self, peer: PeerId, message: Message) -> bool:
        """Send to a neighbour; False: there is no stream to it."""
        stream = self._outbound.get(peer)
        if stream is None or stream.ended:
            return False
        if stream.unsent_bytes > UNSENT_BYTES_MAX:
            _log.warning("overlay: %s does not read what it is sent: it is no neighbour any more", peer)
            self.drop(peer)
            return False
        stream.write_nowait(frame(encode(message)))
        self._count(message, "out")
        return True

    def is_open(self, peer: PeerId) -> bool:
        """Whether it can be sent to."""
        stream = self._outbound.get(peer)
        return stream is not None and not stream.ended

    def drop(self, peer: PeerId) -> None:
        """End the streams with a neighbour: it is none any more."""
        outbound, inbound = self._outbound.pop(peer, None), self._inbound.pop(peer, None)
        for stream in (outbound, inbound):
            if stream is not None:
                stream.reset()
        if inbound is not None and self._super is not None:
            self._super.left(peer)

    async def _serve(self, stream: Stream) -> None:
        first = await self._read(stream, GUEST_BYTES_MAX, TIMEOUT_S)
        match first:
            case Join():
                await self._hear(stream)
            case Ask():
                await self._answer(stream, first)
            case _:
                raise ProtocolViolation("overlay: a stream begins with Join, or with a question")

    async def _hear(self, stream: Stream) -> None:
        peer, here = stream.peer_id, self._super
        if here is None or not here.may_join(stream.socket):
            stream.reset()
            return
        old, self._inbound[peer] = self._inbound.get(peer), stream
        if old is not None:
            old.reset()
        try:
            await here.joined(stream.socket)
            while True:
                message = await self._read(stream, NEIGHBOUR_BYTES_MAX, None)
                here.heard(peer, message)
        except ProtocolViolation as error:
            here.offended(peer, str(error))
            raise
        finally:
            if self._inbound.get(peer) is stream:
                self.drop(peer)

    # --- guests -------------------------------------------------------------------------------------------

    async def _answer(self, stream: Stream, ask: Ask) -> None:
        peer, here = stream.peer_id, self._super
        if here is None:
            stream.reset()
            return
        if self._guests.total() >= GUESTS_MAX or self._guests[peer] >= GUESTS_PER_PEER_MAX:
            raise LimitReached("overlay guests", f"{peer} asks while too many are answered")
        self._guests[peer] += 1
        try:
            async with aclosing(here.answer(stream.socket, ask)) as answers:
                async for message in answers:
                    await stream.write(frame(encode(message)))
                    self._count(message, "out")
        finally:
            self._guests[peer] -= 1
            if not self._guests[peer]:
                del self._guests[peer]

    async def ask(self, peer: PeerId, ask: Ask, timeout_s: float) -> AsyncGenerator[Hits, None]:
        """What a super-peer that is no neighbour finds itself. Raises what `open_stream` raises,
        `ProtocolViolation`, `RequestTimeout`.
        """
        stream = await self._network.open_stream(peer, PROTOCOL, timeout_s=timeout_s)
        try:
            stream.write_nowait(frame(encode(ask)))
            self._count(ask, "out")
            for _ in range(ANSWERS_MAX):
                message = await self._read(stream, HITS_BYTES_MAX, timeout_s)
                if isinstance(message, Done):
                    return
                if not isinstance(message, Hits) or message.id != ask.id or message.responder != peer:
                    raise ProtocolViolation("overlay: an answer to something else")
                yield message
        finally:
            stream.close_nowait()

    # --- one message --------------------------------------------------------------------------------------

    async def _read(self, stream: Stream, bytes_max: int, timeout_s: float | None) -> Message:
        try:
            async with asyncio.timeout(timeout_s):
                message = decode(await stream.read_frame(bytes_max))
        except TimeoutError as error:
            raise RequestTimeout(f"overlay: no message within {timeout_s:g} s") from error
        self._count(message, "in")
        return message

    def _count(self, message: Message, direction: Literal["in", "out"]) -> None:
        self._network.count_message("overlay", kind_of(message), direction)
