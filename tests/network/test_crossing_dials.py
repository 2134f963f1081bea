"""Two nodes that dial each other at once: whoever asks meanwhile is given the socket that stays."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.network.nodes import connect, nodes
from tests.support import run
from warren.core.errors import ConnectionClosed

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.stream import Stream

ECHO = "/echo/1"
ROUNDS = 5
"""On real sockets each round has a timing of its own."""


def know_each_other(a: Network, b: Network) -> None:
    a.add_addresses(b.peer_id, b.listen_addrs)
    b.add_addresses(a.peer_id, a.listen_addrs)


def test_what_connect_returns_takes_streams() -> None:
    async def main() -> None:
        for _ in range(ROUNDS):
            async with nodes(2) as (a, b):
                know_each_other(a, b)
                near, far = await asyncio.gather(a.connect(b.peer_id), b.connect(a.peer_id))
                assert near.usable
                assert far.usable

    run(main())


def test_the_first_requests_of_both_are_answered() -> None:
    async def echo(_: PeerId, payload: bytes) -> bytes:
        return payload

    async def main() -> None:
        for _ in range(ROUNDS):
            async with nodes(2) as (a, b):
                know_each_other(a, b)
                for node in (a, b):
                    node.handle_request(ECHO, echo)
                asked = [a.request(b.peer_id, ECHO, b"a"), b.request(a.peer_id, ECHO, b"b")]
                assert await asyncio.gather(*asked) == [b"a", b"b"]

    run(main())


def test_the_first_streams_of_both_work() -> None:
    async def echo(stream: Stream) -> None:
        await stream.write(await stream.read())

    async def ask(node: Network, peer: PeerId) -> bytes:
        stream = await node.open_stream(peer, ECHO)
        await stream.write(b"x")
        return await stream.read()

    async def main() -> None:
        for _ in range(ROUNDS):
            async with nodes(2) as (a, b):
                know_each_other(a, b)
                for node in (a, b):
                    node.handle_stream(ECHO, echo)
                answers = await asyncio.gather(ask(a, b.peer_id), ask(b, a.peer_id))
                assert [*answers] == [b"x", b"x"]

    run(main())


def test_a_draining_socket_says_that_another_took_its_place() -> None:
    async def main() -> None:
        async with nodes(2) as (a, b):
            near, far = await connect(a, b)
            near.drain()
            with pytest.raises(ConnectionClosed, match="another one with that peer took its place"):
                near.open_stream((ECHO,))
            while far.usable:  # noqa: ASYNC110 - no event tells of a goodbye
                await asyncio.sleep(0.001)
            with pytest.raises(ConnectionClosed, match="the peer said goodbye"):
                far.open_stream((ECHO,))

    run(main())
