"""Frames: the same ones come out for any chunking, and what is held stays under the cap."""

from __future__ import annotations

from warren.core.errors import ProtocolViolation
from warren.core.framing import FrameDecoder, frame

DOCUMENTED: tuple[type[Exception], ...] = ()
SEEDS = (b"\x03" + frame(b"hello") + frame(b""), b"\x01" + frame(b"x" * 200) + b"\xff\xff\x03", b"\x00\x05ab")
CAP = 300


def outcome(data: bytes, step: int) -> tuple[list[bytes], bool]:
    decoder = FrameDecoder(CAP)
    frames: list[bytes] = []
    for pos in range(0, len(data), step):
        try:
            frames += decoder.receive(memoryview(data)[pos : pos + step])
        except ProtocolViolation:
            break
        assert decoder.pending <= CAP + 9
    return frames, decoder.violation is not None


def parse(data: bytes) -> tuple[list[bytes], bool]:
    return outcome(data[1:], len(data) + 1)


def verify(data: bytes, whole: tuple[list[bytes], bool]) -> None:
    step, body = data[:1], data[1:]
    assert outcome(body, ord(step or b"a") + 1) == outcome(body, 1) == whole
    assert body.startswith(b"".join(frame(payload) for payload in whole[0]))
