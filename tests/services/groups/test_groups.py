"""Groups: what is acknowledged is stored, memory tells the same as the disk, and only contacts are in one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.support import run
from warren.core.errors import InputError, LimitReached, NotFound, PeerUnknown
from warren.core.keys import PrivateKey
from warren.runtime.migrations import numbered_scripts
from warren.runtime.real.runtime import RealRuntime
from warren.services.contacts import store as contacts
from warren.services.groups import store
from warren.services.groups.groups import Group, GroupChanged, Groups

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from warren.core.peer_id import PeerId

ANNA, BEN, EVE = sorted(PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in (1, 2, 3))


class Bench(Groups):
    """Groups over a database, with who is a contact, and the events."""

    known: set[PeerId]
    events: list[object]

    async def befriend(self, peer: PeerId) -> None:
        name = str(peer)[-8:]
        await self._database.run(lambda db: contacts.add(db, peer, name, name, 0.0))
        self.known.add(peer)

    async def unfriend(self, peer: PeerId) -> None:
        await self._database.run(lambda db: contacts.remove(db, peer))
        self.known.remove(peer)
        self.drop(peer)


@contextlib.asynccontextmanager
async def bench(
    path: Path | str = ":memory:", known: tuple[PeerId, ...] = (ANNA, BEN)
) -> AsyncIterator[Bench]:
    runtime = RealRuntime()
    scripts = numbered_scripts("warren.services.contacts", "warren.services.groups")
    database = await runtime.open_database(path, scripts)
    friends: set[PeerId] = set()
    events: list[object] = []
    made = Bench(database, friends.__contains__, events.append)
    made.known, made.events = friends, events
    for peer in known:
        await made.befriend(peer)
    await made.load()
    yield made
    await database.close()
    await runtime.close()


def test_a_group_is_there_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path / "state.db") as one:
            assert await one.add("Family", [BEN, ANNA]) == Group("family", (ANNA, BEN))
            await one.add("empty")
        async with bench(tmp_path / "state.db") as again:
            assert again.all() == [Group("empty", ()), Group("family", (ANNA, BEN))]
            assert again.of(ANNA) == {"family"}
            assert again.get("FAMILY").members == (ANNA, BEN)

    run(main())


def test_members_come_and_go() -> None:
    async def main() -> None:
        async with bench() as groups:
            await groups.add("family", [ANNA])
            assert await groups.add("family", [ANNA, BEN]) == Group("family", (ANNA, BEN))
            assert await groups.take_out("family", [ANNA]) == Group("family", (BEN,))
            with pytest.raises(NotFound, match="not in"):
                await groups.take_out("family", [ANNA])
            assert await groups.remove("family") == Group("family", (BEN,))
            assert groups.of(BEN) == frozenset()
            assert groups.events == [
                GroupChanged("family", Group("family", (ANNA,))),
                GroupChanged("family", Group("family", (ANNA, BEN))),
                GroupChanged("family", Group("family", (BEN,))),
                GroupChanged("family", None),
            ]
            for gone in (groups.remove("family"), groups.take_out("family", [BEN])):
                with pytest.raises(NotFound, match="no group"):
                    await gone
            await groups.add("family")
            assert groups.get("family").members == ()  # those of the one before are not back

    run(main())


def test_only_contacts_are_in_a_group() -> None:
    async def main() -> None:
        async with bench() as groups:
            with pytest.raises(PeerUnknown, match="no contact"):
                await groups.add("family", [ANNA, EVE])
            assert groups.all() == []
            groups.known.add(EVE)  # removed between the look and the commit
            with pytest.raises(PeerUnknown, match="no contact"):
                await groups.add("family", [ANNA, EVE])
            assert groups.all() == []
            with pytest.raises(InputError):
                await groups.add("a/b", [ANNA])

    run(main())


def test_who_is_no_contact_any_more_is_in_no_group_even_when_it_comes_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path / "state.db") as groups:
            await groups.add("family", [ANNA, BEN])
            await groups.unfriend(ANNA)
            assert groups.of(ANNA) == frozenset()
            assert groups.events[-1] == GroupChanged("family", Group("family", (BEN,)))
            await groups.befriend(ANNA)
            assert groups.of(ANNA) == frozenset()
        async with bench(tmp_path / "state.db") as groups:
            assert groups.all() == [Group("family", (BEN,))]

    run(main())


def test_a_stranger_is_in_none_whatever_memory_holds() -> None:
    async def main() -> None:
        async with bench() as groups:
            await groups.add("family", [ANNA])
            groups.known.remove(ANNA)
            assert groups.of(ANNA) == frozenset()

    run(main())


def test_there_are_no_groups_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "GROUPS_MAX", 2)

    async def main() -> None:
        async with bench() as groups:
            await groups.add("one")
            await groups.add("two")
            with pytest.raises(LimitReached, match="2 groups"):
                await groups.add("three")
            await groups.add("two", [ANNA])  # it is there already

    run(main())
