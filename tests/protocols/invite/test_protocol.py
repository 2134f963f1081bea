"""The exchange between two networks in virtual time: honest, late, malformed, flooding."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from warren.core.errors import ProtocolNotSupported, Refused, RequestTimeout, StreamReset, WarrenError
from warren.core.framing import frame
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.network import Network
from warren.protocols.invite.code import InviteCode
from warren.protocols.invite.guesses import GuessLimits
from warren.protocols.invite.messages import MESSAGE_BYTES_MAX, Claim, Declined, Introduction, Reason
from warren.protocols.invite.proof import prove, token_of
from warren.protocols.invite.protocol import PROTOCOL, InviteProtocol
from warren.runtime.simulated import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.core.peer_id import PeerId

SECRET = bytes(range(16))
PORT = 4101
BOB = Introduction("bob", (Multiaddr.parse("/ip4/60.0.2.1/tcp/1"),))


class Desk:
    """Honours one secret, keeps who came, and may take its time."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.came: list[tuple[PeerId, Introduction]] = []
        self.anna = Introduction("anna")
        self.delay_s = delay_s

    async def redeem(self, token: bytes, peer: PeerId, introduction: Introduction) -> Introduction:
        await asyncio.sleep(self.delay_s)
        if token != token_of(SECRET):
            raise Declined(Reason.UNKNOWN)
        self.came.append((peer, introduction))
        return self.anna


class Scene:
    """Anna's network with the protocol served, and as many joiners as are asked for."""

    def __init__(self, world: World, desk: Desk, limits: GuessLimits | None) -> None:
        self._world = world
        self.desk = desk
        runtime = world.runtime("anna", "192.0.2.1")
        self.anna = Network(runtime, PrivateKey.from_seed(bytes(32)))
        InviteProtocol(self.anna, desk, runtime.clock, limits)
        self._joiners: list[Network] = []

    def joiner(self) -> tuple[Network, InviteProtocol]:
        number = len(self._joiners) + 1
        runtime = self._world.runtime(f"joiner{number}")
        network = Network(runtime, PrivateKey.from_seed(bytes([number]) * 32))
        network.add_addresses(self.anna.peer_id, self.anna.listen_addrs)
        self._joiners.append(network)
        return network, InviteProtocol(network, Desk(), runtime.clock)

    def code(self, secret: bytes = SECRET) -> InviteCode:
        return InviteCode(self.anna.peer_id, (), secret)

    async def close(self) -> None:
        for network in (*self._joiners, self.anna):
            await network.stop()


@contextlib.asynccontextmanager
async def scene(
    world: World, desk: Desk | None = None, limits: GuessLimits | None = None
) -> AsyncIterator[Scene]:
    made = Scene(world, desk or Desk(), limits)
    await made.anna.listen([Multiaddr.tcp("192.0.2.1", PORT)])
    yield made
    await made.close()


def test_nobody_is_believed_about_a_network_nearer_than_its_own() -> None:
    loopback, private, public = (Multiaddr.tcp(host, 9) for host in ("127.0.0.1", "10.9.9.9", "61.9.9.9"))
    all_of_them = (loopback, private, public)

    async def main(world: World) -> None:
        async with scene(world) as here:
            here.desk.anna = Introduction("anna", all_of_them)
            _, invites = here.joiner()  # on the internet; Anna is in a local network
            answer = await invites.claim(here.code(), Introduction("bob", all_of_them))
            assert answer == Introduction("anna", (private, public))
            [(_, came)] = here.desk.came
            assert came == Introduction("bob", (public,))

    with World() as world:
        world.run(main(world))


def test_both_learn_who_the_other_is() -> None:
    async def main(world: World) -> None:
        async with scene(world) as here:
            network, invites = here.joiner()
            assert await invites.claim(here.code(), BOB) == Introduction("anna")
            assert here.desk.came == [(network.peer_id, BOB)]

    with World() as world:
        world.run(main(world))


