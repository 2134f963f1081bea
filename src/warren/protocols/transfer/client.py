"""The fetching side of the transfer protocol: requests out, answers in, many under way.

In: one open stream. Out: answers in the order of the requests, each to be released after use. Refuses answers
to what was not asked, out of order, beyond what was asked, or with nothing in them (`ProtocolViolation` that
names the peer). Memory: `held_max`
answers of at most 1 MiB, in buffers that are used again; then the peer is not read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, TypeVar

from warren.core.errors import ConnectionClosed, LimitReached, ProtocolViolation, RequestTimeout
from warren.protocols.transfer.decoder import AnswerDecoder
from warren.protocols.transfer.messages import (
    LISTING_ENTRIES_MAX,
    PAYLOAD_BYTES_MAX,
    ChunksRequest,
    ListRequest,
    Status,
    TreeRequest,
    TurnRequest,
    decode_listing,
    encode_request,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.network.stream import Stream
    from warren.protocols.transfer.decoder import Answer
    from warren.protocols.transfer.messages import Listing, Request

T = TypeVar("T")

MOVES_BYTES_MIN: Final = 64 * 1024
"""An answer that comes slowly is waited for as long as so much of it comes in the time for one. Attack: a
peer that sends a byte now and then."""
POOLED_BYTES_MIN: Final = 64 * 1024
"""Smaller answers get a buffer of their own size."""


class _Asked:
    """A request under way; `left` counts the payloads or failures still due, None where it is not known.
    turn: whether it is for a turn.
    """

    __slots__ = ("id", "index", "left", "turn")

    def __init__(self, id_: int, left: int | None, *, turn: bool = False) -> None:
        self.id = id_
        self.index = 0
        self.left = left
        self.turn = turn


class TransferClient:
    """Drives one stream. Close it with `close`; a stream that ends makes `next_answer` raise."""

    __slots__ = (
        "_arrived",
        "_asked",
        "_decoder",
        "_error",
        "_free",
        "_held",
        "_held_max",
        "_last_id",
        "_stream",
        "_waiter",
        "received_bytes",
    )

    def __init__(self, stream: Stream, *, held_max: int = 8) -> None:
        self._stream = stream
        self._decoder = AnswerDecoder(self._take_buffer, self._on_answer)
        self._asked: deque[_Asked] = deque()
        self._arrived: deque[Answer] = deque()
        self._free: list[bytearray] = []
        self._held = 0
        self._held_max = held_max
        self._last_id = 0
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.received_bytes = 0
        """All that came so far, answers that are not whole yet included."""
        stream.set_receiver(self._on_data, self._on_end)
        stream.set_target(self._decoder.target, self._on_filled)

    @property
    def arriving_bytes(self) -> int:
        """What came of an answer that is not whole yet."""
        return self._decoder.filled_bytes

    # --- asking -------------------------------------------------------------------------------------------

    async def ask_tree(self, cids: Sequence[bytes]) -> int:
        """Ask for the nodes under `cids`, depth first; returns the request's id.

        After about 1 MiB the peer ends its answer; ask again for what is still to come.
        """
        return await self._ask(TreeRequest(self._last_id + 1, cids), None)

    async def ask_chunks(self, digests: Sequence[bytes], *, check: bool = False) -> int:
        """Ask for raw leaves; returns the request's id."""
        return await self._ask(ChunksRequest(self._last_id + 1, digests, check), len(digests))

    async def ask_turn(self) -> int:
        """Ask to be told when it is our turn (an answer of status `TURN`); returns the request's id.

        What is asked for then, and soon, is sent at once. The answer comes after those to earlier requests.
        """
        return await self._ask(TurnRequest(self._last_id + 1), 1, turn=True)

    async def give_turn_back(self) -> None:
        """Nothing is to be asked for: others may have the turn."""
        self._last_id += 1
        await self._stream.write(encode_request(TurnRequest(self._last_id, give_back=True)))

    async def list_path(self, path: str, after: str = "", limit: int = LISTING_ENTRIES_MAX) -> Listing | None:
        """Ask what lies at a path, and wait for it; None where the peer shows nothing.

        For streams without other requests. Raises what `next_answer` raises, and `RequestTimeout`.
        """
        await self._ask(ListRequest(self._last_id + 1, path, after, limit), 1)
        answer = await self.next_answer()
        try:
            if answer.header.status is Status.NOT_FOUND:
                return None
            if answer.header.status is not Status.OK:
                raise ProtocolViolation(f"a listing was answered with {answer.header.status.name}")
            return decode_listing(memoryview(answer.buffer)[: answer.size])
        except ProtocolViolation as error:
            raise self._blame(error) from error
        finally:
            self.release(answer)

    async def _ask(self, request: Request, left: int | None, *, turn: bool = False) -> int:
        if self._error is not None:
            raise self._error
        self._last_id = request.id
        self._asked.append(_Asked(request.id, left, turn=turn))
        await self._stream.write(encode_request(request))
        return request.id

    # --- answers ------------------------------------------------------------------------------------------

    async def next_answer(self, timeout_s: float | None = None) -> Answer:
        """The next answer. Give it back with `release`.

        Raises `LimitReached` where the peer is busy, `ProtocolViolation`, `RequestTimeout` when nothing to
        speak of comes for that long, and what ended the stream.
        """
        while not self._arrived:
            if self._error is not None:
                raise self._error
            received = self.received_bytes
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._waiter
            except TimeoutError as error:
                if self.received_bytes >= received + MOVES_BYTES_MIN:
                    continue  # a slow line takes longer than that for one answer
                raise RequestTimeout(f"{self._stream.peer_id} sent nothing for {timeout_s:g} s") from error
            finally:
                self._waiter = None
        return self._arrived.popleft()

    def release(self, answer: Answer) -> None:
        """The answer's buffer may be used again."""
        self._held -= 1
        if len(answer.buffer) == PAYLOAD_BYTES_MAX:
            self._free.append(answer.buffer)
        if self._held < self._held_max:
            self._stream.resume_reading()

    def abandon(self, error: Exception) -> None:
        """Let `next_answer` raise `error` from now on: what was asked for cannot be used any more."""
        self._arrived.clear()
        self._fail(error)

    def close(self) -> None:
        """End the stream; nobody waits for the answers any more."""
        self._error = self._error or ConnectionClosed("the transfer stream was closed here")
        if self._asked or not self._decoder.is_between:
            self._stream.reset()
        else:
            self._stream.close_nowait()

    # --- the stream's side --------------------------------------------------------------------------------

    def _on_data(self, data: memoryview) -> None:
        self._decode(self._decoder.receive, data, len(data))

    def _on_filled(self, count: int) -> None:
        self._decode(self._decoder.on_filled, count, count)

    def _decode(self, receive: Callable[[T], None], what: T, size: int) -> None:
        self.received_bytes += size
        try:
            receive(what)
        except (ProtocolViolation, LimitReached) as error:
            self._fail(self._blame(error) if isinstance(error, ProtocolViolation) else error)
            self._stream.reset()

    def _on_end(self, error: Exception | None) -> None:
        if error is None and self._decoder.is_between and not self._asked:
            error = ConnectionClosed(f"{self._stream.peer_id} ended the transfer stream")
        self._fail(error or ConnectionClosed(f"{self._stream.peer_id} ended the transfer stream early"))

    def _blame(self, error: ProtocolViolation) -> ProtocolViolation:
        return ProtocolViolation(f"{self._stream.peer_id} breaks the transfer protocol: {error}")

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self._wake()

    def _take_buffer(self, size: int) -> bytearray:
        if size < POOLED_BYTES_MIN:
            return bytearray(size)
        return self._free.pop() if self._free else bytearray(PAYLOAD_BYTES_MAX)

    def _on_answer(self, answer: Answer) -> None:
        header = answer.header
        if header.status is Status.BUSY:
            raise LimitReached(
                "files.serve_streams_max", f"{self._stream.peer_id} has too many transfers now"
            )
        asked = self._asked[0] if self._asked else None
        if asked is None or header.request != asked.id or header.index != asked.index:
            raise ProtocolViolation("an answer to what was not asked, or out of order")
        if header.status is Status.OK and not header.lengths:
            raise ProtocolViolation("an answer with nothing in it")  # such ones could go on without end
        if asked.turn is not (header.status is Status.TURN):
            raise ProtocolViolation("a turn that was not asked for, or something else in its place")
        count = max(1, len(header.lengths))
        asked.index += count
        if asked.left is not None:
            asked.left -= count
            if asked.left < 0 or (asked.left == 0) != header.last:
                raise ProtocolViolation("an answer with more or less than was asked")
        if header.last:
            self._asked.popleft()
        self._held += 1
        self._arrived.append(answer)
        if self._held >= self._held_max:
            self._stream.pause_reading()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
