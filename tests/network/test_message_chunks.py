"""The readers of requests and of answers: the same bytes in any chunking, good and bad, mean the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from tests.network.chunks import CUTS, bytewise, chop
from tests.network.test_stream import Bench
from tests.support import run
from warren.core.errors import RemoteError
from warren.core.framing import FrameDecoder, frame
from warren.network.answering import Answering
from warren.network.config import NetworkConfig
from warren.network.message_frames import read_messages
from warren.network.messages import _Outgoing
from warren.network.proto.messages_pb2 import ERROR, MESSAGE, REQUEST, RESPONSE, Message

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from warren.core.peer_id import PeerId

CONFIG = NetworkConfig(message_bytes_max=200, requests_per_stream_max=2)
BAD = [
    frame(Message(id=1, kind=RESPONSE).SerializeToString()),
    frame(b"\xff\xff"),
    frame(bytes(1000)),
    b"\xff" * 12,
]
REQUESTS = st.lists(st.tuples(st.sampled_from([REQUEST, MESSAGE]), st.binary(max_size=150)), max_size=6)


def packed(number: int, kind: int, payload: bytes) -> bytes:
    return frame(Message(id=number, kind=kind, payload=payload).SerializeToString())  # type: ignore[arg-type]


async def echo(_: PeerId, payload: bytes) -> bytes:
    await asyncio.sleep(0)
    return payload


async def answered(chunks: list[bytes]) -> tuple[list[tuple[int, int, bytes]], int, int]:
    """The answers to what comes in `chunks`, sorted; how often the stream was reset; what is still held."""
    bench, tasks = Bench(), set[asyncio.Future[None]]()

    def spawn(work: Awaitable[None]) -> None:
        tasks.add(asyncio.ensure_future(work))

    Answering(bench.stream, echo, CONFIG, spawn)
    for chunk in chunks:
        if not bench.stream.ended:
            bench.feed(chunk)
    while tasks:
        done, _ = await asyncio.wait(tasks)
        tasks -= done
    decoder = FrameDecoder(1000)
    answers = [(m.id, m.kind, m.payload) for m in read_messages(decoder, memoryview(bytes(bench.muxed.sent)))]
    return sorted(answers), bench.muxed.resets, bench.muxed.held


@given(REQUESTS, st.none() | CUTS)
def test_requests_get_the_same_answers_in_any_chunking(
    requests: list[tuple[int, bytes]], cuts: list[int] | None
) -> None:
    async def main() -> None:
        sent = b"".join(packed(n, kind, payload) for n, (kind, payload) in enumerate(requests))
        expected = [
            (n, RESPONSE, payload if kind == REQUEST else b"") for n, (kind, payload) in enumerate(requests)
        ]
        chunks = bytewise(sent) if cuts is None else chop(sent, cuts)
        assert await answered(chunks) == (expected, 0, 0)

    run(main())


@given(REQUESTS, st.sampled_from(BAD), st.none() | CUTS)
def test_a_bad_message_resets_the_stream_once_in_any_chunking(
    requests: list[tuple[int, bytes]], bad: bytes, cuts: list[int] | None
) -> None:
    async def main() -> None:
        sent = b"".join(packed(n, kind, payload) for n, (kind, payload) in enumerate(requests)) + bad
        _, resets, held = await answered(bytewise(sent) if cuts is None else chop(sent, cuts))
        assert resets == 1
        assert held == 0

    run(main())


async def outcomes(chunks: list[bytes], count: int) -> tuple[list[Any], int]:
    """What `count` requests come to when the peer answers with `chunks`."""
    bench = Bench()
    outgoing = _Outgoing(bench.stream, CONFIG)
    futures = [outgoing.send(REQUEST, b"?")[1] for _ in range(count)]
    for chunk in chunks:
        if not bench.stream.ended:
            bench.feed(chunk)
    results = []
    for future in futures:
        error = future.exception() if future.done() else None
        results.append((type(error), str(error)) if error else future.result() if future.done() else None)
    return results, bench.muxed.resets


@given(
    st.lists(st.tuples(st.integers(1, 6), st.sampled_from([RESPONSE, ERROR]), st.binary(max_size=150))),
    st.sampled_from([b"", *BAD[1:], packed(1, REQUEST, b"")]),
    st.none() | CUTS,
)
def test_answers_reach_who_asked_in_any_chunking(
    answers: list[tuple[int, int, bytes]], bad: bytes, cuts: list[int] | None
) -> None:
    async def main() -> None:
        sent = b"".join(packed(*answer) for answer in answers) + bad
        whole, resets = await outcomes([sent], 4)
        assert resets == (1 if bad else 0)
        assert await outcomes(bytewise(sent) if cuts is None else chop(sent, cuts), 4) == (whole, resets)
        first = {number: (kind, payload) for number, kind, payload in reversed(answers)}
        for number, result in enumerate(whole, 1):
            kind, payload = first.get(number, (None, b""))
            if kind == RESPONSE:
                assert result == payload
            elif kind == ERROR:
                assert issubclass(result[0], RemoteError)
            elif not bad:
                assert result is None

    run(main())
