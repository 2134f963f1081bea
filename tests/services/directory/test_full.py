"""What a super-peer has room for: everybody has some, and whoever is refused some of it is there all the
same."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from tests.protocols.directory.made import entry, key
from tests.services.directory.memory_index import MemoryIndex
from tests.services.directory.town import found, names, town, until
from warren.core.lease import Lease
from warren.protocols.directory.audiences import MEMBERS_MAX, SALT_BYTES, Audiences
from warren.protocols.directory.entries import Registered
from warren.protocols.directory.messages import Held, Reason, RefusedAnswer
from warren.protocols.directory.registration import Registration
from warren.services.directory import super_peer as module
from warren.services.directory.config import DirectoryConfig
from warren.services.directory.super_peer import SNAPSHOT_S, Parts, SuperPeer
from warren.testing import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import pytest

    from warren.core.keys import PrivateKey
    from warren.protocols.directory.messages import Answer

ME = key(1)


class Desk:
    """A super-peer, and peers that come to it by number."""

    def __init__(self, config: DirectoryConfig) -> None:
        self.now = 1000.0
        self.index = MemoryIndex()
        self.super_peer = SuperPeer(self.index, config, ME.peer_id, lambda: self.now)
        self.super_peer.active = True

    def comes(self, number: int, group: str) -> PrivateKey:
        peer = key(number)
        lease = Lease(peer.peer_id, int(self.now * 1000), 60, 0, ME.peer_id).seal(peer)
        assert isinstance(self.super_peer.lease(peer.peer_id, group, lease), Held)
        return peer

    async def registers(
        self, number: int, group: str, registration: Registration, parts: Parts | None = None
    ) -> Answer:
        peer = self.comes(number, group)
        self.now += 0.5
        sealed = registration.seal(peer)
        return await self.super_peer.register(peer.peer_id, group, sealed, parts or Parts())


def at_desk(scenario: Callable[[Desk], Awaitable[None]], **config: int) -> None:
    async def main() -> None:
        desk = Desk(DirectoryConfig(**config))  # type: ignore[arg-type]
        running = asyncio.create_task(desk.super_peer.run())
        await asyncio.sleep(0)
        await scenario(desk)
        running.cancel()

    asyncio.run(main())


def reason(answer: Answer) -> Reason | None:
    return answer.reason if isinstance(answer, RefusedAnswer) else None


def table(members: int) -> Registration:
    return Registration(1, 1, 1, audiences=Audiences(bytes(SALT_BYTES), {1: bytes(8 * members)}))


def files(count: int, *, more: bool = False, say: str = "") -> Registration:
    added = tuple(Registered(entry(f"{number}", abstract=say)) for number in range(count))
    return Registration(1, 0, 1, added, snapshot=True, more=more)


def test_tables_of_who_came_and_went_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TABLES_BYTES_MAX", 40 * 8 * MEMBERS_MAX)

    async def scenario(desk: Desk) -> None:
        for number in range(10, 60):
            assert reason(await desk.registers(number, "liars", table(MEMBERS_MAX))) is None
            desk.super_peer.leave(key(number).peer_id)
        assert reason(await desk.registers(2, "others", table(10))) is None
        assert desk.super_peer.held(key(2).peer_id).audiences

    at_desk(scenario)


def test_tables_of_one_network_keep_no_other_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TABLES_BYTES_MAX", 40 * 8 * MEMBERS_MAX)

    async def scenario(desk: Desk) -> None:
        answers = [await desk.registers(number, "liars", table(MEMBERS_MAX)) for number in range(10, 60)]
        assert reason(answers[0]) is None
        assert reason(answers[-1]) is Reason.FULL
        assert reason(await desk.registers(2, "others", table(MEMBERS_MAX))) is None

    at_desk(scenario)


def test_snapshots_without_an_end_keep_no_other_network_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SNAPSHOTS_BYTES_MAX", 400_000)
    monkeypatch.setattr(module, "SNAPSHOT_BYTES_MAX", 150_000)

    async def scenario(desk: Desk) -> None:
        held = [Parts() for _ in range(6)]
        for number, parts in enumerate(held, 10):
            while (
                reason(await desk.registers(number, "liars", files(9, more=True, say="x" * 4000), parts))
                is None
            ):
                pass
        honest = Parts()
        for _ in range(2):
            part = files(9, more=True, say="y" * 4000)
            assert reason(await desk.registers(2, "others", part, honest)) is None

    at_desk(scenario)


def test_a_snapshot_takes_so_long_at_most() -> None:
    async def scenario(desk: Desk) -> None:
        parts = Parts()
        assert reason(await desk.registers(2, "one", files(1, more=True), parts)) is None
        desk.now += SNAPSHOT_S - 5
        assert reason(await desk.registers(2, "one", files(1, more=True), parts)) is None
        desk.now += 5
        assert reason(await desk.registers(2, "one", files(1, more=True), parts)) is Reason.BUSY
        assert parts.size == desk.super_peer._waiting.total == 0
        assert reason(await desk.registers(2, "one", files(1, more=True), parts)) is None

    at_desk(scenario)


def test_entries_have_a_bound_in_all_and_who_went_first_is_forgotten_first() -> None:
    async def scenario(desk: Desk) -> None:
        for number in (10, 11, 12):
            assert reason(await desk.registers(number, f"{number}", files(10))) is None
        for number in (11, 10):
            desk.super_peer.leave(key(number).peer_id)
        assert reason(await desk.registers(2, "one", files(20))) is None
        assert [desk.index.size(key(number).peer_id) for number in (2, 10, 11, 12)] == [20, 10, 0, 10]
        # Who is there is not forgotten for others, and one network leaves half.
        assert reason(await desk.registers(3, "two", files(15))) is None
        assert [desk.index.size(key(number).peer_id) for number in (2, 3, 10, 12)] == [20, 15, 0, 10]
        assert reason(await desk.registers(4, "two", files(6))) is Reason.FULL
        delta = Registration(1, 1, 2, tuple(Registered(entry(f"new {one}")) for one in range(20)))
        assert reason(await desk.registers(3, "two", delta)) is Reason.FULL
        assert reason(await desk.registers(4, "three", files(6))) is None

    at_desk(scenario, entries_total_max=65)


def test_one_file_too_many_takes_nothing_from_who_finds_the_others(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak", directory=DirectoryConfig(entries_max=5)) as place:
            await place.connect((1, 0), (2, 0))
            for number in range(5):
                await place.share(1, f"map-{number}.txt")
            await place.registered(1, 0)
            await place.registered(2, 0)
            await place.share(1, "map-5.txt")
            for wait_s in (1, 30, 300):
                await asyncio.sleep(wait_s)
                hits = await found(place[2], "map")
                assert sorted(hit.name for hit in hits) == [f"map-{number}.txt" for number in range(5)]
                assert all(hit.online for hit in hits)
            assert "takes 5 entries of one node and this one shares more" in caplog.text
            await place[1].unshare("map-0.txt")
            await place.registered(1, 0)
            assert await names(place[2], "map") == [f"map-{number}.txt" for number in range(1, 6)]

    run(scenario())


def test_who_is_refused_for_now_is_there_and_found_later(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0))
            await place.share(1, "map-0.txt")
            await place.registered(1, 0)
            await place.registered(2, 0)
            super_peer, owner = place.directory(0).super_peer, place[1].peer_id
            super_peer._busy.add(owner)
            await place.share(1, "map-1.txt")
            for _ in range(200):
                await asyncio.sleep(3)
                assert super_peer.is_online(owner)
            assert sum(one.levelno >= logging.WARNING for one in caplog.records) < 4
            assert [hit.online for hit in await found(place[2], "map")] == [True]
            super_peer._busy.discard(owner)
            await until(lambda: super_peer._index.size(owner) == 2)
            assert await names(place[2], "map") == ["map-0.txt", "map-1.txt"]

    run(scenario())


def test_what_is_no_entry_is_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    odd = [Registered(entry("a")._replace(path=path)) for path in ("../a", "b//c")]

    async def scenario(desk: Desk) -> None:
        for number, whole in ((2, True), (3, False)):
            first = files(2, more=whole, say="")
            parts = Parts()
            await desk.registers(number, "one", first, parts)
            rest = (odd[0], Registered(entry("c")), odd[1])
            begin = 0 if whole else first.to_seq
            last = Registration(1, begin, first.to_seq + (not whole), rest, snapshot=whole)
            assert isinstance(await desk.registers(number, "one", last, parts), Held)
            assert set(desk.index.entries[key(number).peer_id]) == {"0", "1", "c"}
            assert f"{key(number).peer_id} registers 2 entries that are none" in caplog.text

    at_desk(scenario)
