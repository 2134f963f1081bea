"""`/warren/directory/1.0.0`: streams of calls and their answers.

In:  streams of peers, what we want to ask of some. Out: what they say; for each stream of a peer one
conversation with whoever answers here.
Spec: docs/protocols/directory.md.

Who opens a stream sends calls, one after the other; each is answered in full before the next is read. Refuses
what messages.py refuses, late calls, and more streams of one connection than it may have.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol, Self

from warren.core import varint
from warren.core.errors import ConnectionClosed, ProtocolViolation, RequestTimeout
from warren.core.found import Counts
from warren.core.framing import frame
from warren.network.allowance import Seldom
from warren.protocols.directory.messages import (
    ANSWER_BYTES_MAX,
    CALL_BYTES_MAX,
    End,
    HitsAnswer,
    Reason,
    RefusedAnswer,
    answer_to_bytes,
    call_to_bytes,
    kind_of,
    read_answer,
    read_call,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from types import TracebackType
    from typing import Literal, TypeAlias

    from warren.core.found import Found
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.socket import Socket
    from warren.network.stream import Stream
    from warren.protocols.directory.messages import (
        Answer,
        Call,
        QueryCall,
    )

    Count: TypeAlias = Callable[[Call | Answer, Literal["in", "out"]], None]

PROTOCOL: Final = "/warren/directory/1.0.0"
"""Spoken by all who answer queries."""
SUPER_PEER: Final = "/warren/super/1.0.0"
"""The same, spoken by those who take registrations: who speaks it says that it is a super-peer."""
ELECTED: Final = "/warren/super/elected/1.0.0"
"""The same, spoken besides by super-peers that are one because nobody else was."""
TIMEOUT_S: Final = 10.0
"""For a call to come, and for an answer that is one message. Attack: streams on which nothing is said."""
STREAMS_MAX: Final = 16
"""Streams that one connection may have open here. Attack: queries that nobody reads."""
HITS_READ_MAX: Final = 10_000
"""Hits taken from one answer to a query; a message without any counts as one. Attack: whom we asked finds
without end."""
NAMED_EVERY_S: Final = 60.0
"""Between two lines in the log on the same peer. Attack: a log that fills the disk."""
NAMED_MAX: Final = 1024
_log = logging.getLogger(__name__)


class Conversation(Protocol):
    """Who answers the calls of one stream."""

    def answer(self, call: Call) -> AsyncGenerator[Answer, None]:
        """All answers to a call. A `WarrenError` that it raises ends the stream."""
        ...

    def end(self) -> None:
        """The stream is over."""
        ...


class Answerer(Protocol):
    """Who answers here."""

    def converse(self, socket: Socket) -> Conversation:
        """With the peer of a connection. A `WarrenError` that it raises ends the stream."""
        ...


class DirectoryProtocol:
    """Asks from now on; answers from `serve` on."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._serving: Counter[Socket] = Counter()
        self._answerer: Answerer | None = None
        self._named: Seldom[PeerId] = Seldom(NAMED_EVERY_S, NAMED_MAX)

    # --- answering ------------------------------------------------------------------------------------------

    def serve(self, answerer: Answerer) -> None:
        """Answer queries."""
        self._answerer = answerer
        self._network.handle_stream(PROTOCOL, self._serve)

    def announce(self, *protocols: str) -> None:
        """Be a super-peer, under these names and no others; without any be none."""
        for name in (SUPER_PEER, ELECTED):
            spoken = self._network.supports(name)
            if name in protocols and not spoken:
                self._network.handle_stream(name, self._serve)
            elif name not in protocols and spoken:
                self._network.remove_handler(name)

    async def _serve(self, stream: Stream) -> None:
        socket = stream.socket
        if self._serving[socket] >= STREAMS_MAX or self._answerer is None:
            stream.reset()
            return
        self._serving[socket] += 1
        try:
            conversation = self._answerer.converse(socket)
            try:
                await self._converse(stream, conversation)
            finally:
                conversation.end()
        finally:
            self._serving[socket] -= 1
            if not self._serving[socket]:
                del self._serving[socket]

    async def _converse(self, stream: Stream, conversation: Conversation) -> None:
        while True:
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    data = await _next_call(stream)
            except TimeoutError as error:
                raise ProtocolViolation(f"directory: no call within {TIMEOUT_S:g} s") from error
            if data is None:
                return
            call = self._read_call(stream, data)
            self._count(call, "in")
            async with contextlib.aclosing(conversation.answer(call)) as answers:
                async for answer in answers:
                    await stream.write(frame(answer_to_bytes(answer)))
                    self._count(answer, "out")
            stream.socket.flush()

    def _read_call(self, stream: Stream, data: bytes) -> Call:
        try:
            return read_call(data)
        except ProtocolViolation as error:
            stream.write_nowait(frame(answer_to_bytes(RefusedAnswer(Reason.BAD, str(error)))))
            self._name(stream.peer_id, f"sends what is no call: {error}")
            raise

    def _name(self, peer: PeerId, what: str) -> None:
        """Tell in the log who does what no honest peer does, once in a while."""
        if self._named.is_due(peer, self._network.clock()):
            _log.warning("%s %s", peer, what)

    def _count(self, message: Call | Answer, direction: Literal["in", "out"]) -> None:
        self._network.count_message("directory", kind_of(message), direction)

    # --- asking ---------------------------------------------------------------------------------------------

    def talk(self, peer: PeerId) -> Talk:
        """A stream for calls. Raises ConnectionClosed where there is no connection."""
        return Talk(self._open(peer), self._count)

    async def ask(self, peer: PeerId, call: Call, timeout_s: float = TIMEOUT_S) -> Answer:
        """One call that has one answer. Raises what `talk` and `Talk.ask` raise."""
        async with self.talk(peer) as talk:
            return await talk.ask(call, timeout_s)

    async def query(self, peer: PeerId, call: QueryCall) -> AsyncGenerator[Found | Counts | End, None]:
        """What a connected peer finds, as it comes, and last `End`. It has no deadline of its own.

        Raises Refused, LimitReached (it wants to be asked less), ProtocolViolation, ProtocolNotSupported,
        ConnectionClosed where there is no connection.
        """
        stream = self._open(peer)
        read, at_the_end = 0, False
        try:
            stream.write_through(frame(call_to_bytes(call)))
            stream.close_write()
            self._count(call, "out")
            while True:
                answer = read_answer(await stream.read_frame(ANSWER_BYTES_MAX))
                self._count(answer, "in")
                read += len(answer.hits) + answer.bad or 1 if isinstance(answer, HitsAnswer) else 1
                if read > HITS_READ_MAX:
                    raise ProtocolViolation(f"{peer} answers with more than {HITS_READ_MAX} hits")
                match answer:
                    case HitsAnswer():
                        if answer.bad:
                            self._name(peer, f"names {answer.bad} hits that are none")
                        for hit in answer.hits:
                            yield hit
                    case End():
                        at_the_end = True
                        yield answer
                        return
                    case RefusedAnswer():
                        raise answer.to_error(peer)
                    case Counts():
                        yield answer
                    case _:
                        raise ProtocolViolation(f"{peer} answers what it was not asked")
        finally:
            if at_the_end:
                stream.close_nowait()
            else:
                stream.reset()  # else it goes on looking for who does not listen

    def _open(self, peer: PeerId) -> Stream:
        """Nobody is dialled for a question. What is written goes at once, without waiting for the agreement
        on the protocol: one round trip.
        """
        for socket in self._network.sockets(peer):
            if socket.usable:
                return socket.open_stream((PROTOCOL,))
        raise ConnectionClosed(f"there is no connection with {peer}")


