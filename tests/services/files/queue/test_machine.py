from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from warren.core.errors import InputError, NotFound
from warren.services.files.queue.machine import (
    ANYBODY_S,
    BUSY_MAX_S,
    BUSY_S,
    ENDED,
    FREE_S,
    PRIORITY_DEFAULT,
    PRIORITY_MAX,
    RETRY_MAX_S,
    RETRY_S,
    ROOM_MAX_S,
    ROOM_S,
    SETTLE_S,
    Place,
    Queue,
    Turn,
)
from warren.services.files.queue.window import MINUTES, Window

if TYPE_CHECKING:
    from warren.services.files.queue.outcomes import Verdict

NIGHT = Window.parse("22:00-06:00")
DAY, LATE = 12 * 60, 23 * 60


def filled(count: int, active_max: int = 2, **more: object) -> Queue:
    queue = Queue(active_max)
    for number in range(1, count + 1):
        queue.add(Place(number, **more))  # type: ignore[arg-type]
    return queue


def states(queue: Queue) -> str:
    return " ".join(
        f"{place.number}:{place.state}{'/' + place.cause if place.cause else ''}" for place in queue
    )


def test_so_many_run_and_who_came_first_goes_first() -> None:
    queue = filled(4)
    assert queue.look(0, DAY) == Turn(start=(1, 2))
    assert queue.look(0, DAY) == Turn()
    queue.on_ended(1, "done", 1, 0)
    assert queue.look(1, DAY) == Turn(start=(3,))
    queue.on_ended(2, "failed", 1, 0)
    assert queue.look(1, DAY) == Turn(start=(4,))
    assert states(queue) == "1:done 2:failed 3:running 4:running"
    assert queue.unended == 2
    assert len(queue) == 4
    assert 4 in queue
    assert math.isinf(queue.next_look(1, 60))


def test_a_higher_priority_takes_the_place_of_a_lower_one_and_an_equal_one_does_not() -> None:
    queue = filled(3)
    queue.look(0, DAY)
    queue.add(Place(4, PRIORITY_DEFAULT))
    assert queue.look(0, DAY) == Turn()
    queue.set_priority(4, PRIORITY_MAX)
    assert queue.look(0, DAY) == Turn(start=(4,), stop=(2,))
    assert states(queue) == "1:running 2:queued 3:queued 4:running"
    queue.set_priority(1, 0)
    assert queue.look(0, DAY) == Turn(start=(2,), stop=(1,))
    for wrong in (-1, PRIORITY_MAX + 1):
        with pytest.raises(InputError, match="is no priority"):
            queue.set_priority(1, wrong)


def test_what_is_paused_rests_until_it_is_told_to_go_on() -> None:
    queue = filled(1)
    queue.look(0, DAY)
    assert queue.pause(1)
    assert not queue.pause(1)
    queue.on_ended(1, "waiting", 1, 0)
    assert queue.look(1e9, DAY) == Turn()
    assert states(queue) == "1:paused/user"
    queue.resume(1)
    assert queue.look(1e9, DAY) == Turn(start=(1,))
    queue.resume(1)
    assert queue.look(1e9, DAY) == Turn()


def test_what_was_done_before_it_knew_of_the_pause_is_done() -> None:
    queue = filled(1)
    queue.look(0, DAY)
    queue.pause(1)
    queue.on_ended(1, "done", 1, 0)
    assert states(queue) == "1:done"


def test_ended_ones_cannot_be_paused_and_only_failed_ones_are_resumed() -> None:
    queue = filled(2)
    queue.look(0, DAY)
    queue.on_ended(1, "done", 1, 0)
    queue.on_ended(2, "failed", 1, 0)
    for number in (1, 2):
        with pytest.raises(InputError):
            queue.pause(number)
    with pytest.raises(InputError, match="is done"):
        queue.resume(1)
    queue.resume(2)
    assert queue.look(1, DAY) == Turn(start=(2,))


