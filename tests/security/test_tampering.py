"""Someone on the path changes, cuts, drops or repeats bytes: nobody is fooled, and nobody hangs."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.interop.node import ECHO_ID, Node
from tests.security.proxy import TO_DIALLER, TO_LISTENER, Middle, cut, flip
from tests.support import run
from warren.core.errors import WarrenError
from warren.core.multiaddr import Multiaddr
from warren.network.config import NetworkConfig

if TYPE_CHECKING:
    from tests.security.proxy import Tamper
    from warren.network.socket import Socket

HASTY = NetworkConfig(
    handshake_timeout_s=1.0,
    dial_timeout_s=3.0,
    per_ip_max=4096,
    per_ip_per_s=1e9,
    handshakes_max=4096,
    handshakes_per_ip_max=4096,
    per_peer_max=4096,
)
# For those whose handshakes nobody meddles with: a busy machine may take a second for one.
PATIENT = replace(HASTY, handshake_timeout_s=10.0, dial_timeout_s=15.0)
AT_ONCE = 40


async def handshake_bytes() -> dict[str, int]:
    """How many bytes of a connection are handshake, in each direction, before the first sealed message."""
    async with (
        Node(PATIENT) as listener,
        Node(PATIENT) as dialler,
        Middle(listener.address).open() as middle,
    ):
        socket = await dialler.dial(middle.address)
        sizes = {way: _handshake_size(bytes(data)) for way, data in middle.passed.items()}
        await socket.close()
    return sizes


def _handshake_size(data: bytes) -> int:
    """Length of the multistream lines and of the Noise messages that follow them."""
    pos = 20 + 8  # the version and "/noise", each with its length
    messages = (
        2 if data[pos : pos + 2] == b"\x00\x20" else 1
    )  # the initiator sends two, the first of 32 bytes
    for _ in range(messages):
        pos += 2 + int.from_bytes(data[pos : pos + 2], "big")
    return pos


async def is_refused(listener: Node, tamper: Tamper) -> bool:
    """Whether a fresh dialler is unable to use a connection through the tampering middle, and says so."""
    async with Node(HASTY) as dialler, Middle(listener.address, tamper).open() as middle:
        try:
            async with asyncio.timeout(8):
                socket = await dialler.dial(middle.address)
                await dialler.ping.ping(socket)
        except WarrenError:
            return dialler.network.peer_id not in listener.network.peers()
        return False


async def not_refused(listener: Node, tampers: dict[str, Tamper]) -> list[str]:
    """The names of those who were not noticed; many are tried at once."""
    places = asyncio.Semaphore(AT_ONCE)

    async def attempt(name: str, tamper: Tamper) -> str:
        async with places:
            return "" if await is_refused(listener, tamper) else name

    return [name for name in await asyncio.gather(*(attempt(*item) for item in tampers.items())) if name]


@pytest.mark.parametrize("way", [TO_LISTENER, TO_DIALLER])
def test_a_flipped_bit_anywhere_in_the_handshake_is_noticed(way: str) -> None:
    async def main() -> None:
        async with Node(HASTY) as listener:
            size = (await handshake_bytes())[way]
            assert 150 < size < 500
            tampers = {
                f"bit {bit:#04x} of byte {at}": flip(way, at, bit=bit) for at in range(size) for bit in (1,)
            }
            assert await not_refused(listener, tampers) == []

    run(main(), timeout_s=60)


@pytest.mark.parametrize("way", [TO_LISTENER, TO_DIALLER])
def test_a_handshake_cut_anywhere_fails_at_once(way: str) -> None:
    async def main() -> None:
        async with Node(HASTY) as listener:
            size = (await handshake_bytes())[way]
            assert (
                await not_refused(listener, {f"after byte {at}": cut(way, at) for at in range(0, size, 3)})
                == []
            )

    run(main(), timeout_s=60)


class Sealed:
    """Does something to the sealed messages of one direction, which it cuts out of the bytes that pass."""

    def __init__(self, way: str, skip_bytes: int, act: str) -> None:
        self._way = way
        self._held = b""
        self._skip = skip_bytes
        self._act = act
        self.armed = False
        self.done = False

    def __call__(self, way: str, offset: int, data: bytes) -> bytes | None:
        if self.done and self._act == "cut":
            return None
        if way != self._way:
            return data
        start = max(0, self._skip - offset)
        passed, self._held = data[:start], self._held + data[start:]
        while len(self._held) >= 2 and len(self._held) >= (end := 2 + int.from_bytes(self._held[:2], "big")):
            message, self._held = self._held[:end], self._held[end:]
            passed += self._change(message) if self.armed and not self.done and end > 1000 else message
        return passed

    def _change(self, message: bytes) -> bytes:
        self.done = True
        changed = bytearray(message)
        if self._act == "length":
            changed[1] ^= 0x04
        elif self._act == "first byte":
            changed[2] ^= 0x80
        elif self._act == "middle":
            changed[len(message) // 2] ^= 0x10
        elif self._act == "tag":
            changed[-1] ^= 0x01
        elif self._act == "repeat":
            return message + message
        elif self._act == "drop":
            return b""
        elif self._act == "cut":
            return message[: len(message) // 2]
        elif self._act == "shorten":
            return (len(message) - 3).to_bytes(2, "big") + message[2:-1]
        return bytes(changed)


ACTS = ["length", "first byte", "middle", "tag", "repeat", "drop", "shorten", "cut"]


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("way", [TO_LISTENER, TO_DIALLER])
def test_sealed_messages_that_were_meddled_with_end_the_socket(way: str, act: str) -> None:
    """No changed byte reaches a reader, both sides close, and a socket beside it does not notice."""

    async def main() -> None:
        async with Node(PATIENT) as listener, Node(PATIENT) as dialler, Node(PATIENT) as bystander:
            size = (await handshake_bytes())[way]
            meddler = Sealed(way, size, act)
            undisturbed = await bystander.dial(listener.address)
            async with Middle(listener.address, meddler).open() as middle:
                socket = await dialler.dial(middle.address)
                assert await dialler.echo(socket, os.urandom(10_000))
                meddler.armed = True
                payload = os.urandom(300_000)
                assert await received_before_the_end(dialler, socket, payload) < len(payload)
                assert meddler.done
                async with asyncio.timeout(5):
                    while dialler.network.peer_id in listener.network.peers():  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
                assert not socket.usable
            assert await bystander.echo(undisturbed, payload)

    run(main())


async def received_before_the_end(node: Node, socket: Socket, payload: bytes) -> int:
    """Echo until the socket breaks; what came back until then is the beginning of what was sent."""
    stream = await node.network.open_stream(socket, ECHO_ID)
    back = b""

    async def write() -> None:
        await stream.write(payload)
        stream.close_write()

    writing = asyncio.ensure_future(write())
    try:
        while part := await stream.read():
            back += part
        raise AssertionError("the stream ended as if nothing had happened")
    except WarrenError:
        assert payload.startswith(back)
        return len(back)
    finally:
        await asyncio.gather(writing, return_exceptions=True)


def test_a_recorded_dialler_cannot_be_played_again() -> None:
    """The whole of a session, sent once more byte for byte, neither proves a key nor reaches a handler."""

    async def main() -> None:
        async with Node(PATIENT) as listener, Node(PATIENT) as dialler:
            reached = 0

            async def count(stream: object) -> None:
                nonlocal reached
                reached += 1

            listener.network.handle_stream("/canary/1.0.0", count)
            async with Middle(listener.address).open() as middle:
                socket = await dialler.dial(middle.address)
                stream = await dialler.network.open_stream(socket, "/canary/1.0.0")
                await stream.write(b"pay somebody")
                assert await dialler.echo(socket, b"said in the first session")
                await socket.close()
            assert reached == 1
            events = listener.network.events.subscribe()
            address = listener.network.listen_addrs[0]
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(bytes(middle.passed[TO_LISTENER]))
            try:
                answer = await reader.read()  # ends: the listener hangs up
            except ConnectionError:
                answer = b""
            writer.close()
            assert len(answer) < 500  # its side of a handshake, made with fresh keys, and nothing behind it
            assert reached == 1
            assert dialler.network.peer_id not in listener.network.peers()
            await listener.network.stop()
            assert not [event async for event in events if type(event).__name__ == "PeerConnected"]

    run(main())


def test_a_recorded_listener_cannot_be_played_again() -> None:
    async def main() -> None:
        async with Node(PATIENT) as listener, Node(PATIENT) as dialler:
            async with Middle(listener.address).open() as middle:
                socket = await dialler.dial(middle.address)
                assert await dialler.echo(socket, b"said in the first session")
                await socket.close()

            async def replay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write(bytes(middle.passed[TO_DIALLER]))
                await reader.read()
                writer.close()

            await listener.network.stop()  # else the dialler would try its real address, too
            server = await asyncio.start_server(replay, "127.0.0.1", 0)
            try:
                port = server.sockets[0].getsockname()[1]
                with pytest.raises(WarrenError):
                    await dialler.dial(Multiaddr.tcp("127.0.0.1", port).with_peer(listener.network.peer_id))
            finally:
                server.close()
            assert dialler.network.peers() == []

    run(main())
