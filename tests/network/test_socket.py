"""One socket against hand-made peers: fallbacks of the handshake, tampering, our own faults, the end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.network.fakes import MUXERS
from tests.network.nodes import LIMIT_S, LOOPBACK, Inbox, closed, connect, event, key, make, nodes, until
from tests.support import run
from warren.core.errors import (
    Closed,
    ConnectionClosed,
    HandshakeFailed,
    IllegalMove,
    MisuseError,
    PlaintextRefused,
    ProtocolViolation,
)
from warren.core.multiaddr import Multiaddr
from warren.network.events import SocketMoved
from warren.network.multistream import NOT_AVAILABLE, VERSION_LINE, Proposer, encode_line
from warren.network.noise_security import Noise
from warren.network.security import MESSAGE_BYTES_MAX
from warren.network.socket import Socket, _endpoint
from warren.network.states import SocketState
from warren.network.upgrade import Upgrade
from warren.network.yamux.frames import (
    ACK,
    GO_AWAY,
    GO_AWAY_INTERNAL_ERROR,
    GO_AWAY_NORMAL,
    GO_AWAY_PROTOCOL_ERROR,
    HEADER,
    PING,
    SYN,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warren.network.network import Network
    from warren.network.stream import Stream

PROTOCOL = "/test/socket/1"


class ByHand:
    """A peer whose every byte the test decides: a TCP connection, then Noise, then frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._sealed = b""
        self._plain = b""
        self.secured: Any = None

    @classmethod
    async def dial(cls, network: Network) -> ByHand:
        address = network.listen_addrs[0]
        return cls(*await asyncio.open_connection(address.host, address.port))

    async def shake(self, *, initiator: bool = True, muxers: tuple[str, ...] = MUXERS) -> ByHand:
        """The handshake, honestly."""
        own = key(77)
        noise = Noise(own, own.seed, muxers)
        upgrade = Upgrade((noise,), MUXERS, own.seed, initiator=initiator, expected=None)
        held = b""
        while upgrade.secured is None:
            self.writer.write(upgrade.take_output())
            held += await self.read_some()
            held = held[upgrade.receive(memoryview(held)) :]
        self.writer.write(upgrade.take_output())
        self.secured, self._sealed = upgrade.secured, held
        return self

    async def read_some(self) -> bytes:
        async with asyncio.timeout(LIMIT_S):
            data = await self.reader.read(65536)
        if not data:
            raise EOFError
        return data

    def sealed(self, plaintext: bytes) -> bytes:
        out = bytearray(len(plaintext) + self.secured.sealer.overhead_bytes)
        self.secured.sealer.seal_into(memoryview(plaintext), memoryview(out))
        return bytes(out)

    def send(self, plaintext: bytes) -> None:
        self.writer.write(self.sealed(plaintext))

    async def read(self, count: int) -> bytes:
        """`count` bytes of plaintext."""
        while len(self._plain) < count:
            out = memoryview(bytearray(MESSAGE_BYTES_MAX))
            end, plaintext = self.secured.opener.open_next(memoryview(self._sealed), 0, out)
            if end:
                self._sealed, self._plain = self._sealed[end:], self._plain + bytes(plaintext)
            else:
                self._sealed += await self.read_some()
        taken, self._plain = self._plain[:count], self._plain[count:]
        return taken

    async def frame(self) -> tuple[int, int, int, int]:
        """Kind, flags, stream and length of the next frame; a body is skipped."""
        _, kind, flags, stream, length = HEADER.unpack(await self.read(HEADER.size))
        if kind == 0:
            await self.read(length)
        return kind, flags, stream, length

    async def goodbye(self) -> int:
        """Skip frames up to a GoAway; its code."""
        while True:
            kind, _, _, code = await self.frame()
            if kind == GO_AWAY:
                return code

    async def rest(self) -> bytes:
        """Whatever still comes, up to the end of the link."""
        data = b""
        try:
            while True:
                data += await self.read_some()
        except (EOFError, ConnectionResetError):
            return data

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


