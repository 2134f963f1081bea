"""What requests and broadcasts may pile up, at the side that sends and at the side that serves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.network.nodes import connect, nodes
from tests.support import run
from warren.core import varint
from warren.core.errors import Refused
from warren.network.answering import REQUEST_COST_BYTES
from warren.network.messages import UNSENT_BYTES_MAX
from warren.network.yamux.budget import WindowLimits
from warren.network.yamux.stream import YamuxStream

if TYPE_CHECKING:
    import pytest

    from warren.core.peer_id import PeerId
    from warren.network.socket import Socket

PROTOCOL = "/messages/1"
MESSAGE_BYTES = 500_000


def give_no_credit(socket: Socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer at this socket takes what its first windows allow, and nothing more."""
    consumed = YamuxStream.consumed

    def withheld(stream: YamuxStream, count: int) -> None:
        if stream._session is not socket.mux:
            consumed(stream, count)

    monkeypatch.setattr(YamuxStream, "consumed", withheld)


def unsent(socket: Socket) -> int:
    return sum(stream.unsent_bytes for stream in socket._open_streams())


async def take(_peer: PeerId, _payload: bytes) -> bytes:
    return b""


def test_broadcasts_to_a_peer_that_takes_nothing_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with nodes(2) as (a, b):
            b.handle_request(PROTOCOL, take)
            near, far = await connect(a, b)
            give_no_credit(far, monkeypatch)
            reports = [await a.broadcast(PROTOCOL, bytes(MESSAGE_BYTES), timeout_s=0.05) for _ in range(10)]
            assert unsent(near) <= UNSENT_BYTES_MAX + MESSAGE_BYTES
            assert "does not take" in reports[-1].failed[b.peer_id]

    run(main())


def test_requests_to_a_peer_that_takes_nothing_wait_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with nodes(2) as (a, b):
            b.handle_request(PROTOCOL, take)
            near, far = await connect(a, b)
            give_no_credit(far, monkeypatch)
            asked = [a.request(b.peer_id, PROTOCOL, bytes(MESSAGE_BYTES), timeout_s=0.2) for _ in range(10)]
            results = await asyncio.gather(*asked, return_exceptions=True)
            assert unsent(near) <= UNSENT_BYTES_MAX + MESSAGE_BYTES
            assert {type(result).__name__ for result in results} == {"RequestTimeout"}

    run(main())


def test_many_large_requests_at_once_all_arrive() -> None:
    async def main() -> None:
        async def echo(_peer: PeerId, payload: bytes) -> bytes:
            return payload

        async with nodes(2) as (a, b):
            b.handle_request(PROTOCOL, echo)
            await connect(a, b)
            payloads = [bytes([n]) * MESSAGE_BYTES for n in range(12)]
            asked = [a.request(b.peer_id, PROTOCOL, payload) for payload in payloads]
            assert await asyncio.gather(*asked) == payloads

    run(main())


def test_what_a_running_handler_was_given_counts_until_it_is_done() -> None:
    async def main() -> None:
        go_on, started = asyncio.Event(), asyncio.Event()

        async def slow(_peer: PeerId, _payload: bytes) -> bytes:
            started.set()
            await go_on.wait()
            return b""

        async with nodes(2) as (a, b):
            b.handle_request(PROTOCOL, slow)
            near, far = await connect(a, b)
            asking = asyncio.ensure_future(a.request(b.peer_id, PROTOCOL, bytes(MESSAGE_BYTES)))
            await started.wait()
            asking.cancel()
            await asyncio.wait([asking])
            for stream in near._open_streams():
                stream.reset()
            while far.streams:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0)
            assert b.window_total.held == MESSAGE_BYTES + REQUEST_COST_BYTES
            go_on.set()
            while b.window_total.held:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0)

    run(main())


