"""Warren and go-libp2p in both directions, as far as the daemon that drives the go node lets it through.

It closes a stream in both directions at once and cannot reset one: perf, half-close and reset are shown with
the other libraries only. identify/push with go is in `test_push.py`.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from tests.interop.foreign import Foreign, ForeignError
from tests.interop.node import ECHO_ID, Node
from tests.support import run
from warren.core.errors import PeerIdMismatch, ProtocolNotSupported
from warren.core.keys import PrivateKey
from warren.network.states import SocketState
from warren.protocols.identify import IdentifyInfo

if TYPE_CHECKING:
    from warren.network.stream import Stream

pytestmark = pytest.mark.interop_go
MIB = 1 << 20


async def exchange(stream: Stream, payload: bytes, chunk_bytes: int) -> bytes:
    """Write `payload` in pieces and read as much back; the daemon knows no half-close."""

    async def write() -> None:
        for at in range(0, len(payload), chunk_bytes):
            await stream.write(payload[at : at + chunk_bytes])

    writing = asyncio.ensure_future(write())
    answer = await stream.read_exactly(len(payload))
    await writing
    await stream.close()
    return answer


@pytest.fixture
def go() -> Foreign:
    """go-libp2p, as installed."""
    return Foreign.need("go")


def test_we_identify_and_ping_go(go: Foreign) -> None:
    async def main() -> None:
        async with Node() as node, go.listening() as address:
            socket = await node.dial(address)
            await socket.wait_open()
            assert socket.state is SocketState.OPEN
            assert isinstance(socket.identity, IdentifyInfo)
            assert {"/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", ECHO_ID} <= set(socket.identity.protocols)
            assert address.without_peer() in socket.identity.listen_addrs
            assert socket.identity.signed_record
            assert all([0 < await node.ping.ping(socket) < 5 for _ in range(50)])

    run(main())


@pytest.mark.parametrize(("total", "chunk"), [(1, 1), (3000, 1), (70_000, 65_507), (5 * MIB, MIB)])
def test_we_echo_through_go(go: Foreign, total: int, chunk: int) -> None:
    async def main() -> None:
        async with Node() as node, go.listening() as address:
            stream = await node.network.open_stream(await node.dial(address), ECHO_ID)
            payload = os.urandom(total)
            assert await exchange(stream, payload, chunk) == payload

    run(main())


def test_a_hundred_streams_to_go(go: Foreign) -> None:
    async def main() -> None:
        async with Node() as node, go.listening() as address:
            socket = await node.dial(address)
            streams = await asyncio.gather(*(node.network.open_stream(socket, ECHO_ID) for _ in range(100)))
            payloads = [os.urandom(10_000) for _ in streams]
            pairs = zip(streams, payloads, strict=True)
            assert (
                await asyncio.gather(*(exchange(stream, payload, 4096) for stream, payload in pairs))
                == payloads
            )

    run(main())


def test_go_refuses_what_it_does_not_speak(go: Foreign) -> None:
    async def main() -> None:
        async with Node() as node, go.listening() as address:
            with pytest.raises(ProtocolNotSupported):
                await node.network.open_stream(await node.dial(address), "/nobody/speaks/this")

    run(main())


def test_another_key_than_expected(go: Foreign) -> None:
    async def main() -> None:
        async with Node() as node, go.listening() as address:
            somebody = PrivateKey.from_seed(os.urandom(32)).peer_id
            with pytest.raises(PeerIdMismatch):
                await node.dial(address.without_peer().with_peer(somebody))

    run(main())


def test_go_identifies_and_pings_us(go: Foreign) -> None:
    async def main() -> None:
        async with Node() as node:
            told = await go.run("identify", node.address)
            assert told["peer"] == str(node.network.peer_id)
            assert (await go.run("ping", node.address, 50))["n"] == 50

    run(main())


@pytest.mark.parametrize(("total", "chunk"), [(1, 1), (3000, 1), (5 * MIB, MIB)])
def test_go_echoes_through_us(go: Foreign, total: int, chunk: int) -> None:
    async def main() -> None:
        async with Node() as node:
            assert (await go.run("echo", node.address, total, "--chunk", chunk))["bytes"] == total

    run(main())


def test_a_hundred_streams_from_go(go: Foreign) -> None:
    async def main() -> None:
        async with Node() as node:
            assert (await go.run("streams", node.address, 100))["n"] == 100

    run(main())


def test_go_meets_another_key_than_expected(go: Foreign) -> None:
    async def main() -> None:
        async with Node() as node:
            somebody = PrivateKey.from_seed(os.urandom(32)).peer_id
            with pytest.raises(ForeignError, match=r"failed to dial|peer id mismatch"):
                await go.run("identify", node.address.without_peer().with_peer(somebody))

    run(main())
