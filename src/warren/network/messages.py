"""Request/response with ids, timeouts and late replies; what is sent to one peer or to all is built on it.

In: payloads of at most `message_bytes_max`.  Out: the peer's answer, or an error that says what went wrong.
Each side keeps one stream per socket and protocol for the requests that it makes; answers come back on it in
any order (`answering` is the other side).  A malformed or oversized message costs its stream; the next
request opens a new one.
Wire: `proto/messages.proto`, explained in docs/protocols/messages.md.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from warren.core.errors import (
    ConnectionClosed,
    LimitReached,
    ProtocolViolation,
    Refused,
    RequestTimeout,
    WarrenError,
)
from warren.core.framing import FrameDecoder, frame
from warren.network.answering import Answering
from warren.network.message_frames import ENVELOPE_BYTES_MAX, read_messages
from warren.network.proto.messages_pb2 import ERROR, MESSAGE, REQUEST, RESPONSE, Message

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.network.answering import RequestHandler
    from warren.network.config import NetworkConfig
    from warren.network.router import Router
    from warren.network.socket import Socket
    from warren.network.stream import Stream

UNSENT_BYTES_MAX: Final = 256 * 1024
"""Requests and messages wait, and broadcasts fail, while a peer has left more than this of them untaken."""


@dataclass(frozen=True, slots=True)
class BroadcastReport:
    """Whom a broadcast reached (their handler has it), and whom not and why."""

    reached: tuple[PeerId, ...] = ()
    failed: dict[PeerId, str] = field(default_factory=dict)


class _Outgoing:
    """Our requests on one stream of one socket."""

    __slots__ = ("_config", "_decoder", "_ended", "_next_id", "_pending", "stream")

    def __init__(self, stream: Stream, config: NetworkConfig) -> None:
        self.stream = stream
        self._config = config
        self._decoder = FrameDecoder(config.message_bytes_max + ENVELOPE_BYTES_MAX)
        self._next_id = 1
        self._pending: dict[int, tuple[asyncio.Future[bytes], int]] = {}
        """What waits for an answer: the future, and the kind that was sent."""
        self._ended = False
        stream.set_receiver(self._on_data, self._on_end)
        stream.on_drain = self._close_if_idle

    @property
    def dead(self) -> bool:
        return self._ended or not self.stream.socket.usable

    @property
    def behind(self) -> bool:
        """True while the peer does not take what was sent before: more would only pile up here."""
        return self.stream.unsent_bytes > UNSENT_BYTES_MAX

    def send(self, kind: int, payload: bytes) -> tuple[int, asyncio.Future[bytes]]:
        if len(self._pending) >= self._config.pending_requests_max:
            raise LimitReached("pending_requests_max")
        request_id = self._next_id
        self._next_id += 1
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        message = Message(id=request_id, kind=kind, payload=payload)  # type: ignore[arg-type]
        self._pending[request_id] = future, kind
        try:
            self.stream.write_through(frame(message.SerializeToString()))
        except BaseException:
            del self._pending[request_id]
            raise
        return request_id, future

    def forget(self, request_id: int) -> None:
        """Nobody waits any more: an answer that still comes is dropped."""
        self._pending.pop(request_id, None)
        if self.stream.socket.draining:
            self._close_if_idle()

    def _close_if_idle(self) -> None:
        """The socket drains: a stream that is kept for later requests must not hold it open."""
        if not self._pending:
            self.stream.close_nowait()

    def _on_data(self, data: memoryview) -> None:
        try:
            for message in read_messages(self._decoder, data):
                self._on_message(message)
        except ProtocolViolation as error:
            self._on_end(error)
            self.stream.reset()

    def _on_message(self, message: Message) -> None:
        if message.kind not in (RESPONSE, ERROR):
            raise ProtocolViolation("a request where an answer was due")
        future, asked = self._pending.pop(message.id, (None, MESSAGE))
        if future is None or future.done():
            return
        if message.kind == RESPONSE:
            # Many are told at once: what they send back, unasked, is not kept until the last has answered.
            future.set_result(message.payload if asked == REQUEST else b"")
        else:
            text = message.payload.decode("utf-8", "replace")[:500]
            future.set_exception(Refused(f"{self.stream.peer_id} refused: {text}"))

    def _on_end(self, error: Exception | None) -> None:
        self._ended = True
        pending, self._pending = self._pending, {}
        for future, _ in pending.values():
            if not future.done():
                future.set_exception(
                    error or ConnectionClosed("the peer closed the stream without an answer")
                )
                future.exception()


class Messenger:
    """The requests of one network, in both directions."""

    __slots__ = ("_config", "_outgoing", "_router")

    def __init__(self, router: Router, config: NetworkConfig) -> None:
        self._router = router
        self._config = config
        self._outgoing: dict[Socket, dict[str, _Outgoing]] = {}

    def handle(self, protocol: str, handler: RequestHandler) -> None:
        """Answer the requests and take the broadcasts of `protocol`; a broadcast's result is not sent."""

        def accept(stream: Stream) -> None:
            Answering(stream, handler, self._config, self._router.spawn)

        self._router.add_inline(protocol, accept)

    async def request(self, socket: Socket, protocol: str, payload: bytes, timeout_s: float) -> bytes:
        """Send a request and wait for its answer.

        Raises `RequestTimeout`, `Refused` (the handler said no), `ProtocolNotSupported`, `ConnectionFailed`.
        """
        return await self._exchange(REQUEST, socket, protocol, payload, timeout_s)

    async def send(self, socket: Socket, protocol: str, payload: bytes, timeout_s: float) -> None:
        """Send what wants no answer, and wait until the handler has it. Raises what `request` raises."""
        await self._exchange(MESSAGE, socket, protocol, payload, timeout_s)

    async def _exchange(
        self, kind: int, socket: Socket, protocol: str, payload: bytes, timeout_s: float
    ) -> bytes:
        outgoing, request_id = self._outgoing_to(socket, protocol, payload), 0
        try:
            async with asyncio.timeout(timeout_s):
                if outgoing.behind:
                    await outgoing.stream.drain()
                request_id, future = outgoing.send(kind, payload)
                return await future
        except TimeoutError as error:
            raise RequestTimeout(f"no answer from {socket.peer_id} within {timeout_s:g} s") from error
        finally:
            outgoing.forget(request_id)

    async def broadcast(
        self, sockets: list[Socket], protocol: str, payload: bytes, timeout_s: float
    ) -> BroadcastReport:
        """Send `payload` to the peer of each socket at once, and say whom it reached."""
        sent: list[tuple[Socket, _Outgoing, int, asyncio.Future[bytes]]] = []
        failed: dict[PeerId, str] = {}
        for socket in sockets:
            try:
                outgoing = self._outgoing_to(socket, protocol, payload)
                if outgoing.behind:
                    raise LimitReached("unsent_bytes", "the peer does not take what was sent before")
                sent.append((socket, outgoing, *outgoing.send(MESSAGE, payload)))
            except WarrenError as error:
                failed[socket.peer_id] = str(error)
        try:
            if sent:
                await asyncio.wait([future for *_, future in sent], timeout=timeout_s)
        finally:
            for _, outgoing, request_id, _ in sent:
                outgoing.forget(request_id)
        reached: list[PeerId] = []
        for socket, _, _, future in sent:
            if not future.done():
                failed[socket.peer_id] = f"no answer within {timeout_s:g} s"
            elif (problem := future.exception()) is not None:
                failed[socket.peer_id] = str(problem)
            else:
                reached.append(socket.peer_id)
        return BroadcastReport(tuple(reached), failed)

    def drop(self, socket: Socket) -> None:
        """A socket is gone."""
        self._outgoing.pop(socket, None)

    def _outgoing_to(self, socket: Socket, protocol: str, payload: bytes) -> _Outgoing:
        if len(payload) > self._config.message_bytes_max:
            raise LimitReached("message_bytes_max")
        of_socket = self._outgoing.get(socket, {})
        outgoing = of_socket.get(protocol)
        if outgoing is None or outgoing.dead:
            outgoing = of_socket[protocol] = _Outgoing(socket.open_stream((protocol,)), self._config)
            self._outgoing[socket] = of_socket
        return outgoing
