"""Who is told what next: news of peers spread to connected ones, promptly and within bounds.

In:  who is connected, what was learnt of whom and from whom, the time (monotonic seconds), chance.
Out: `Send(peer, subjects)` or `Wait(until)`. A decision machine: it does nothing itself.

What makes loops impossible is that a version of a subject is handed on once, when it is first learnt, and
never to who told it. A quiet network sends nothing. News go to a few peers drawn by lot, not to all: with
four each, 98 of 100 hear of it, and the others by asking. What one subject signs anew again and again is
handed on every other second only; what a neighbour cannot be told within its rate waits, the oldest gives
way, and it is left to the neighbour to ask.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from warren.network.allowance import Allowance, Rate
from warren.protocols.exchange.entry import Version

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId


class Chance(Protocol):
    """Where the lots come from."""

    def uniform(self, low: float, high: float) -> float: ...

    def below(self, n: int) -> int: ...


_EACH = Rate(64, 2.0)


@dataclass(frozen=True, slots=True)
class SpreadLimits:
    """Seconds and counts.

    fanout: how many neighbours are told of one piece of news.
    gather_s: news wait so long for others, give or take a half.
    batch_max: subjects told of at once. again_min: so many are awaited, once the rate is used up.
    each: subjects told to one neighbour. Attack: a flood of records, by as many keys, that we would multiply.
    pending_max: subjects that wait for one neighbour. Attack: the same, filling the memory.
    subject_every_s: between two versions of a subject. Attack: a peer that signs without end.
    subjects_max: subjects whose version is remembered, about 300 bytes each. Attack: keys without end.
    """

    fanout: int = 4
    gather_s: float = 1.0
    batch_max: int = 64
    again_min: int = 16
    each: Rate = _EACH
    pending_max: int = 256
    subject_every_s: float = 2.0
    subjects_max: int = 8192


@dataclass(frozen=True, slots=True)
class Send:
    """Tell this peer of these subjects now, then report `sent`."""

    peer: PeerId
    subjects: tuple[PeerId, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is due before `until`; None: not before something happens."""

    until: float | None


class _Neighbour:
    __slots__ = ("allowance", "due", "pending", "sending")

    def __init__(self, rate: Rate, now: float) -> None:
        self.pending: OrderedDict[PeerId, Version] = OrderedDict()
        self.allowance = Allowance(rate, now)
        self.due = now
        self.sending = False


class _Subject:
    __slots__ = ("told_at", "version")

    def __init__(self, version: Version, told_at: float | None) -> None:
        self.version = version
        self.told_at = told_at  # None: never, as far as is remembered


