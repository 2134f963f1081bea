"""`Desk`: where a super-peer takes leases and votes, and decides.

In:  what peers show, as `protocols.presence` and the directory hand it in; the clock. Out: answers; events
of who is online; the question to an accused peer, before it counts as offline. What is decided stands in
`leases` and `votes`.

A node that is no super-peer has a desk, too: it is shut, takes nothing, and knows of nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from warren.core.errors import LimitReached, ProtocolViolation, WarrenError
from warren.network.allowance import Seldom
from warren.protocols.presence.messages import HELD_MAX, Answer, Standing
from warren.services.presence.leases import CameOnline, Leases, WentOffline
from warren.services.presence.model import (
    PeerBackOnline,
    PeerCameOnline,
    PeerHeldOffline,
    PeerWentOffline,
    PresenceCounts,
    Tally,
)
from warren.services.presence.places import place_of
from warren.services.presence.votes import Doubted, HeldOffline, Released, VotePolicy, Votes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warren.core.fail_vote import FailVote
    from warren.core.lease import Lease
    from warren.core.peer_id import PeerId
    from warren.protocols.presence.messages import Ask, Verdict
    from warren.services.presence.config import PresenceConfig
    from warren.services.presence.votes import Outcome

QUESTIONS_MAX: Final = 16
"""Accused peers that are asked at once. Attack: votes against everybody make this node dial everybody."""
PAUSE_S: Final = 0.25
"""Between two looks at what is due. Attack: calls without end, each of which makes something due."""
NAME_EVERY_S: Final = 60.0
"""Between two lines in the log about the same peer. Attack: a log that is filled."""
NAMED_MAX: Final = 256
"""Peers that are remembered for that. Attack: identities without end."""
_VERDICTS: Final[dict[Outcome, Verdict]] = {
    "counted": "taken",
    "withdrawn": "taken",
    "refuted": "refuted",
    "unknown": "unknown",
    "not online": "not online",
    "old": "old",
    "too many": "full",
}
_SHUT: Final = Answer("not here")
_log = logging.getLogger(__name__)


class Desk:
    """Of one node. `run` as long as the node lives.

    accuse: asks a peer for a lease; returns it, checked, and the host that it came from. None: it shows none.
        Raises WarrenError.
    emit: takes the events.
    """

    def __init__(
        self,
        me: PeerId,
        config: PresenceConfig,
        clock: Callable[[], float],
        accuse: Callable[[PeerId], Awaitable[tuple[Lease, str | None] | None]],
        emit: Callable[[object], None],
    ) -> None:
        self._me = me
        self._config = config
        self._clock = clock
        self._accuse = accuse
        self._emit = emit
        self._wake = asyncio.Event()
        self._due: float | None = None
        self._asking: dict[PeerId, asyncio.Task[None]] = {}
        self.is_open = False
        self._clear()

    def open(self) -> None:
        """Be a super-peer from now on."""
        self.is_open = True

    def shut(self) -> None:
        """Be none any more: all that was known is forgotten, with no events."""
        self.is_open = False
        self._clear()
        self._wake.set()

    # --- what is so ---------------------------------------------------------------------------------------

    def is_online(self, peer: PeerId) -> bool:
        """Whether a peer holds a lease here, and votes do not hold it offline."""
        return self._leases.is_online(peer, self._clock()) and not self._votes.is_held_offline(peer)

    def age_s(self, peer: PeerId) -> float:
        """For how many seconds a peer has held a lease here without a break."""
        return self._leases.age_s(peer, self._clock())

    def tally(self, peer: PeerId) -> Tally | None:
        """How the votes stand that hold a peer offline; None: it is not held offline."""
        share = self._votes.share(peer)
        if share is None or not self._votes.is_held_offline(peer):
            return None
        return Tally(share.accusers, share.online)

    @property
    def counts(self) -> PresenceCounts:
        """How much there is."""
        return PresenceCounts(len(self._leases), len(self._votes.held_offline()), len(self._votes))

    def standing(self, peer: PeerId) -> Standing:
        """How a peer stands here."""
        number = self._leases.number_of(peer) or 0
        tally = self.tally(peer)
        if tally is not None:
            return Standing(peer, "held offline", number, tally.accusers, tally.online)
        return Standing(peer, "online" if self.is_online(peer) else "absent", number)

    # --- what peers say -----------------------------------------------------------------------------------

    def take_lease(self, lease: Lease, host: str | None) -> Answer:
        """A peer takes or renews its lease. It is checked, and for this node. host: from where it comes."""
        if not self.is_open:
            return _SHUT
        now, peer = self._clock(), lease.peer_id
        try:
            self._leases.take(lease, place_of(peer, host), now)
        except LimitReached as error:
            self._name(peer, f"no lease for {peer}: {error}")
            return Answer("full")
        except ProtocolViolation as error:
            self._name(peer, str(error))
            return Answer("old", self._leases.number_of(peer) or 0)
        self._votes.renewed(peer, now)
        self._settle()
        return Answer()

    def take_goodbye(self, peer: PeerId) -> Answer:
        """A peer goes."""
        if not self.is_open:
            return _SHUT
        self._leases.leave(peer, self._clock())
        self._settle()
        return Answer()

    def take_vote(self, vote: FailVote) -> Answer:
        """A peer votes. It is checked."""
        if not self.is_open:
            return _SHUT
        outcome = self._votes.cast(vote, self._clock())
        if outcome in ("old", "too many"):
            self._name(vote.peer_id, f"{vote.peer_id} votes against {vote.accused}: {outcome}")
        self._wake.set()
        return Answer(_VERDICTS[outcome])

    def tell(self, ask: Ask) -> Answer:
        """How some peers stand, and whom the votes hold offline."""
        if not self.is_open:
            return _SHUT
        named = list(ask.peers)
        if ask.held:
            named += self._votes.held_offline()[:HELD_MAX]
        return Answer(standings=tuple(self.standing(peer) for peer in named))

    # --- life ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Do what is due until cancelled. May be run again after a fault."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    self._wake.clear()
                    self._look(tasks)
                    await asyncio.sleep(PAUSE_S)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout_at(self._due):
                            await self._wake.wait()
        finally:
            self._asking.clear()

    def _look(self, tasks: asyncio.TaskGroup) -> None:
        now = self._clock()
        self._leases.expire(now)
        self._settle()
        self._votes.look(now)
        self._settle()
        while self._doubted and len(self._asking) < QUESTIONS_MAX:
            peer = self._doubted.popleft()
            if peer not in self._asking:
                self._asking[peer] = tasks.create_task(self._ask_accused(peer))
        due = [at for at in (self._leases.next_end(), self._votes.next_look()) if at is not None]
        self._due = min(due, default=None)

    async def _ask_accused(self, peer: PeerId) -> None:
        """Whoever answers is there, whatever the votes say."""
        try:
            shown = await self._accuse(peer)
            if shown is not None:
                self.take_lease(*shown)
        except WarrenError as error:
            _log.debug("%s, who is accused, did not answer: %s", peer, error)
        finally:
            self._asking.pop(peer, None)
            self._wake.set()

    # --- inside -------------------------------------------------------------------------------------------

    def _name(self, peer: PeerId, what: str) -> None:
        """Tell in the log who does what it should not, once in a while."""
        if self._named.is_due(peer, self._clock()):
            _log.warning("%s", what)

    def _clear(self) -> None:
        self._leases = Leases()
        policy = VotePolicy(ratio=self._config.ratio, ramp_s=self._config.ramp_s)
        self._votes = Votes(policy, self._leases)
        self._doubted: deque[PeerId] = deque()
        self._named: Seldom[PeerId] = Seldom(NAME_EVERY_S, NAMED_MAX)
        """Who was named in the log."""

    def _settle(self) -> None:
        """Tell what has changed, and draw the consequences."""
        for lease_change in self._leases.take_changes():
            self._on_lease(lease_change)
        for change in self._votes.take_changes():
            self._on_votes(change)
        end = self._leases.next_end()
        if end is not None and (self._due is None or end < self._due):
            self._wake.set()

    def _on_lease(self, change: CameOnline | WentOffline) -> None:
        match change:
            case CameOnline(peer):
                self._emit(PeerCameOnline(peer))
            case WentOffline(peer, why):
                self._votes.left(peer, self._clock())
                self._wake.set()
                self._emit(PeerWentOffline(peer, why))

    def _on_votes(self, change: Doubted | HeldOffline | Released) -> None:
        match change:
            case Doubted(peer, share):
                _log.info("%d of %d cannot reach %s: asking it", share.accusers, share.online, peer)
                if peer != self._me:
                    self._doubted.append(peer)
            case HeldOffline(peer, share):
                _log.info("%s is held offline by votes (%d of %d)", peer, share.accusers, share.online)
                self._emit(PeerHeldOffline(peer, share.accusers, share.online))
            case Released(peer, refuted):
                _log.info("%s is held offline no more%s", peer, ": it is there" if refuted else "")
                if self.is_online(peer):
                    self._emit(PeerBackOnline(peer))
