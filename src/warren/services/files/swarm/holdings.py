"""What others have of one root that is being fetched here, as they told it. Pure.

In:  holdings as they arrive, in any order: deltas that build on what was told before. Out: maps that grow,
and what changed in them; what is known of each, so that only news is told.

Who tells more than there is room for, or what does not build on what is known, is asked for all of it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from warren.protocols.swarm.messages import UNKNOWN
from warren.services.files.swarm.bits import Bits, Change

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.protocols.swarm.messages import Holding, Version

PEERS_MAX: Final = 64
"""Peers whose holdings of one root are kept. Attack: identities without end that tell theirs. Nobody whom we
asked goes for them; the one that was heard of longest ago does."""
BYTES_MAX: Final = 16 * 1024 * 1024
"""Memory for all maps of one root. Attack: maps that claim leaves without end."""
NOTHING: Final = Change((), ())


@dataclass(slots=True)
class Heard:
    """What one peer has. version: of its map; knows: what it said it knows of ours. asked: by us."""

    complete: bool = False
    bits: Bits = field(default_factory=Bits)
    version: Version = UNKNOWN
    knows: Version = UNKNOWN
    asked: bool = False


class Holdings:
    """Of one root."""

    __slots__ = ("_heard",)

    def __init__(self) -> None:
        self._heard: dict[PeerId, Heard] = {}

    def note(self, peer: PeerId, *, asked: bool) -> Heard | None:
        """A peer that is heard now, as it is asked or asks; None: there is no room for it."""
        one = self._heard.pop(peer, None)
        if one is None:
            if len(self._heard) >= PEERS_MAX and not self._make_room(asked=asked):
                return None
            one = Heard()
        one.asked = one.asked or asked
        self._heard[peer] = one
        return one

    def take(self, one: Heard, holding: Holding) -> Change:
        """Take in what a peer told of itself; what changed. Raises `ProtocolViolation`."""
        if holding.complete:
            one.complete, one.version = True, UNKNOWN
            one.bits.clear()
            return NOTHING
        one.complete = False
        if holding.since == 0 and holding.version.epoch != one.version.epoch:
            one.version = holding.version
            return self._within_room(one, one.bits.replace(holding.segments))
        if holding.version.epoch != one.version.epoch or holding.since > one.version.number:
            one.version = UNKNOWN  # some of it is missing: it is asked for as a whole
            return NOTHING
        if holding.version.number <= one.version.number:
            return NOTHING  # older than what came already
        one.version = holding.version
        return self._within_room(one, one.bits.apply(holding.segments))

    def _within_room(self, one: Heard, change: Change) -> Change:
        """What changed in a map; or, where there is no room for it, that all it had before is lost."""
        if sum(each.bits.size for each in self._heard.values()) <= BYTES_MAX:
            return change
        new = set(change.gained)
        lost = [*(number for number in one.bits if number not in new), *change.lost]
        one.bits.clear()
        one.version = UNKNOWN
        return Change((), lost)

    def _make_room(self, *, asked: bool) -> bool:
        """Let one go; for who was not asked, none of those who were."""
        others = (peer for peer, one in self._heard.items() if not one.asked)
        oldest = next(others, next(iter(self._heard)) if asked else None)
        if oldest is None:
            return False
        del self._heard[oldest]
        return True
