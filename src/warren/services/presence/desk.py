"""`Desk`: where a super-peer takes votes, and decides.

In:  votes, as `protocols.presence` hands them in; who takes a lease and who goes, from whoever keeps the
leases; the clock. Out: answers; events of who is online; the question to an accused peer, before it counts
as offline. What is decided stands in `votes`.

A node that is no super-peer has a desk, too: it is shut, takes nothing, and knows of nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from warren.core.errors import WarrenError
from warren.network.allowance import Seldom
from warren.protocols.presence.messages import HELD_MAX, Answer, Standing
from warren.services.presence.model import (
    PeerBackOnline,
    PeerCameOnline,
    PeerHeldOffline,
    PeerWentOffline,
    PresenceCounts,
    Tally,
)
from warren.services.presence.residents import Nobody, Residents
from warren.services.presence.votes import Doubted, HeldOffline, Released, VotePolicy, Votes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warren.core.fail_vote import FailVote
    from warren.core.peer_id import PeerId
    from warren.network.places import Place
    from warren.protocols.presence.messages import Ask, Verdict
    from warren.services.presence.config import PresenceConfig
    from warren.services.presence.residents import Leases
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

    accuse: asks a peer for a lease, and hands it to whoever keeps the leases. Raises WarrenError.
    emit: takes the events.
    """

    def __init__(
        self,
        me: PeerId,
        config: PresenceConfig,
        clock: Callable[[], float],
        accuse: Callable[[PeerId], Awaitable[object]],
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
        self._clear(Nobody())

    def open(self, leases: Leases, place: Callable[[], Place]) -> None:
        """Be a super-peer from now on. leases: of who is there. place: where this node is."""
        self.is_open = True
        self._clear(Residents(leases, self._me, place, self._clock()))

    def shut(self) -> None:
        """Be none any more: all that was said is forgotten, with no events."""
        self.is_open = False
        self._clear(Nobody())
        self._wake.set()

    # --- what is so ---------------------------------------------------------------------------------------

    def is_online(self, peer: PeerId) -> bool:
        """Whether a peer holds a lease here, and votes do not hold it offline."""
        return self._here.get(peer) is not None and not self._votes.is_held_offline(peer)

    def age_s(self, peer: PeerId) -> float:
        """For how many seconds a peer has held a lease here without a break."""
        held = self._here.get(peer)
        return self._clock() - held.since if held is not None else 0.0

    def tally(self, peer: PeerId) -> Tally | None:
        """How the votes stand that hold a peer offline; None: it is not held offline."""
        share = self._votes.share(peer)
        if share is None or not self._votes.is_held_offline(peer):
            return None
        return Tally(share.accusers, share.online)

    @property
    def counts(self) -> PresenceCounts:
        """How much there is."""
        return PresenceCounts(len(self._here), len(self._votes.held_offline()), len(self._votes))

    def standing(self, peer: PeerId) -> Standing:
        """How a peer stands here."""
        number = self._here.number_of(peer) or 0
        tally = self.tally(peer)
        if tally is not None:
            return Standing(peer, "held offline", number, tally.accusers, tally.online)
        return Standing(peer, "online" if self.is_online(peer) else "absent", number)

    # --- who is there -------------------------------------------------------------------------------------

    def lease_taken(self, peer: PeerId, is_new: bool) -> None:
        """A peer took its lease or (not is_new) renewed it: whoever accused it before is refuted."""
        if is_new:
            self._emit(PeerCameOnline(peer))
        self._votes.renewed(peer, self._clock())
        self._settle()

    def went(self, peer: PeerId, said_so: bool) -> None:
        """A peer is there no more. said_so: it said goodbye; else its lease ended."""
        self._votes.left(peer, self._clock())
        self._wake.set()
        self._emit(PeerWentOffline(peer, "goodbye" if said_so else "expired"))

    # --- what peers say -----------------------------------------------------------------------------------

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
        self._votes.look(self._clock())
        self._settle()
        while self._doubted and len(self._asking) < QUESTIONS_MAX:
            peer = self._doubted.popleft()
            if peer not in self._asking:
                self._asking[peer] = tasks.create_task(self._ask_accused(peer))
        self._due = self._votes.next_look()

    async def _ask_accused(self, peer: PeerId) -> None:
        """Whoever answers is there, whatever the votes say."""
        try:
            await self._accuse(peer)
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

    def _clear(self, here: Residents | Nobody) -> None:
        self._here = here
        policy = VotePolicy(ratio=self._config.ratio, ramp_s=self._config.ramp_s)
        self._votes = Votes(policy, here)
        self._doubted: deque[PeerId] = deque()
        self._named: Seldom[PeerId] = Seldom(NAME_EVERY_S, NAMED_MAX)
        """Who was named in the log."""

    def _settle(self) -> None:
        """Tell what has changed, and draw the consequences."""
        for change in self._votes.take_changes():
            self._on_votes(change)

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