def against(test: Callable[[Network, ByHand], Awaitable[None]], **settings: Any) -> None:
    """Run `test` with a network and a hand-made peer that has dialled it."""

    async def main() -> None:
        async with nodes(1, identify=False, **settings) as (network,), await ByHand.dial(network) as peer:
            await test(network, peer)

    run(main())


async def answer_by_hand(
    talk: Callable[[ByHand], Awaitable[None]], then: Callable[[Network, Multiaddr], Awaitable[None]]
) -> None:
    """A hand-made listener that does `talk` with whoever comes, and a network that dials it in `then`."""
    done: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(EOFError, ConnectionError):
            async with ByHand(reader, writer) as peer:
                await talk(peer)
                await peer.rest()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        done.append(asyncio.ensure_future(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    network = make(1, identify=False)
    try:
        await then(network, Multiaddr.tcp("127.0.0.1", server.sockets[0].getsockname()[1]))
    finally:
        await network.stop()
        await asyncio.gather(*done)
        server.close()
        await server.wait_closed()


async def the_socket(network: Network) -> Socket:
    found: list[Socket] = await until(network, network._registry.all)
    return found[0]


async def end_of(socket: Socket) -> Exception:
    await closed(socket)
    assert socket.error is not None
    return socket.error


# ---------------------------------------------------------------- the muxer is agreed inside of Noise


@pytest.mark.parametrize("cut", [0, 5, 40])
def test_a_peer_without_early_muxers_negotiates_inside_of_noise(cut: int) -> None:
    async def test(network: Network, peer: ByHand) -> None:
        await peer.shake(muxers=())
        ping = HEADER.pack(0, PING, SYN, 0, 42)
        proposal = VERSION_LINE + encode_line("/mplex/6.7.0") + encode_line("/yamux/1.0.0") + ping
        if cut:
            peer.send(proposal[:cut])
        peer.send(proposal[cut:])
        expected = VERSION_LINE + NOT_AVAILABLE + encode_line("/yamux/1.0.0")
        assert await peer.read(len(expected)) == expected
        assert await peer.frame() == (PING, ACK, 0, 42)
        socket = await the_socket(network)
        await socket.wait_open()
        assert socket.peer_id == key(77).peer_id

    against(test)


def test_we_propose_yamux_inside_of_noise_to_a_peer_without_early_muxers() -> None:
    async def talk(peer: ByHand) -> None:
        await peer.shake(initiator=False, muxers=())
        proposal = VERSION_LINE + encode_line("/yamux/1.0.0")
        assert await peer.read(len(proposal)) == proposal
        peer.send(proposal + HEADER.pack(0, PING, SYN, 0, 7))
        assert await peer.frame() == (PING, ACK, 0, 7)

    async def then(network: Network, address: Multiaddr) -> None:
        socket = await network.connect_unproven(address)
        assert socket.usable
        await socket.close()

    run(answer_by_hand(talk, then))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(VERSION_LINE + NOT_AVAILABLE, "does not speak /yamux/1.0.0"), (b"GET / HTTP", "multistream")],
)
def test_a_peer_without_our_muxer_is_given_up(answer: bytes, reason: str) -> None:
    async def talk(peer: ByHand) -> None:
        await peer.shake(initiator=False, muxers=())
        peer.send(answer)

    async def then(network: Network, address: Multiaddr) -> None:
        with pytest.raises((HandshakeFailed, ProtocolViolation), match=reason):
            await network.connect_unproven(address)

    run(answer_by_hand(talk, then))


# ---------------------------------------------------------------- handshakes that fail


def test_plaintext_is_refused_at_once_with_a_hint() -> None:
    async def talk(peer: ByHand) -> None:
        peer.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def then(network: Network, address: Multiaddr) -> None:
        with pytest.raises(PlaintextRefused, match="does not begin with a libp2p") as caught:
            await network.connect_unproven(address)
        assert "never accepted" in caught.value.hint

    run(answer_by_hand(talk, then))


