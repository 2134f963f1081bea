"""Unread data stops to count when its stream is over here, also when the peer had ended its half before."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from tests.network.nodes import Inbox, connect, nodes
from tests.support import run
from warren.network.yamux.budget import WindowLimits

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.network.stream import Stream

PROTOCOL = "/unread/1"
ECHO = "/echo/1"
BYTES = 100_000


async def echo(_peer: PeerId, payload: bytes) -> bytes:
    return payload


def fail(stream: Stream) -> None:
    def on_data(_data: memoryview) -> None:
        raise ValueError("a faulty receiver")

    stream.set_receiver(on_data, lambda _error: None)


@pytest.mark.parametrize("end", ["close", "reset", "fail"])
def test_what_an_ended_stream_held_is_given_back(end: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)

    async def main() -> None:
        async with nodes(2) as (a, b):
            inbox = Inbox(b, PROTOCOL)
            b.handle_request(ECHO, echo)
            near, _ = await connect(a, b)
            ours = await a.open_stream(near, PROTOCOL)
            theirs = await inbox.next()
            await ours.write(bytes(BYTES))
            ours.close_write()
            first = await theirs.read(1)
            while theirs._buffered < BYTES - 1 or not theirs._eof:
                await a.request(b.peer_id, ECHO, b"")
            assert first
            assert b.window_total.held == BYTES - 1
            if end == "fail":
                fail(theirs)
            elif end == "close":
                theirs.close_nowait()
            else:
                theirs.reset()
            assert b.window_total.held == 0

    run(main())


def test_a_few_that_are_not_read_do_not_stop_the_others() -> None:
    limits = WindowLimits(held_connection_bytes_max=BYTES, held_total_bytes_max=BYTES)

    async def main() -> None:
        async with nodes(3, windows=limits) as (hoarder, victim, honest):
            inbox = Inbox(victim, PROTOCOL)
            near, _ = await connect(hoarder, victim)
            hoard = await hoarder.open_stream(near, PROTOCOL)
            unread = await inbox.next()
            await hoard.write(bytes(BYTES))
            while victim.window_total.held < BYTES:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0)
            near, _ = await connect(honest, victim)
            ours = await honest.open_stream(near, PROTOCOL)
            theirs = await inbox.next()
            await ours.write(b"news")
            await asyncio.sleep(0.05)  # it arrives before anybody reads
            assert await theirs.read_exactly(4) == b"news"
            assert not unread.ended

    run(main())


def test_a_finished_stream_may_still_be_read_after_the_connection_went() -> None:
    async def main() -> None:
        async with nodes(2) as (a, b):
            inbox = Inbox(b, PROTOCOL)
            b.handle_request(ECHO, echo)
            near, far = await connect(a, b)
            ours = await a.open_stream(near, PROTOCOL)
            theirs = await inbox.next()
            await ours.write(bytes(BYTES))
            ours.close_write()
            while theirs._buffered < BYTES or not theirs._eof:
                await a.request(b.peer_id, ECHO, b"")
            far.abort()
            assert len(await theirs.read_exactly(BYTES)) == BYTES
            assert b.window_total.held == 0

    run(main())
