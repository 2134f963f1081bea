"""What a weak peer tells a super-peer comes to be the same there, whatever is lost on the way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocols.directory.made import entry, key
from tests.services.directory.memory_index import MemoryIndex
from tests.services.directory.weak_and_super import SUPER, WEAK, Both, Clock
from warren.core.errors import ProtocolViolation, Refused
from warren.core.lease import Lease
from warren.protocols.directory.messages import Held, Reason, RefusedAnswer, RegistrationCall
from warren.protocols.directory.registration import Registration
from warren.services.directory import catalog as catalog_module
from warren.services.directory import catalog_store
from warren.services.directory.config import DirectoryConfig
from warren.services.directory.index.interface import Gap, Position
from warren.services.directory.session import (
    NUMBER_MAX,
    NUMBERED_MAX,
    REFUSALS_MAX,
    LeaseNumbers,
    NotTaken,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from warren.core.peer_id import PeerId
    from warren.protocols.directory.entries import Registered
    from warren.protocols.directory.messages import Answer, Call

PATHS = ("a", "a/1", "a/b/1", "b")
puts = st.tuples(
    st.just("put"),
    st.sampled_from(PATHS),
    st.integers(0, 3),
    st.sampled_from(["public", "friends", "nobody"]),
)
removals = st.tuples(st.just("remove"), st.sampled_from(PATHS))
happenings = st.tuples(
    st.sampled_from(["weak restarts", "super restarts", "super loses", "weak loses", "epoch"])
)
clean: st.SearchStrategy[tuple[str, list[str]]] = st.just(("talk", []))
lossy = st.tuples(
    st.just("talk"), st.lists(st.sampled_from(["ok", "ok", "lost", "done"]), min_size=1, max_size=6)
)
friends = st.tuples(st.sampled_from(["friend", "no friend"]))


class Mirror:
    """What there is, by the plainest means."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[int, str]] = {}
        self.ever_seen: set[tuple[str, int]] = set()

    def put(self, path: str, size: int, audience: str) -> None:
        self.entries[path] = size, audience
        if audience != "nobody":
            self.ever_seen.add((path, size))

    def remove(self, path: str) -> None:
        for one in list(self.entries):
            if one == path or one.startswith(path + "/"):
                del self.entries[one]

    def for_super(self, *, is_friend: bool) -> dict[str, int]:
        seen = ("public", "friends") if is_friend else ("public",)
        return {path: size for path, (size, audience) in self.entries.items() if audience in seen}


async def play(steps: Sequence[tuple[object, ...]]) -> None:
    both, mirror = Both(), Mirror()
    await both.weak_restarts()
    for what, *rest in steps:
        match what, *rest:
            case "put", str(path), int(size), str(audience):
                await both.catalog.change(audience, [entry(path, size)])
                mirror.put(path, size, audience)
            case "remove", str(path):
                await both.catalog.change("public", removed=[path])
                mirror.remove(path)
            case "talk", list(losses):
                await both.talk(iter(losses))
                assert both.at_super().items() <= mirror.ever_seen
            case ("weak restarts",):
                await both.weak_restarts()
            case ("super restarts",):
                both.super_restarts()
            case ("super loses",):
                both.super_loses_its_index()
            case ("weak loses",):
                await both.weak_loses_its_state()
                mirror.entries.clear()
            case ("friend",):
                both.circles.friends.add(SUPER.peer_id)
            case ("no friend",):
                both.circles.friends.discard(SUPER.peer_id)
            case ("epoch",):
                await both.catalog.begin_later_epoch(both.catalog.position)
        both.clock.time += 1
    assert await both.talk()
    assert both.index.applied == sorted(set(both.index.applied))  # each once, in order
    is_friend = SUPER.peer_id in both.circles.friends
    assert both.at_super() == mirror.for_super(is_friend=is_friend)
    count = len(both.asked)
    assert await both.talk()
    assert len(both.asked) == count + 1  # the lease: all else is told once


@settings(max_examples=100)
@given(st.lists(puts | puts | removals | clean | lossy | friends | happenings, min_size=8, max_size=30))
def test_whatever_happens_the_super_peer_comes_to_have_what_it_may_see(
    steps: list[tuple[object, ...]],
) -> None:
    asyncio.run(play(steps))


