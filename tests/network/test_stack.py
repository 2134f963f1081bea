"""Each part of a network swaps: pairs of networks over second implementations, which the tests define."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.network.nodes import LIMIT_S, LOOPBACK, assert_empty, connect, key
from tests.network.swapped import TOY_MUXER, ToyMuxer, ToyOpener, ToySecurity, ToyTransport
from tests.support import run
from warren.core.errors import HandshakeFailed, InvalidMultiaddr
from warren.core.multiaddr import Multiaddr
from warren.network.ciphers import AES_256_GCM, CHACHA20_POLY1305, Opener
from warren.network.network import Network
from warren.network.noise_security import Noise
from warren.network.stack import Stack
from warren.network.transports.tcp import TcpTransport
from warren.network.yamux.frames import PROTOCOL_ID as YAMUX_ID
from warren.network.yamux.session import YamuxSession, open_session
from warren.protocols.identify import Identify
from warren.runtime.real import RealRuntime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warren.core.keys import PrivateKey
    from warren.network.ciphers import Cipher
    from warren.network.security import SecurityFactory
    from warren.network.stream import Stream

PROTOCOL = "/test/stack/1"
TOY_LOOPBACK = Multiaddr.parse("/ip4/127.0.0.1/tcp/0/ws")
BULK = bytes(range(256)) * 4000
TOYS = Stack(
    transports=(TcpTransport, ToyTransport),
    security=(ToySecurity, Noise),
    muxers={TOY_MUXER: ToyMuxer, YAMUX_ID: open_session},
)


def between(
    ours: Stack | None,
    theirs: Stack | None,
    test: Callable[[Network, Network], Awaitable[None]],
    listen: Multiaddr = LOOPBACK,
) -> None:
    """Run `test` with two networks that are built of these parts."""

    async def main() -> None:
        runtime = RealRuntime()
        pair = [Network(runtime, key(n + 1), stack=stack) for n, stack in enumerate((ours, theirs))]
        try:
            for network in pair:
                Identify(network, "other/1", lambda network=network: network.listen_addrs)  # type: ignore[misc]
                network.handle_stream(PROTOCOL, echo)
            await pair[1].listen([listen])
            await test(*pair)
        finally:
            for network in pair:
                await network.stop()
            await runtime.close()
        for network in pair:
            assert_empty(network)

    run(main(), timeout_s=LIMIT_S)


async def echo(stream: Stream) -> None:
    while data := await stream.read():
        await stream.write(data)


async def echoed(network: Network, other: Network) -> None:
    """Bulk comes back whole."""
    stream = await network.open_stream(other.peer_id, PROTOCOL)
    stream.write_nowait(BULK)
    assert await stream.read_exactly(len(BULK)) == BULK
    await stream.close()


@pytest.mark.parametrize(
    ("ours", "theirs", "opener", "muxer"),
    [
        (TOYS, TOYS, ToyOpener, ToyMuxer),
        (TOYS, None, Opener, YamuxSession),
        (None, TOYS, Opener, YamuxSession),
        (Stack(security=(ToySecurity,)), TOYS, ToyOpener, YamuxSession),
        (Stack(muxers={TOY_MUXER: ToyMuxer}), TOYS, Opener, ToyMuxer),
        (TOYS, Stack(muxers={TOY_MUXER: ToyMuxer}), Opener, ToyMuxer),
    ],
    ids=["both", "we offer more", "they offer more", "security", "muxer", "their muxer"],
)
def test_two_networks_agree_on_the_best_parts_that_both_have(
    ours: Stack | None, theirs: Stack | None, opener: type, muxer: type
) -> None:
    async def test(alice: Network, bob: Network) -> None:
        near, far = await connect(alice, bob)
        for socket in (near, far):
            assert type(socket._opener) is opener
            assert type(socket.mux) is muxer
            assert socket.identity is not None
            assert socket.rtt_s is not None
        await echoed(alice, bob)
        await echoed(bob, alice)
        assert near.activity > 0
        near.probe()
        near.drain()
        assert not near.usable
        await near.close()

    between(ours, theirs, test)


def noise(fast: bool) -> SecurityFactory:
    """As on a machine with instructions for AES or without, wherever the test runs."""

    def make(identity: PrivateKey, seed: bytes, muxers: tuple[str, ...], /, *, fast_aes: bool) -> Noise:
        del fast_aes
        return Noise(identity, seed, muxers, fast_aes=fast)

    return make


WITH_AES, WITHOUT_AES = Stack(security=(noise(True),)), Stack(security=(noise(False),))


@pytest.mark.parametrize(
    ("ours", "theirs", "cipher"),
    [
        (WITH_AES, WITH_AES, AES_256_GCM),
        (WITH_AES, WITHOUT_AES, CHACHA20_POLY1305),
        (WITHOUT_AES, WITH_AES, CHACHA20_POLY1305),
        (WITHOUT_AES, WITHOUT_AES, CHACHA20_POLY1305),
    ],
    ids=["both", "we", "they", "none"],
)
def test_networks_seal_with_aes_where_both_are_faster_with_it(
    ours: Stack, theirs: Stack, cipher: Cipher
) -> None:
    async def test(alice: Network, bob: Network) -> None:
        for socket in await connect(alice, bob):
            opener = socket._opener
            assert isinstance(opener, Opener)
            assert opener._cipher is cipher
        await echoed(alice, bob)
        await echoed(bob, alice)

    between(ours, theirs, test)


@pytest.mark.parametrize("fast", [True, False])
def test_a_network_says_what_its_machine_is_faster_with(monkeypatch: pytest.MonkeyPatch, fast: bool) -> None:
    monkeypatch.setattr(RealRuntime, "fast_aes", fast)

    async def main() -> None:
        (security,) = Network(RealRuntime(), key(1)).securities
        assert isinstance(security, Noise)
        assert security.static.prefers_aes is fast

    run(main())


@pytest.mark.parametrize("part", ["security", "muxers"])
def test_without_a_part_in_common_the_handshake_fails(part: str) -> None:
    parts: dict[str, Any] = {"security": (ToySecurity,), "muxers": {TOY_MUXER: ToyMuxer}}

    async def test(alice: Network, bob: Network) -> None:
        with pytest.raises(HandshakeFailed, match=r"closed the connection|no muxer in common"):
            await alice.connect(bob.peer_id, bob.listen_addrs)

    between(Stack(**{part: parts[part]}), None, test)


def test_an_address_goes_to_the_transport_that_can_dial_it() -> None:
    async def test(alice: Network, bob: Network) -> None:
        assert str(bob.listen_addrs[0]).endswith("/ws")
        await bob.listen([LOOPBACK])
        await connect(alice, bob)
        await echoed(alice, bob)

    between(TOYS, TOYS, test, TOY_LOOPBACK)


def test_an_address_of_no_transport_is_refused() -> None:
    async def test(alice: Network, _: Network) -> None:
        with pytest.raises(InvalidMultiaddr, match="cannot be listened on"):
            await alice.listen([TOY_LOOPBACK])

    between(None, None, test)