class Spread:
    """What is known, and who waits for what of it."""

    __slots__ = ("_awaited", "_chance", "_late", "_limits", "_neighbours", "_subjects", "_waiting", "hurries")

    def __init__(self, limits: SpreadLimits, chance: Chance) -> None:
        self._limits = limits
        self._chance = chance
        self._neighbours: dict[PeerId, _Neighbour] = {}
        self._waiting: dict[PeerId, _Neighbour] = {}
        """Neighbours for whom something is pending."""
        self._subjects: OrderedDict[PeerId, _Subject] = OrderedDict()
        self._awaited = math.inf
        self.hurries = False
        """Whether something became due before the time that `next` said last."""
        self._late: dict[PeerId, tuple[float, PeerId | None]] = {}
        """Subjects that signed again too soon: when they may be told of, and who said so last."""

    def join(self, peer: PeerId, now: float) -> None:
        """It can be told news from now on."""
        if peer not in self._neighbours:
            self._neighbours[peer] = _Neighbour(self._limits.each, now)

    def leave(self, peer: PeerId) -> None:
        """It cannot any more."""
        self._neighbours.pop(peer, None)
        self._waiting.pop(peer, None)

    @property
    def neighbours(self) -> list[PeerId]:
        """Who can be told news, in the order in which they came."""
        return list(self._neighbours)

    def newest(self) -> list[tuple[PeerId, Version]]:
        """What is remembered, learnt last first."""
        return [(subject, one.version) for subject, one in reversed(self._subjects.items())]

    def version(self, subject: PeerId) -> Version:
        """How new what is known of a subject is, as far as is remembered."""
        known = self._subjects.get(subject)
        return known.version if known is not None else Version()

    def recall(self, subject: PeerId, version: Version) -> None:
        """This was known before; nobody is to be told."""
        self._remember(subject, self.version(subject).joined(version))

    def learn(self, subject: PeerId, version: Version, source: PeerId | None, now: float) -> bool:
        """`source` told of a subject (None: it is ourselves). True if that is news, which then spread."""
        known = self.version(subject)
        if source is not None:
            self._has(source, subject, version)
        if not version.has_news_for(known):
            return False
        entry = self._remember(subject, known.joined(version))
        if entry.told_at is not None and now < entry.told_at + self._limits.subject_every_s:
            self._late[subject] = (entry.told_at + self._limits.subject_every_s, source)
            self._hurry(entry.told_at + self._limits.subject_every_s)
        else:
            self._tell(subject, entry, source, now)
        return True

    def next(self, now: float) -> Send | Wait:
        """What to do now. Each `Send` must be followed by `sent` for its peer."""
        self._tell_late(now)
        dues = [until for until, _ in self._late.values()]
        for peer, neighbour in self._waiting.items():
            if neighbour.sending:
                continue
            if neighbour.due <= now:
                room = min(neighbour.allowance.left(now), self._limits.batch_max)
                wanted = min(len(neighbour.pending), self._limits.again_min)
                if room >= wanted:
                    return Send(peer, self._take(peer, neighbour, room, now))
                neighbour.due = now + max(neighbour.allowance.wait_s(wanted), self._limits.gather_s)
            dues.append(neighbour.due)
        until = min(dues, default=None)
        self._awaited, self.hurries = math.inf if until is None else until, False
        return Wait(until)

    def sent(self, peer: PeerId) -> None:
        """The sending ended, well or not: who was not reached will ask."""
        neighbour = self._neighbours.get(peer)
        if neighbour is not None:
            neighbour.sending = False
            if neighbour.pending:
                self._hurry(neighbour.due)

    # --- inside -------------------------------------------------------------------------------------------

    def _hurry(self, due: float) -> None:
        self.hurries = self.hurries or due < self._awaited

    def _has(self, peer: PeerId, subject: PeerId, version: Version) -> None:
        """A neighbour told of this itself: it need not be told."""
        neighbour = self._neighbours.get(peer)
        pending = neighbour.pending.get(subject) if neighbour is not None else None
        if neighbour is not None and pending is not None and not pending.has_news_for(version):
            del neighbour.pending[subject]
            if not neighbour.pending:
                del self._waiting[peer]

    def _remember(self, subject: PeerId, version: Version) -> _Subject:
        entry = self._subjects.get(subject)
        if entry is None:
            entry = self._subjects[subject] = _Subject(version, None)
            if len(self._subjects) > self._limits.subjects_max:
                gone, _ = self._subjects.popitem(last=False)
                self._late.pop(gone, None)
        entry.version = version
        self._subjects.move_to_end(subject)
        return entry

    def _tell(self, subject: PeerId, entry: _Subject, source: PeerId | None, now: float) -> None:
        entry.told_at = now
        for peer in self._drawn({subject, source}):
            neighbour = self._neighbours[peer]
            if not neighbour.pending:
                pause_s = self._chance.uniform(self._limits.gather_s / 2, self._limits.gather_s * 1.5)
                neighbour.due = max(neighbour.due, now + pause_s)
                self._waiting[peer] = neighbour
                if not neighbour.sending:
                    self._hurry(neighbour.due)
            neighbour.pending[subject] = entry.version
            neighbour.pending.move_to_end(subject)
            if len(neighbour.pending) > self._limits.pending_max:
                neighbour.pending.popitem(last=False)

    def _tell_late(self, now: float) -> None:
        for subject in [subject for subject, (until, _) in self._late.items() if until <= now]:
            _, source = self._late.pop(subject)
            self._tell(subject, self._subjects[subject], source, now)

    def _drawn(self, but: set[PeerId | None]) -> list[PeerId]:
        """Neighbours by lot, at most `fanout`."""
        others = [peer for peer in self._neighbours if peer not in but]
        drawn = min(self._limits.fanout, len(others))
        for place in range(drawn if drawn < len(others) else 0):
            other = place + self._chance.below(len(others) - place)
            others[place], others[other] = others[other], others[place]
        return others[:drawn]

    def _take(self, peer: PeerId, neighbour: _Neighbour, room: int, now: float) -> tuple[PeerId, ...]:
        neighbour.sending = True
        neighbour.due = now + self._limits.gather_s
        subjects: list[PeerId] = []
        while neighbour.pending and len(subjects) < room:
            subjects.append(neighbour.pending.popitem(last=False)[0])
            neighbour.allowance.take(now)
        if not neighbour.pending:
            del self._waiting[peer]
        return tuple(subjects)
