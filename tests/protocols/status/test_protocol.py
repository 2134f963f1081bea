"""Asking a peer how it is doing, in virtual time: what it takes, who is answered, and bad peers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.network.nodes import key
from warren.core.errors import (
    LimitReached,
    ProtocolNotSupported,
    ProtocolViolation,
    RequestTimeout,
    StreamReset,
)
from warren.core.framing import frame
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.network import Network
from warren.protocols.status.facts import FACTS_BYTES_MAX, QUESTION_BYTES_MAX, Details, Facts, question
from warren.protocols.status.protocol import EVERY_S, PEERS_MAX, PROTOCOL, TIMEOUT_S, StatusProtocol
from warren.runtime.simulated import Quality, World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warren.core.peer_id import PeerId
    from warren.network.stream import Stream

LATENCY_S = 0.05
FACTS = Facts("warren/test", ("dht",), 40)
TO_FRIENDS = Facts("warren/test", ("dht",), 40, Details(uptime_s=7, dht_mode="server"))


class Noted:
    def __init__(self) -> None:
        self.times: list[tuple[PeerId, float]] = []

    async def note_response(self, peer: PeerId, response_s: float) -> None:
        self.times.append((peer, response_s))


class One:
    """A network that answers; `friends` are told more, after `busy_s`."""

    def __init__(self, world: World, number: int) -> None:
        self.address = Multiaddr.tcp(f"192.0.2.{number}", 4101)
        self.network = Network(world.runtime(f"n{number}", f"192.0.2.{number}"), key(number))
        self.noted = Noted()
        self.friends: set[PeerId] = set()
        self.busy_s = 0.0
        self.status = StatusProtocol(self.network, self._facts, self.noted)

    async def _facts(self, peer: PeerId) -> Facts:
        await asyncio.sleep(self.busy_s)
        return TO_FRIENDS if peer in self.friends else FACTS


def play(main: Callable[[One, One], Awaitable[None]]) -> None:
    async def running(world: World) -> None:
        world.network.set_default(Quality(latency_s=LATENCY_S))
        a, b = One(world, 1), One(world, 2)
        async with contextlib.AsyncExitStack() as stack:
            for one in (a, b):
                await one.network.listen([one.address])
                stack.push_async_callback(one.network.stop)
            await a.network.connect(b.network.peer_id, [b.address])
            await asyncio.sleep(1)
            await main(a, b)

    with World() as world:
        world.run(running(world))


def test_it_takes_one_round_trip_and_what_the_peer_takes_and_is_noted() -> None:
    async def main(a: One, b: One) -> None:
        facts, response_s = await a.status.ask(b.network.peer_id)
        assert facts == FACTS
        assert response_s == pytest.approx(2 * LATENCY_S)
        b.busy_s = 0.3
        b.friends.add(a.network.peer_id)
        await asyncio.sleep(EVERY_S)
        facts, response_s = await a.status.ask(b.network.peer_id)
        assert facts == TO_FRIENDS
        assert response_s == pytest.approx(2 * LATENCY_S + 0.3)
        peer = b.network.peer_id
        assert [who for who, _ in a.noted.times] == [peer, peer]
        assert [time for _, time in a.noted.times] == pytest.approx([0.1, 0.4])
        assert b.noted.times == []

    play(main)


def test_connecting_does_not_count() -> None:
    async def main(a: One, b: One) -> None:
        for socket in a.network.sockets():
            await socket.close()
        a.network.add_addresses(b.network.peer_id, [b.address])
        assert (await a.status.ask(b.network.peer_id)).response_s == pytest.approx(2 * LATENCY_S)

    play(main)


def test_who_asks_again_at_once_is_reset() -> None:
    async def main(a: One, b: One) -> None:
        await a.status.ask(b.network.peer_id)
        with pytest.raises(StreamReset):
            await a.status.ask(b.network.peer_id)
        await asyncio.sleep(EVERY_S)
        await a.status.ask(b.network.peer_id)
        assert a.network.is_connected(b.network.peer_id)

    play(main)


def test_only_so_many_peers_are_answered_at_once() -> None:
    async def main(_: One, b: One) -> None:
        crowd = [PrivateKey.from_seed(number.to_bytes(32)).peer_id for number in range(PEERS_MAX + 1)]
        for stranger in crowd[:PEERS_MAX]:
            b.status._check_rate(stranger)
        with pytest.raises(LimitReached, match="too many peers"):
            b.status._check_rate(crowd[PEERS_MAX])
        await asyncio.sleep(EVERY_S)
        b.status._check_rate(crowd[PEERS_MAX])
        assert len(b.status._answered_at) == PEERS_MAX

    play(main)


@pytest.mark.parametrize(
    "data", [frame(b"\xff"), frame(bytes(QUESTION_BYTES_MAX + 1)), b"\xff" * 12, question() and b"\x05\x00"]
)
def test_what_is_no_question_costs_its_stream(data: bytes) -> None:
    async def main(a: One, b: One) -> None:
        stream = await a.network.open_stream(b.network.peer_id, PROTOCOL)
        stream.write_nowait(data)
        with pytest.raises(StreamReset):
            await stream.read()
        assert a.network.is_connected(b.network.peer_id)

    play(main)


@pytest.mark.parametrize("answer", [frame(b"\xff"), frame(bytes(FACTS_BYTES_MAX + 1)), b"\xff" * 12, b""])
def test_what_is_no_answer_is_refused_and_not_noted(answer: bytes) -> None:
    async def main(a: One, b: One) -> None:
        async def lie(stream: Stream) -> None:
            await stream.write(answer)
            await stream.close()

        b.network.remove_handler(PROTOCOL)
        b.network.handle_stream(PROTOCOL, lie)
        with pytest.raises(ProtocolViolation):
            await a.status.ask(b.network.peer_id)
        assert a.noted.times == []

    play(main)


def test_who_does_not_answer_or_does_not_speak_it() -> None:
    async def main(a: One, b: One) -> None:
        b.busy_s = 1000.0
        with pytest.raises(RequestTimeout, match=f"within {TIMEOUT_S:g} s"):
            await a.status.ask(b.network.peer_id)
        b.network.remove_handler(PROTOCOL)
        with pytest.raises(ProtocolNotSupported) as caught:
            await a.status.ask(b.network.peer_id)
        assert caught.value.hint

    play(main)
