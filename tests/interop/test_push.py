"""identify/push between Warren and the other libraries, in both directions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.interop.foreign import Foreign
from tests.interop.node import Node, exchange, identified
from tests.network.nodes import Inbox, event, without_streams
from tests.support import run
from warren.core.multiaddr import Multiaddr
from warren.network.events import PeerIdentified
from warren.protocols.identify import PUSH_ID

if TYPE_CHECKING:
    from warren.network.socket import Socket
    from warren.network.stream import Stream
    from warren.protocols.identify import IdentifyInfo

PUSH_ME_ID, LATE_ID, KNOWS_ID = "/push/1.0.0", "/late/1.0.0", "/knows/1.0.0"


async def told_of_late(node: Node, socket: Socket) -> IdentifyInfo:
    """Have the other side begin to serve a protocol, and wait until it has told."""
    events = node.network.events.subscribe()
    question = await node.network.open_stream(socket, PUSH_ME_ID)
    await question.write(b"?")
    assert await question.read_exactly(6) == b"served"
    await question.close()
    while True:
        info: IdentifyInfo = (await event(events, PeerIdentified)).info
        if LATE_ID in info.protocols:
            return info


def test_what_they_push_is_joined_to_what_they_told_before(foreign: Foreign) -> None:
    async def main() -> None:
        async with Node() as node, foreign.listening() as address:
            socket = await node.dial(address)
            before = await identified(socket)
            assert LATE_ID not in before.protocols
            after = await told_of_late(node, socket)
            assert set(after.protocols) >= {*before.protocols, LATE_ID}
            assert (after.agent, after.protocol_version) == (before.agent, before.protocol_version)
            assert after.listen_addrs == before.listen_addrs
            assert after.record_seq >= before.record_seq
            assert socket.identity == after

    run(main())


@pytest.mark.interop_go
def test_what_go_pushes_is_joined_to_what_it_told_before() -> None:
    async def main() -> None:
        async with Node() as node, Foreign.need("go").listening() as address:
            socket = await node.dial(address)
            before = await identified(socket)
            after = await told_of_late(node, socket)
            assert set(after.protocols) == {*before.protocols, LATE_ID}
            assert after.agent == before.agent
            assert after.listen_addrs == before.listen_addrs
            assert after.record_seq >= before.record_seq > 0

    run(main())


async def known_protocols(node: Node, socket: Socket) -> set[str]:
    """What the other side knows that we speak."""
    question = await node.network.open_stream(socket, KNOWS_ID)
    return set((await exchange(question, b"?", 1)).decode().split("\n"))


def test_they_take_what_we_push(foreign: Foreign) -> None:
    async def main() -> None:
        async with Node() as node, foreign.listening() as address:
            socket = await node.dial(address)
            assert PUSH_ID in (await identified(socket)).protocols
            while not await known_protocols(node, socket):  # until it has asked us on its side
                continue
            assert LATE_ID not in await known_protocols(node, socket)

            async def serve(_: Stream) -> None: ...

            node.network.handle_stream(LATE_ID, serve)
            node.identify.push()
            async with asyncio.timeout(10):
                while LATE_ID not in await known_protocols(node, socket):
                    continue
            assert await node.echo(socket, b"the socket lives")

    run(main())


@pytest.mark.interop_go
def test_go_finds_us_where_we_pushed_that_we_had_moved() -> None:
    """The daemon does not say which protocols it knows of others, but dials where the push told it to."""

    async def main() -> None:
        go = Foreign.need("go")
        async with Node() as node:
            network = node.network
            inbox = Inbox(network, "/ready/1.0.0")
            returning = asyncio.ensure_future(go.run("return", node.address))
            ready = await inbox.next()
            socket = ready.socket
            await identified(socket)
            ready.reset()
            network.stop_listening()
            await network.listen([Multiaddr.tcp("127.0.0.1", 0)])
            node.identify.push()
            await without_streams(socket)
            await socket.close()
            told = await returning
            assert told["addresses"] == [str(network.listen_addrs[0])]

    run(main())
