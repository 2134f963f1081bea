"""Attempts between networks in virtual time: right, wrong, late, malformed, without end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from warren.core.cid import Cid
from warren.core.errors import (
    InputError,
    ProtocolNotSupported,
    ProtocolViolation,
    RequestTimeout,
    WarrenError,
)
from warren.core.framing import frame
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.network import Network
from warren.protocols.send import protocol
from warren.protocols.send.code import SendCode
from warren.protocols.send.guesses import GuessLimits
from warren.protocols.send.messages import (
    ANSWER_BYTES_MAX,
    SMALL_BYTES_MAX,
    Declined,
    Granted,
    Hello,
    Item,
    Offer,
    Proof,
    Report,
    challenge,
    read_answer,
    read_challenge,
)
from warren.protocols.send.pake import ReceiverSide, SenderSide
from warren.protocols.send.proto import send_pb2 as pb
from warren.protocols.send.protocol import PROTOCOL, SendProtocol
from warren.runtime.simulated import World
from warren.testing import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.core.peer_id import PeerId
    from warren.network.stream import Stream

CODE = SendCode(4071, ("guitar", "cross"))
WRONG = SendCode(4071, ("guitar", "zoo"))
OFFER = Offer((Item(Cid.raw_sha256(bytes(32)), "dog.jpg", 9, 1, is_folder=False),), "ben")


class Host:
    """Notes what happens."""

    def __init__(self) -> None:
        self.offered: list[PeerId] = []
        self.wrong: list[PeerId] = []
        self.reports: list[tuple[PeerId, Report]] = []
        self.gone: list[PeerId] = []
        self.changed = asyncio.Event()

    def offer_to(self, receiver: PeerId) -> Offer:
        self.offered.append(receiver)
        return OFFER

    def guessed_wrong(self, peer: PeerId) -> None:
        self.wrong.append(peer)

    def reported(self, receiver: PeerId, report: Report) -> None:
        self.reports.append((receiver, report))
        self.changed.set()

    def left(self, receiver: PeerId) -> None:
        self.gone.append(receiver)
        self.changed.set()

    async def until(self, count: int) -> None:
        """Until so many reports and farewells came."""
        while len(self.reports) + len(self.gone) < count:
            self.changed.clear()
            await self.changed.wait()


class Scene:
    """Ben, who sends, and as many receivers as are asked for."""

    def __init__(self, world: World, limits: GuessLimits | None) -> None:
        self._world = world
        self.host = Host()
        self.ben = Network(world.runtime("ben", "192.0.2.1"), PrivateKey.from_seed(bytes(32)))
        self.sends = SendProtocol(self.ben, limits)
        self.guesses = self.sends.open(CODE, self.host)
        self._networks = [self.ben]

    def receiver(self) -> tuple[Network, SendProtocol]:
        number = len(self._networks)
        network = Network(
            self._world.runtime(f"receiver{number}", f"198.51.100.{number}"),
            PrivateKey.from_seed(number.to_bytes(32, "big")),
        )
        network.add_addresses(self.ben.peer_id, self.ben.listen_addrs)
        self._networks.append(network)
        return network, SendProtocol(network)

    async def raw(self) -> Stream:
        """A stream of somebody who says what he likes."""
        network, _ = self.receiver()
        return await network.open_stream(self.ben.peer_id, PROTOCOL)

    async def close(self) -> None:
        for network in reversed(self._networks):
            await network.stop()


@contextlib.asynccontextmanager
async def scene(limits: GuessLimits | None = None) -> AsyncIterator[Scene]:
    world = World(1, loop=asyncio.get_running_loop())  # type: ignore[arg-type]
    made = Scene(world, limits)
    await made.ben.listen([Multiaddr.tcp("192.0.2.1", 4101)])
    yield made
    await made.close()
    world.close()


async def declined(receiver: SendProtocol, ben: PeerId, code: SendCode) -> int:
    with pytest.raises(Declined) as caught:
        await receiver.attempt(ben, code, "anna")
    return caught.value.reason


def test_who_knows_the_code_learns_what_is_sent_and_reports() -> None:
    async def main() -> None:
        async with scene() as made:
            anna, receiver = made.receiver()
            async with await receiver.attempt(made.ben.peer_id, CODE, "anna" * 100) as session:
                assert session.offer == OFFER
                assert session.sender == made.ben.peer_id
                assert made.host.offered == [anna.peer_id]
                await session.report(Report("fetching", 4))
                await session.report(Report("done", 9))
                await made.host.until(2)
            await made.host.until(3)
            name = ("anna" * 100)[:64]
            assert made.host.reports == [
                (anna.peer_id, Report("fetching", 4, name)),
                (anna.peer_id, Report("done", 9, name)),
            ]
            assert made.host.gone == [anna.peer_id]
            assert made.guesses.wrong == 0

    run(main())


def test_each_wrong_guess_counts_until_the_code_is_withdrawn() -> None:
    async def main() -> None:
        async with scene(GuessLimits(wrong_max=3)) as made:
            ben = made.ben.peer_id
            for number in range(3):
                _, guesser = made.receiver()
                assert await declined(guesser, ben, WRONG) == pb.Refusal.WRONG
                assert made.guesses.wrong == len(made.host.wrong) == number + 1
            _, anna = made.receiver()
            assert await declined(anna, ben, CODE) == pb.Refusal.WITHDRAWN
            assert not made.host.offered

    run(main())


def test_guesses_that_come_at_once_count_one_after_the_other() -> None:
    """All begin before the first is wrong; the right one among them comes too late."""

    async def main() -> None:
        async with scene(GuessLimits(wrong_max=3)) as made:
            streams, sides = [], []
            for code in [WRONG] * 6 + [CODE]:
                network, _ = made.receiver()
                stream = await network.open_stream(made.ben.peer_id, PROTOCOL)
                side = ReceiverSide(
                    code.password, network.peer_id, made.ben.peer_id, network.runtime.entropy.bytes
                )
                await stream.write(frame(Hello(4071, side.share).to_bytes()))
                side.finish(read_challenge(await stream.read_frame(SMALL_BYTES_MAX)))
                streams.append(stream)
                sides.append(side)
            reasons = []
            for stream, side in zip(streams, sides, strict=True):
                await stream.write(frame(Proof(side.confirm(b"")).to_bytes()))
                with pytest.raises(Declined) as caught:
                    read_answer(await stream.read_frame(ANSWER_BYTES_MAX))
                reasons.append(caught.value.reason)
            assert reasons == [pb.Refusal.WRONG] * 3 + [pb.Refusal.WITHDRAWN] * 4
            assert made.guesses.wrong == 3

    run(main())


def test_who_breaks_off_before_its_guess_has_learned_nothing_and_used_up_nothing() -> None:
    async def main() -> None:
        async with scene() as made:
            anna = made.receiver()[0]
            side = ReceiverSide(CODE.password, anna.peer_id, made.ben.peer_id, anna.runtime.entropy.bytes)
            stream = await anna.open_stream(made.ben.peer_id, PROTOCOL)
            await stream.write(frame(Hello(4071, side.share).to_bytes()))
            read_challenge(await stream.read_frame(SMALL_BYTES_MAX))
            stream.reset()
            await asyncio.sleep(1)
            assert made.guesses.wrong == 0

    run(main())


def test_one_peer_tries_so_often_and_others_still_may() -> None:
    async def main() -> None:
        async with scene() as made:
            _, guesser = made.receiver()
            reasons = [await declined(guesser, made.ben.peer_id, WRONG) for _ in range(6)]
            assert reasons == [pb.Refusal.WRONG] * 5 + [pb.Refusal.TOO_MANY]
            assert made.guesses.wrong == 5
            _, anna = made.receiver()
            (await anna.attempt(made.ben.peer_id, CODE, "anna")).close()

    run(main())


def test_where_nothing_is_sent_any_more_that_is_said() -> None:
    async def main() -> None:
        async with scene() as made:
            ben, (_, anna) = made.ben.peer_id, made.receiver()
            other = SendCode(4072, CODE.words)
            assert await declined(anna, ben, other) == pb.Refusal.UNKNOWN
            session = await anna.attempt(ben, CODE, "anna")
            assert made.sends.is_sending(4071)
            made.sends.shut(4071)
            made.sends.shut(4072)
            assert made.sends.is_open(4071)
            assert not made.sends.is_sending(4071)
            assert await declined(anna, ben, CODE) == pb.Refusal.ENDED
            await session.report(Report("fetching", 1))
            await made.host.until(1)  # who is there stays
            made.sends.end(4071)
            made.sends.end(4071)
            assert await declined(anna, ben, CODE) == pb.Refusal.UNKNOWN
            await made.host.until(2)
            await session.report(Report("done", 9))  # nobody hears it, and that is no error
            session.close()

    run(main())


def test_a_send_that_ends_during_an_attempt_shows_nothing() -> None:
    async def main() -> None:
        async with scene() as made:
            network, _ = made.receiver()
            side = ReceiverSide(
                CODE.password, network.peer_id, made.ben.peer_id, network.runtime.entropy.bytes
            )
            stream = await network.open_stream(made.ben.peer_id, PROTOCOL)
            await stream.write(frame(Hello(4071, side.share).to_bytes()))
            side.finish(read_challenge(await stream.read_frame(SMALL_BYTES_MAX)))
            made.sends.end(4071)
            made.sends.open(CODE, Host())  # not even if another one follows it there
            await stream.write(frame(Proof(side.confirm(b"")).to_bytes()))
            with pytest.raises(Declined) as caught:
                read_answer(await stream.read_frame(ANSWER_BYTES_MAX))
            assert caught.value.reason == pb.Refusal.ENDED
            assert not made.host.offered

    run(main())


def test_a_channel_holds_one_send() -> None:
    async def main() -> None:
        async with scene() as made:
            with pytest.raises(InputError, match="4071 already"):
                made.sends.open(WRONG, Host())

    run(main())


class FalseSender:
    """Plays the sender without the code; `answer` makes the second message of the run."""

    def __init__(self, network: Network, *, confirms_with: SendCode | None) -> None:
        self._network = network
        self._code = confirms_with
        self.proofs: list[bytes] = []
        network.handle_stream(PROTOCOL, self._serve)

    async def _serve(self, stream: Stream) -> None:
        hello = Hello.from_bytes(await stream.read_frame(SMALL_BYTES_MAX))
        code = (self._code or WRONG).password
        me, chance = self._network.peer_id, self._network.runtime.entropy.bytes
        side = SenderSide(code, stream.peer_id, me, chance)
        await stream.write(frame(challenge(side.share)))
        self.proofs.append(Proof.from_bytes(await stream.read_frame(SMALL_BYTES_MAX)).confirmation)
        side.finish(hello.share)
        offer = OFFER.to_bytes()
        confirmation = side.confirm(offer) if self._code else self.proofs[-1]
        await stream.write(frame(Granted(confirmation, offer).to_bytes()))
        await stream.close()


@pytest.mark.parametrize("guess", [None, WRONG])
def test_a_false_sender_is_found_out(guess: SendCode | None) -> None:
    async def main() -> None:
        world = World(1, loop=asyncio.get_running_loop())  # type: ignore[arg-type]
        eve = Network(world.runtime("eve", "192.0.2.9"), PrivateKey.from_seed(b"e" * 32))
        anna = Network(world.runtime("anna"), PrivateKey.from_seed(b"a" * 32))
        await eve.listen([Multiaddr.tcp("192.0.2.9", 4101)])
        anna.add_addresses(eve.peer_id, eve.listen_addrs)
        liar = FalseSender(eve, confirms_with=guess)
        with pytest.raises(ProtocolViolation, match="does not know the code"):
            await SendProtocol(anna).attempt(eve.peer_id, CODE, "anna")
        assert len(liar.proofs) == 1
        await anna.stop()
        await eve.stop()
        world.close()

    run(main())


def test_what_the_one_in_the_middle_passes_on_counts_as_a_wrong_guess() -> None:
    """Anna meets Eve, who passes all that she says on to Ben, and back."""

    async def main() -> None:
        async with scene() as made:
            anna, receiver = made.receiver()
            eve, _ = made.receiver()
            eve.remove_handler(PROTOCOL)

            async def pass_on(stream: Stream) -> None:
                onward = await eve.open_stream(made.ben.peer_id, PROTOCOL)
                for reader, writer, most in (
                    (stream, onward, SMALL_BYTES_MAX),
                    (onward, stream, SMALL_BYTES_MAX),
                    (stream, onward, SMALL_BYTES_MAX),
                    (onward, stream, ANSWER_BYTES_MAX),
                ):
                    await writer.write(frame(await reader.read_frame(most)))

            eve.handle_stream(PROTOCOL, pass_on)
            await eve.listen([Multiaddr.tcp("198.51.100.2", 4101)])
            anna.add_addresses(eve.peer_id, eve.listen_addrs)
            assert await declined(receiver, eve.peer_id, CODE) == pb.Refusal.WRONG
            assert made.host.wrong == [eve.peer_id]
            assert not made.host.offered

    run(main())


@pytest.mark.parametrize(
    "said",
    [
        b"\x02\xff\xff",
        frame(b"\xff" * 10),
        frame(bytes(SMALL_BYTES_MAX + 1)),
        frame(Hello(4071, b"short").to_bytes()) + frame(Proof(bytes(32)).to_bytes()),
        frame(Hello(4071, b"A" + bytes(32)).to_bytes()) + frame(Proof(bytes(32)).to_bytes()),
        frame(Hello(4071, bytes(33)).to_bytes()) + frame(b"\xff"),
        frame(Hello(4071, bytes(33)).to_bytes()),
        b"",
    ],
)
def test_who_says_something_else_or_nothing_loses_its_stream_and_guesses_nothing(said: bytes) -> None:
    async def main() -> None:
        async with scene() as made:
            stream = await made.raw()
            await stream.write(said)
            with contextlib.suppress(WarrenError):
                while await stream.read():
                    pass
            assert made.guesses.wrong == 0
            assert not made.host.offered
            _, anna = made.receiver()
            (await anna.attempt(made.ben.peer_id, CODE, "anna")).close()

    run(main())


def test_a_sender_that_says_nothing_holds_nobody_up_for_long() -> None:
    async def main() -> None:
        async with scene() as made:
            silent, receiver = made.receiver()[0], made.receiver()[1]
            silent.remove_handler(PROTOCOL)

            async def wait(stream: Stream) -> None:
                await stream.read_exactly(1 << 20)

            silent.handle_stream(PROTOCOL, wait)
            await silent.listen([Multiaddr.tcp("198.51.100.1", 4101)])
            receiver._network.add_addresses(silent.peer_id, silent.listen_addrs)
            with pytest.raises(RequestTimeout, match="20 s"):
                await receiver.attempt(silent.peer_id, CODE, "anna")
            silent.remove_handler(PROTOCOL)
            with pytest.raises(ProtocolNotSupported):
                await receiver.attempt(silent.peer_id, CODE, "anna")

    run(main())


def test_who_comes_again_takes_its_own_place_and_reports_have_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "VISITS_MAX", 1)

    async def main() -> None:
        async with scene() as made:
            ben, (anna, receiver), (_, other) = made.ben.peer_id, made.receiver(), made.receiver()
            first = await receiver.attempt(ben, CODE, "anna")
            second = await receiver.attempt(ben, CODE, "anna")
            assert await declined(other, ben, CODE) == pb.Refusal.TOO_MANY  # there is no room for it
            await second.report(Report("fetching", 2))
            await made.host.until(1)
            assert made.host.reports == [(anna.peer_id, Report("fetching", 2, "anna"))]
            first.close()
            for number in range(100):
                await second.report(Report("fetching", number))
            await made.host.until(31)
            assert made.host.gone == [anna.peer_id]
            assert len(made.host.reports) == 30

    run(main())


def test_who_falls_silent_counts_as_gone() -> None:
    async def main() -> None:
        async with scene() as made:
            anna, receiver = made.receiver()
            session = await receiver.attempt(made.ben.peer_id, CODE, "anna")
            await session.report(Report("fetching", 1))
            await made.host.until(2)
            assert made.host.gone == [anna.peer_id]
            assert made.ben.clock() > protocol.REPORT_S

    run(main())
