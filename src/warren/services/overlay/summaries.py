"""What can be found in which direction: filters of ourselves and of our neighbours, aged. Pure.

In:  who is a neighbour, our own filter, summaries that neighbours send, times in monotonic seconds. Out:
summaries to send, and how far behind a neighbour a query may find something.

Every neighbour gets two filters: of our own words (level 0), and of those of all our other neighbours (level
1; its own are left out, or we would send it back to itself). They go out whole once, then as flips, numbered;
after a gap they are asked for anew. Filters that are too old, too full or missing say nothing: then
everything may be there. Two levels are what pays: see docs/protocols/overlay.md.
S. Rhea and J. Kubiatowicz, Probabilistic location and routing, 2002 (attenuated Bloom filters).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from warren.core.errors import ProtocolViolation
from warren.protocols.overlay.messages import BITS_LOG2_MIN, Summary
from warren.services.overlay.bloom import FULL, Flips, difference, empty, flip, probe_of, union

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from warren.core.peer_id import PeerId
    from warren.core.query import Query
    from warren.services.overlay.bloom import Bloom

LEVELS: Final = 2
NOWHERE, THERE, BEHIND = 0, 1, 2
"""A neighbour has nothing; itself may; itself or one behind it may. The hops that a query has to go."""


@dataclass(frozen=True, slots=True)
class SummaryPolicy:
    """When summaries go out, and when those of others are too old.

    every_s: a change waits so long for others that go with it. repeat_s: without any change, an empty one
    says that all is as it was. age_s: a neighbour that said nothing for so long is not steered by.
    """

    every_s: float = 1.0
    repeat_s: float = 120.0
    age_s: float = 300.0


@dataclass(slots=True)
class _Sent:
    """What a neighbour has of one level of ours."""

    number: int = 0
    bloom: Bloom | None = None


@dataclass(slots=True)
class _Heard:
    """What we have of one level of a neighbour."""

    epoch: int = 0
    number: int = 0
    bloom: Bloom | None = None
    """As it was told, to take changes."""
    compact: Bloom | None = None
    """The same to look into; None: it says too little."""
    at: float = 0.0


@dataclass(slots=True)
class _Neighbour:
    sent: list[_Sent] = field(default_factory=lambda: [_Sent() for _ in range(LEVELS)])
    heard: list[_Heard] = field(default_factory=lambda: [_Heard() for _ in range(LEVELS)])
    dirty: bool = True
    """What it should have may have changed."""
    due_at: float = 0.0
    repeat_at: float = 0.0


class Summaries:
    """See the module. Memory: three filters of each level for each neighbour."""

    def __init__(self, epoch: int, policy: SummaryPolicy | None = None, *, levels: int = LEVELS) -> None:
        """epoch: random. levels: 1 leaves out what is behind neighbours, for comparison."""
        self._epoch = epoch
        self._policy = policy or SummaryPolicy()
        self._levels = levels
        self._own = empty(BITS_LOG2_MIN)
        self._neighbours: dict[PeerId, _Neighbour] = {}

    def join(self, peer: PeerId, now: float) -> None:
        """A neighbour that has nothing of ours yet."""
        self._neighbours[peer] = _Neighbour(due_at=now)

    def leave(self, peer: PeerId) -> None:
        """A neighbour is gone, and what was behind it."""
        self._neighbours.pop(peer, None)
        self._touch()

    def set_own(self, bloom: Bloom) -> None:
        """What can be found here, from now on."""
        if bloom != self._own:
            self._own = bloom
            self._touch()

    # --- what others say ----------------------------------------------------------------------------------

    def receive(self, peer: PeerId, summary: Summary, now: float) -> bool:
        """Take a summary; False: one was missed, and all must come anew. Raises `ProtocolViolation`."""
        neighbour = self._neighbours.get(peer)
        if neighbour is None:
            return True
        heard = neighbour.heard[summary.level]
        if summary.full:
            old = empty(summary.bits_log2)
        elif heard.bloom is None or (summary.epoch, summary.number) != (heard.epoch, heard.number + 1):
            heard.bloom = heard.compact = None
            return False
        else:
            old = heard.bloom
            if old.bits_log2 != summary.bits_log2:
                raise ProtocolViolation("overlay: flips of a filter of another size")
        bloom = flip(old, Flips(summary.form, summary.flips)) if summary.flips else old
        heard.epoch, heard.number, heard.at = summary.epoch, summary.number, now
        if bloom is not heard.bloom:
            before, compact = heard.compact, bloom.compact()
            heard.bloom, heard.compact = bloom, compact if compact.density <= FULL else None
            if summary.level == 0 and heard.compact != before:
                self._touch()
        return True

    def again(self, peer: PeerId) -> None:
        """The neighbour missed something: all goes out whole, but not more often than changes do."""
        neighbour = self._neighbours.get(peer)
        if neighbour is not None:
            neighbour.sent = [_Sent(sent.number) for sent in neighbour.sent]
            neighbour.dirty = True

    # --- what we say --------------------------------------------------------------------------------------

    def due(self, now: float) -> Iterator[tuple[PeerId, Summary]]:
        """What is to be sent now. Each is made when it is asked for, and takes up to some milliseconds: let
        others have their turn in between.
        """
        for peer in list(self._neighbours):
            neighbour = self._neighbours.get(peer)
            if neighbour is not None and now >= neighbour.due_at:
                yield from self._due_to(peer, neighbour, now)

    def _due_to(self, peer: PeerId, neighbour: _Neighbour, now: float) -> Iterator[tuple[PeerId, Summary]]:
        repeats = now >= neighbour.repeat_at
        if not (neighbour.dirty or repeats):
            return
        neighbour.dirty = False
        told = 0
        for level in range(self._levels):
            one = self._say(level, peer, neighbour.sent[level], now)
            if one.flips or one.full or repeats:
                neighbour.sent[level].number = one.number
                told += 1
                neighbour.due_at = now + self._policy.every_s
                yield peer, one
            if self._neighbours.get(peer) is not neighbour:
                return  # it left meanwhile
        if told == self._levels:
            neighbour.repeat_at = now + self._policy.repeat_s

    def next_due(self) -> float | None:
        """When there may be something to send."""
        times = [
            one.due_at if one.dirty else max(one.due_at, one.repeat_at) for one in self._neighbours.values()
        ]
        return min(times, default=None)

    def _touch(self) -> None:
        for neighbour in self._neighbours.values():
            neighbour.dirty = True

    def _say(self, level: int, peer: PeerId, sent: _Sent, now: float) -> Summary:
        bloom = self._own if level == 0 else self._behind(peer, now)
        full = sent.bloom is None or sent.bloom.bits_log2 != bloom.bits_log2
        base = empty(bloom.bits_log2) if sent.bloom is None or full else sent.bloom
        flips = difference(base, bloom) if base.bits != bloom.bits else Flips(0, b"")
        sent.bloom = bloom
        return Summary(level, self._epoch, sent.number + 1, full, bloom.bits_log2, flips.form, flips.data)

    def _behind(self, peer: PeerId, now: float) -> Bloom:
        """What can be found at our other neighbours, as far as they say anything: one that may have whatever
        is asked for would make all say so.
        """
        oldest = now - self._policy.age_s
        others = [one.heard[0] for other, one in self._neighbours.items() if other != peer]
        return union(one.compact for one in others if one.compact is not None and one.at >= oldest)

    # --- steering -----------------------------------------------------------------------------------------

    def reach(self, query: Query, peers: Sequence[PeerId], now: float) -> list[int]:
        """How far a query has to go behind each of `peers`: NOWHERE, THERE or BEHIND."""
        probe = probe_of(query)
        return [self._reach(self._neighbours.get(peer), probe, now) for peer in peers]

    def _reach(self, neighbour: _Neighbour | None, probe: tuple[tuple[int, ...], ...], now: float) -> int:
        if neighbour is None:
            return BEHIND
        oldest = now - self._policy.age_s
        for level in reversed(range(self._levels)):
            heard = neighbour.heard[level]
            if heard.compact is None or heard.at < oldest or heard.compact.holds(probe):
                return level + 1
        return NOWHERE

    def holders(self, word: str) -> int:
        """How many neighbours may have this very word themselves; those that say nothing do not count."""
        blooms = (one.heard[0].compact for one in self._neighbours.values())
        return sum(bloom.has_word(word) for bloom in blooms if bloom is not None)