def test_nothing_but_the_handshake_is_said_to_a_peer_that_failed_it() -> None:
    async def test(network: Network, peer: ByHand) -> None:
        peer.writer.write(VERSION_LINE + encode_line("/noise"))
        assert await peer.read_some() == VERSION_LINE + encode_line("/noise")
        peer.writer.write(b"\x00\x20" + bytes(32))
        assert await peer.rest() == b""
        assert not network._registry.all()

    against(test)


def test_a_peer_that_leaves_during_the_handshake_is_a_failed_handshake() -> None:
    async def talk(peer: ByHand) -> None:
        await peer.read_some()
        await peer.close()

    async def then(network: Network, address: Multiaddr) -> None:
        with pytest.raises(HandshakeFailed, match="closed the connection"):
            await network.connect_unproven(address)

    run(answer_by_hand(talk, then))


def test_a_dial_that_is_given_up_leaves_no_socket() -> None:
    async def talk(peer: ByHand) -> None:
        await peer.read_some()

    async def then(network: Network, address: Multiaddr) -> None:
        dialling = asyncio.ensure_future(network.connect_unproven(address))
        socket = await the_socket(network)
        await until(network, lambda: socket.state is SocketState.AUTHENTICATING)
        dialling.cancel()
        await closed(socket)
        assert not network._registry.all()

    run(answer_by_hand(talk, then))


# ---------------------------------------------------------------- rules that are broken afterwards


