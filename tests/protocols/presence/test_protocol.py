"""Leases and votes on the wire, in virtual time: who may say what of whom, and bad peers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.network.nodes import key
from warren.core.errors import ProtocolViolation, RequestTimeout, StreamReset
from warren.core.fail_vote import FailVote
from warren.core.framing import frame
from warren.core.lease import Lease
from warren.core.multiaddr import Multiaddr
from warren.network.network import Network
from warren.protocols.presence.messages import CALL_BYTES_MAX, Accused, Answer, Standing
from warren.protocols.presence.protocol import ACCUSED_S, CALLS, PROTOCOL, TIMEOUT_S, PresenceProtocol
from warren.runtime.simulated import Quality, World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warren.core.peer_id import PeerId
    from warren.network.stream import Stream
    from warren.protocols.presence.messages import Ask

A, B, C = (key(number).peer_id for number in (1, 2, 3))


class Book:
    """A register that writes down what it was told."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.answer = Answer("old")

    def take_vote(self, vote: FailVote) -> Answer:
        self.told.append(vote)
        return self.answer

    def tell(self, ask: Ask) -> Answer:
        return Answer(standings=tuple(Standing(peer, "online", 3) for peer in ask.peers))


class One:
    def __init__(self, world: World, number: int) -> None:
        self.address = Multiaddr.tcp(f"192.0.2.{number}", 4101)
        self.network = Network(world.runtime(f"n{number}", f"192.0.2.{number}"), key(number))
        self.book = Book()
        self.refutation = Answer("not here")
        self.asked: list[tuple[PeerId, PeerId | None]] = []
        self.presence = PresenceProtocol(self.network, self.book, self._refute, self._doubt)

    def _refute(self, caller: PeerId, at: PeerId | None) -> Answer:
        self.asked.append((caller, at))
        return self.refutation

    def _doubt(self, caller: PeerId, peer: PeerId) -> Answer:
        self.book.told.append((caller, peer))
        return Answer(standings=(Standing(peer, "online", 5),))


def play(main: Callable[[One, One], Awaitable[None]]) -> None:
    async def running(world: World) -> None:
        world.network.set_default(Quality(latency_s=0.05))
        a, b = One(world, 1), One(world, 2)
        async with contextlib.AsyncExitStack() as stack:
            for one in (a, b):
                await one.network.listen([one.address])
                stack.push_async_callback(one.network.stop)
            await a.network.connect(B, [b.address])
            await asyncio.sleep(1)
            await main(a, b)

    with World() as world:
        world.run(running(world))


def test_each_call_comes_to_the_register_and_its_answer_back() -> None:
    async def main(a: One, b: One) -> None:
        vote = FailVote(A, 4, C, 2, 600)
        assert await a.presence.vote(B, vote.seal(key(1))) == Answer("old")
        assert b.book.told == [vote]
        assert await a.presence.ask(B, (C, A), held=True) == (
            Standing(C, "online", 3),
            Standing(A, "online", 3),
        )

    play(main)


def test_a_doubt_comes_to_whoever_heeds_it_and_says_how_the_peer_stands() -> None:
    async def main(a: One, b: One) -> None:
        assert await a.presence.doubt(B, C) == Standing(C, "online", 5)
        assert b.book.told == [(A, C)]
        assert await a.presence.ask_one(B, C) == Standing(C, "online", 3)

    play(main)


def test_who_is_accused_shows_a_lease_or_none() -> None:
    async def main(a: One, b: One) -> None:
        assert await a.presence.accuse(B) is None
        lease = Lease(B, 3, 60, 5, A)
        b.refutation = Answer(lease=lease.seal(key(2)))
        assert await a.presence.accuse(B, C) == lease
        assert b.asked == [(A, None), (A, C)]

    play(main)


@pytest.mark.parametrize(
    "lease",
    [Lease(C, 3, 60).seal(key(3)), Lease(B, 3, 60, super_peer=C).seal(key(2))],
    ids=["another's", "for C"],
)
def test_a_refutation_with_a_lease_of_another_or_for_another_is_none(lease: bytes) -> None:
    async def main(a: One, b: One) -> None:
        b.refutation = Answer(lease=lease)
        with pytest.raises(ProtocolViolation, match="shows a lease"):
            await a.presence.accuse(B)

    play(main)


@pytest.mark.parametrize("vote", [FailVote(C, 3, B, 1, 60).seal(key(3)), b"junk"])
def test_a_vote_of_another_never_comes_to_the_register(vote: bytes) -> None:
    async def main(a: One, b: One) -> None:
        with pytest.raises(StreamReset):
            await a.presence.vote(B, vote)
        assert b.book.told == []

    play(main)


def test_who_calls_without_end_is_reset_and_may_call_again_later() -> None:
    async def main(a: One, b: One) -> None:
        calls = (a.presence.ask(B) for _ in range(int(CALLS.burst) + 5))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert answers.count(()) == CALLS.burst
        assert sum(isinstance(one, StreamReset) for one in answers) == 5
        await asyncio.sleep(1 / CALLS.per_s)
        assert await a.presence.ask(B) == ()

    play(main)


def test_one_host_has_its_own_allowance_whatever_the_keys() -> None:
    async def main(_: One, b: One) -> None:
        refused = 0
        for number in range(1100):
            try:
                b.presence._spend(key(number % 256).peer_id, "20.0.0.1")
            except Exception:  # noqa: BLE001 - counted
                refused += 1
        assert refused >= 1100 - 1024 - 1
        b.presence._spend(C, "20.0.0.2")
        b.presence._spend(A, None)

    play(main)


@pytest.mark.parametrize("data", [frame(b"\xff"), frame(b""), frame(bytes(CALL_BYTES_MAX + 1)), b"\xff" * 12])
def test_what_is_no_call_costs_its_stream(data: bytes) -> None:
    async def main(a: One, b: One) -> None:
        stream = await a.network.open_stream(B, PROTOCOL)
        stream.write_nowait(data)
        with pytest.raises(StreamReset):
            await stream.read()
        assert a.network.is_connected(B)

    play(main)


def test_half_a_call_costs_its_stream_after_a_while() -> None:
    async def main(a: One, b: One) -> None:
        stream = await a.network.open_stream(B, PROTOCOL)
        stream.write_nowait(frame(Accused().to_bytes())[:-1])
        began = asyncio.get_running_loop().time()
        with pytest.raises(StreamReset):
            await stream.read()
        assert asyncio.get_running_loop().time() - began == pytest.approx(TIMEOUT_S, abs=0.5)

    play(main)


@pytest.mark.parametrize("accuse", [False, True])
def test_who_does_not_answer_is_waited_for_so_long(accuse: bool) -> None:
    async def main(a: One, b: One) -> None:
        async def mute(stream: Stream) -> None:
            await asyncio.sleep(3600)

        b.network.remove_handler(PROTOCOL)
        b.network.handle_stream(PROTOCOL, mute)
        began = asyncio.get_running_loop().time()
        with pytest.raises(RequestTimeout):
            await (a.presence.accuse(B) if accuse else a.presence.ask(B))
        took_s = asyncio.get_running_loop().time() - began
        assert took_s == pytest.approx(ACCUSED_S if accuse else TIMEOUT_S, abs=0.1)

    play(main)
