"""What is sent one way, to one peer or to all: who has it, and why somebody has it not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.network.nodes import connect, nodes
from tests.support import run
from warren.core.errors import Closed, LimitReached, ProtocolNotSupported, Refused, RequestTimeout

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

NEWS = "/test/news/1"


class Reader:
    """Takes what is sent, answers with what nobody asked for, and can be told to fail or to wait."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.problem: Exception | None = None

    async def take(self, _: PeerId, payload: bytes) -> bytes:
        await self.gate.wait()
        if self.problem is not None:
            raise self.problem
        self.heard.append(payload)
        return b"not asked for"


def test_send_returns_when_the_handler_has_it() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            reader = Reader()
            bob.handle_request(NEWS, reader.take)
            alice.add_addresses(bob.peer_id, bob.listen_addrs)
            await alice.send(bob.peer_id, NEWS, b"first, and it dials")
            await alice.send(bob.peer_id, NEWS, b"second")
            assert reader.heard == [b"first, and it dials", b"second"]

    run(main())


def test_send_raises_what_a_request_raises() -> None:
    async def main() -> None:
        async with nodes(message_bytes_max=1000) as (alice, bob):
            reader = Reader()
            bob.handle_request(NEWS, reader.take)
            await connect(alice, bob)
            reader.problem = Refused("not today")
            with pytest.raises(Refused, match="not today"):
                await alice.send(bob.peer_id, NEWS, b"x")
            reader.gate.clear()
            with pytest.raises(RequestTimeout, match=r"within 0\.05 s"):
                await alice.send(bob.peer_id, NEWS, b"x", timeout_s=0.05)
            with pytest.raises(ProtocolNotSupported):
                await alice.send(bob.peer_id, "/test/other/1", b"x")
            with pytest.raises(LimitReached):
                await alice.send(bob.peer_id, NEWS, bytes(1001))
            await alice.stop()
            with pytest.raises(Closed):
                await alice.send(bob.peer_id, NEWS, b"x")

    run(main())


def test_a_broadcast_names_the_connected_peers_that_it_could_not_send_to() -> None:
    async def main() -> None:
        async with nodes(4) as (alice, used, unproven, drained):
            for node in (used, unproven, drained):
                node.handle_request(NEWS, Reader().take)
            await connect(alice, used)
            await (await alice.connect_unproven(unproven.listen_addrs[0])).wait_open()
            near, _ = await connect(alice, drained)
            near.drain()
            report = await alice.broadcast(NEWS, b"x")
            assert report.reached == (used.peer_id,)
            assert set(report.failed) | {used.peer_id} == set(alice.peers())
            assert "is unproven" in report.failed[unproven.peer_id]
            assert "takes no new streams" in report.failed[drained.peer_id]

    run(main())
