"""`Desk`: where a super-peer takes votes, and decides.

In:  votes and doubts, as `protocols.presence` hands them in; who takes a lease and who goes, from whoever
keeps the leases; the clock. Out: answers; events of who is online; what `Errands` does. What is decided
stands in `votes`.

A doubt is a word of a peer online here, or of another super-peer, and counts for nothing: the peer that is
doubted is asked. If it is silent the others who are online are asked to try it, as far as they could hold it
offline together, and other super-peers are told. Votes are given here by those who are online here: doubts
travel, votes do not, for only who saw a lease from its beginning knows what its holder weighs.

A node that is no super-peer has a desk, too: it is shut, takes nothing, and knows of nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import WarrenError
from warren.network.allowance import Allowance, Rate, Seldom
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
    from collections.abc import Callable, Collection, Sequence

    from warren.core.fail_vote import FailVote
    from warren.core.peer_id import PeerId
    from warren.network.places import Place
    from warren.protocols.presence.messages import Ask, Verdict
    from warren.services.presence.config import PresenceConfig
    from warren.services.presence.residents import Leases
    from warren.services.presence.votes import Outcome

QUESTIONS_MAX: Final = 64
"""Peers that are asked at once; the others wait, and are not held offline before. Attack: votes against
everybody make this node call everybody."""
WAITING_MAX: Final = 1024
"""Doubted peers that wait to be asked. Attack: doubts of everybody. Those whom votes doubt come before, and
are bounded by the votes."""
DOUBT_EVERY_S: Final = 10.0
"""Between two questions to the same peer because somebody doubts it. Attack: doubts without end, each of
which costs the peer a signature."""
DOUBTS_MAX: Final = 4096
"""Peers for which that is remembered. Attack: names without end."""
SILENT_S: Final = 10.0
"""For so long who was asked in vain need not be asked again before votes hold it offline."""
JURY_MAX: Final = 256
"""Peers that are asked to try one that is silent. Fault: a super-peer of thousands calls all of them for each
that goes; where so many do not suffice, nobody is asked, and leases end."""
JURORS: Final = Rate(2048, 128.0)
"""The same in all. Fault: a network that breaks in two takes thousands at once."""
FELLOWS: Final = Rate(64, 8.0)
"""Doubts that are passed on to other super-peers. Attack: doubts of peers that nobody knows."""
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
_NEVER: Final = float("-inf")
_SHUT: Final = Answer("not here")
_log = logging.getLogger(__name__)


class Errands(Protocol):
    """What the desk has others do."""

    def fellows(self) -> Collection[PeerId]:
        """Other super-peers, whose doubts are heard."""
        ...

    async def accuse(self, peer: PeerId, at: PeerId | None) -> None:
        """Ask a peer for a lease, and hand that to whoever keeps the leases. at: see
        `PresenceProtocol.accuse`. Raises WarrenError.
        """
        ...

    def call(self, peer: PeerId, jury: Sequence[PeerId]) -> None:
        """Have those who are named try to reach a peer, and vote; this node may be among them."""
        ...

    def tell_fellows(self, peer: PeerId) -> None:
        """Tell the other super-peers that a peer may be gone."""
        ...


class Desk:
    """Of one node. `run` as long as the node lives.

    emit: takes the events.
    """

    def __init__(
        self,
        me: PeerId,
        config: PresenceConfig,
        clock: Callable[[], float],
        errands: Errands,
        emit: Callable[[object], None],
    ) -> None:
        self._me = me
        self._config = config
        self._clock = clock
        self._errands = errands
        self._emit = emit
        self._wake = asyncio.Event()
        self._due: float | None = None
        self._asking: dict[PeerId, asyncio.Task[None]] = {}
        self.is_open = False
        self.on_released: Callable[[PeerId], object] = lambda _peer: None
        """Called with whom the votes hold offline no more, whether it holds a lease here or not."""
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
        return PresenceCounts(len(self._here), self._votes.held_count, len(self._votes))

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
        self._silent.pop(peer, None)
        self._votes.renewed(peer, self._clock())
        self._settle()

    def went(self, peer: PeerId, said_so: bool) -> None:
        """A peer is there no more. said_so: it said goodbye; else its lease ended."""
        self._votes.left(peer, self._clock())
        self._wake.set()
        self._emit(PeerWentOffline(peer, "goodbye" if said_so else "expired"))

    # --- what peers say -----------------------------------------------------------------------------------

    def take_doubt(self, peer: PeerId, caller: PeerId) -> Answer:
        """A caller says of a peer that it may be gone."""
        if not self.is_open:
            return _SHUT
        is_fellow = caller in self._errands.fellows()
        if is_fellow or self._here.get(caller) is not None:
            self.doubt(peer, caller if is_fellow else None)
        return Answer(standings=(self.standing(peer),))

    def doubt(self, peer: PeerId, fellow: PeerId | None = None) -> None:
        """A peer may be gone: ask it. fellow: the super-peer that says so, else others are told as well."""
        if peer == self._me or not self._doubts.is_due(peer, self._clock()):
            return
        if self.is_online(peer) and len(self._waiting) < WAITING_MAX:
            self._waiting[peer] = fellow
            self._wake.set()
        if fellow is None and self._to_fellows.take(self._clock()):
            self._errands.tell_fellows(peer)

    def take_vote(self, vote: FailVote) -> Answer:
        """A peer votes. It is checked."""
        if not self.is_open:
            return _SHUT
        if vote.accused == self._me:
            return Answer("refuted")
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
        for queue in (self._accused, self._waiting):
            while queue and len(self._asking) < QUESTIONS_MAX:
                peer = next(iter(queue))
                fellow = queue.pop(peer)
                if peer not in self._asking:
                    self._asking[peer] = tasks.create_task(self._ask(peer, fellow, self._votes))
        self._due = self._votes.next_look()

    async def _ask(self, peer: PeerId, fellow: PeerId | None, votes: Votes) -> None:
        """Whoever shows a lease is there, whatever others say."""
        number = self._here.number_of(peer)
        try:
            await self._errands.accuse(peer, fellow)
        except WarrenError as error:
            _log.debug("%s, who is doubted, did not answer: %s", peer, error)
        finally:
            self._asking.pop(peer, None)
            self._wake.set()
        if votes is self._votes and self._here.number_of(peer) == number:
            self._was_silent(peer)

    def _was_silent(self, peer: PeerId) -> None:
        now = self._clock()
        self._silent[peer] = now
        self._silent.move_to_end(peer)
        if len(self._silent) > DOUBTS_MAX:
            self._silent.popitem(last=False)
        if self._votes.is_doubted(peer):
            self._votes.unanswered(peer, now)
            self._settle()
        elif self.is_online(peer):
            jury = self._votes.jury(peer, JURY_MAX, now)
            if jury and self._jurors.take(now, len(jury)):
                self._errands.call(peer, jury)

    # --- inside -------------------------------------------------------------------------------------------

    def _name(self, peer: PeerId, what: str) -> None:
        """Tell in the log who does what it should not, once in a while."""
        if self._named.is_due(peer, self._clock()):
            _log.warning("%s", what)

    def _clear(self, here: Residents | Nobody) -> None:
        self._here = here
        policy = VotePolicy(ratio=self._config.ratio, ramp_s=self._config.ramp_s)
        self._votes = Votes(policy, here)
        now = self._clock()
        self._accused: dict[PeerId, None] = {}
        """Whom votes doubt, and who waits to be asked."""
        self._waiting: dict[PeerId, PeerId | None] = {}
        """The same of whom somebody doubts, and the super-peer that said so."""
        self._silent: OrderedDict[PeerId, float] = OrderedDict()
        """Who was asked in vain, and when."""
        self._doubts: Seldom[PeerId] = Seldom(DOUBT_EVERY_S, DOUBTS_MAX)
        self._jurors = Allowance(JURORS, now)
        self._to_fellows = Allowance(FELLOWS, now)
        self._named: Seldom[PeerId] = Seldom(NAME_EVERY_S, NAMED_MAX)
        """Who was named in the log."""

    def _settle(self) -> None:
        """Tell what has changed, and draw the consequences."""
        for change in self._votes.take_changes():
            self._on_votes(change)

    def _on_votes(self, change: Doubted | HeldOffline | Released) -> None:
        match change:
            case Doubted(peer, share):
                _log.info("%d of %d cannot reach %s", share.accusers, share.online, peer)
                if self._clock() < self._silent.get(peer, _NEVER) + SILENT_S:
                    self._votes.unanswered(peer, self._clock())
                    self._settle()
                else:
                    self._accused[peer] = None
                    self._wake.set()
            case HeldOffline(peer, share):
                _log.info("%s is held offline by votes (%d of %d)", peer, share.accusers, share.online)
                self._emit(PeerHeldOffline(peer, share.accusers, share.online))
            case Released(peer, refuted):
                _log.info("%s is held offline no more%s", peer, ": it is there" if refuted else "")
                self.on_released(peer)
                if self.is_online(peer):
                    self._emit(PeerBackOnline(peer))
