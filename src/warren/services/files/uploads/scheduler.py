"""Whose turn it is to be sent to. A pure machine: time comes in as an argument.

In:  who wants to be sent how much, what became of it, what peers gave us. Out: turns, in a fair order, no
more at once than there are slots, no faster than the caps.

Fair means start-time fair queueing (Goyal, Vin, Cheng 1996): each peer has a virtual time that grows by what
it was sent, divided by its weight; the lowest is next. So a peer gets a share in proportion to its weight
whatever it asks for, over however many streams, and nobody starves: weights are bounded. They go up for
contacts, for whom the user favours, and for peers that give to us (as BitTorrent's tit for tat, but no one is
choked).

Few slots make pieces whole soon, so that who has one can pass it on: on a slow line one that is sent, and
what keeps the line busy until the next one begins, `slots` at most. But what holds a turn up may be its
reader, or the way to it, and the line has room: one that takes longer than it would if as many as there are
slots shared all that the line was seen to carry fills half a slot, and all such together leave one to others:
else a few peers on slow lines let nobody have more than they have. One over `SLOW_S` fills none, nor do the
next ones of its peer, until one is quicker. So slow readers hold nobody up.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from warren.services.files.uploads.meter import Meter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warren.core.peer_id import PeerId

SLOW_S: Final = 5.0
HAND_OVER_S: Final = 0.25
"""From a turn that ends to bytes of the next one, at most: a peer has to hear of it, and to ask."""
SLACK: Final = 1.25
"""How many times longer than its share of the line explains a turn may take before others may begin."""
BEST_SPAN_S: Final = 60.0
"""What the line was seen to carry is forgotten in about so long."""
SENT_SPAN_S: Final = 10.0
TURN_BYTES: Final = 1024 * 1024
"""Sent in one turn where nothing is capped: one answer."""
CAPPED_TURN_S: Final = 1 / 200
CAPPED_TURN_BYTES_MIN: Final = 16 * 1024
"""Under a cap turns are of so much time, and not below so many bytes: the rate is even in any second."""
CATCH_UP_S: Final = 0.02
"""What a timer was late may be made up for, up to this: a second has 2 % more than the cap at most."""
GIVER_WEIGHT: Final = 4.0
"""Of who gives us most lately; others in proportion."""
CONTACT_WEIGHT: Final = 4.0
"""Of contacts, against strangers: as much as a stranger can come to who gives to us."""
FAVOURED_WEIGHT: Final = 8.0
"""Of those the user favours, against other contacts."""
GIVEN_SPAN_S: Final = 20.0
IDLE_S: Final = 60.0
"""Nothing is kept of a peer after so long without a turn."""


Standing: TypeAlias = Literal["stranger", "contact", "favoured"]
"""What a peer is to the user."""
_WEIGHTS: Final[dict[Standing, float]] = {
    "stranger": 1.0,
    "contact": CONTACT_WEIGHT,
    "favoured": CONTACT_WEIGHT * FAVOURED_WEIGHT,
}


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """bytes_per_s, peer_bytes_per_s: caps in all and for each peer, 0: none. slots: turns at once; no peer
    has more than `peer_slots`.
    """

    bytes_per_s: int = 0
    peer_bytes_per_s: int = 0
    slots: int = 3
    peer_slots: int = 4


class Turn:
    """The right to send `size` bytes to `peer` now; end it with `Scheduler.end`."""

    __slots__ = ("began", "peer", "size")

    def __init__(self, peer: PeerId, size: int) -> None:
        self.peer = peer
        self.size = size
        self.began = math.inf


class Line:
    """What is known of one peer that is sent to. given: what it gave us. slow: its last turn was."""

    __slots__ = ("active", "free_at", "given", "last", "name", "sent", "slow", "virtual", "waiting")

    def __init__(self, now: float) -> None:
        self.waiting: deque[Turn] = deque()
        self.active: set[Turn] = set()
        self.virtual = 0.0
        self.free_at = 0.0
        self.sent = Meter()
        self.given = Meter(GIVEN_SPAN_S)
        self.last = now
        self.slow = False
        self.name = ""


class Scheduler:
    """See the module's header. standing: what a peer is to the user now."""

    def __init__(self, limits: UploadLimits, standing: Callable[[PeerId], Standing]) -> None:
        self.limits = limits
        self._standing = standing
        self._lines: dict[PeerId, Line] = {}
        self._virtual = 0.0
        self._free_at = 0.0
        self._pruned_at = 0.0
        self._sent = Meter(SENT_SPAN_S)
        self._best_bytes_per_s = self._best_at = 0.0

    def set_limits(self, limits: UploadLimits, now: float) -> None:
        """From now on. What was waited for under the caps before is let off: it was reckoned at another rate,
        and one that was tiny would hold all up for hours.
        """
        self.limits = limits
        self._free_at = min(self._free_at, now)
        for line in self._lines.values():
            line.free_at = min(line.free_at, now)

    def turn_bytes(self) -> int:
        """The most to ask for in one turn."""
        limits = self.limits
        caps = [cap for cap in (limits.bytes_per_s, limits.peer_bytes_per_s) if cap]
        if not caps:
            return TURN_BYTES
        return min(TURN_BYTES, max(CAPPED_TURN_BYTES_MIN, int(min(caps) * CAPPED_TURN_S)))

    def ask(self, peer: PeerId, size: int, now: float) -> Turn:
        """Want to send `size` bytes to `peer`; the turn comes out of `grant`."""
        line = self.line(peer, now)
        if not line.waiting and not line.active:
            # Who was away saved up nothing but a turn: so much those get ahead and behind who are never away.
            line.virtual = max(line.virtual, self._virtual - self.turn_bytes())
        turn = Turn(peer, size)
        line.waiting.append(turn)
        return turn

    def grant(self, now: float) -> tuple[list[Turn], float | None]:
        """The turns that begin now, and when to ask again, if something waits for time alone."""
        granted: list[Turn] = []
        while True:
            if self._free_at > now and self.limits.bytes_per_s:
                return granted, self._free_at if self._anyone_waits() else None
            busy_until = self._slot_free_at(now)
            if busy_until > now:
                return granted, busy_until if math.isfinite(busy_until) else None
            line = min(self._ready(now), key=_finish, default=None)
            if line is None:
                return granted, self._next_peer_at(now)
            granted.append(self._begin(line, now))

    def end(self, turn: Turn, now: float, *, sent: bool = True) -> None:
        """It is over, or is not wanted any more."""
        line = self._lines[turn.peer]
        line.last = now
        if turn not in line.active:
            line.waiting.remove(turn)
            return
        line.active.discard(turn)
        if sent:
            line.slow = now >= turn.began + SLOW_S
            line.sent.add(turn.size, now)
            self._note_sent(turn.size, now)

    def gave(self, peer: PeerId, size: int, now: float) -> None:
        """`peer` sent us so much that was right."""
        self.line(peer, now).given.add(size, now)

    def line(self, peer: PeerId, now: float) -> Line:
        """What is known of `peer`; from now on something is."""
        if now > self._pruned_at + IDLE_S:
            self._pruned_at = now
            for idle in [peer for peer, line in self._lines.items() if _is_idle(line, now)]:
                del self._lines[idle]
        line = self._lines.get(peer)
        if line is None:
            line = self._lines[peer] = Line(now)
        line.last = now
        return line

    def lines(self) -> Iterator[tuple[PeerId, Line]]:
        """All of whom something is known."""
        return iter(self._lines.items())

    def weights(self, now: float) -> dict[PeerId, float]:
        """How many times more than a stranger who gives nothing each peer is sent."""
        given = {peer: line.given.rate(now) for peer, line in self._lines.items()}
        most = max(given.values(), default=0.0) or 1.0
        return {
            peer: (1.0 + (GIVER_WEIGHT - 1.0) * rate / most) * _WEIGHTS[self._standing(peer)]
            for peer, rate in given.items()
        }

    def _note_sent(self, size: int, now: float) -> None:
        self._sent.add(size, now)
        fade = math.exp((self._best_at - now) / BEST_SPAN_S)
        self._best_bytes_per_s = max(self._sent.rate(now), self._best_bytes_per_s * fade)
        self._best_at = now

    # --- choosing -----------------------------------------------------------------------------------------

    def _begin(self, line: Line, now: float) -> Turn:
        turn = line.waiting.popleft()
        turn.began = now
        line.active.add(turn)
        weights = self.weights(now)
        self._go_on(line, turn.size, weights, now)
        line.virtual += turn.size / weights[turn.peer]
        if self.limits.bytes_per_s:
            self._free_at = max(self._free_at, now - CATCH_UP_S) + turn.size / self.limits.bytes_per_s
        if self.limits.peer_bytes_per_s:
            line.free_at = max(line.free_at, now - CATCH_UP_S) + turn.size / self.limits.peer_bytes_per_s
        return turn

    def _go_on(self, line: Line, size: int, weights: dict[PeerId, float], now: float) -> None:
        """Let the virtual time, at which those begin who come, go on by one turn of `line`.

        As in WF2Q+ (Bennett, Zhang 1996): by what each got of it, were it shared by all who can be sent to.
        Were it only that of who is next, those who just came would be next for ever, as it would stand still
        for them. Attack: one identity after the other.
        """
        others = [
            (weights[peer], one.virtual)
            for peer, one in self._lines.items()
            if one is line or (one.waiting and not self._is_held(one, now))
        ]
        fair = self._virtual + size / sum(weight for weight, _ in others)
        self._virtual = max(fair, min(virtual for _, virtual in others))

    def _anyone_waits(self) -> bool:
        return any(line.waiting for line in self._lines.values())

    def _ready(self, now: float) -> Iterator[Line]:
        for line in self._lines.values():
            if line.waiting and not self._is_held(line, now) and self._has_slot(line, now):
                yield line

    def _has_slot(self, line: Line, now: float) -> bool:
        return sum(turn.began + SLOW_S > now for turn in line.active) < self.limits.peer_slots

    def _is_held(self, line: Line, now: float) -> bool:
        return bool(self.limits.peer_bytes_per_s) and line.free_at > now

    def _slot_free_at(self, now: float) -> float:
        """`now` where a slot is free, else when the next turn stops to count; never where none waits."""
        if not self._anyone_waits():
            return math.inf
        filled, late, next_at = 0.0, 0.0, math.inf
        fair_s = self._fair_s()
        for line in self._lines.values():
            for turn in line.active:
                if line.slow or turn.began + SLOW_S <= now:
                    continue
                is_late = turn.began + fair_s <= now  # as the time below: else that would not be the time
                if is_late:
                    late += 0.5
                else:
                    filled += 1.0
                next_at = min(next_at, turn.began + (SLOW_S if is_late else fair_s))
        slots = self._slots()
        filled += min(late, slots - 1)
        return now if filled < slots else next_at

    def _slots(self) -> int:
        """As many as the line needs, as far as it is known. With one more than that each takes longer, and in
        a swarm, where each who has a piece doubles it, all wait for that.
        """
        handed_over = math.ceil(self._best_bytes_per_s * HAND_OVER_S / self.turn_bytes())
        return min(self.limits.slots, 1 + max(1, handed_over))

    def _fair_s(self) -> float:
        """How long a turn may take where all slots share the line."""
        if not self._best_bytes_per_s:
            return SLOW_S
        return min(SLOW_S, SLACK * self._slots() * TURN_BYTES / self._best_bytes_per_s)

    def _next_peer_at(self, now: float) -> float | None:
        """When the cap or the slots of a peer that waits let it go on; an end of a turn may come before."""
        times: list[float] = []
        for line in self._lines.values():
            if not line.waiting:
                continue
            if self._is_held(line, now):
                times.append(line.free_at)
            times += [turn.began + SLOW_S for turn in line.active if turn.began + SLOW_S > now]
        return min(times, default=None)


def _finish(line: Line) -> float:
    """When it would be done with its next turn, were it as good as any other. By this, and not by when it
    would begin, what is short comes first: the nodes of who just came, without which it can ask for nothing.
    """
    return line.virtual + line.waiting[0].size


def _is_idle(line: Line, now: float) -> bool:
    return not line.waiting and not line.active and line.last < now - IDLE_S
