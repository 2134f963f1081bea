"""Length-prefixed frames: a varint length, then that many bytes.

In: foreign bytes in any chunking. Out: whole payloads, in order. Refuses a frame whose announced
length exceeds the cap as soon as its header is read, before room is made for it.
https://github.com/libp2p/specs/blob/master/connections/README.md#multistream-select
"""

from __future__ import annotations

from warren.core import varint
from warren.core.errors import ProtocolViolation


def frame(payload: bytes | bytearray | memoryview) -> bytes:
    """`payload` behind its length."""
    return b"".join((varint.encode(len(payload)), payload))


class FrameDecoder:
    """Cuts a byte stream into frames of at most `max_bytes` payload each.

    Holds at most one frame and its header beyond the chunk at hand. After a violation nothing more
    can be read: frames that came before it in the same chunk are still returned, `violation` is set at
    once, and it is raised at the latest by the next `receive`. So the frames that come out, and whether the
    stream breaks, do not depend on the chunking.
    """

    __slots__ = ("_buffer", "_max_bytes", "_wanted", "violation")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._wanted = 1  # bytes the buffer must hold before looking at it again is worth while
        self.violation: ProtocolViolation | None = None

    @property
    def pending(self) -> int:
        """Bytes held of a frame that is not complete."""
        return len(self._buffer)

    def drop(self) -> None:
        """Forget an incomplete message: the rest of it will not come."""
        self._buffer = bytearray()
        self._wanted = 1

    def receive(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        """Take the next chunk and return the payloads it completes.

        Raises `ProtocolViolation` for an oversized frame or a malformed length.
        """
        if self.violation is not None:
            raise self.violation
        buffer = self._buffer
        if not buffer:
            frames, used, violation = self._cut(data)
            if used < len(data):
                buffer += data[used:]
        else:
            buffer += data
            if len(buffer) < self._wanted:
                return []
            frames, used, violation = self._cut(buffer)
            del buffer[:used]
        if violation is not None:
            self.violation = violation
            if not frames:
                raise violation
        return frames

    def _cut(self, data: bytes | bytearray | memoryview) -> tuple[list[bytes], int, ProtocolViolation | None]:
        """Payloads of the whole frames at the front of `data`, the bytes they took, and what ended them."""
        frames: list[bytes] = []
        pos = 0
        while True:
            try:
                header = varint.decode(data, pos)
                if header is None:
                    self._wanted = 1
                    return frames, pos, None
                length, start = header
                if length > self._max_bytes:
                    raise ProtocolViolation(
                        f"frame of {length} bytes exceeds the limit of {self._max_bytes} bytes"
                    )
            except ProtocolViolation as violation:
                return frames, len(data), violation
            end = start + length
            if end > len(data):
                self._wanted = end - pos
                return frames, pos, None
            frames.append(bytes(data[start:end]))
            pos = end