def test_without_holders_it_is_tried_ever_less_often() -> None:
    queue = filled(1)
    queue.look(0, DAY)
    now, waits = 0.0, []
    for _ in range(12):
        queue.on_ended(1, "waiting", now, 1.0)
        waits.append(queue.next_look(now, 60))
        assert queue.look(now + waits[-1] - 0.001, DAY) == Turn()
        now += waits[-1]
        assert queue.look(now, DAY) == Turn(start=(1,))
    assert waits[:3] == [RETRY_S, 2 * RETRY_S, 4 * RETRY_S]
    assert waits[-1] == RETRY_MAX_S
    queue.on_progress(1)
    queue.on_ended(1, "waiting", now, 0.0)
    assert queue.next_look(now, 60) == RETRY_S / 2


def test_a_holder_that_comes_ends_the_wait() -> None:
    queue = filled(1)
    queue.look(0, DAY)
    queue.on_ended(1, "waiting", 0, 0)
    queue.on_holder(1)
    assert queue.look(0, DAY) == Turn(start=(1,))
    queue.on_holder(1)
    queue.on_holder(9)
    assert queue.look(0, DAY) == Turn()


def test_anybody_who_comes_is_asked_but_not_all_the_time() -> None:
    queue = filled(1)
    queue.look(0, DAY)
    for _ in range(8):
        queue.on_ended(1, "waiting", 0, 1.0)
        queue.on_holder(1)
        queue.look(0, DAY)
    queue.on_anybody(1, 0)
    queue.on_ended(1, "waiting", 1000, 1.0)
    assert queue.next_look(1000, 60) == RETRY_S
    for _ in range(8):
        queue.look(1e6, DAY)
        queue.on_ended(1, "waiting", 1000, 1.0)
    queue.on_anybody(1, 1001)
    assert queue.next_look(1001, 60) == ANYBODY_S - 1
    queue.on_anybody(1, 1500)
    assert queue.next_look(1500, 60) == 0.0
    assert queue.look(1500, DAY) == Turn(start=(1,))
    queue.on_anybody(7, 1500)


def test_who_comes_late_has_time_to_say_what_it_is() -> None:
    queue = filled(1)
    queue.look(0, DAY)
    for _ in range(9):
        queue.on_ended(1, "waiting", 0, 1.0)
        queue.look(1e6, DAY)
    queue.on_ended(1, "waiting", 0, 1.0)
    queue.on_anybody(1, 100)
    assert queue.next_look(100, 60) == SETTLE_S


def test_what_waits_takes_only_places_that_nothing_queued_wants() -> None:
    queue = filled(1)
    queue.look(0, DAY)
    queue.on_ended(1, "waiting", 0, 0)
    for number in (2, 3):
        queue.add(Place(number, 0))
    assert queue.look(1e6, DAY) == Turn(start=(2, 3))
    queue.on_ended(2, "done", 1e6, 0)
    assert queue.look(1e6, DAY) == Turn(start=(1,))


def test_what_waits_for_a_place_is_not_looked_at_again_and_again() -> None:
    queue = filled(1)
    queue.look(0, DAY)
    queue.on_ended(1, "waiting", 0, 0)
    for number in (2, 3):
        queue.add(Place(number))
    queue.look(0, DAY)
    queue.look(1e6, DAY)
    assert states(queue) == "1:waiting 2:running 3:running"
    assert math.isinf(queue.next_look(1e6, 60))
    queue.on_ended(2, "done", 1e6, 0)
    assert queue.next_look(1e6, 60) == 0