def test_a_proof_of_somebody_else_is_worth_nothing() -> None:
    async def main(world: World) -> None:
        async with scene(world) as here:
            thief, _ = here.joiner()
            victim, _ = here.joiner()
            stolen = Claim(token_of(SECRET), prove(SECRET, here.anna.peer_id, victim.peer_id), BOB)
            stream = await thief.open_stream(here.anna.peer_id, PROTOCOL)
            await stream.write(frame(stolen.to_bytes()))
            answer = await stream.read_frame(100)
            assert answer == b"\x12\x02\x08\x01"  # refusal: unknown
            assert here.desk.came == []

    with World() as world:
        world.run(main(world))


@pytest.mark.parametrize(
    "sent",
    [b"\x05hello", frame(bytes(MESSAGE_BYTES_MAX + 1)), b"\xff" * 12],
    ids=["text", "too long", "no length"],
)
def test_what_is_no_claim_costs_its_stream_only(sent: bytes) -> None:
    async def main(world: World) -> None:
        async with scene(world) as here:
            network, invites = here.joiner()
            stream = await network.open_stream(here.anna.peer_id, PROTOCOL)
            await stream.write(sent)
            with pytest.raises(StreamReset):
                await stream.read()
            await invites.claim(here.code(), BOB)

    with World() as world:
        world.run(main(world))


def test_an_inviter_that_does_not_answer_is_given_up() -> None:
    async def main(world: World) -> None:
        async with scene(world, Desk(delay_s=60)) as here:
            _, invites = here.joiner()
            with pytest.raises(RequestTimeout, match="within 5 s") as caught:
                await invites.claim(here.code(), BOB, timeout_s=5)
            assert "still good" in caught.value.hint

    with World() as world:
        world.run(main(world))


def test_a_peer_without_the_protocol_is_named_as_such() -> None:
    async def main(world: World) -> None:
        async with scene(world) as here:
            here.anna.remove_handler(PROTOCOL)
            _, invites = here.joiner()
            with pytest.raises(ProtocolNotSupported, match="does not take invitations"):
                await invites.claim(here.code(), BOB)

    with World() as world:
        world.run(main(world))


def test_a_connection_that_died_unnoticed_is_replaced() -> None:
    async def main(world: World) -> None:
        async with scene(world) as here:
            network, invites = here.joiner()
            await network.connect(here.anna.peer_id)
            claiming = asyncio.ensure_future(invites.claim(here.code(), BOB))
            await asyncio.sleep(0)
            world.network.cut("anna", "joiner1")
            assert await claiming == Introduction("anna")

    with World() as world:
        world.run(main(world))


def test_one_that_guesses_is_refused_unheard_until_it_waited() -> None:
    async def main(world: World) -> None:
        limits = GuessLimits(per_peer=2, per_peer_refill_s=60)
        async with scene(world, limits=limits) as here:
            _, invites = here.joiner()
            for guess in range(2):
                with pytest.raises(Refused, match="does not know"):
                    await invites.claim(here.code(bytes([guess]) * 16), BOB)
            with pytest.raises(Refused, match="too many"):
                await invites.claim(here.code(), BOB)
            await asyncio.sleep(60)
            await invites.claim(here.code(), BOB)

    with World() as world:
        world.run(main(world))


def test_a_flood_of_identities_loses_its_connections_and_locks_nobody_out() -> None:
    async def main(world: World) -> None:
        limits = GuessLimits(total=3, total_refill_s=1000)
        async with scene(world, limits=limits) as here:
            for number in range(6):
                network, invites = here.joiner()
                expected = Refused if number < 3 else WarrenError
                with pytest.raises(expected) as caught:
                    await invites.claim(here.code(bytes([number]) * 16), BOB)
                assert isinstance(caught.value, Refused) == (number < 3)
                assert bool(here.anna.sockets(network.peer_id)) == (number < 3)
            _, invited = here.joiner()
            await invited.claim(here.code(), BOB)

    with World() as world:
        world.run(main(world))
