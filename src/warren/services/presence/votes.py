"""Fail votes on one super-peer: whom those online hold for offline. Pure.

In:  checked votes, fresher leases of the accused, who left, the time (monotonic seconds); who is online.
Out: what became of each vote, and the changes: `Doubted` (ask the accused itself), `HeldOffline`, `Released`.

    in nobody's doubt --share > ratio, from two hosts--> doubted --`unanswered`: asked in vain--> held offline
            `------------- a fresher lease of the accused; the share falls: votes end, are withdrawn ----'

Who may vote: whoever is online here itself. Against whom: whoever has or lately had a lease here, so nobody
fills memory with peers that do not exist. What a vote weighs: `weights`. A liar alone never removes anyone:
the share must pass the ratio, and the accusers must speak from two hosts at least. A crowd of liars removes
nobody who is there: nobody is held offline who was not asked, and each renewal of a lease clears the votes
that were against an older one.

Whoever is held offline has no say, and does not count among those online: else a few that fell silent
together could never be told from an honest minority.

Refuses votes of whoever is not online, against a lease that was renewed since, shown again, and beyond the
bounds. Whoever hands in a vote has seen to it that its voter sent it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, TypeAlias

from warren.services.presence.weights import Census, Share, weight

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.core.fail_vote import FailVote
    from warren.core.peer_id import PeerId
    from warren.services.presence.residents import Held

Outcome: TypeAlias = Literal["counted", "withdrawn", "refuted", "unknown", "not online", "old", "too many"]
"""counted: it stands. refuted: the accused renewed its lease since. unknown: the accused had no lease here.
not online: the voter has none. old: its number is not above the last one's. too many: beyond the bounds.
"""
HOSTS_MIN: Final = 2
"""Hosts from which accusers must speak, whatever the ratio. Attack: one liar in a small network."""
CENSUS_S: Final = 10.0
"""So long a look at all who are online is good for. Attack: votes without end, each of which costs such a
look: 30 ms for 10,000 peers."""
MARGIN: Final = 1e-9
"""By so much at least the ratio is passed: half of a sum of floating-point numbers is not more than half."""
RECOUNT_S: Final = 1.0
"""After so long a change of who is held offline is taken into the count, of all cases together. Fault: many
that vanish at once cost a look at all who are online each."""
LOOK_S: Final = 30.0
"""A case is looked at so often although nothing happens to it: weights grow, voters leave."""


@dataclass(frozen=True, slots=True)
class VotePolicy:
    """When votes count, and how many are kept. Each vote takes some 700 bytes."""

    ratio: float = 0.5
    """The share of weight that must be passed."""
    ramp_s: float = 3600.0
    """From this age of its lease on a voter weighs all it can. Attack: identities made for one vote."""
    valid_s_max: float = 900.0
    """A vote that says more is cut to this many seconds. Attack: a vote outlives its reason."""
    per_voter_max: int = 64
    """Peers that one voter accuses at once; its oldest vote gives way. Attack: a node that is cut off, or a
    liar, accuses everybody."""
    per_host_max: int = 512
    """Votes from one host; more are refused. Attack: the same by many identities."""
    per_accused_max: int = 16_384
    """Votes against one peer; more are refused. Attack: the memory of all others goes to one."""
    votes_max: int = 65_536
    """Votes of all against all; the oldest gives way. Attack: the same by many networks."""


class Online(Protocol):
    """Who is online here: `Residents`."""

    def get(self, peer: PeerId) -> Held | None: ...

    def number_of(self, peer: PeerId) -> int | None: ...

    def items(self) -> Iterable[tuple[PeerId, Held]]: ...


class Doubted(NamedTuple):
    """The votes suffice: ask the accused for a lease before it counts as offline."""

    peer: PeerId
    share: Share


class HeldOffline(NamedTuple):
    """The votes suffice, and the accused did not answer."""

    peer: PeerId
    share: Share


class Released(NamedTuple):
    """A peer is held offline no more. refuted: it renewed its lease; else the votes ended."""

    peer: PeerId
    refuted: bool


Change: TypeAlias = "Doubted | HeldOffline | Released"


class _Vote(NamedTuple):
    against: int
    until: float
    host: str


class _Case:
    """All that is said of one accused."""

    __slots__ = ("is_doubted", "is_held", "is_unanswered", "look_at", "share", "votes")

    def __init__(self) -> None:
        self.votes: dict[PeerId, _Vote] = {}
        self.share = Share(0.0, 0, 0, 0)
        self.look_at = 0.0
        self.is_doubted = False
        self.is_unanswered = False
        self.is_held = False


class Votes:
    """Those of one super-peer. `look` is to be called by `next_look`."""

    __slots__ = (
        "_by_host",
        "_cases",
        "_census",
        "_census_at",
        "_changes",
        "_count",
        "_held",
        "_numbers",
        "_of",
        "_online",
        "_policy",
        "_recount_at",
    )

    def __init__(self, policy: VotePolicy, online: Online) -> None:
        self._policy = policy
        self._online = online
        self._cases: dict[PeerId, _Case] = {}
        self._held: dict[PeerId, None] = {}
        """Whom the votes hold offline, those longest held first."""
        self._of: OrderedDict[PeerId, OrderedDict[PeerId, None]] = OrderedDict()
        """Whom each voter accuses; the oldest vote first, and the voter that voted longest ago."""
        self._by_host: Counter[str] = Counter()
        self._count = 0
        self._numbers: dict[PeerId, int] = {}
        """The number of each voter's newest vote, while it is online."""
        self._census = Census(())
        self._census_at = float("-inf")
        self._recount_at: float | None = None
        self._changes: list[Change] = []

    # --- what is so ---------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """How many votes are kept."""
        return self._count

    def is_held_offline(self, peer: PeerId) -> bool:
        """Whether the votes hold a peer for offline."""
        return peer in self._held

    def is_doubted(self, peer: PeerId) -> bool:
        """Whether the votes suffice against a peer that is to be asked, or was asked in vain."""
        case = self._cases.get(peer)
        return case is not None and case.is_doubted

    def share(self, peer: PeerId) -> Share | None:
        """How the votes against a peer stood when they were last looked at; None: there are none."""
        case = self._cases.get(peer)
        return case.share if case is not None else None

    def held_offline(self) -> list[PeerId]:
        """Whom the votes hold for offline, those longest held first."""
        return list(self._held)

    @property
    def held_count(self) -> int:
        """How many they hold for offline."""
        return len(self._held)

    def jury(self, accused: PeerId, most: int, now: float) -> list[PeerId]:
        """Who might try to reach somebody: the `most` who weigh the most. Nobody where all of them could not
        hold it offline.
        """
        self._look_around(now)
        asked = self._census.heaviest(most, accused)
        return asked if self._suffices(self._census.share(accused, asked)) else []

    # --- what happens -------------------------------------------------------------------------------------

    def cast(self, vote: FailVote, now: float) -> Outcome:
        """Somebody votes, or withdraws its vote."""
        voter = self._online.get(vote.peer_id)
        if voter is None:
            return "not online"
        if vote.seq <= self._numbers.get(vote.peer_id, -1):
            return "old"
        self._numbers[vote.peer_id] = vote.seq
        if vote.withdraws:
            self._drop(vote.peer_id, vote.accused, now)
            return "withdrawn"
        number = self._online.number_of(vote.accused)
        if number is None:
            return "unknown"
        if vote.against < number:
            return "refuted"
        # It cannot be against a lease that is yet to come: no renewal would ever refute it.
        until = now + min(vote.valid_s, self._policy.valid_s_max)
        return self._put(vote.peer_id, vote.accused, _Vote(number, until, voter.place.host), now)

    def renewed(self, peer: PeerId, now: float) -> None:
        """A peer took a fresh lease: all votes against older ones are refuted."""
        case = self._cases.get(peer)
        number = self._online.number_of(peer)
        if case is None or number is None:
            return
        for voter in [voter for voter, vote in case.votes.items() if vote.against < number]:
            self._forget(voter, peer)
        self._judge(peer, case, now, refuted=True)

    def left(self, voter: PeerId, now: float) -> None:
        """A peer is online no more: its votes count no more. Those against it stand."""
        self._numbers.pop(voter, None)
        for accused in list(self._of.get(voter, ())):
            self._drop(voter, accused, now)

    def unanswered(self, peer: PeerId, now: float) -> None:
        """A peer that was `Doubted` was asked for a fresh lease, and showed none."""
        case = self._cases.get(peer)
        if case is not None and case.is_doubted:
            case.is_unanswered = True
            self._judge(peer, case, now)

    def look(self, now: float) -> None:
        """Judge the cases that are due."""
        recount = self._recount_at is not None and self._recount_at <= now
        if recount:
            self._recount_at, self._census_at = None, float("-inf")
        for peer, case in list(self._cases.items()):
            if recount or case.look_at <= now:
                self._judge(peer, case, now)

    def next_look(self) -> float | None:
        """When to call `look` next; None: not before a vote is cast."""
        at = min((case.look_at for case in self._cases.values()), default=None)
        if at is None or self._recount_at is None:
            return at
        return min(at, self._recount_at)

    def take_changes(self) -> list[Change]:
        """What has changed since the last call, in order."""
        changes, self._changes = self._changes, []
        return changes

    # --- the votes ----------------------------------------------------------------------------------------

    def _put(self, voter: PeerId, accused: PeerId, vote: _Vote, now: float) -> Outcome:
        policy = self._policy
        case = self._cases.get(accused)
        if case is not None and voter in case.votes:
            self._drop(voter, accused, now)
        elif case is not None and len(case.votes) >= policy.per_accused_max:
            return "too many"
        mine = self._of.get(voter, ())
        if len(mine) >= policy.per_voter_max:
            self._drop(voter, next(iter(mine)), now)
        if self._by_host[vote.host] >= policy.per_host_max:
            return "too many"
        if self._count >= policy.votes_max:
            oldest = next(iter(self._of))
            self._drop(oldest, next(iter(self._of[oldest])), now)
        case = self._cases.setdefault(accused, _Case())
        case.votes[voter] = vote
        case.look_at = now
        self._by_host[vote.host] += 1
        self._count += 1
        self._of.setdefault(voter, OrderedDict())[accused] = None
        self._of.move_to_end(voter)
        return "counted"

    def _drop(self, voter: PeerId, accused: PeerId, now: float) -> None:
        """Forget one vote, and have its case looked at."""
        case = self._cases.get(accused)
        if case is not None and voter in case.votes:
            self._forget(voter, accused)
            case.look_at = now

    def _forget(self, voter: PeerId, accused: PeerId) -> None:
        vote = self._cases[accused].votes.pop(voter)
        self._count -= 1
        self._by_host[vote.host] -= 1
        if not self._by_host[vote.host]:
            del self._by_host[vote.host]
        del self._of[voter][accused]
        if not self._of[voter]:
            del self._of[voter]

    # --- judging ------------------------------------------------------------------------------------------

    def _judge(self, peer: PeerId, case: _Case, now: float, *, refuted: bool = False) -> None:
        for voter in [voter for voter, vote in case.votes.items() if vote.until <= now]:
            self._forget(voter, peer)
        self._look_around(now)
        case.share = share = self._census.share(peer, case.votes)
        case.look_at = min([now + LOOK_S, *(vote.until for vote in case.votes.values())])
        if not self._suffices(share):
            case.is_doubted = case.is_unanswered = False
            if case.is_held:
                self._set_held(peer, case, now, held=False)
                self._changes.append(Released(peer, refuted))
        elif not case.is_doubted:
            case.is_doubted = True
            self._changes.append(Doubted(peer, share))
        elif case.is_unanswered and not case.is_held:
            self._set_held(peer, case, now, held=True)
            self._changes.append(HeldOffline(peer, share))
        if not case.votes:
            del self._cases[peer]

    def _suffices(self, share: Share) -> bool:
        return share.share > self._policy.ratio + MARGIN and share.hosts >= HOSTS_MIN

    def _set_held(self, peer: PeerId, case: _Case, now: float, *, held: bool) -> None:
        case.is_held = held
        if held:
            self._held[peer] = None
        else:
            del self._held[peer]
        if self._recount_at is None:
            self._recount_at = now + RECOUNT_S

    def _look_around(self, now: float) -> None:
        """Whoever came since the last census weighs next to nothing yet, whoever left votes no more."""
        if now < self._census_at + CENSUS_S:
            return
        ramp_s, silent = self._policy.ramp_s, self._held
        self._census_at = now
        self._census = Census(
            (peer, held.place, weight(now - held.since, ramp_s))
            for peer, held in self._online.items()
            if peer not in silent
        )