def changed(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


BROKEN = {
    "a changed tag": lambda peer: changed(peer.sealed(HEADER.pack(0, PING, SYN, 0, 1))),
    "a changed body": lambda peer: b"\x00\x1c" + changed(peer.sealed(bytes(12))[2:14]) + bytes(16),
    "shorter than a tag": lambda _peer: b"\x00\x0f" + bytes(15),
    "an unknown frame": lambda peer: peer.sealed(HEADER.pack(0, 9, 0, 0, 0)),
    "an unknown version": lambda peer: peer.sealed(HEADER.pack(1, PING, SYN, 0, 0)),
    "an overflowing window": lambda peer: peer.sealed(HEADER.pack(0, 0, SYN, 1, 1 << 20)),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_tampering_and_broken_frames_end_the_socket_with_a_goaway(broken: Callable[[ByHand], bytes]) -> None:
    async def test(network: Network, peer: ByHand) -> None:
        await peer.shake()
        socket = await the_socket(network)
        await socket.wait_open()
        moves = network.events.subscribe()
        peer.writer.write(broken(peer))
        assert await peer.goodbye() == GO_AWAY_PROTOCOL_ERROR
        assert await peer.rest() == b""
        assert isinstance(await end_of(socket), ProtocolViolation)
        assert [(await event(moves, SocketMoved)).new for _ in range(3)] == [
            SocketState.ERRORED,
            SocketState.CLOSING,
            SocketState.CLOSED,
        ]

    against(test)


def test_a_replayed_message_is_tampering() -> None:
    async def test(network: Network, peer: ByHand) -> None:
        await peer.shake()
        socket = await the_socket(network)
        ping = peer.sealed(HEADER.pack(0, PING, SYN, 0, 1))
        peer.writer.write(ping + ping)
        assert await peer.goodbye() == GO_AWAY_PROTOCOL_ERROR
        assert isinstance(await end_of(socket), ProtocolViolation)

    against(test)


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_goodbye_of_a_peer_is_no_fault_of_its_socket(code: int) -> None:
    async def test(network: Network, peer: ByHand) -> None:
        await peer.shake()
        socket = await the_socket(network)
        await socket.wait_open()
        peer.send(HEADER.pack(0, GO_AWAY, 0, 0, code))
        if code == 0:
            peer.send(HEADER.pack(0, PING, SYN, 0, 1))
            await peer.frame()
            assert not socket.usable
            with pytest.raises(ConnectionClosed):
                socket.open_stream((PROTOCOL,))
            await peer.close()
        error = await end_of(socket)
        assert isinstance(error, ConnectionClosed)
        assert (f"code {code}" in str(error)) == bool(code)

    against(test)


def test_a_message_of_nothing_is_allowed() -> None:
    async def test(network: Network, peer: ByHand) -> None:
        await peer.shake()
        peer.send(b"")
        peer.send(HEADER.pack(0, PING, SYN, 0, 3))
        assert await peer.frame() == (PING, ACK, 0, 3)

    against(test)


def test_what_comes_behind_a_violation_is_not_looked_at() -> None:
    async def test(network: Network, peer: ByHand) -> None:
        inbox = Inbox(network, PROTOCOL)
        await peer.shake()
        socket = await the_socket(network)
        hello = VERSION_LINE + encode_line(PROTOCOL)
        opened = peer.sealed(HEADER.pack(0, 0, SYN, 1, len(hello)) + hello)
        peer.writer.write(peer.sealed(HEADER.pack(0, 9, 0, 0, 0)) + opened)
        await end_of(socket)
        assert inbox.streams.empty()

    against(test)


def test_a_fault_of_ours_ends_one_socket_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def test(network: Network, peer: ByHand) -> None:
        await peer.shake()
        socket = await the_socket(network)
        await socket.wait_open()

        def fail(protocol: str) -> bool:
            raise ZeroDivisionError("a bug of ours")

        network.supports = fail  # type: ignore[method-assign]
        async with await ByHand.dial(network) as other:
            await other.shake()
            hello = VERSION_LINE + encode_line(PROTOCOL)
            peer.send(HEADER.pack(0, 0, SYN, 1, len(hello)) + hello)
            assert await peer.goodbye() == GO_AWAY_INTERNAL_ERROR
            assert isinstance(await end_of(socket), ZeroDivisionError)
            other.send(HEADER.pack(0, PING, SYN, 0, 3))
            assert await other.frame() == (PING, ACK, 0, 3)

    with caplog.at_level(logging.ERROR):
        against(test)
    assert "a bug of ours" in caplog.text


def test_misuse_in_a_callback_of_ours_is_an_internal_error() -> None:
    async def test(network: Network, peer: ByHand) -> None:
        await peer.shake()
        socket = await the_socket(network)

        def misuse(protocol: str) -> bool:
            raise MisuseError("called at the wrong time")

        network.supports = misuse  # type: ignore[method-assign]
        hello = VERSION_LINE + encode_line(PROTOCOL)
        peer.send(HEADER.pack(0, 0, SYN, 1, len(hello)) + hello)
        assert await peer.goodbye() == GO_AWAY_INTERNAL_ERROR
        assert isinstance(await end_of(socket), MisuseError)

    against(test)


# ---------------------------------------------------------------- the end


def test_close_says_goodbye_and_waits_for_the_end() -> None:
    async def test(network: Network, peer: ByHand) -> None:
        await peer.shake()
        socket = await the_socket(network)
        await socket.wait_open()
        closing = asyncio.ensure_future(socket.close())
        assert await peer.goodbye() == GO_AWAY_NORMAL
        await closing
        assert socket.state is SocketState.CLOSED
        assert isinstance(socket.error, Closed)
        await socket.close()
        socket.abort()
        socket.drain()
        socket.probe()
        socket.flush()
        socket.fail(ProtocolViolation("too late"))
        with pytest.raises(Closed):
            await socket.wait_open()
        with pytest.raises(ConnectionClosed, match="is closed"):
            socket.open_stream((PROTOCOL,))

    against(test)


def test_what_is_said_in_the_turn_that_closes_the_connection_arrives_with_the_goodbye() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):

            def dismiss(stream: Stream) -> None:
                def on_data(_: memoryview) -> None:
                    stream.write_nowait(b"no")
                    stream.write_nowait(bytes(10_000))
                    stream.close_write()
                    stream.socket.shut(Closed("policy"), GO_AWAY_NORMAL)

                stream.set_receiver(on_data, lambda _: None)

            bob.handle_stream_inline(PROTOCOL, dismiss)
            near, far = await connect(alice, bob)
            stream = await alice.open_stream(near, PROTOCOL)
            await stream.write(b"x")
            assert await stream.read_exactly(10_002) == b"no" + bytes(10_000)
            assert await stream.read() == b""
            await closed(near)
            await closed(far)

    run(main())


@pytest.mark.parametrize("clean", [True, False])
def test_a_link_that_ends_closes_the_socket(clean: bool) -> None:
    async def test(network: Network, peer: ByHand) -> None:
        await peer.shake()
        socket = await the_socket(network)
        await socket.wait_open()
        if clean:
            await peer.close()
        else:
            peer.writer.transport.abort()
        error = await end_of(socket)
        assert isinstance(error, ConnectionClosed)
        assert "the peer closed the connection" in str(error)

    against(test)


def test_everybody_who_waits_for_a_socket_is_told_of_its_end() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            near, _ = await connect(alice, bob)
            waiting = [asyncio.ensure_future(near.close()) for _ in range(3)]
            await asyncio.gather(*waiting)
            waiting[0].cancel()

    run(main())


def test_a_wait_for_a_socket_may_be_given_up() -> None:
    async def talk(peer: ByHand) -> None:
        await peer.read_some()

    async def then(network: Network, address: Multiaddr) -> None:
        dialling = asyncio.ensure_future(network.connect_unproven(address))
        socket = await the_socket(network)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await socket.wait_open()
        socket.abort(ConnectionClosed("enough"))
        with pytest.raises(ConnectionClosed, match="enough"):
            await dialling

    run(answer_by_hand(talk, then))


def test_a_link_that_comes_for_a_socket_that_is_over_is_dropped() -> None:
    async def main() -> None:
        async with nodes(1, identify=False) as (bob,):
            alice = make(9, identify=False)
            socket = Socket(alice, outbound=True, remote_addr=bob.listen_addrs[0])
            socket.start_connecting()
            socket.abort()
            assert socket.state is SocketState.CLOSED
            assert socket.bytes_out == 0
            await alice._transport.dial(bob.listen_addrs[0], lambda: socket, 5.0)
            [far] = await until(bob, bob._registry.all)
            await closed(far)
            await alice.stop()

    run(main())


def test_a_link_without_addresses_has_none() -> None:
    assert _endpoint(None) is None
    assert _endpoint("/run/socket") is None


def test_a_socket_says_what_it_is() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            fresh = Socket(alice, outbound=False, remote_addr=None)
            assert repr(fresh) == "<Socket inbound unproven peer None opening>"
            assert fresh.rtt_s is None
            assert fresh.streams == fresh.bytes_out == 0
            assert not fresh.usable
            fresh.probe()
            fresh.flush()
            with pytest.raises(ConnectionClosed, match="to None is opening"):
                fresh.open_stream((PROTOCOL,))
            with pytest.raises(IllegalMove):
                fresh._move(SocketState.OPEN)
            near, _ = await connect(alice, bob)
            assert repr(near) == f"<Socket outbound {bob.peer_id} {bob.listen_addrs[0]} open>"
            assert near.config is alice.config
            near.identified()
            assert near.state is SocketState.OPEN

    run(main())


def test_a_socket_that_fails_identify_is_errored_and_recovers() -> None:
    async def main() -> None:
        async with nodes(1) as (alice,):
            bob = make(2, identify=False)
            await bob.listen([LOOPBACK])
            moves = alice.events.subscribe()
            socket = await alice.connect(bob.peer_id, bob.listen_addrs)
            await socket.wait_open()
            seen = [(await event(moves, SocketMoved)).new for _ in range(6)]
            assert seen[-2:] == [SocketState.ERRORED, SocketState.OPEN]
            assert socket.usable
            await bob.stop()

    run(main())


def test_a_socket_whose_muxer_is_negotiated_slowly_is_authenticated_meanwhile() -> None:
    async def test(network: Network, peer: ByHand) -> None:
        await peer.shake(muxers=())
        socket = await the_socket(network)
        await until(network, lambda: socket.state is SocketState.AUTHENTICATED)
        assert socket.authenticated
        assert not socket.usable
        proposer = Proposer(MUXERS)
        peer.send(proposer.take_output())
        await socket.wait_connected()

    against(test)
