"""Super-peers of a fleet without a network between: an index each, and the store."""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.services.directory.naive_index import peer
from warren.runtime.real import RealRuntime
from warren.runtime.real.redis import connect
from warren.services.directory.config import DirectoryConfig
from warren.services.directory.fleet.fleet import Fleet
from warren.services.directory.fleet.index import SharedIndex
from warren.services.directory.fleet.local import LocalIndex
from warren.services.directory.super_peer import SuperPeer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from warren.core.peer_id import PeerId

SOON_S = 20.0
"""What takes longer never comes."""


class Member:
    """One of them. `open` runs it as long as the block lasts."""

    def __init__(self, index: SharedIndex, fleet: Fleet, me: PeerId) -> None:
        self.index = index
        self.fleet = fleet
        self.super_peer = SuperPeer(index, DirectoryConfig(), me, time.monotonic)
        self.super_peer.active = True
        index.set_admits(self.super_peer.admits)
        fleet.follow(self.super_peer)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, path: Path, name: str, *, goodbye: bool = True) -> AsyncIterator[Member]:
        """goodbye: whether it says at the end that it goes; else it is as if killed."""
        runtime, me = RealRuntime(), peer(name)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(runtime.close)
            connection = await connect(url, url)
            stack.push_async_callback(connection.close)
            index = SharedIndex(await LocalIndex.open(runtime, path), me)
            stack.push_async_callback(index.close)
            fleet = Fleet(index, connection, url, me, runtime, 60)
            member = cls(index, fleet, me)
            task = asyncio.create_task(fleet.run())
            try:
                yield member
            finally:
                task.cancel()
                await asyncio.wait([task])
            if goodbye:
                member.super_peer.close()
                await fleet.close()

    def me_is_there_at(self, other: Member) -> bool:
        return other.super_peer.is_online(self.fleet.me)

    def take_lease(self, owner: PeerId, valid_s: float = 60.0) -> None:
        """As if the owner had shown one here."""
        now = time.monotonic()
        self.super_peer.leases.take(owner, int(time.time() * 1000), valid_s, now)
        self.super_peer._index.set_online(owner, online=True)
        self.fleet.lease(owner, valid_s)


async def soon(true: Callable[[], object], limit_s: float = SOON_S) -> float:
    """Wait until it is so; return how many seconds that took. It looks again each turn of the loop."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + limit_s, "it does not come"
        await asyncio.sleep(0.002)
    return time.monotonic() - began
