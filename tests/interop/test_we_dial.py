"""Warren dials nodes of other libp2p libraries."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from tests.interop.foreign import Foreign
from tests.interop.node import EARLY_MUXERS_ID, ECHO_ID, RESET_ID, RESETS_ID, Node, exchange, identified
from tests.support import run
from warren.core.errors import PeerIdMismatch, ProtocolNotSupported, StreamReset, WarrenError
from warren.core.keys import PrivateKey

if TYPE_CHECKING:
    from warren.core.multiaddr import Multiaddr
    from warren.network.socket import Socket

MIB = 1 << 20


def test_identify(foreign: Foreign, address: Multiaddr) -> None:
    async def main() -> None:
        async with Node() as node:
            socket = await node.dial(address)
            info = await identified(socket)
            assert socket.peer_id == address.peer_id
            assert socket.proven
            assert f"{foreign.name}-libp2p" in info.agent
            assert {"/ipfs/ping/1.0.0", "/perf/1.0.0", ECHO_ID} <= set(info.protocols)
            assert address.without_peer() in [listen.without_peer() for listen in info.listen_addrs]
            assert info.observed_addr is not None
            assert info.observed_addr.without_peer() == socket.local_addr

    run(main())


def test_ping(address: Multiaddr) -> None:
    async def main() -> None:
        async with Node() as node:
            socket = await node.dial(address)
            assert all([0 < await node.ping.ping(socket) < 5 for _ in range(50)])

    run(main())


def test_perf_both_ways(address: Multiaddr) -> None:
    async def main() -> None:
        async with Node() as node:
            socket = await node.dial(address)
            result = await node.perf.measure(socket, upload_bytes=64 * MIB, download_bytes=32 * MIB)
            assert (result.uploaded_bytes, result.downloaded_bytes) == (64 * MIB, 32 * MIB)

    run(main())


@pytest.mark.slow
def test_gigabyte_upload(address: Multiaddr) -> None:
    """Long enough for window updates by the ten thousand: flow control must not look like a flood."""

    async def main() -> None:
        async with Node() as node:
            await node.perf.measure(await node.dial(address), upload_bytes=1024 * MIB)

    run(main(), timeout_s=90)


@pytest.mark.parametrize(
    ("total", "chunk"),
    [(0, 1), (1, 1), (3000, 1), (70_000, 65_507), (5 * MIB, MIB), (MIB, 4097)],
    ids=["empty", "one byte", "tiny", "one full frame and a bit", "large", "odd"],
)
def test_echo_in_pieces(address: Multiaddr, total: int, chunk: int) -> None:
    async def main() -> None:
        async with Node() as node:
            assert await node.echo(await node.dial(address), os.urandom(total), chunk)

    run(main())


def test_hundred_streams_at_once(address: Multiaddr) -> None:
    async def main() -> None:
        async with Node() as node:
            socket = await node.dial(address)
            streams = [await node.network.open_stream(socket, ECHO_ID) for _ in range(100)]
            payloads = [os.urandom(10_000) for _ in streams]
            answers = await asyncio.gather(
                *(exchange(stream, payload, 4096) for stream, payload in zip(streams, payloads, strict=True))
            )
            assert answers == payloads

    run(main())


def test_reads_go_on_after_half_close(address: Multiaddr) -> None:
    """The perf protocol answers only once it has seen the end of our half."""

    async def main() -> None:
        async with Node() as node:
            stream = await node.network.open_stream(await node.dial(address), "/perf/1.0.0")
            await stream.write((100_000).to_bytes(8, "big") + bytes(1000))
            stream.close_write()
            assert await stream.read_exactly(100_000) == bytes(100_000)
            assert await stream.read() == b""

    run(main())


async def resets_seen(node: Node, socket: Socket) -> int:
    """How many of our echo streams the other side has seen reset."""
    question = await node.network.open_stream(socket, RESETS_ID)
    return int(await exchange(question, b"?", 1))


def test_our_reset_arrives(address: Multiaddr) -> None:
    async def main() -> None:
        async with Node() as node:
            socket = await node.dial(address)
            before = await resets_seen(node, socket)
            stream = await node.network.open_stream(socket, ECHO_ID)
            await stream.write(b"ten bytes.")
            await stream.read_exactly(10)
            stream.reset()
            assert await resets_seen(node, socket) == before + 1
            assert await node.echo(socket, b"the socket lives")

    run(main())


def test_their_reset_costs_only_the_stream(address: Multiaddr) -> None:
    async def main() -> None:
        async with Node() as node:
            socket = await node.dial(address)
            stream = await node.network.open_stream(socket, RESET_ID)
            await stream.write(b"x")
            with pytest.raises(StreamReset):
                await stream.read()
            assert await node.echo(socket, b"the socket lives")
            assert socket.usable

    run(main())


def test_unknown_protocol(address: Multiaddr) -> None:
    async def main() -> None:
        async with Node() as node:
            socket = await node.dial(address)
            with pytest.raises(ProtocolNotSupported):
                await node.network.open_stream(socket, "/nobody/speaks/this")
            stream = await node.network.open_stream(socket, ["/nobody/speaks/this", ECHO_ID])
            assert stream.protocol == ECHO_ID
            assert await exchange(stream, b"the second choice", 100) == b"the second choice"

    run(main())


def test_other_key_than_expected(address: Multiaddr) -> None:
    async def main() -> None:
        async with Node() as node:
            somebody = PrivateKey.from_seed(os.urandom(32)).peer_id
            with pytest.raises(WarrenError) as raised:
                await node.dial(address.without_peer().with_peer(somebody))
            assert isinstance(raised.value, PeerIdMismatch)
            assert str(somebody) in str(raised.value)
            assert str(address.peer_id) in str(raised.value)

    run(main())


@pytest.mark.interop_js
@pytest.mark.parametrize(
    ("options", "early"), [((), b"1"), (("--late-muxer",), b"0")], ids=["in the handshake", "by multistream"]
)
def test_muxer_negotiation(options: tuple[str, ...], early: bytes) -> None:
    """js-libp2p takes our muxers from the Noise handshake; when it is told not to, both negotiate inside."""

    async def main() -> None:
        js = Foreign.need("js")
        async with Node() as node, js.listening(*options) as address:
            socket = await node.dial(address)
            assert await node.echo(socket, os.urandom(100_000))
            question = await node.network.open_stream(socket, EARLY_MUXERS_ID)
            assert await exchange(question, b"?", 1) == early

    run(main())
