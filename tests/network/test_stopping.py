"""What comes while a network stops does not outlive it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.network.nodes import connect, nodes
from tests.support import run
from warren.core.errors import WarrenError

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.network.stream import Stream


def test_a_stream_opened_while_the_network_stops_gets_no_handler() -> None:
    async def main() -> None:
        async with nodes(2) as (a, b):
            stopping, started = asyncio.Event(), 0

            async def slow_to_go(_stream: Stream) -> None:
                try:
                    await asyncio.Event().wait()
                finally:
                    stopping.set()
                    await a.open_stream(near, "/late")

            async def late(_stream: Stream) -> None:
                nonlocal started
                started += 1
                await asyncio.Event().wait()

            b.handle_stream("/slow", slow_to_go)
            b.handle_stream("/late", late)
            near, _ = await connect(a, b)
            await a.open_stream(near, "/slow")
            await b.stop()
            assert stopping.is_set()
            assert started == 0
            assert not b.router._tasks

    run(main())


def test_a_request_that_comes_while_the_network_stops_is_not_served() -> None:
    async def main() -> None:
        async with nodes(2) as (a, b):
            served: list[bytes] = []

            async def serve(_peer: PeerId, payload: bytes) -> bytes:
                served.append(payload)
                try:
                    await asyncio.Event().wait()
                finally:
                    asking.append(asyncio.ensure_future(a.request(b.peer_id, "/serve", b"late")))
                    await asyncio.wait(asking[-1:], timeout=0.1)
                return b""

            asking: list[asyncio.Future[bytes]] = []
            b.handle_request("/serve", serve)
            await connect(a, b)
            first = asyncio.ensure_future(a.request(b.peer_id, "/serve", b"early"))
            while not served:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0)
            await b.stop()
            assert not b.router._tasks
            assert served == [b"early"]
            for question in (first, *asking):
                with pytest.raises(WarrenError):
                    await question

    run(main())
