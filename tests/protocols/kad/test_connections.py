"""Connections made for look-ups: they go when they rest, and only if nobody else wants them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from tests.protocols.kad.net import run_net
from warren.core.errors import DialFailed
from warren.network.events import PeerConnected
from warren.protocols.kad.config import KadConfig
from warren.protocols.kad.connections import Connections

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tests.protocols.kad.net import KadNode

IDLE_S = 20.0
OFF = KadConfig(mode="client", protocol="/silent/1.0.0")
"""No look-up is made that this test does not make."""


async def use(connections: Connections, node: KadNode) -> None:
    async with connections.socket(node.peer, node.advertised) as socket:
        assert socket.peer_id == node.peer


def strangers(count: int, main: Callable[[KadNode, Connections, Sequence[KadNode]], Awaitable[None]]) -> None:
    """Nodes that know nobody; the first one has room for two connections."""

    async def run(nodes: Sequence[KadNode]) -> None:
        first, *others = nodes
        for node in nodes:
            for socket in node.network.sockets():
                await socket.close()
        connections = Connections(first.network, 2, IDLE_S)
        await main(first, connections, others)
        connections.close()

    run_net(count + 1, run, config=OFF, settle_s=0)


def peers(node: KadNode) -> set[object]:
    return set(node.network.peers())


def test_a_connection_is_used_again_and_closed_when_it_rests() -> None:
    async def main(first: KadNode, connections: Connections, others: Sequence[KadNode]) -> None:
        (other,) = others
        await use(connections, other)
        (socket,) = first.network.sockets()
        await asyncio.sleep(IDLE_S - 1)
        await use(connections, other)
        await asyncio.sleep(IDLE_S - 1)
        assert first.network.sockets() == [socket]
        await asyncio.sleep(3)
        assert (peers(first), peers(other), len(connections)) == (set(), set(), 0)

    strangers(1, main)


def test_one_in_use_does_not_rest() -> None:
    async def main(first: KadNode, connections: Connections, others: Sequence[KadNode]) -> None:
        async with connections.socket(others[0].peer, others[0].advertised):
            await asyncio.sleep(10 * IDLE_S)
            assert peers(first) == {others[0].peer}

    strangers(1, main)


def test_beyond_their_number_the_one_that_rests_longest_goes() -> None:
    async def main(first: KadNode, connections: Connections, others: Sequence[KadNode]) -> None:
        one, two, three = others
        for node in (one, two, one, three):
            await use(connections, node)
            await asyncio.sleep(1)
        assert peers(first) == {one.peer, three.peer}

    strangers(3, main)


def test_those_in_use_are_never_closed_for_others() -> None:
    async def main(first: KadNode, connections: Connections, others: Sequence[KadNode]) -> None:
        async with AsyncExitStack() as stack:
            for node in others:
                await stack.enter_async_context(connections.socket(node.peer, node.advertised))
            assert peers(first) == {node.peer for node in others}
            assert len(connections) == 3

    strangers(3, main)


def test_one_that_somebody_else_asked_for_or_protects_stays() -> None:
    async def main(first: KadNode, connections: Connections, others: Sequence[KadNode]) -> None:
        asked, protected, neither, before = others
        await before.meet(first)
        for node in (asked, protected):
            await use(connections, node)
        await first.network.connect(asked.peer)
        first.network.protect(protected.peer, "test")
        for node in (neither, before):
            await use(connections, node)
        await asyncio.sleep(3 * IDLE_S)
        assert peers(first) == {asked.peer, protected.peer, before.peer}

    strangers(4, main)


def test_one_on_which_others_have_a_stream_stays_until_that_ends() -> None:
    async def main(first: KadNode, connections: Connections, others: Sequence[KadNode]) -> None:
        (other,) = others
        first.network.handle_stream("/test/1", lambda stream: stream.read())  # type: ignore[arg-type, return-value]
        await use(connections, other)
        stream = await other.network.open_stream(first.peer, "/test/1")
        await asyncio.sleep(5 * IDLE_S)
        assert peers(first) == {other.peer}
        await stream.close()
        await asyncio.sleep(3 * IDLE_S)
        assert peers(first) == set()

    strangers(1, main)


def test_who_cannot_be_reached_leaves_nothing_behind() -> None:
    async def main(first: KadNode, connections: Connections, others: Sequence[KadNode]) -> None:
        await others[0].stop()
        with pytest.raises(DialFailed):
            await use(connections, others[0])
        assert (len(connections), first.network.sockets()) == (0, [])

    strangers(1, main)


def test_a_dial_that_ends_as_nobody_wants_it_any_more_leaves_nothing_behind() -> None:
    """Whoever waits for it is cancelled some turns of the loop after the connection is there."""

    async def main(first: KadNode, connections: Connections, others: Sequence[KadNode]) -> None:
        loop, (other,) = asyncio.get_running_loop(), others
        asking: asyncio.Task[None]
        turns = 0

        def later(left: int) -> None:
            if left:
                loop.call_soon(later, left - 1)
            else:
                asking.cancel()

        first.network.events.on(PeerConnected, lambda _: later(turns))
        left = 0
        for turns in range(12):  # noqa: B007 - `later` reads it
            asking = asyncio.create_task(use(connections, other))
            await asyncio.wait([asking])
            await asyncio.sleep(1)
            left += len(first.network.sockets())
            await asyncio.sleep(3 * IDLE_S)
            assert (peers(first), len(connections)) == (set(), 0)
        assert left, "some of them were there for a while"

    strangers(1, main)


def test_dials_that_cross_leave_nothing_behind() -> None:
    """However much earlier one of the two begins."""

    async def main(first: KadNode, connections: Connections, others: Sequence[KadNode]) -> None:
        (other,) = others
        theirs = Connections(other.network, 2, IDLE_S)

        async def after(delay_s: float, asking: Connections, node: KadNode) -> None:
            await asyncio.sleep(delay_s)
            await use(asking, node)

        for step in range(-20, 21):
            delay_s = step / 200
            await asyncio.gather(after(delay_s, connections, other), after(-delay_s, theirs, first))
            await asyncio.sleep(3 * IDLE_S)
            assert (peers(first), len(connections), len(theirs)) == (set(), 0, 0)
        theirs.close()

    strangers(1, main)