@settings(max_examples=60)
@given(st.lists(puts | puts | removals | clean | lossy | friends, min_size=8, max_size=30))
def test_it_does_so_with_a_short_log_and_small_messages(steps: list[tuple[object, ...]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog_store, "LOG_MAX", 3)
        patch.setattr(catalog_module, "CHANGES", 2)
        patch.setattr(catalog_module, "BATCH", 2)
        asyncio.run(play(steps))


def registrations(both: Both) -> list[Registration]:
    """What was registered, in order."""
    return [
        Registration.open(call.envelope, WEAK.peer_id)
        for call in both.asked
        if isinstance(call, RegistrationCall)
    ]


def test_first_all_of_it_then_only_what_changes() -> None:
    async def scenario() -> None:
        both = Both()
        await both.weak_restarts()
        await both.catalog.change("public", [entry("a"), entry("b")])
        await both.talk()
        await both.catalog.change("public", [entry("c")], ["a"])
        await both.talk()
        first, second = registrations(both)
        assert first.snapshot
        assert [one.entry.path for one in first.added] == ["a", "b"]
        assert not second.snapshot
        assert (second.from_seq, [one.entry.path for one in second.added]) == (first.to_seq, ["c"])
        assert second.removed == ("a",)

    asyncio.run(scenario())


def test_a_large_snapshot_comes_in_parts_and_takes_effect_with_the_last() -> None:
    async def scenario() -> None:
        both = Both()
        await both.weak_restarts()
        many = [entry(f"a/{number:04}", abstract="x" * 100) for number in range(1200)]
        await both.catalog.change("public", many)
        assert not await both.talk(iter(["ok", "ok", "ok", "lost"]))
        assert both.at_super() == {}
        assert await both.talk()
        assert len(both.at_super()) == 1200
        parts = registrations(both)
        assert [one.more for one in parts[-3:]] == [True, True, False]

    asyncio.run(scenario())


def test_what_is_for_others_is_in_no_message() -> None:
    async def scenario() -> None:
        both = Both()
        await both.weak_restarts()
        await both.catalog.change("public", [entry("open")])
        await both.catalog.change("nobody", [entry("secret")])
        await both.talk()
        before = registrations(both)[-1].to_seq
        await both.catalog.change("nobody", [entry("secret2")], ["secret"])
        both.clock.time += 5
        assert len(registrations(both)) == 1
        await both.talk()
        assert len(registrations(both)) == 1  # not even that something changed
        await both.catalog.change("public", [entry("open2")])
        await both.talk()
        last = registrations(both)[-1]
        assert (last.from_seq, last.removed) == (before, ())
        assert all(b"secret" not in one.to_payload() for one in registrations(both))

    asyncio.run(scenario())


def test_a_table_is_sent_when_whom_it_admits_changed_and_no_oftener() -> None:
    async def scenario() -> None:
        both = Both()
        await both.weak_restarts()
        await both.catalog.change("friends", [entry("a")])
        await both.talk()
        await both.talk()
        tables = [one.audiences for one in registrations(both) if one.audiences is not None]
        assert len(tables) == 1
        assert not both.super_peer.admits(WEAK.peer_id, 1, key(5).peer_id)
        both.circles.friends.add(key(5).peer_id)
        await both.talk()
        assert both.super_peer.admits(WEAK.peer_id, 1, key(5).peer_id)
        assert not both.super_peer.admits(WEAK.peer_id, 1, key(6).peer_id)
        both.super_restarts()
        assert not both.super_peer.admits(WEAK.peer_id, 1, key(5).peer_id)
        both.session = both.new_session()
        await both.talk()
        assert both.super_peer.admits(WEAK.peer_id, 1, key(5).peer_id)

    asyncio.run(scenario())


def test_of_more_than_there_is_room_for_the_first_are_registered(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        both = Both()
        both.config = DirectoryConfig(entries_max=20)
        both.super_restarts()
        await both.weak_restarts()
        names = [f"{number:02}" for number in range(25)]
        await both.catalog.change("public", [entry(name) for name in names[:20]])
        await both.talk()
        assert sorted(both.at_super()) == names[:20]
        assert not caplog.records
        await both.catalog.change("public", [entry(name) for name in names[20:]])
        await both.talk()
        assert sorted(both.at_super()) == names[:19]  # one more may come before it is all sent anew
        assert "what comes behind 18 is found by those alone who ask this node itself" in caplog.text
        count = len(registrations(both))
        await both.catalog.change("public", [entry("00", 7), entry("24", 7), entry("99")], ["23"])
        await both.talk()
        assert both.at_super()["00"] == 7
        assert len(registrations(both)) == count + 1
        last = registrations(both)[-1]
        assert ([one.entry.path for one in last.added], last.removed) == (["00"], ())
        # It is the same after a restart, and a change before the last path that is told is told.
        await both.weak_restarts()
        await both.catalog.change("public", [entry("005"), entry("98")])
        await both.talk()
        assert sorted(both.at_super()) == sorted([*names[:19], "005"])
        await both.catalog.change("public", [entry("006")])
        await both.talk()
        assert sorted(both.at_super()) == sorted([*names[:17], "005", "006"])
        # What there is room for again is told, all of it.
        await both.catalog.change("public", removed=[*names[1:12], "98"])
        await both.talk()
        assert sorted(both.at_super()) == sorted(await listed(both))

    asyncio.run(scenario())


async def listed(both: Both) -> list[str]:
    return [one.entry.path for one in await both.catalog.page("", both.catalog.all_numbers())]


def test_who_is_refused_keeps_its_lease_and_tries_again(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        both = Both()
        both.config = DirectoryConfig(entries_total_max=2)
        both.super_restarts()
        await both.weak_restarts()
        await both.catalog.change("public", [entry("a"), entry("b"), entry("c")])
        for _ in range(REFUSALS_MAX - 1):
            both.clock.time += 20
            await both.talk()
            assert WEAK.peer_id in both.super_peer.leases
        assert caplog.text.count("there is no room for more entries") == 1
        with pytest.raises(NotTaken):
            await both.talk()
        await both.catalog.change("public", removed=["c"])
        await both.talk()
        assert set(both.at_super()) == {"a", "b"}

    asyncio.run(scenario())


def test_what_no_entry_can_be_called_is_in_no_message() -> None:
    """An older version listed it."""
    long = "/".join(["x" * 200] * 21)

    async def scenario() -> None:
        both = Both()
        await both.weak_restarts()
        await both.catalog.change("public", [entry("a"), entry("b")])
        rename = "UPDATE catalog_entry SET path = ? WHERE path = 'a'"
        both.database.connection.execute(rename, (long,))
        await both.talk()
        await both.catalog.change("public", [entry("c")], [long])
        await both.talk()
        assert set(both.at_super()) == {"b", "c"}
        assert all(long not in one.removed for one in registrations(both))

    asyncio.run(scenario())


class Liar:
    """Says that it has more than there is, whatever it is sent."""

    def __init__(self, both: Both, epoch: int) -> None:
        self.both, self.epoch = both, epoch
        self.asked: list[Call] = []

    async def ask(self, call: Call) -> Answer:
        self.asked.append(call)
        return Held((self.epoch, 5))


@pytest.mark.parametrize("ahead_s", [-100, 3600, 86400 * 365 * 1000])
def test_a_super_peer_that_claims_more_than_there_is_numbers_nothing(ahead_s: int) -> None:
    async def scenario() -> None:
        both = Both()
        await both.weak_restarts()
        await both.catalog.change("public", [entry("a")])
        liar = Liar(both, both.catalog.position.epoch + 200_000 + ahead_s * 1000)
        for _ in range(10):
            both.clock.time += 1
            with pytest.raises(ProtocolViolation, match="which never were"):
                await both.new_session().tell_all(liar)
        assert both.catalog.position.epoch <= both.clock.wall() * 1000
        await both.catalog.change("public", [entry("b")])
        await both.talk()
        assert set(both.at_super()) == {"a", "b"}

    asyncio.run(scenario())


def test_a_clock_that_is_set_back_locks_nobody_out() -> None:
    async def scenario() -> None:
        both = Both()
        both.clock.ahead_s = 86400 * 365
        await both.weak_restarts()
        await both.catalog.change("public", [entry("a")])
        await both.talk()
        both.super_peer.leave(WEAK.peer_id)
        both.clock.ahead_s = 0
        await both.weak_restarts()
        await both.catalog.change("public", [entry("b")])
        assert await both.talk()
        assert WEAK.peer_id in both.super_peer.leases
        assert set(both.at_super()) == {"a", "b"}
        assert await both.talk()

    asyncio.run(scenario())


def test_no_super_peer_can_use_up_the_numbers_of_leases() -> None:
    async def scenario() -> None:
        both = Both()
        await both.weak_restarts()

        class Greedy(Liar):
            async def ask(self, call: Call) -> Answer:
                self.asked.append(call)
                return RefusedAnswer(Reason.BAD, lease_seq=(1 << 64) - 1)

        greedy = Greedy(both, 0)
        with pytest.raises(Refused):
            await both.session.tell_all(greedy)
        assert len(greedy.asked) == 1
        numbers = LeaseNumbers(both.clock)
        assert numbers.go_above(key(5).peer_id, NUMBER_MAX - 1)
        for _ in range(2):
            sealed = numbers.seal(WEAK, SUPER.peer_id, 60)
            assert Lease.open(sealed).seq <= both.clock.wall() * 1000 + 5
        numbers_there = [Lease.open(numbers.seal(WEAK, key(5).peer_id, 60)).seq for _ in range(2)]
        assert numbers_there == [NUMBER_MAX, NUMBER_MAX + 1]
        for number in range(10, 10 + NUMBERED_MAX):
            numbers.go_above(key(number).peer_id, NUMBER_MAX - 1)
        assert Lease.open(numbers.seal(WEAK, key(5).peer_id, 60)).seq < NUMBER_MAX - 1

    asyncio.run(scenario())


def test_a_snapshot_of_another_scope_that_is_cut_off_is_sent_again() -> None:
    asyncio.run(play([("put", "a", 1, "friends"), ("talk", []), ("no friend",), ("talk", ["ok", "lost"])]))


def test_what_was_told_early_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that a delta told as it is now, later than the change that the delta ends with."""

    async def scenario() -> None:
        both = Both()
        await both.weak_restarts()
        await both.catalog.change("public", [entry("b")])
        await both.talk()
        await both.catalog.change("nobody", [entry("a")])
        await both.catalog.change("public", [entry("a")])
        monkeypatch.setattr(catalog_module, "CHANGES", 1)
        await both.talk(iter(["ok", "ok", "lost"]))
        assert set(both.at_super()) == {"a", "b"}
        await both.catalog.change("nobody", [entry("a")])
        monkeypatch.setattr(catalog_module, "CHANGES", 1000)
        await both.talk()
        assert set(both.at_super()) == {"b"}

    asyncio.run(scenario())


def test_a_clock_that_was_set_back_costs_no_lease() -> None:
    async def main() -> None:
        both = Both()
        await both.weak_restarts()
        assert await both.talk()
        known = both.super_peer.leases.number_of(WEAK.peer_id)
        both.clock.wall = lambda: 0.0  # type: ignore[method-assign]
        both.session = both.new_session()
        assert await both.talk()
        assert both.super_peer.leases.number_of(WEAK.peer_id) == (known or 0) + 1

    asyncio.run(main())


@pytest.mark.parametrize("known", [NUMBER_MAX, (1 << 64) - 1])
def test_a_super_peer_that_claims_to_know_a_number_near_the_last_is_not_believed(known: int) -> None:
    numbers = LeaseNumbers(Clock())
    before = Lease.open(numbers.seal(WEAK, SUPER.peer_id, 60)).seq
    assert not numbers.go_above(SUPER.peer_id, known)
    assert Lease.open(numbers.seal(WEAK, SUPER.peer_id, 60)).seq == before + 1


def test_numbers_never_fall_for_what_a_super_peer_claims() -> None:
    numbers = LeaseNumbers(Clock())
    before = Lease.open(numbers.seal(WEAK, SUPER.peer_id, 60)).seq
    numbers.go_above(SUPER.peer_id, 0)
    assert Lease.open(numbers.seal(WEAK, SUPER.peer_id, 60)).seq == before + 1


class ToldMore(MemoryIndex):
    """Knows from another super-peer how far the owner was."""

    def __init__(self, position: Position) -> None:
        super().__init__()
        self.told = position

    async def replace(self, owner: PeerId, epoch: int, seq: int, entries: Iterable[Registered]) -> None:
        if (epoch, seq) < self.told:
            raise Gap(self.told)
        await super().replace(owner, epoch, seq, entries)


def test_who_told_another_super_peer_of_what_it_lost_numbers_anew() -> None:
    async def scenario() -> None:
        both = Both()
        await both.weak_restarts()
        await both.catalog.change("public", [entry("a")])
        epoch, seq = both.catalog.position
        both.index = ToldMore(Position(epoch, seq + 5))
        both.super_restarts()
        both.clock.time += 1
        assert await both.talk()
        assert both.catalog.position.epoch > epoch
        assert set(both.at_super()) == {"a"}

    asyncio.run(scenario())
