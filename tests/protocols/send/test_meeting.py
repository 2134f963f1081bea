"""Who sends where, told by a third: between networks in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from warren.core.errors import ProtocolViolation, Refused
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.allowance import Rate
from warren.network.network import Network
from warren.protocols.send import meeting
from warren.protocols.send.channels import ChannelLimits, Channels
from warren.protocols.send.meeting import PROTOCOL, MeetingProtocol
from warren.protocols.send.questions import Told, Wanted, Whereabouts
from warren.runtime.simulated import World
from warren.testing import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


class Party:
    """One network with the protocol. says: where it says that it is."""

    def __init__(self, world: World, name: str, number: int, channels: Channels | None = None) -> None:
        self.where = Multiaddr.tcp(f"61.0.{number}.1", 4101)
        self.network = Network(
            world.runtime(name, f"61.0.{number}.1"), PrivateKey.from_seed(bytes([number]) * 32)
        )
        self.sends: set[int] = set()
        self.says: Sequence[Multiaddr] = (self.where,)
        self.protocol = MeetingProtocol(self.network, self.sends.__contains__, lambda: self.says, channels)
        self.peer = self.network.peer_id


@contextlib.asynccontextmanager
async def parties(count: int, channels: Channels | None = None) -> AsyncIterator[list[Party]]:
    """The first is connected to all others, and listens, as they do."""
    world = World(1, loop=asyncio.get_running_loop())  # type: ignore[arg-type]
    made = [Party(world, f"host{n}", n + 1, channels if n == 0 else None) for n in range(count)]
    for one in made:
        await one.network.listen([one.where])
    for one in made[1:]:
        await one.network.connect(made[0].peer, [made[0].where])
    yield made
    for one in made:
        await one.protocol.close()
        await one.network.stop()
    world.close()


def test_who_took_a_place_is_told_of_until_it_leaves_or_goes_away() -> None:
    async def main() -> None:
        async with parties(3) as (common, ben, anna):
            assert await anna.protocol.seek(common.peer, 4071) == ()
            assert await ben.protocol.take(common.peer, 4071) == 120
            assert await anna.protocol.seek(common.peer, 4071) == (Whereabouts(ben.peer, (ben.where,)),)
            assert await anna.protocol.seek(common.peer, 4072) == ()
            assert await ben.protocol.seek(common.peer, 4071) == ()  # itself is nobody to look for
            await ben.protocol.leave(common.peer, 4071)
            assert await anna.protocol.seek(common.peer, 4071) == ()
            await ben.protocol.take(common.peer, 4071)
            await ben.network.stop()
            await asyncio.sleep(1)
            assert await anna.protocol.seek(common.peer, 4071) == ()

    run(main())


def test_who_sends_itself_says_so_and_a_full_table_says_that_too() -> None:
    async def main() -> None:
        async with parties(3, Channels(ChannelLimits(all_max=0))) as (common, ben, anna):
            common.sends.add(4071)
            assert await anna.protocol.seek(common.peer, 4071) == (Whereabouts(common.peer),)
            assert await ben.protocol.take(common.peer, 4071) == 0

    run(main())


def test_who_has_a_place_calls_back_and_nobody_else() -> None:
    async def main() -> None:
        async with parties(4) as (common, ben, anna, other):
            ben.sends.add(4071)
            for sender in (ben, other):  # the other one has only taken the place
                await sender.protocol.take(common.peer, 4071)
            await anna.protocol.seek(common.peer, 4071)
            await asyncio.sleep(1)
            assert anna.network.is_connected(ben.peer)
            assert not anna.network.is_connected(other.peer)

    run(main())


def test_who_says_where_nobody_is_or_nothing_is_called_by_nobody_and_costs_nothing() -> None:
    async def main() -> None:
        async with parties(3) as (common, ben, anna):
            ben.sends.add(4071)
            await ben.protocol.take(common.peer, 4071)
            anna.says = (Multiaddr.tcp("61.0.99.1", 1),)
            await anna.protocol.seek(common.peer, 4071)
            anna.says = ()
            await anna.protocol.seek(common.peer, 4071)
            await asyncio.sleep(60)
            assert not anna.network.is_connected(ben.peer)
            assert not ben.protocol._running

    run(main())


def test_nobody_is_believed_about_networks_nearer_than_its_own() -> None:
    async def main() -> None:
        async with parties(4) as (common, ben, anna, liar):
            ben.says = (Multiaddr.tcp("127.0.0.1", 22), Multiaddr.tcp("10.0.0.1", 22), ben.where)
            await ben.protocol.take(common.peer, 4071)
            (found,) = await anna.protocol.seek(common.peer, 4071)
            assert found.addresses == (ben.where,)
            lie = Told(found=(Whereabouts(ben.peer, ben.says[:2]),)).to_bytes()

            async def say(*_: object) -> bytes:
                return lie

            liar.network.remove_handler(PROTOCOL)
            liar.network.handle_request(PROTOCOL, say)
            anna.network.add_addresses(liar.peer, [liar.where])
            (found,) = await anna.protocol.seek(liar.peer, 4071)
            assert found == Whereabouts(ben.peer)

    run(main())


def test_calls_have_a_bound() -> None:
    async def main() -> None:
        async with parties(2) as (ben, eve):
            ben.sends.add(4071)
            dialled = []

            async def connect(peer: object, **_: object) -> None:
                dialled.append(peer)

            ben.network.connect = connect  # type: ignore[method-assign, assignment]
            for number in range(10, 50):
                peer = PrivateKey.from_seed(bytes([number]) * 32).peer_id
                wanted = Wanted(4071, Whereabouts(peer, (Multiaddr.tcp(f"61.0.{number}.1", 1),)))
                with contextlib.suppress(Refused):
                    await eve.network.request(ben.peer, PROTOCOL, wanted.to_bytes())
            itself = Wanted(4071, Whereabouts(ben.peer, (ben.where,)))
            await asyncio.sleep(30)
            await eve.network.request(ben.peer, PROTOCOL, itself.to_bytes())
            assert meeting.CALLS.burst <= len(dialled) <= meeting.CALLS.burst + 1

    run(main())


def test_who_asks_without_end_or_anything_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "QUESTIONS", Rate(3, 1))

    async def main() -> None:
        async with parties(4) as (common, anna, eve, liar):
            for _ in range(3):
                await eve.protocol.seek(common.peer, 4071)
            with pytest.raises(Refused, match="too often"):
                await eve.protocol.seek(common.peer, 4071)
            await anna.protocol.seek(common.peer, 4071)
            with pytest.raises(Refused, match="malformed"):
                await anna.network.request(common.peer, PROTOCOL, b"\xff")

            async def lie(*_: object) -> bytes:
                return b"\xff"

            liar.network.remove_handler(PROTOCOL)
            liar.network.handle_request(PROTOCOL, lie)
            anna.network.add_addresses(liar.peer, [liar.where])
            with pytest.raises(ProtocolViolation):
                await anna.protocol.seek(liar.peer, 4071)

    run(main())


def test_what_runs_in_the_background_ends_with_it() -> None:
    async def main() -> None:
        async with parties(3) as (common, ben, anna):
            ben.sends.add(4071)
            await ben.protocol.take(common.peer, 4071)
            ben.network.remove_handler(PROTOCOL)
            held = asyncio.Event()

            async def hold(*_: object) -> bytes:
                await held.wait()
                return b""

            ben.network.handle_request(PROTOCOL, hold)
            await anna.protocol.seek(common.peer, 4071)
            assert common.protocol._running
            await common.protocol.close()
            assert not common.protocol._running

    run(main())
