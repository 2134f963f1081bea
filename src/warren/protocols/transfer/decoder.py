"""Answers out of a byte stream: the fetching side's byte machine.

In: foreign bytes in any chunking. Out: whole answers in order, the payloads of each in one buffer, to which
they came at once or were copied. Refuses headers over their cap and what `messages` refuses, before room is
made. Holds one answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core import varint
from warren.core.errors import ProtocolViolation
from warren.protocols.transfer.messages import HEADER_BYTES_MAX, decode_header

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.protocols.transfer.messages import Header


class Answer:
    """One answer: its header, and `buffer`, which begins with the payloads, one behind the other."""

    __slots__ = ("buffer", "header", "size")

    def __init__(self, header: Header, buffer: bytearray) -> None:
        self.header = header
        self.buffer = buffer
        self.size = sum(header.lengths)


class AnswerDecoder:
    """Cuts the stream into answers and hands each to `on_answer`.

    `take_buffer(size)` gives a buffer of `size` bytes or more, which then belongs to the answer.
    """

    __slots__ = ("_answer", "_filled", "_head", "_on_answer", "_take_buffer", "_view")

    def __init__(self, take_buffer: Callable[[int], bytearray], on_answer: Callable[[Answer], None]) -> None:
        self._take_buffer = take_buffer
        self._on_answer = on_answer
        self._head = bytearray()
        self._answer: Answer | None = None
        self._view = memoryview(b"")
        self._filled = 0

    @property
    def is_between(self) -> bool:
        """Whether the stream may end here."""
        return self._answer is None and not self._head

    @property
    def filled_bytes(self) -> int:
        """Payload that is here of an answer that is not whole yet."""
        return self._filled if self._answer is not None else 0

    def receive(self, data: memoryview) -> None:
        """Take the next bytes. Raises `ProtocolViolation`; nothing more can be read then."""
        pos, end = 0, len(data)
        while pos < end:
            target = self.target()
            if target is None:
                pos = self._read_head(data, pos)
                continue
            taken = min(end - pos, len(target))
            target[:taken] = data[pos : pos + taken]
            pos += taken
            self.on_filled(taken)

    def target(self) -> memoryview | None:
        """Where the next bytes belong; None where a header comes next."""
        return self._view[self._filled : self._answer.size] if self._answer is not None else None

    def on_filled(self, count: int) -> None:
        """Take so many bytes that lie at `target`. Raises `ProtocolViolation`."""
        self._filled += count
        if self._answer is not None and self._filled == self._answer.size:
            self._finish(self._answer)

    def _read_head(self, data: memoryview, pos: int) -> int:
        """Take what belongs to the header; returns the position after it."""
        head = self._head
        before = len(head)
        # All of it that can be header; what was too much goes back below.
        head += data[pos : pos + HEADER_BYTES_MAX + varint.VARINT_BYTES_MAX - before]
        found = varint.decode(head)
        if found is None:
            return pos + len(head) - before
        length, start = found
        if length > HEADER_BYTES_MAX:
            raise ProtocolViolation(f"a header of {length} bytes (at most {HEADER_BYTES_MAX} are allowed)")
        if len(head) < start + length:
            return pos + len(head) - before
        header = decode_header(bytes(head[start : start + length]))
        head.clear()
        self._begin(header)
        return pos + start + length - before

    def _begin(self, header: Header) -> None:
        size = sum(header.lengths)
        answer = Answer(header, self._take_buffer(size) if size else bytearray())
        if not size:
            self._on_answer(answer)
            return
        self._answer = answer
        self._view = memoryview(answer.buffer)
        self._filled = 0

    def _finish(self, answer: Answer) -> None:
        self._answer = None
        self._view.release()
        self._on_answer(answer)