class Talk:
    """A stream on which we ask. Use it as `async with`."""

    __slots__ = ("_count", "_stream")

    def __init__(self, stream: Stream, count: Count) -> None:
        self._stream = stream
        self._count = count

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close_nowait()

    async def ask(self, call: Call, timeout_s: float = TIMEOUT_S) -> Answer:
        """One call that has one answer; a refusal is one, too. Raises RequestTimeout, ProtocolNotSupported,
        ProtocolViolation, StreamReset.
        """
        try:
            async with asyncio.timeout(timeout_s):
                self._stream.write_through(frame(call_to_bytes(call)))
                self._count(call, "out")
                await self._stream.drain()
                answer = read_answer(await self._stream.read_frame(ANSWER_BYTES_MAX))
                self._count(answer, "in")
                return answer
        except TimeoutError as error:
            raise RequestTimeout(f"{self._stream.peer_id} did not answer within {timeout_s:g} s") from error


async def _next_call(stream: Stream) -> bytes | None:
    """A call; None where the peer has ended its half."""
    head = await stream.read(1)
    if not head:
        return None
    while (decoded := varint.decode(head)) is None:
        head += await stream.read_exactly(1)
    size = decoded[0]
    if size > CALL_BYTES_MAX:
        raise ProtocolViolation(f"directory: a call of {size} bytes (at most {CALL_BYTES_MAX} are allowed)")
    return await stream.read_exactly(size) if size else b""
