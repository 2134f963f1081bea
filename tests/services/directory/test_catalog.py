"""The catalog: a list, the log of its changes, and what of both a peer may see."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.protocols.directory.made import entry, key
from tests.services.directory.weak_and_super import WEAK, Chance, Circles, Clock, InlineDatabase
from warren.core.entry import Entry, Metadata
from warren.protocols.directory.audiences import AUDIENCES_MAX
from warren.services.directory import catalog_store as store
from warren.services.directory.catalog import Catalog
from warren.services.directory.index.interface import Position

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence


STRANGER, FRIEND = key(8).peer_id, key(9).peer_id


class Given:
    """A catalog on a database, and who its friends are."""

    def __init__(self) -> None:
        self.database, self.circles, self.clock = InlineDatabase(), Circles(), Clock()
        self.circles.friends = {FRIEND}

    async def open(self) -> Catalog:
        return await Catalog.open(self.database, self.circles, WEAK.peer_id, Chance(), self.clock)


def given(scenario: Callable[[Given], Awaitable[None]]) -> None:
    async def run() -> None:
        await scenario(Given())

    asyncio.run(run())


async def listed(catalog: Catalog, numbers: frozenset[int] | None = None) -> list[str]:
    page = await catalog.page("", catalog.all_numbers() if numbers is None else numbers, 1000)
    return [one.entry.path for one in page]


async def pages(*some: Sequence[Entry]) -> AsyncIterator[Sequence[Entry]]:
    for one in some:
        yield one


def test_what_is_listed_is_there_after_a_restart_with_its_numbers() -> None:
    async def scenario(has: Given) -> None:
        catalog = await has.open()
        assert await listed(catalog) == []
        said = entry("Maps/old.pdf", title="Old maps", authors=("Ada",), tags=("map",), licence="CC0-1.0")
        await catalog.change("public", [entry("Maps"), said])
        await catalog.change("friends", [entry("secret")])
        again = await has.open()
        assert again.position == catalog.position
        page = await again.page("", again.all_numbers())
        assert [one.entry for one in page] == [entry("Maps"), said, entry("secret")]
        assert again.scope(FRIEND) == catalog.scope(FRIEND) == {0, page[-1].audience}
        assert again.scope(STRANGER) == {0}
        assert [one.entry.path for one in await again.page("Maps", again.scope(STRANGER))] == ["Maps/old.pdf"]

    given(scenario)


def test_only_what_changes_is_a_change() -> None:
    async def scenario(has: Given) -> None:
        catalog, told = await has.open(), []
        catalog.on_changed.append(lambda: told.append(catalog.position))
        await catalog.change("public", [entry("a"), entry("b")])
        before = catalog.position
        await catalog.change("public", [entry("a"), entry("b")], ["c", "b/1"])
        assert catalog.position == before
        await catalog.change("public", [entry("a", size=6)])
        await catalog.change("friends", [entry("b")])
        assert told == sorted(set(told))
        assert len(told) == 3

    given(scenario)


def test_what_is_removed_goes_with_all_below_it_and_nothing_else() -> None:
    async def scenario(has: Given) -> None:
        catalog = await has.open()
        paths = ["a", "a-b", "a.txt", "a/1", "a/b", "a/b/1", "a0", "b"]
        await catalog.change("public", [entry(path) for path in paths])
        await catalog.change("public", removed=["a/b"])
        assert await listed(catalog) == ["a", "a-b", "a.txt", "a/1", "a0", "b"]
        await catalog.change("public", [entry("a")], ["a"])
        assert await listed(catalog) == ["a", "a-b", "a.txt", "a0", "b"]

    given(scenario)


def test_numbers_are_times_and_rise_though_the_clock_goes_back() -> None:
    async def scenario(has: Given) -> None:
        catalog = await has.open()
        await catalog.change("public", [entry("a")])
        assert catalog.position.seq - 1 <= has.clock.wall() * 1000 <= catalog.position.seq + 1
        first = catalog.position.seq
        has.clock.time -= 500
        await catalog.change("public", [entry("b"), entry("c")])
        assert catalog.position.seq == first + 2

    given(scenario)


def test_going_through_a_share_finds_what_nobody_told() -> None:
    async def scenario(has: Given) -> None:
        catalog = await has.open()
        at_first = ["s", "s/gone", "s/same", "s/other", "t"]
        await catalog.change("public", [entry(path) for path in at_first])
        walked = pages([entry("s"), entry("s/same")], [entry("s/other", size=9), entry("s/new")])
        await catalog.bring_in_line("s", "public", walked)
        assert await listed(catalog) == ["s", "s/new", "s/other", "s/same", "t"]
        before = catalog.position
        every = [entry("s"), entry("s/same"), entry("s/other", size=9), entry("s/new")]
        await catalog.bring_in_line("s", "public", pages(every))
        assert catalog.position == before
        await catalog.bring_in_line("s", "friends", pages(every))
        assert await listed(catalog, frozenset({0})) == ["t"]

    given(scenario)


def test_what_is_told_while_a_share_is_gone_through_holds() -> None:
    async def scenario(has: Given) -> None:
        catalog = await has.open()
        await catalog.change("public", [entry("s"), entry("s/back"), entry("s/gone")])

        async def walk() -> AsyncIterator[Sequence[Entry]]:
            yield [entry("s")]
            # It was not there when its folder was read, and came back since.
            await catalog.change("public", [entry("s/back", size=7)])

        await catalog.bring_in_line("s", "public", walk())
        assert await listed(catalog) == ["s", "s/back"]

    given(scenario)


def test_what_is_in_no_share_is_dropped_at_the_start() -> None:
    async def scenario(has: Given) -> None:
        catalog = await has.open()
        paths = ["a", "a.txt", "a/1", "b", "b/1", "c"]
        await catalog.change("public", [entry(path) for path in paths])
        assert await has.database.run(store.shares) == {"a", "a.txt", "b", "c"}
        await catalog.keep_only({"a", "c"}.__contains__)
        assert await listed(catalog) == ["a", "a/1", "c"]

    given(scenario)


def test_the_log_has_so_many_changes_and_says_where_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LOG_MAX", 3)

    async def scenario(has: Given) -> None:
        catalog = await has.open()
        begin = catalog.position.seq
        assert catalog.reaches(begin)
        seqs = []
        for number in range(5):
            await catalog.change("public", [entry(f"{number}")])
            seqs.append(catalog.position.seq)
        assert [catalog.reaches(seq) for seq in [begin, *seqs]] == [False, False, True, True, True, True]
        assert not catalog.reaches(seqs[-1] + 1)
        assert await catalog.changes(seqs[0], {0}) is None
        changes = await catalog.changes(seqs[1], {0})
        assert changes is not None
        assert [one.entry.path for one in changes.added] == ["2", "3", "4"]
        assert (await has.open()).reaches(seqs[1])

    given(scenario)


def test_a_later_epoch_begins_without_a_log() -> None:
    async def scenario(has: Given) -> None:
        catalog = await has.open()
        await catalog.change("public", [entry("a")])
        old = catalog.position
        has.clock.time += 100
        await catalog.begin_later_epoch(Position(old.epoch, old.seq + 5))
        assert catalog.position.epoch == int(has.clock.wall() * 1000)
        assert not catalog.reaches(old.seq)
        assert (await has.open()).position == catalog.position
        assert await listed(catalog) == ["a"]

    given(scenario)


def test_what_somebody_claims_to_know_numbers_nothing_and_renumbers_seldom() -> None:
    async def scenario(has: Given) -> None:
        catalog = await has.open()
        await catalog.change("public", [entry("a")])
        before = catalog.position
        await catalog.begin_later_epoch(Position((1 << 63) - 2, 5))
        assert catalog.position == before
        epochs = set()
        for day in range(10):
            has.clock.time += 1000
            await catalog.begin_later_epoch(Position(catalog.position.epoch + 10**6, 5))
            assert catalog.position.epoch <= has.clock.wall() * 1000, day
            epochs.add(catalog.position.epoch)
        assert len(epochs) == 2

    given(scenario)


@pytest.mark.parametrize("column", ["epoch", "seq", "floor"])
def test_a_log_whose_numbers_are_out_of_range_begins_anew(column: str) -> None:
    async def scenario(has: Given) -> None:
        catalog = await has.open()
        await catalog.change("public", [entry("a")])
        has.database.connection.execute(f"UPDATE catalog_state SET {column} = (1 << 62)")  # noqa: S608
        again = await has.open()
        assert max(again.position) <= has.clock.wall() * 1000
        await again.change("public", [entry("b")])
        assert await listed(again) == ["a", "b"]

    given(scenario)


def test_paths_that_are_too_long_are_left_out_and_named(caplog: pytest.LogCaptureFixture) -> None:
    long = "s/" + "/".join(["x" * 200] * 21)

    async def scenario(has: Given) -> None:
        catalog = await has.open()
        await catalog.change("public", [entry("s"), entry(long), entry("s/a")])
        assert await listed(catalog) == ["s", "s/a"]
        await catalog.bring_in_line("s", "public", pages([entry("s"), entry(long)]))
        assert await listed(catalog) == ["s"]
        assert caplog.text.count(long[:200]) == 2

    given(scenario)


def test_audiences_that_nothing_has_use_up_no_numbers() -> None:
    async def scenario(has: Given) -> None:
        catalog = await has.open()
        for number in range(AUDIENCES_MAX + 10):
            await catalog.change(f"group:{number}", [entry("s")])
        await catalog.change("friends", [entry("s")])
        has.circles.admits = lambda *_: True  # type: ignore[method-assign]
        before = catalog.position
        again = await has.open()
        assert await listed(again, again.scope(FRIEND)) == ["s"]
        assert len(again.all_numbers()) == 2
        assert not again.reaches(before.seq)  # its log told of the others

    given(scenario)


def test_only_so_many_super_peers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "TOLD_MAX", 2)

    async def scenario(has: Given) -> None:
        catalog = await has.open()
        peers = [key(number).peer_id for number in range(1, 5)]
        for peer in peers:
            assert not await catalog.is_scope_of(peer, {0, 1})
            await catalog.note_scope(peer, {1, 0})
        assert [await catalog.is_scope_of(peer, {0, 1}) for peer in peers] == [False, False, True, True]
        assert not await catalog.is_scope_of(peers[-1], {0})
        await catalog.note_scope(peers[-1], None)
        assert not await catalog.is_scope_of(peers[-1], {0, 1})

    given(scenario)


def test_a_lost_row_of_the_state_begins_anew() -> None:
    async def scenario(has: Given) -> None:
        catalog = await has.open()
        await catalog.change("public", [entry("a")])
        await catalog.change("friends", [entry("secret")])
        has.database.connection.execute("DELETE FROM catalog_state")
        has.database.connection.execute("DELETE FROM catalog_audience")
        has.clock.time += 5
        again = await has.open()
        assert again.position.epoch > catalog.position.epoch
        await again.change("nobody", [entry("b")])  # which gets the number that `friends` had
        assert await listed(again) == ["a", "b"]

    given(scenario)


def test_what_is_said_of_a_content_is_noted_wherever_it_lies() -> None:
    async def scenario(has: Given) -> None:
        catalog, told = await has.open(), []
        catalog.on_changed.append(lambda: told.append(catalog.position))
        one = entry("a")
        await catalog.change("public", [one, Entry("b", one.kind, one.size, one.cid), entry("c")])
        before, said = catalog.position.seq, Metadata("Old maps")
        await has.database.run(lambda db: catalog.follow(db, one.cid, lambda _: said))
        await catalog.refresh()
        changes = await catalog.changes(before, {0})
        assert changes is not None
        assert [(one.entry.path, one.entry.metadata) for one in changes.added] == [("a", said), ("b", said)]
        assert len(told) == 2
        position = catalog.position
        await has.database.run(lambda db: catalog.follow(db, one.cid, lambda _: said))
        await catalog.refresh()
        assert catalog.position == position

    given(scenario)
