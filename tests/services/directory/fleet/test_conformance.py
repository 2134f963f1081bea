"""`SharedIndex` keeps the promises of `Index`, with a real store behind it, and where all comes of there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.services.directory.conformance_index import IndexConformance
from tests.services.directory.fleet.members import Member, soon
from tests.services.directory.fleet.redis_server import redis_server
from tests.support import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.services.directory.conformance_index import Main
    from tests.services.directory.fleet.redis_server import RedisServer
    from warren.core.peer_id import PeerId
    from warren.protocols.directory.entries import Registered
    from warren.services.directory.index.interface import Index, Position


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as one:
        yield one


class TestSharedIndex(IndexConformance):
    @pytest.fixture(autouse=True)
    def _server(self, server: RedisServer) -> None:
        self.server = server

    def run(self, main: Main, tmp_path: Path) -> None:
        async def whole() -> None:
            self.server.say("FLUSHALL")
            async with Member.open(self.server.url, tmp_path / "directory.db", "me") as member:
                await main(member.index)

        run(whole())


class Relay:
    """What is told to one super-peer is looked for at the other: all of it went through the store."""

    def __init__(self, told: Member, asked: Member) -> None:
        self.told = told
        self.asked = asked
        asked.fleet._super_peer = None  # who is online is what the suite says

    def __getattr__(self, name: str) -> Any:
        return getattr(self.asked.index, name)

    def position(self, owner: PeerId) -> Position | None:
        return self.told.index.position(owner)

    async def replace(self, owner: PeerId, epoch: int, seq: int, entries: Iterable[Registered]) -> None:
        await self.told.index.replace(owner, epoch, seq, entries)
        await self._arrived(owner)

    async def apply(self, owner: PeerId, epoch: int, from_seq: int, to_seq: int, *changes: Any) -> None:
        await self.told.index.apply(owner, epoch, from_seq, to_seq, *changes)
        await self._arrived(owner)

    async def forget(self, owner: PeerId) -> None:
        await self.told.index.forget(owner)
        await self._arrived(owner)

    def set_online(self, owner: PeerId, online: bool) -> None:
        self.asked.index.set_online(owner, online)

    async def close(self) -> None:
        await self.told.index.close()
        await self.asked.index.close()

    async def _arrived(self, owner: PeerId) -> None:
        told, asked = self.told.index, self.asked.index
        await soon(lambda: asked.public_position(owner) == told.public_position(owner))


class TestThroughTheStore(IndexConformance):
    """Without what is said of others than the public, of changes under way, and of a snapshot told twice."""

    test_who_is_not_admitted_sees_no_trace = None  # type: ignore[assignment]
    test_a_small_change_does_not_wait_for_a_large_snapshot = None  # type: ignore[assignment]
    test_what_is_forgotten_is_gone_at_once = None  # type: ignore[assignment]
    test_an_old_snapshot_is_refused_an_equal_one_is_taken_again = None  # type: ignore[assignment]

    @pytest.fixture(autouse=True)
    def _server(self, server: RedisServer) -> None:
        self.server = server

    def run(self, main: Main, tmp_path: Path) -> None:
        async def whole() -> None:
            self.server.say("FLUSHALL")
            async with (
                Member.open(self.server.url, tmp_path / "told.db", "told") as told,
                Member.open(self.server.url, tmp_path / "asked.db", "asked") as asked,
            ):
                await main(cast("Index", Relay(told, asked)))

        run(whole())