def test_large_answers_come_one_after_the_other_and_all_arrive() -> None:
    """Handlers that are done at once are begun only while the peer takes what they make."""
    limits = WindowLimits(held_connection_bytes_max=3 * MESSAGE_BYTES)

    async def main() -> None:
        async def large(_peer: PeerId, _payload: bytes) -> bytes:
            return bytes(MESSAGE_BYTES)

        async with nodes(2, windows=limits) as (a, b):
            b.handle_request(PROTOCOL, large)
            await connect(a, b)
            answers = await asyncio.gather(*(a.request(b.peer_id, PROTOCOL, b"") for _ in range(40)))
            assert [len(answer) for answer in answers] == [MESSAGE_BYTES] * 40
            assert b.window_total.held == 0

    run(main())


def test_answers_that_find_no_room_are_refused_in_words() -> None:
    limits = WindowLimits(held_connection_bytes_max=3 * MESSAGE_BYTES)

    async def main() -> None:
        go_on = asyncio.Event()
        running = 0

        async def slow(_peer: PeerId, _payload: bytes) -> bytes:
            nonlocal running
            running += 1
            if running == 8:
                go_on.set()
            await go_on.wait()
            return bytes(MESSAGE_BYTES)

        async with nodes(2, windows=limits) as (a, b):
            b.handle_request(PROTOCOL, slow)
            await connect(a, b)
            asking = (a.request(b.peer_id, PROTOCOL, b"") for _ in range(8))
            results = await asyncio.gather(*asking, return_exceptions=True)
            refused = [result for result in results if isinstance(result, Refused)]
            assert 1 <= len(refused) <= 6
            assert "no room for the answer" in str(refused[0])
            assert all(len(result) == MESSAGE_BYTES for result in results if isinstance(result, bytes))
            assert b.window_total.held == 0
            assert len(await a.request(b.peer_id, PROTOCOL, b"")) == MESSAGE_BYTES

    run(main())


def test_who_takes_no_answer_makes_nothing_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    served = 0

    async def main() -> None:
        async def large(_peer: PeerId, _payload: bytes) -> bytes:
            nonlocal served
            served += 1
            return bytes(MESSAGE_BYTES)

        async with nodes(2) as (a, b):
            b.handle_request(PROTOCOL, large)
            near, far = await connect(a, b)
            give_no_credit(near, monkeypatch)
            asking = [a.request(b.peer_id, PROTOCOL, b"", timeout_s=0.3) for _ in range(100)]
            results = await asyncio.gather(*asking, return_exceptions=True)
            assert {type(result).__name__ for result in results} == {"RequestTimeout"}
            assert served == 2, "the first fits what a stream queues, the second is one too many"
            assert unsent(far) <= 2 * MESSAGE_BYTES
            held = b.window_total.held
            assert held >= MESSAGE_BYTES
            near.abort()
            while b.window_total.held:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0)

    run(main())


def test_half_a_request_counts_no_more_when_its_peer_has_ended() -> None:
    async def main() -> None:
        async with nodes(2) as (a, b):
            b.handle_request(PROTOCOL, take)
            near, far = await connect(a, b)
            stream = await a.open_stream(near, PROTOCOL)
            await stream.write(varint.encode(MESSAGE_BYTES) + bytes(1000))
            while b.window_total.held < 1000:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0)
            stream.close_write()
            assert await stream.read() == b""
            while far.streams:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0)
            assert b.window_total.held == 0

    run(main())


def test_what_comes_back_for_a_broadcast_is_not_kept() -> None:
    async def main() -> None:
        async def chatty(_peer: PeerId, _payload: bytes) -> bytes:
            return bytes(MESSAGE_BYTES)

        async with nodes(2) as (a, b):
            b.handle_request(PROTOCOL, chatty)
            near, _ = await connect(a, b)
            before = near.bytes_in
            report = await a.broadcast(PROTOCOL, b"news")
            assert report.reached == (b.peer_id,)
            assert near.bytes_in - before < MESSAGE_BYTES

    run(main())
