"""What a node says of itself: kept, signed, and numbered higher each time, whatever the clock says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.peers.support import ME, table
from warren import testing
from warren.core.errors import InputError, NotFound
from warren.core.peer_metadata import PeerMetadata
from warren.runtime.simulated import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.services.peers.table import PeerTable


def test_what_is_said_is_kept_and_its_number_grows() -> None:
    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        world = World(0, loop=loop)
        told: list[bytes] = []
        async with table(world) as peers:
            assert peers.own.sealed() == b""
            peers.own.on_changed = _note(peers, told)
            await peers.own.set("region", "north")
            await peers.own.set("name", "Anna")
            await peers.own.set("region", "south")
            await peers.own.remove("name")
        numbers = [PeerMetadata.open(one).seq for one in told]
        assert numbers == sorted(set(numbers))
        async with table(world) as peers:
            assert peers.own.entries == {"region": "south"}
            assert peers.own.sealed() == told[-1]
            peers.own._clock = Past()
            await peers.own.set("a", "b")
            assert PeerMetadata.open(peers.own.sealed()).seq == numbers[-1] + 1
            await asyncio.gather(*(peers.own.set(f"k{n}", "v") for n in range(5)))
            assert len(PeerMetadata.open(peers.own.sealed()).entries) == 7
            assert PeerMetadata.open(peers.own.sealed()).peer_id == ME.peer_id
        world.close()

    testing.run(main())


def test_what_cannot_be_said_changes_nothing() -> None:
    async def main() -> None:
        async with table() as peers:
            await peers.own.set("a", "b")
            before = peers.own.sealed()
            with pytest.raises(InputError):
                await peers.own.set("k", "x" * 257)
            for number in range(31):
                await peers.own.set(f"{number}", "x" * 100)
            with pytest.raises(InputError, match="32 at most"):
                await peers.own.set("more", "x")
            for number in range(4):
                await peers.own.set(f"{number}", "x" * 256)
            with pytest.raises(InputError, match="4096"):
                await peers.own.set("4", "x" * 256)
            with pytest.raises(NotFound):
                await peers.own.remove("nothing")
            assert peers.own.sealed() != before
            assert PeerMetadata.open(peers.own.sealed()).entries == peers.own.entries

    testing.run(main())


class Past:
    def now(self) -> float:
        return 0.0

    def wall(self) -> float:
        return 1000.0


def _note(peers: PeerTable, told: list[bytes]) -> Callable[[], None]:
    return lambda: told.append(peers.own.sealed())
