"""Foreign nodes that never end their half of a stream: that costs them the stream, and nobody the socket."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.interop.node import RESETS_ID, Node, exchange, identified
from tests.network.nodes import without_streams
from tests.support import run
from warren.protocols import identify

if TYPE_CHECKING:
    from tests.interop.foreign import Foreign
    from warren.core.multiaddr import Multiaddr

OPEN_ID = "/open/1.0.0"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Identify waits less long."""
    monkeypatch.setattr(identify, "TIMEOUT_S", 1.0)


def test_all_is_read_of_a_stream_that_they_leave_open(address: Multiaddr) -> None:
    async def main() -> None:
        async with Node() as node:
            socket = await node.dial(address)
            await identified(socket)
            stream = await node.network.open_stream(socket, OPEN_ID)
            payload = os.urandom(100_000)
            await stream.write(payload)
            stream.close_write()
            assert await stream.read_exactly(len(payload)) == payload
            stream.reset()
            await without_streams(socket)
            question = await node.network.open_stream(socket, RESETS_ID)
            assert (await exchange(question, b"?", 1)).isdigit()

    run(main())


@pytest.mark.usefixtures("short")
def test_a_foreign_node_that_asks_and_never_ends_its_half_is_reset(foreign: Foreign) -> None:
    async def main() -> None:
        async with Node() as node:
            told = await foreign.run("linger", node.address)
            assert told["bytes"] > 100
            assert "Reset" in told["error"]

    run(main())


@pytest.mark.usefixtures("short")
def test_no_push_stays_half_open(foreign: Foreign) -> None:
    """Whether or not the other library ends its half when it has taken a push."""

    async def main() -> None:
        async with Node() as node, foreign.listening() as address:
            socket = await node.dial(address)
            await identified(socket)
            for _ in range(5):
                node.identify.push()
            await without_streams(socket)
            assert await node.echo(socket, b"the socket lives")

    run(main())
