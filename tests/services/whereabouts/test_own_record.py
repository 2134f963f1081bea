"""The node's own record: sealed anew with each change and twice a day, numbered first."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from warren.config import Config
from warren.core.errors import DiskFull
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.peer_record import PeerRecord
from warren.node import Node
from warren.runtime.simulated import World
from warren.services.whereabouts.own_record import FRESH_S, LOOK_EVERY_S, OwnRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

KEY = PrivateKey.from_seed(bytes(32))
HOME, CAFE = (Multiaddr.parse(f"/ip4/192.0.2.{n}/tcp/4101") for n in (1, 2))


class Scene:
    """A node's record with the addresses in `at`; `broken` keeps numbers from being kept."""

    def __init__(self, world: World) -> None:
        self.at = [HOME]
        self.broken = False
        self.reserved: list[int] = []
        self.changes: list[int] = []
        self.clock = world.clock
        self.own = OwnRecord(KEY, lambda: self.at, self, world.clock)
        self.own.on_changed = lambda: self.changes.append(self.own.number)

    async def reserve(self, at_least: int) -> int:
        if self.broken:
            raise DiskFull("full", hint="make room")
        self.reserved.append(max([at_least, *(number + 1 for number in self.reserved)]))
        return self.reserved[-1]

    def opened(self) -> PeerRecord:
        return PeerRecord.open(self.own.sealed())


def play(main: Callable[[Scene], Coroutine[object, object, None]]) -> None:
    with World() as world:
        scene = Scene(world)

        async def running() -> None:
            await scene.own.start()
            task = asyncio.create_task(scene.own.run())
            await main(scene)
            task.cancel()

        world.run(running())


def test_the_first_record_says_where_the_node_is_and_when() -> None:
    async def main(scene: Scene) -> None:
        record = scene.opened()
        assert (record.peer_id, record.addrs) == (KEY.peer_id, (HOME,))
        assert record.seq == scene.own.number == int(scene.clock.wall() * 1000)
        assert scene.changes == scene.reserved

    play(main)


def test_a_move_is_noticed_by_whoever_asks_and_else_at_the_next_look() -> None:
    async def main(scene: Scene) -> None:
        scene.at = [CAFE]
        assert scene.own.addresses() == (HOME,)  # what the record says, until the next one
        await asyncio.sleep(0.001)
        assert scene.own.addresses() == scene.opened().addrs == (CAFE,)
        scene.at = [HOME, CAFE]
        await asyncio.sleep(LOOK_EVERY_S + 1)
        assert scene.opened().addrs == (HOME, CAFE)
        assert scene.changes == sorted(set(scene.changes))
        assert len(scene.changes) == 3

    play(main)


def test_a_quiet_node_seals_anew_twice_a_day() -> None:
    async def main(scene: Scene) -> None:
        await asyncio.sleep(FRESH_S - LOOK_EVERY_S)
        assert len(scene.changes) == 1
        await asyncio.sleep(2 * LOOK_EVERY_S)
        assert len(scene.changes) == 2
        assert scene.opened().seq >= scene.changes[0] + FRESH_S * 1000

    play(main)


def test_without_a_number_there_is_no_record_and_it_comes_later() -> None:
    with World() as world:
        scene = Scene(world)
        scene.broken = True

        async def main() -> None:
            await scene.own.start()
            assert (scene.own.sealed(), scene.own.number) == (b"", 0)
            assert scene.own.addresses() == (HOME,)
            task = asyncio.create_task(scene.own.run())
            scene.broken = False
            await asyncio.sleep(LOOK_EVERY_S + 1)
            assert scene.opened().addrs == (HOME,)
            task.cancel()

        world.run(main())


class Behind:
    """A clock that went back by a day."""

    def __init__(self, world: World) -> None:
        self.now = world.clock.now
        self._wall = world.clock.wall

    def wall(self) -> float:
        return self._wall() - 86_400.0


def test_a_node_whose_clock_went_back_is_believed_after_its_restart() -> None:
    async def main(world: World) -> None:
        def node(name: str, port: int, *, behind: bool = False) -> Node:
            runtime = world.runtime(name)
            if behind:
                runtime.clock = Behind(world)  # type: ignore[assignment]
            return Node(
                Config(home=Path("/w"), name=name, listen=(f"/ip4/0.0.0.0/tcp/{port}",)), runtime=runtime
            )

        async with node("anna", 1) as anna:
            async with node("ben", 1) as ben:
                await anna.connect(ben.addresses()[0])
                await asyncio.sleep(2)
                before = await anna.peers.get(ben.peer_id)
            async with node("ben", 2, behind=True) as ben:
                await ben.connect(anna.addresses()[0])
                await asyncio.sleep(2)
                after = await anna.peers.get(ben.peer_id)
                (kept,), _ = await anna.peers.kept_after(0, 9)
                assert kept.record is not None
                first = PeerRecord.open(kept.record)
                assert first.addrs == tuple(address.without_peer() for address in ben.addresses())
            assert before is not None
            assert after is not None
            assert {one.port for one in after.addresses} >= {2}

    with World() as world:
        world.run(main(world))
