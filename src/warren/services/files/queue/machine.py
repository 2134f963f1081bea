"""What runs next: the queue as a pure machine.

In:  what the user wants of each transfer, how each attempt ended, who came; the time and the minute of the
day as arguments, chance as a number. Out: `Turn`s: which transfers to start and to stop now, and for which to
see whether the disk has room.

    queued   -> running                    there is a place, or one of lower priority gives up its own
    running  -> done | failed | queued     it ended; it cannot mend; another goes first
    running  -> waiting                    nobody who has it is there: tried again ever less often, or when
                                           somebody comes, in places that nothing queued wants
    running  -> queued (busy)              who has it serves others, or other transfers of ours: until one of
                                           these ended, else tried again ever less often
    running  -> paused (disk)              until there is room, looked at ever less often
    any of these <-> paused (hours)        outside its hours, until they begin
    any but done -> paused (user)          until the user says so

Among equals who came first goes first; what runs is not stopped for an equal. The numbers are the caller's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from warren.core.errors import InputError, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.services.files.queue.outcomes import Verdict
    from warren.services.files.queue.window import Window

State: TypeAlias = Literal["queued", "running", "waiting", "paused", "failed", "done"]
Cause: TypeAlias = Literal["", "user", "disk", "hours", "busy"]

PRIORITY_DEFAULT: Final = 5
PRIORITY_MAX: Final = 9
RETRY_S: Final = 15.0
"""Before the second attempt where nobody was there, doubled after each that brought nothing."""
RETRY_MAX_S: Final = 1800.0
ANYBODY_S: Final = 60.0
"""At least between two attempts that are made because somebody came who may have it, or not."""
SETTLE_S: Final = 2.0
"""After somebody came: until then it has said what it is."""
BUSY_S: Final = 5.0
"""Before the second attempt where who has it had no place for us, doubled after each that brought nothing."""
BUSY_MAX_S: Final = 60.0
FREE_S: Final = 0.2
"""After a transfer ended: until then its source has noticed, and has a place for another one."""
ROOM_S: Final = 10.0
"""Until the second look at a full disk, doubled after each that found it full."""
ROOM_MAX_S: Final = 300.0
ENDED: Final = frozenset({"failed", "done"})


@dataclass(slots=True)
class Place:
    """One transfer in the queue. due_at: when it is tried again, in the clock's seconds; while it waits, is
    busy, or the disk is full. tried_at: when an attempt last ended. misses: attempts in a row that brought
    nothing. any_hour: its hours do not count until they have begun.
    """

    number: int
    priority: int = PRIORITY_DEFAULT
    window: Window | None = None
    state: State = "queued"
    cause: Cause = ""
    due_at: float = -math.inf
    tried_at: float = -math.inf
    misses: int = 0
    any_hour: bool = False

    def move(self, state: State, cause: Cause = "") -> None:
        """Be in another state."""
        self.state, self.cause = state, cause


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be done now: numbers of transfers. room: whose disk to look at, see `Queue.on_room`."""

    start: tuple[int, ...] = ()
    stop: tuple[int, ...] = ()
    room: tuple[int, ...] = ()


