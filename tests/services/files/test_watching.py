"""When folders are looked at: bursts, endless writers, floods, by a clock of numbers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.services.files import watching
from warren.services.files.watching import (
    AGAIN_S,
    CALM_S,
    FOLDERS_MAX,
    NAMES_MAX,
    PATIENCE_MAX_S,
    PATIENCE_S,
    REST_MAX_S,
    SETTLE_S,
    WHOLE_WAIT_MAX_S,
    Look,
    Watching,
)


def looks_until(machine: Watching, end: float) -> list[tuple[float, Look]]:
    """All looks up to a time, each at the time when it was due."""
    found: list[tuple[float, Look]] = []
    while (due := machine.due()) is not None and due <= end:
        found += [(due, look) for look in machine.take(due)]
    return found


def test_nothing_told_is_nothing_due() -> None:
    machine = Watching()
    assert machine.due() is None
    assert machine.take(1e9) == []


def test_a_burst_is_one_look_when_it_is_quiet() -> None:
    machine = Watching()
    for tick in range(20):
        for name in ("one", "other"):
            machine.changed("sub", name, tick / 100)
    assert machine.take(0.19 + SETTLE_S - 0.001) == []
    names = frozenset(("one", "other"))
    assert looks_until(machine, 10) == [(0.19 + SETTLE_S, Look("sub", names=names))]
    assert machine.due() is None


def test_an_endless_writer_is_looked_at_ever_more_seldom_and_starves_nobody() -> None:
    machine = Watching()
    times = []
    now = 0.0
    while now < 1000:
        machine.changed("", "log", now)
        if round(now * 10) == 50:
            machine.changed("", "other", now)
        times += [(now, look.busy) for look in machine.take(now)]
        now += 0.1
    first, *forced = times
    assert first[1] == {"log"}  # when `other` was quiet
    assert 5 + SETTLE_S <= first[0] < 5 + SETTLE_S + 0.11
    waits = [later - sooner for (sooner, _), (later, _) in itertools.pairwise(forced)]
    assert abs(forced[0][0] - PATIENCE_S) < 0.2
    assert all(busy == frozenset() for _, busy in forced)
    assert [round(wait / PATIENCE_S) for wait in waits] == [2, 4, 8, 16, 32, 32]
    assert max(waits) <= PATIENCE_MAX_S + 0.2
    assert looks_until(machine, now + 1)[0][1] == Look(
        "", names=frozenset(("log",))
    )  # and once it is quiet, at once
    assert machine.due() is None


def test_what_changed_while_it_was_hashed_is_tried_again_ever_more_seldom() -> None:
    machine = Watching()
    now, waits = 0.0, []
    for _ in range(14):
        machine.again("a", "b", now)
        ((due, look),) = looks_until(machine, now + 2 * PATIENCE_MAX_S)
        assert look == Look("a", names=frozenset("b"))
        waits.append(round((due - now) / AGAIN_S, 3))
        now = due
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert max(waits) * AGAIN_S == pytest.approx(PATIENCE_MAX_S)
    machine.again("a", "b", now + CALM_S + PATIENCE_MAX_S)
    last = machine.due()
    assert last is not None
    assert round(last - now - CALM_S - PATIENCE_MAX_S, 3) == AGAIN_S


def test_a_folder_told_as_a_whole_does_not_wait_for_ever() -> None:
    machine = Watching()
    machine.changed("sub", "name", 0)
    machine.whole("sub", 0, deep=True)
    now = 0.0
    while not (found := machine.take(now)):
        machine.whole("sub", now)
        machine.changed("sub", "name", now)
        now += 0.05
    assert abs(now - WHOLE_WAIT_MAX_S) < 0.06
    assert found == [Look("sub", deep=True)]
    assert machine.due() is None


def test_after_a_long_look_it_rests_but_not_for_ever() -> None:
    machine = Watching()
    machine.looked(10, REST_MAX_S / 2)
    machine.changed("", "x", 10)
    assert machine.take(10 + REST_MAX_S * 0.49) == []
    assert machine.due() == 10 + REST_MAX_S / 2
    assert machine.take(10 + REST_MAX_S / 2) == [Look("", names=frozenset("x"))]
    machine.looked(20, 3600)
    machine.changed("", "x", 20)
    assert machine.due() == 20 + REST_MAX_S


def test_a_flood_of_names_and_of_folders_is_looked_at_as_a_whole() -> None:
    machine = Watching()
    for number in range(NAMES_MAX + 10):
        machine.changed("sub", str(number), 0)
    assert machine.take(1) == [Look("sub")]
    for number in range(FOLDERS_MAX + 10):
        machine.changed(str(number), "x", 2)
    looks = machine.take(3)
    assert Look("", deep=True) in looks
    assert len(looks) <= 10


def test_files_that_are_never_hashed_take_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "FOLDERS_MAX", 5)
    machine = Watching()
    for number in range(100):
        machine.again("", str(number), number)
    assert len(machine._again) <= 5


happenings = st.lists(
    st.tuples(
        st.sampled_from(["changed", "whole", "deep", "again", "take", "looked"]),
        st.sampled_from(["", "a", "a/b"]),
        st.sampled_from(["x", "y", "z"]),
        st.floats(0, 2),
    ),
    max_size=60,
)


@given(happenings)
def test_whatever_is_told_is_looked_at_after_it_was_told(told: list[tuple[str, str, str, float]]) -> None:
    """No hint is lost: for each, a look at its name or its whole folder comes later, where it is not busy."""
    machine = Watching()
    now = 0.0
    wanted: dict[tuple[str, str], float] = {}

    def take(at: float) -> None:
        for look in machine.take(at):
            for folder, name in list(wanted):
                is_meant = look.names is None or name in look.names
                if folder == look.folder and is_meant and name not in look.busy:
                    del wanted[folder, name]

    for what, folder, name, wait in told:
        now += wait
        if what in ("changed", "again"):
            getattr(machine, what)(folder, name, now)
            wanted[folder, name] = now
        elif what in ("whole", "deep"):
            machine.whole(folder, now, deep=what == "deep")
            wanted[folder, ""] = now
        elif what == "looked":
            machine.looked(now, wait)
        else:
            take(now)
    for _ in range(200):
        due = machine.due()
        if due is None:
            break
        now = max(now, due)
        take(now)
    assert wanted == {}
    assert machine.due() is None
    assert machine._count == 0
