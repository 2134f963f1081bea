"""Who is on the link: when to ask again, and when somebody counts as gone. Pure: time is an argument.

In:  names that were heard, goodbyes, doubts. Out: `Ask`, `Gone(name)` or `Wait(until)`.

Records of DNS may be believed for two minutes; a peer that was switched off shall be noticed in fifteen
seconds. So whoever was not heard for some seconds is asked for again, by a question without known answers;
all on the link hear what is answered, so one of many nodes asks and the rest are content. Who stays silent to
two questions is gone. Where nobody is known questions become rare, as newcomers announce themselves (RFC
6762, section 8.3).

Nobody is believed on somebody's word: a goodbye, which anyone on the link may forge, and a lost connection
are reasons to ask at once (RFC 6762, section 10.4) and to wait for less long.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol


class Chance(Protocol):
    """Where the jitter comes from."""

    def uniform(self, low: float, high: float) -> float: ...

    def below(self, n: int) -> int: ...


@dataclass(frozen=True, slots=True)
class PresencePolicy:
    """Seconds, but for the last.

    fresh_s: who was heard within it is there. patience_s: who was silent for so long is gone, if it was asked
    for twice. doubt_s, goodbye_s: the same after a reason to doubt, from that on. again_s: between questions
    while somebody is silent. slowest_s: between questions while nobody is known; they start at one second.
    names_max: attack: a liar on the link that makes up names. Of more, one that nobody has met gives way.
    """

    fresh_s: float = 5.0
    patience_s: float = 11.0
    doubt_s: float = 3.5
    goodbye_s: float = 2.5
    again_s: float = 2.0
    first_s: float = 1.0
    slowest_s: float = 60.0
    names_max: int = 256


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask now who is there."""


@dataclass(frozen=True, slots=True)
class Gone:
    """This one is there no more."""

    name: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done before `until`."""

    until: float


class _Instance:
    __slots__ = ("ask_at", "asks_before", "deadline", "met")

    def __init__(self) -> None:
        self.ask_at = 0.0
        self.deadline = 0.0
        self.asks_before = 0
        self.met = False


class Presence:
    """Of one kind of service."""

    __slots__ = (
        "_asked_at",
        "_asks",
        "_chance",
        "_doubted",
        "_hurry_at",
        "_idle_at",
        "_idle_s",
        "_instances",
        "_policy",
    )

    def __init__(self, policy: PresencePolicy, chance: Chance) -> None:
        self._policy = policy
        self._chance = chance
        self._instances: dict[str, _Instance] = {}  # who was heard longest ago first
        self._doubted: dict[str, None] = {}
        self._asks = 0
        self._asked_at = -math.inf
        self._hurry_at = math.inf
        self._idle_at = -math.inf
        self._idle_s = policy.first_s

    def __contains__(self, name: str) -> bool:
        return name in self._instances

    def heard(self, name: str, now: float) -> str | None:
        """It says that it is there. Returns whom it took the place of, if of anybody."""
        removed = None
        instance = self._instances.pop(name, None)
        if instance is None:
            removed = self._make_room()
            instance = _Instance()
        self._instances[name] = instance
        instance.ask_at = now + self._jittered(self._policy.fresh_s)
        instance.deadline = now + self._policy.patience_s
        instance.asks_before = self._asks
        self._doubted.pop(name, None)
        self._idle_s = self._policy.first_s
        return removed

    def met(self, name: str) -> None:
        """A handshake proved that it is no invention."""
        if name in self._instances:
            self._instances[name].met = True

    def doubt(self, name: str, now: float) -> None:
        """A connection with it broke, or a dial failed."""
        self._hurry(name, now, self._policy.doubt_s)

    def goodbye(self, name: str, now: float) -> None:
        """Somebody said, in its name, that it leaves."""
        self._hurry(name, now, self._policy.goodbye_s)

    def next(self, now: float) -> Ask | Gone | Wait:
        """What to do now. After `Gone` its name is forgotten; `Ask` counts as done."""
        for name, instance in self._instances.items():
            if instance.deadline <= now and self._was_asked(instance):
                self._drop(name)
                return Gone(name)
        if now >= self._ask_at():
            self._ask(now)
            return Ask()
        return Wait(self._until())

    # --- inside -------------------------------------------------------------------------------------------

    def _hurry(self, name: str, now: float, patience_s: float) -> None:
        instance = self._instances.get(name)
        if instance is not None and name not in self._doubted:
            instance.asks_before = self._asks
            instance.deadline = min(instance.deadline, now + patience_s)
            self._doubted[name] = None
            self._hurry_at = now

    def _ask(self, now: float) -> None:
        self._asked_at = now
        self._asks += 1
        self._hurry_at = now + self._policy.again_s if self._doubted else math.inf
        self._idle_at = now + self._jittered(self._idle_s)
        if not self._instances:
            self._idle_s = min(self._idle_s * 2, self._policy.slowest_s)

    def _ask_at(self) -> float:
        """RFC 6762, section 5.2: a second between two questions at least."""
        wanted = self._idle_at
        if self._instances:
            oldest = next(iter(self._instances.values()))
            wanted = min(self._hurry_at, max(oldest.ask_at, self._asked_at + self._policy.again_s))
        return max(wanted, self._asked_at + self._policy.first_s)

    def _until(self) -> float:
        overdue = (one.deadline for one in self._instances.values() if self._was_asked(one))
        return min(self._ask_at(), min(overdue, default=math.inf))

    def _was_asked(self, instance: _Instance) -> bool:
        """Whether it has been silent to two questions."""
        return self._asks - instance.asks_before >= 2

    def _jittered(self, span_s: float) -> float:
        return self._chance.uniform(span_s * 0.8, span_s * 1.2)

    def _drop(self, name: str) -> None:
        del self._instances[name]
        self._doubted.pop(name, None)

    def _make_room(self) -> str | None:
        if len(self._instances) < self._policy.names_max:
            return None
        unmet = [name for name, one in self._instances.items() if not one.met] or list(self._instances)
        name = unmet[self._chance.below(len(unmet))]
        self._drop(name)
        return name