class Queue:
    """See the module's header. active_max: how many run at once."""

    def __init__(self, active_max: int) -> None:
        self._active_max = active_max
        self._places: dict[int, Place] = {}
        self._ran: frozenset[int] = frozenset()

    # --- what the user wants ------------------------------------------------------------------------------

    def add(self, place: Place) -> None:
        """Take one up, of a number that is not there."""
        self._places[place.number] = place

    def remove(self, number: int) -> Place:
        """Let one go; whoever runs it has to stop. Raises `NotFound`."""
        place = self[number]
        del self._places[number]
        return place

    def pause(self, number: int) -> bool:
        """Keep it from running until `resume`; whether it ran. Raises `NotFound`, `InputError`."""
        place = self[number]
        if place.state in ENDED:
            hint = (
                "try it again: warren transfer retry"
                if place.state == "failed"
                else "there is nothing left of it to do"
            )
            raise InputError(f"transfer {number} is {place.state}", hint=hint)
        ran = place.state == "running"
        place.move("paused", "user")
        return ran

    def resume(self, number: int) -> None:
        """Let it run as soon as there is a place, also one that failed, and outside its hours.

        Raises `NotFound`, and `InputError` for one that is done.
        """
        place = self[number]
        _check_undone(place)
        place.any_hour = True
        if place.state not in {"running", "queued"} or place.cause == "busy":
            place.misses = 0
            place.move("queued")

    def take_up_again(self, number: int) -> None:
        """The user wants it once more: it runs in its turn and its hours.

        Raises `NotFound`, and `InputError` for one that is done.
        """
        place = self[number]
        _check_undone(place)
        if place.state in {"paused", "waiting", "failed"} or place.cause == "busy":
            place.misses = 0
            place.move("queued")

    def set_priority(self, number: int, priority: int) -> None:
        """0 to 9: higher goes first. Raises `NotFound`, `InputError`."""
        check_priority(priority)
        self[number].priority = priority

    def set_window(self, number: int, window: Window | None) -> None:
        """Its hours; None: any. Raises `NotFound`."""
        place = self[number]
        place.window, place.any_hour = window, False

    def set_active_max(self, active_max: int) -> None:
        """How many run at once."""
        self._active_max = active_max

    # --- what happens -------------------------------------------------------------------------------------

    def on_progress(self, number: int) -> None:
        """It brought something."""
        if (place := self._places.get(number)) is not None:
            place.misses = 0

    def on_ended(self, number: int, verdict: Verdict, now: float, chance: float) -> None:
        """An attempt ended by itself. chance: from 0 to 1, so that not all try again at once.

        One that was stopped meanwhile stays what it is, unless it was done before it knew.
        """
        place = self._places.get(number)
        if place is None or (place.state != "running" and verdict != "done"):
            return
        place.tried_at = now
        match verdict:
            case "done" | "failed":
                place.move(verdict)
            case "waiting":
                place.move("waiting")
                self._put_off(place, RETRY_S, RETRY_MAX_S, now, chance)
            case "busy":
                place.move("queued", "busy")
                self._put_off(place, BUSY_S, BUSY_MAX_S, now, chance)
            case "full":
                place.move("paused", "disk")
                self._put_off(place, ROOM_S, ROOM_MAX_S, now, chance)

    def on_holder(self, number: int) -> None:
        """Somebody came who should have it."""
        place = self._places.get(number)
        if place is not None and place.state == "waiting":
            place.misses = 0
            place.move("queued")

    def on_anybody(self, number: int, now: float) -> None:
        """Somebody came who may have it, or not."""
        place = self._places.get(number)
        if place is not None and place.state == "waiting":
            place.due_at = min(place.due_at, max(now + SETTLE_S, place.tried_at + ANYBODY_S))

    def on_room(self, number: int, now: float, chance: float, *, is_room: bool) -> None:
        """What a look at its disk found."""
        place = self._places.get(number)
        if place is None or place.cause != "disk":
            return
        if is_room:
            place.move("queued")
        else:
            self._put_off(place, ROOM_S, ROOM_MAX_S, now, chance)

    def _put_off(self, place: Place, least_s: float, most_s: float, now: float, chance: float) -> None:
        """Half of the wait is left to chance."""
        wait_s = min(least_s * 2.0**place.misses, most_s)
        place.due_at = now + wait_s * (1 + chance) / 2
        place.misses = min(place.misses + 1, 16)

    # --- what to do ---------------------------------------------------------------------------------------

    def look(self, now: float, minute: int) -> Turn:
        """Decide, and take it as done: what is to be started runs, what is to be stopped does not."""
        running = {place.number for place in self if place.state == "running"}
        for place in self:
            self._mind_hours(place, minute)
        self._mind_busy(now)
        wanting = sorted((place for place in self if _wants_to_run(place, now)), key=_rank)
        chosen = wanting[: self._active_max]
        due = sorted((one for one in self if one.state == "waiting" and one.due_at <= now), key=_rank)
        for place in wanting[self._active_max :]:
            place.move("queued", "busy" if place.cause == "busy" else "")
        for place in (*chosen, *due[: self._active_max - len(chosen)]):
            place.move("running")
        now_running = {place.number for place in self if place.state == "running"}
        self._ran = frozenset(now_running)
        room = tuple(place.number for place in self if place.cause == "disk" and place.due_at <= now)
        return Turn(tuple(sorted(now_running - running)), tuple(sorted(running - now_running)), room)

    def next_look(self, now: float, minute_s: float) -> float:
        """After how many seconds something may change by itself, with nothing from outside; inf: never.

        minute_s: until the next minute of the day begins.
        """
        waits = [place.due_at - now for place in self if place.cause == "disk"]
        if sum(place.state == "running" for place in self) < self._active_max:  # else a place is waited for
            waits += [
                place.due_at - now for place in self if place.state == "waiting" or place.cause == "busy"
            ]
        waits += [minute_s for place in self if place.window is not None and place.state not in ENDED]
        return max(min(waits, default=math.inf), 0.0)

    def _mind_busy(self, now: float) -> None:
        """Where a transfer ended, or was stopped, its source may have a place for one that found none."""
        busy = [place for place in self if place.cause == "busy"]
        left = self._ran.difference(place.number for place in self if place.state == "running")
        if left.difference(place.number for place in busy):
            for place in busy:
                place.due_at = min(place.due_at, now + FREE_S)

    def _mind_hours(self, place: Place, minute: int) -> None:
        is_open = place.window is None or place.window.is_open(minute)
        if is_open:
            place.any_hour = False
        if place.cause == "hours" and (is_open or place.any_hour):
            place.move("queued")
        elif place.state in {"queued", "running", "waiting"} and not (is_open or place.any_hour):
            place.move("paused", "hours")

    # --- what there is ------------------------------------------------------------------------------------

    def __getitem__(self, number: int) -> Place:
        place = self._places.get(number)
        if place is None:
            raise NotFound(f"there is no transfer {number}", hint="list them: warren transfer list")
        return place

    def __contains__(self, number: int) -> bool:
        return number in self._places

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places.values())

    def __len__(self) -> int:
        return len(self._places)

    @property
    def unended(self) -> int:
        """How many have neither failed nor are done."""
        return sum(place.state not in ENDED for place in self._places.values())


def check_priority(priority: int) -> int:
    """The priority, if it is one. Raises `InputError`."""
    if not 0 <= priority <= PRIORITY_MAX:
        raise InputError(f"{priority} is no priority", hint=f"0 to {PRIORITY_MAX}; higher goes first")
    return priority


def _check_undone(place: Place) -> None:
    """Raises `InputError` for what is done."""
    if place.state == "done":
        raise InputError(f"transfer {place.number} is done", hint="fetch it again with: warren get")


def _wants_to_run(place: Place, now: float) -> bool:
    """Whether it runs, or would run now if there were a place."""
    if place.cause == "busy" and place.due_at > now:
        return False
    return place.state in {"queued", "running"}


def _rank(place: Place) -> tuple[int, bool, int]:
    return -place.priority, place.state != "running", place.number
