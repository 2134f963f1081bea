"""Nodes without ciphers: the same run as with Noise but for the bytes, and only ever in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.network.conformance_security import ALICE, BOB, MUXERS, Reading, Side, seal
from warren import testing
from warren.config import Config
from warren.core.errors import HandshakeFailed, MisuseError, PeerIdMismatch
from warren.core.keys import PrivateKey
from warren.network.network import Network
from warren.network.noise_security import Noise
from warren.network.security import SEED_BYTES
from warren.node import Node
from warren.runtime.real.runtime import RealRuntime
from warren.runtime.simulated import SimulatedNetwork, virtual_loop
from warren.testing.plaintext import Plaintext, plaintext_stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.peer_id import PeerId
    from warren.network.security import SecurityFactory
    from warren.runtime.simulated.network import Host

Delivery = tuple[float, int, int, int]
"""When, from whom, to whom, how much."""


async def _live(nodes: testing.Nodes) -> list[object]:
    """Make the nodes do some of everything; return what they saw of it."""
    for node in nodes:
        node.handle("/test/news/1", lambda peer, payload: payload + peer.to_bytes()[-4:])
    answers: list[object] = []
    for number, node in enumerate(nodes):
        answers.append(await node.ping(nodes[number - 1].peer_id, 2))
        answers.append(await node.request(nodes[number - 2].peer_id, "/test/news/1", bytes(200_000)))
    nodes.cut(0, 1)
    await nodes.restart(3)
    await asyncio.sleep(60)
    answers += [node.network.peers() for node in nodes]
    return answers


def _run(monkeypatch: pytest.MonkeyPatch, *, encrypted: bool) -> tuple[list[object], list[Delivery], str]:
    deliveries: list[Delivery] = []
    record = SimulatedNetwork.record

    def note(network: SimulatedNetwork, src: Host, dst: Host, data: bytes) -> None:
        deliveries.append((asyncio.get_running_loop().time(), src.number, dst.number, len(data)))
        record(network, src, dst, data)

    async def main() -> tuple[list[object], str]:
        async with testing.network(12, degree=4, seed="plain", encrypted=encrypted) as nodes:
            return await _live(nodes), nodes.world.trace_digest()

    with monkeypatch.context() as patched:
        patched.setattr(SimulatedNetwork, "record", note)
        answers, digest = testing.run(main())
    return answers, deliveries, digest


def test_a_run_differs_from_one_with_noise_in_the_bytes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, deliveries, digest = _run(monkeypatch, encrypted=True)
    plain_answers, plain_deliveries, plain_digest = _run(monkeypatch, encrypted=False)
    assert plain_answers == answers
    assert plain_deliveries == deliveries
    assert len(deliveries) > 500
    assert plain_digest != digest


def test_a_real_node_refuses_it() -> None:
    async def main() -> None:
        node = Node(Config(home=None, listen=("/ip4/127.0.0.1/tcp/0",)), stack=testing_stack)
        with pytest.raises(MisuseError, match="plaintext is refused") as caught:
            await node.start()
        assert caught.value.hint

    testing_stack = plaintext_stack()
    asyncio.run(main())


def test_neither_does_one_made_in_virtual_time_take_it_elsewhere() -> None:
    async def make() -> Network:
        return Network(RealRuntime(), ALICE, stack=plaintext_stack())

    async def use(network: Network) -> None:
        with pytest.raises(MisuseError, match="plaintext is refused"):
            network.securities[0].handshake(bytes(SEED_BYTES), initiator=True, expected=None)
        await network.stop()
        await network.runtime.close()

    network = testing.run(make())
    asyncio.run(use(network))


def test_no_loop_at_all_is_no_virtual_one() -> None:
    with pytest.raises(MisuseError, match="plaintext is refused"):
        Plaintext(ALICE, bytes(SEED_BYTES), MUXERS)


def test_a_peer_with_noise_does_not_agree_to_it() -> None:
    async def main() -> None:
        world = testing.World(1, loop=virtual)
        runtimes = [world.runtime(name) for name in ("one", "other")]
        with world:
            plain = Node(Config(), runtime=runtimes[0], stack=plaintext_stack())
            sealed = Node(Config(), runtime=runtimes[1])
            async with plain, sealed:
                with pytest.raises(HandshakeFailed, match="the peer closed"):
                    await plain.connect(sealed.addresses()[0])

    virtual = virtual_loop()
    virtual.run_main(main(), 3600.0)
    virtual.close()


def _handshake(
    make: SecurityFactory, expected: PeerId | None = None, *, fast_aes: bool = False
) -> tuple[Side, Side, list[int]]:
    """Let two meet; return both sides and the sizes of what they said."""
    seed = bytes([9]) * SEED_BYTES
    alice, bob = (make(key, seed, MUXERS, fast_aes=fast_aes) for key in (ALICE, BOB))
    here = Side(alice, 3, initiator=True, expected=expected)
    there = Side(bob, 4, initiator=False)
    sizes: list[int] = []
    speaker, hearer = here, there
    while flight := speaker.take_output():
        sizes.append(len(flight))
        hearer.receive(flight)
        speaker, hearer = hearer, speaker
    return here, there, sizes


def _virtually(work: Callable[[], None]) -> None:
    async def main() -> None:
        work()

    testing.run(main())


@pytest.mark.parametrize("fast_aes", [True, False])
def test_its_messages_are_as_long_as_those_of_noise(fast_aes: bool) -> None:
    def work() -> None:
        *noisy, sizes = _handshake(Noise, fast_aes=fast_aes)
        *plain, plain_sizes = _handshake(Plaintext, fast_aes=fast_aes)
        assert plain_sizes == sizes
        for plaintext in (b"", b"x", bytes(1000)):
            sealed = [seal(side.handshake.split()[0], plaintext) for side in (noisy[0], plain[0])]
            assert len(sealed[0]) == len(sealed[1])

    _virtually(work)


def test_what_was_sent_arrives_from_whom_it_should() -> None:
    def work() -> None:
        here, there, _ = _handshake(Plaintext, expected=BOB.peer_id)
        assert (here.handshake.remote_key, there.handshake.remote_key) == (BOB.public_key, ALICE.public_key)
        assert here.handshake.remote_muxers == MUXERS
        reading = Reading(there.handshake.split()[1])
        sealer = here.handshake.split()[0]
        for byte in seal(sealer, b"first") + seal(sealer, b"") + seal(sealer, bytes(500)):
            reading.receive(bytes([byte]))
        assert reading.messages == [b"first", b"", bytes(500)]

    _virtually(work)


def test_another_peer_than_the_expected_is_refused() -> None:
    def work() -> None:
        other = PrivateKey.from_seed(bytes([7]) * 32).peer_id
        with pytest.raises(PeerIdMismatch):
            _handshake(Plaintext, expected=other)

    _virtually(work)


def test_one_that_names_no_key_is_refused() -> None:
    def work() -> None:
        handshake = Plaintext(ALICE, bytes(SEED_BYTES), MUXERS).handshake(
            bytes(SEED_BYTES), initiator=True, expected=None
        )
        with pytest.raises(HandshakeFailed, match="names no key"):
            handshake.receive(memoryview(b"\x00\x03abc"))

    _virtually(work)
