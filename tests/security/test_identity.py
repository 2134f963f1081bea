"""Who is at the other end: a wrong key and a peer without security are refused, on both sides."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tests.interop.node import ECHO_ID, Node
from tests.network.nodes import event
from tests.support import run
from warren.core.errors import DialFailed, HandshakeFailed, PeerIdMismatch, PlaintextRefused, WarrenError
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.config import NetworkConfig
from warren.network.events import SocketMoved
from warren.network.noise_security import Noise
from warren.network.states import SocketState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MULTISTREAM = b"\x13/multistream/1.0.0\n"
PLAINTEXT = MULTISTREAM + b"\x11/plaintext/2.0.0\n"
HTTP = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
YAMUX_SYN = bytes.fromhex("000100010000000100000000")


def somebody() -> PrivateKey:
    return PrivateKey.from_seed(os.urandom(32))


def test_another_key_is_refused_and_both_ids_are_named() -> None:
    async def main() -> None:
        async with Node() as dialler, Node() as listener:
            expected = somebody().peer_id
            wrong = listener.network.listen_addrs[0].with_peer(expected)
            with pytest.raises(PeerIdMismatch) as raised:
                await dialler.dial(wrong)
            assert raised.value.expected == str(expected)
            assert raised.value.actual == str(listener.network.peer_id)
            assert str(expected) in str(raised.value)
            assert str(listener.network.peer_id) in str(raised.value)
            assert dialler.network.peers() == []

    run(main())


def test_the_refused_listener_never_learns_who_dialled() -> None:
    """The dialler finds the wrong key before it shows its own identity."""

    async def main() -> None:
        async with Node() as dialler, Node() as listener:
            events = listener.network.events.subscribe()
            with pytest.raises(PeerIdMismatch):
                await dialler.dial(listener.network.listen_addrs[0].with_peer(somebody().peer_id))
            await listener.network.stop()
            assert str(dialler.network.peer_id) not in [str(getattr(e, "peer", "")) async for e in events]

    run(main())


def test_who_shows_the_proof_of_another_is_refused_on_either_side() -> None:
    """The impostor saw the proof in a handshake of its own; it was made for another Noise key."""

    async def main() -> None:
        async with Node() as honest, Node() as victim, Node() as impostor:
            shown, stolen = impostor.network.securities[0], victim.network.securities[0]
            assert isinstance(shown, Noise)
            assert isinstance(stolen, Noise)
            shown.static.payload = stolen.static.payload
            with pytest.raises(WarrenError, match="did not sign"):
                await honest.dial(impostor.network.listen_addrs[0].with_peer(victim.network.peer_id))
            events = honest.network.events.subscribe()
            dialling = asyncio.ensure_future(impostor.dial(honest.address))
            while (moved := await event(events, SocketMoved)).new is not SocketState.ERRORED:
                continue
            assert "did not sign" in str(moved.socket.error)
            await asyncio.gather(dialling, return_exceptions=True)
            assert honest.network.peers() == []
            assert await honest.ping.ping(await honest.dial(victim.address)) > 0

    run(main())


def test_a_node_does_not_talk_to_itself() -> None:
    async def main() -> None:
        async with Node() as node:
            with pytest.raises(WarrenError):
                await node.dial(node.address)
            with pytest.raises(WarrenError):
                await node.network.connect_unproven(node.network.listen_addrs[0])
            assert node.network.peers() == []

    run(main())


def test_a_key_met_without_an_expectation_stays_unproven() -> None:
    """It never satisfies a request for a named peer: that one dials for itself."""

    async def main() -> None:
        async with Node() as dialler, Node() as listener:
            met = await dialler.network.connect_unproven(listener.network.listen_addrs[0])
            assert met.peer_id == listener.network.peer_id
            assert not met.proven
            named = await dialler.dial(listener.address)
            assert named.proven

    run(main())


@asynccontextmanager
async def scripted_listener(answer: bytes) -> AsyncIterator[tuple[Multiaddr, bytearray]]:
    """A TCP listener that sends `answer` to whoever comes, and keeps what it is sent."""
    got = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        while data := await reader.read(65536):
            got.extend(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield Multiaddr.tcp("127.0.0.1", port).with_peer(somebody().peer_id), got
    finally:
        server.close()


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (PLAINTEXT, HandshakeFailed),
        (MULTISTREAM + b"\x03na\n", HandshakeFailed),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", PlaintextRefused),
        (b"SSH-2.0-OpenSSH_9.2\r\n", PlaintextRefused),
        (YAMUX_SYN * 4, PlaintextRefused),
    ],
    ids=["plaintext protocol", "no noise", "http", "ssh", "bare yamux"],
)
def test_dialling_a_listener_without_security(answer: bytes, refusal: type[HandshakeFailed]) -> None:
    async def main() -> None:
        async with Node() as dialler, scripted_listener(answer) as (address, got):
            with pytest.raises(WarrenError) as raised:
                await dialler.dial(address)
            error = raised.value
            assert isinstance(error, (refusal, DialFailed)), error
            assert dialler.network.peers() == []
            assert ECHO_ID.encode() not in got
            assert dialler.network.peer_id.to_bytes() not in got

    run(main())


@pytest.mark.parametrize(
    "hello",
    [PLAINTEXT, HTTP, YAMUX_SYN * 4, b"\x00" * 64, b"\xff" * 64],
    ids=["plaintext", "http", "yamux", "0", "255"],
)
def test_a_dialler_without_security_gets_nothing(hello: bytes) -> None:
    async def main() -> None:
        async with Node(NetworkConfig(handshake_timeout_s=1.0)) as node:
            address = node.network.listen_addrs[0]
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(hello)
            try:
                answer = await reader.read()
            except ConnectionError:
                answer = b""
            writer.close()
            # At most the version and "na": no word about who or what this node is.
            assert answer in (b"", MULTISTREAM, MULTISTREAM + b"\x03na\n")
            assert node.network.peers() == []

    run(main())


def test_a_plaintext_dialler_cannot_open_streams_after_the_refusal() -> None:
    async def main() -> None:
        async with Node(NetworkConfig(handshake_timeout_s=1.0)) as node:
            reached = False

            async def handler(_stream: object) -> None:
                nonlocal reached
                reached = True

            node.network.handle_stream("/canary/1.0.0", handler)
            address = node.network.listen_addrs[0]
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(
                PLAINTEXT + YAMUX_SYN + b"\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x10/canary/1.0.0\n"
            )
            with suppress(ConnectionError):
                assert len(await reader.read()) <= len(MULTISTREAM) + 4
            writer.close()
            assert not reached

    run(main())