def test_who_finds_no_place_at_its_source_goes_on_once_another_of_them_ended() -> None:
    queue = filled(4, active_max=4)
    queue.look(0, DAY)
    queue.on_ended(3, "busy", 1, 1)
    queue.on_ended(4, "busy", 1, 1)
    assert queue.look(1, DAY) == Turn()
    assert states(queue) == "1:running 2:running 3:queued/busy 4:queued/busy"
    assert queue.next_look(1, 60) == BUSY_S
    queue.on_ended(1, "done", 2, 0)
    assert queue.look(2, DAY) == Turn()
    assert queue.next_look(2, 60) == pytest.approx(FREE_S)
    assert queue.look(2 + FREE_S, DAY) == Turn(start=(3, 4))
    queue.on_ended(4, "busy", 3, 1)
    assert queue.look(3, DAY) == Turn(), "that it ended made no place"
    queue.pause(2)
    queue.look(4, DAY)
    assert queue.look(4 + FREE_S, DAY) == Turn(start=(4,)), "what is paused makes one"


def test_where_no_place_comes_it_is_tried_ever_less_often() -> None:
    queue = filled(1)
    now, waits = 0.0, []
    for _ in range(8):
        assert queue.look(now, DAY) == Turn(start=(1,))
        queue.on_ended(1, "busy", now, 1)
        waits.append(queue.next_look(now, 60))
        now += waits[-1]
    assert waits == [5, 10, 20, 40, BUSY_MAX_S, BUSY_MAX_S, BUSY_MAX_S, BUSY_MAX_S]


def test_who_is_busy_keeps_no_place_from_others() -> None:
    queue = filled(3, active_max=1)
    queue.look(0, DAY)
    queue.on_ended(1, "busy", 0, 1)
    assert queue.look(0, DAY) == Turn(start=(2,))
    queue.resume(1)
    assert states(queue) == "1:queued 2:running 3:queued"
    queue.on_ended(2, "busy", 1, 1)
    assert queue.look(1, DAY) == Turn(start=(1,))
    queue.take_up_again(2)
    assert states(queue) == "1:running 2:queued 3:queued"


def test_a_full_disk_is_looked_at_until_there_is_room() -> None:
    queue = filled(1)
    queue.look(0, DAY)
    queue.on_ended(1, "full", 0, 1.0)
    assert states(queue) == "1:paused/disk"
    assert queue.look(ROOM_S - 1, DAY) == Turn()
    now, waits = ROOM_S, []
    for _ in range(8):
        assert queue.look(now, DAY) == Turn(room=(1,))
        queue.on_room(1, now, 1.0, is_room=False)
        waits.append(queue.next_look(now, 60))
        now += waits[-1]
    assert waits[0] == 2 * ROOM_S
    assert waits[-1] == ROOM_MAX_S
    queue.on_room(1, now, 1.0, is_room=True)
    assert queue.look(now, DAY) == Turn(start=(1,))
    queue.on_room(1, now, 1.0, is_room=False)
    queue.on_room(8, now, 1.0, is_room=False)
    assert states(queue) == "1:running"


def test_it_runs_in_its_hours() -> None:
    queue = filled(2, window=NIGHT)
    assert queue.look(0, DAY) == Turn()
    assert states(queue) == "1:paused/hours 2:paused/hours"
    assert queue.next_look(0, 17.0) == 17.0
    assert queue.look(1, LATE) == Turn(start=(1, 2))
    queue.on_ended(2, "waiting", 1, 0)
    assert queue.look(2, DAY) == Turn(stop=(1,))
    queue.set_window(1, None)
    assert queue.look(3, DAY) == Turn(start=(1,))
    assert states(queue) == "1:running 2:paused/hours"


def test_told_to_go_on_it_runs_outside_its_hours_until_they_have_been() -> None:
    queue = filled(1, window=NIGHT)
    queue.look(0, DAY)
    queue.resume(1)
    assert queue.look(0, DAY) == Turn(start=(1,))
    assert queue.look(0, LATE) == Turn()
    assert queue.look(0, DAY) == Turn(stop=(1,))


def test_taken_up_again_it_keeps_to_its_hours() -> None:
    queue = filled(1, window=NIGHT)
    queue.pause(1)
    queue.take_up_again(1)
    assert queue.look(0, DAY) == Turn()
    assert queue.look(0, LATE) == Turn(start=(1,))
    queue.take_up_again(1)
    assert queue.look(0, LATE) == Turn()


