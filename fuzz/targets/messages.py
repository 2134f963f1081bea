"""Requests and answers on a stream: what is malformed costs the stream, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

from warren.core.framing import frame
from warren.network.answering import Answering
from warren.network.config import NetworkConfig
from warren.network.messages import _Outgoing
from warren.network.proto.messages_pb2 import ERROR, MESSAGE, REQUEST, RESPONSE, Message

DOCUMENTED: tuple[type[Exception], ...] = ()
PENDING = (1, 2, 300)
_CONFIG = NetworkConfig(message_bytes_max=512, requests_per_stream_max=4)
_LOOP = asyncio.new_event_loop()


def _encode(request_id: int, kind: Any, payload: bytes) -> bytes:
    return frame(Message(id=request_id, kind=kind, payload=payload).SerializeToString())


SEEDS = (
    b"\x04" + _encode(1, REQUEST, b"payload") + _encode(2, MESSAGE, b""),
    b"\x00" + _encode(1, REQUEST, b"payload") * 9,
    b"\xff" + _encode(300, RESPONSE, b"answer") + _encode(1, ERROR, b"no \xff") + _encode(2, REQUEST, b""),
    b"\x09" + _encode(1, REQUEST, b"x" * 600),
)


class Stream:
    """As much of a stream as the two sides touch."""

    def __init__(self) -> None:
        self.peer_id = "peer"
        self.protocol = "/fuzz/1"
        self.ended = False

    def set_receiver(self, *_: object) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def hold(self, _: int) -> None:
        pass

    def release(self, _: int) -> None:
        pass

    def reset(self) -> None:
        self.ended = True


def answer(data: bytes, step: int) -> tuple[int, bool]:
    """Requests that were started, and whether the stream was reset."""
    stream, started = Stream(), 0

    def spawn(work: Any) -> None:
        nonlocal started
        started += 1
        work.close()

    incoming = Answering(stream, None, _CONFIG, spawn)  # type: ignore[arg-type]
    for pos in range(0, len(data), step):
        incoming._on_data(memoryview(data)[pos : pos + step])
        if stream.ended:
            break
    return started, stream.ended


def ask(data: bytes, step: int) -> list[str]:
    """What became of the requests under way."""
    stream = Stream()
    outgoing = _Outgoing(stream, _CONFIG)  # type: ignore[arg-type]
    futures: dict[int, asyncio.Future[bytes]] = {number: _LOOP.create_future() for number in PENDING}
    outgoing._pending.update({number: (future, REQUEST) for number, future in futures.items()})
    for pos in range(0, len(data), step):
        outgoing._on_data(memoryview(data)[pos : pos + step])
        if stream.ended:
            break
    if not stream.ended:
        outgoing._on_end(None)
    assert all(future.done() for future in futures.values())  # or somebody waits for nothing
    return [repr(future.exception() or future.result()) for future in futures.values()]


def parse(data: bytes) -> tuple[tuple[int, bool], list[str]]:
    whole = len(data) + 1
    return answer(data[1:], whole), ask(data[1:], whole)


def verify(_data: bytes, outcome: tuple[tuple[int, bool], list[str]]) -> None:
    (started, _), answers = outcome
    assert started <= _CONFIG.requests_per_stream_max
    assert len(answers) == len(PENDING)