def test_what_is_let_go_is_unknown() -> None:
    queue = filled(1)
    queue.look(0, DAY)
    assert queue.remove(1).number == 1
    queue.on_ended(1, "done", 0, 0)
    queue.on_progress(1)
    for call in (queue.remove, queue.pause, queue.resume, queue.take_up_again):
        with pytest.raises(NotFound, match="no transfer 1"):
            call(1)
    assert 1 not in queue


class Anything(RuleBasedStateMachine):
    """Whatever users and the world do: places are used, nothing runs that must not, all that may run will."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue(3)
        self.now, self.minute = 0.0, 0
        self.running: set[int] = set()
        self.added = 0
        self.looked = False

    @property
    def places(self) -> list[Place]:
        return list(self.queue)

    @rule(priority=st.integers(0, PRIORITY_MAX), window=st.none() | st.just(NIGHT))
    def add(self, priority: int, window: Window | None) -> None:
        self.added += 1
        self.queue.add(Place(self.added, priority, window))
        self.looked = False

    @precondition(lambda self: self.places)
    @rule(data=st.data(), what=st.sampled_from(["pause", "resume", "remove", "take_up_again"]))
    def want(self, data: st.DataObject, what: str) -> None:
        place = data.draw(st.sampled_from(self.places))
        refused = (what == "pause" and place.state in ENDED) or (
            what in {"resume", "take_up_again"} and place.state == "done"
        )
        try:
            getattr(self.queue, what)(place.number)
            assert not refused
        except InputError:
            assert refused
        if what in {"pause", "remove"} and not refused:  # whoever says so stops it
            self.running.discard(place.number)
        self.looked = False

    @precondition(lambda self: self.running)
    @rule(
        data=st.data(),
        verdict=st.sampled_from(["done", "failed", "waiting", "full", "busy"]),
        chance=st.floats(0, 1),
    )
    def end(self, data: st.DataObject, verdict: Verdict, chance: float) -> None:
        number = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(number)
        self.queue.on_ended(number, verdict, self.now, chance)
        self.looked = False

    @rule(seconds=st.floats(0, 4000), minutes=st.integers(0, MINUTES))
    def wait(self, seconds: float, minutes: int) -> None:
        self.now += seconds
        self.minute = (self.minute + minutes) % MINUTES
        self.looked = False

    @rule(is_room=st.booleans())
    def look(self, is_room: bool) -> None:
        turn = self.queue.look(self.now, self.minute)
        assert not set(turn.start) & set(turn.stop)
        self.running -= set(turn.stop)
        self.running |= set(turn.start)
        for number in turn.room:
            self.queue.on_room(number, self.now, 0.5, is_room=is_room)
        self.looked = not turn.room

    @invariant()
    def places_are_bounded(self) -> None:
        assert sum(place.state == "running" for place in self.places) <= 3

    @invariant()
    def causes_are_of_pauses(self) -> None:
        for place in self.places:
            causes = {"paused": {"user", "disk", "hours"}, "queued": {"", "busy"}}
            assert place.cause in causes.get(place.state, {""})

    @invariant()
    def no_place_is_left_empty(self) -> None:
        if not self.looked:
            return
        held = [one for one in self.places if one.cause == "busy" and one.due_at > self.now]
        states = [place.state for place in self.places if place not in held]
        assert {place.number for place in self.places if place.state == "running"} == self.running
        if states.count("running") < 3:
            assert "queued" not in states
            assert not [one for one in self.places if one.state == "waiting" and one.due_at <= self.now]
        lowest = min((one.priority for one in self.places if one.state == "running"), default=-1)
        assert all(one.priority <= lowest for one in self.places if one.state == "queued" and one not in held)
        for place in self.places:
            if place.state == "running":
                assert place.window is None or place.any_hour or place.window.is_open(self.minute)
        assert self.queue.next_look(self.now, 60.0) >= 0


TestAnything = Anything.TestCase
TestAnything.settings = settings(max_examples=40, stateful_step_count=40)
