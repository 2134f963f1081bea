"""`Voting`: this node finds out whether a peer is gone, and says so where the peer counts as online.

In:  signs that a peer may be gone; who was met; what a try comes to. Out: doubts and votes, to the
super-peers of this node, or into its own desk where it is one. Whom to look into when is decided in
accusing.py.

A look: the super-peers are told of the doubt (so that they ask the peer themselves), and say how it stands
with them. Where it is online it is tried, twice. Each try must fail while somebody else, who is as far away,
answers: a node whose cable is pulled can reach nobody, and accuses nobody. The vote is against the lease that
the super-peer knew before the tries: if the peer renewed it meanwhile it is there, and the vote is void.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias, TypeVar
from weakref import WeakValueDictionary

from warren.core.errors import WarrenError
from warren.core.fail_vote import FailVote
from warren.services.presence.accusing import Accusing, LookInto, Withdraw
from warren.services.presence.numbers import Numbers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId
    from warren.protocols.presence.messages import Answer, Standing
    from warren.protocols.presence.protocol import PresenceProtocol
    from warren.runtime.seam import Runtime
    from warren.services.presence.accusing import Outcome
    from warren.services.presence.config import PresenceConfig
    from warren.services.presence.desk import Desk

TRIES: Final = 2
"""Tries in a row that must fail: one may be a moment's trouble."""
TRY_S: Final = 3.0
"""For one of them. A connection that stands answers in one round trip, a new one in four."""
PAUSE_S: Final = 1.0
"""Between two."""
_log = logging.getLogger(__name__)

_T = TypeVar("_T")

Tried: TypeAlias = Literal["reached", "failed", "unsure"]
"""unsure: it failed, but so may this node's own network have."""


class Attempts(Protocol):
    """Who tries peers."""

    async def attempt(self, peer: PeerId, timeout_s: float) -> Tried:
        """Try to reach a peer now, over its connection or a new one."""
        ...


class Voting:
    """Of one node. `run` as long as it lives."""

    def __init__(
        self,
        runtime: Runtime,
        key: PrivateKey,
        config: PresenceConfig,
        protocol: PresenceProtocol,
        desk: Desk,
        attempts: Attempts,
        super_peers: Callable[[], Sequence[PeerId]],
    ) -> None:
        self._key = key
        self._vote_s = config.vote_s
        self._protocol = protocol
        self._desk = desk
        self._attempts = attempts
        self._super_peers = super_peers
        self._clock = runtime.clock
        self._entropy = runtime.entropy
        self._numbers = Numbers(self._clock)
        self._accusing = Accusing(config.vote_s, self._clock.now())
        self._turns: WeakValueDictionary[PeerId, asyncio.Lock] = WeakValueDictionary()
        """Votes come to each super-peer one after the other: of two that pass each other one would be old."""
        self._wake = asyncio.Event()

    # --- what happens -------------------------------------------------------------------------------------

    def suspect(self, peer: PeerId, *, is_own: bool = True) -> None:
        """There is a sign that a peer may be gone. is_own: no super-peer asked."""
        if self._super_peers() or self._desk.is_open:
            self._accusing.suspect(peer, self._clock.now(), is_own=is_own)
            self._wake.set()

    def accuses(self, peer: PeerId) -> bool:
        """Whether this node tried to reach a peer in vain, and voted against it."""
        return self._accusing.accuses(peer)

    def met(self, peer: PeerId) -> None:
        """A connection with a peer stands."""
        if self._accusing.met(peer):
            self._wake.set()

    # --- life ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look into what is due, vote and withdraw, until cancelled. May be run again after a fault."""
        self._accusing = Accusing(self._vote_s, self._clock.now())
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                match self._accusing.next(self._clock.now()):
                    case LookInto(peer, is_own):
                        tasks.create_task(self._look(peer, is_own=is_own))
                    case Withdraw(peer):
                        tasks.create_task(self._withdraw(peer))
                    case wait:
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(wait.seconds):
                                await self._wake.wait()

    async def _look(self, peer: PeerId, *, is_own: bool) -> None:
        outcome: Outcome = "unsure"
        try:
            outcome = await self._look_into(peer, is_own=is_own)
        finally:
            self._accusing.looked(peer, outcome, self._clock.now())
            self._wake.set()
        _log.debug("looked into whether %s is there: %s", peer, outcome)

    async def _look_into(self, peer: PeerId, *, is_own: bool) -> Outcome:
        standings = await self._standings(peer, is_own=is_own)
        if standings is None:
            return "unsure"
        where = {one: standing.lease for one, standing in standings.items() if standing.state != "absent"}
        if not where:
            return "absent"
        for number in range(TRIES):
            if number:
                await asyncio.sleep(self._entropy.uniform(PAUSE_S / 2, PAUSE_S * 1.5))
            tried = await self._attempts.attempt(peer, TRY_S)
            if tried != "failed":
                return tried
        taken = await self._vote_at(peer, where, self._vote_s)
        return "accused" if taken else "refuted"

    # --- the super-peers ----------------------------------------------------------------------------------

    async def _standings(self, peer: PeerId, *, is_own: bool) -> dict[PeerId, Standing] | None:
        """How a peer stands with each super-peer; None: of those that were asked nobody answered. is_own:
        they hear of the doubt besides.
        """
        found: dict[PeerId, Standing] = {}
        if self._desk.is_open:
            if is_own:
                self._desk.doubt(peer)
            found[self._key.peer_id] = self._desk.standing(peer)
        others = [one for one in self._super_peers() if one != peer]
        ask = self._protocol.doubt if is_own else self._protocol.ask_one
        answers = await asyncio.gather(*(_answer(ask(one, peer)) for one in others))
        found.update({one: answer for one, answer in zip(others, answers, strict=True) if answer is not None})
        return found if found or not others else None

    async def _vote_at(self, accused: PeerId, where: dict[PeerId, int], valid_s: int) -> bool:
        """Vote against the lease that each is known to have; whether anybody took it."""
        verdicts = await asyncio.gather(
            *(self._cast(one, accused, number, valid_s) for one, number in where.items())
        )
        return any(verdicts)

    async def _cast(self, super_peer: PeerId, accused: PeerId, against: int, valid_s: int) -> bool:
        me, cast_at = self._key.peer_id, int(self._clock.wall())
        async with self._turns.setdefault(super_peer, asyncio.Lock()):
            vote = FailVote(me, self._numbers.next(), accused, against, valid_s, cast_at)
            if super_peer == me:
                return self._desk.take_vote(vote).verdict == "taken"
            answer: Answer | None = await _answer(self._protocol.vote(super_peer, vote.seal(self._key)))
        if answer is not None:
            _log.info("voted against %s at %s: %s", accused, super_peer, answer.verdict)
        return answer is not None and answer.verdict == "taken"

    async def _withdraw(self, peer: PeerId) -> None:
        where = [*self._super_peers(), *([self._key.peer_id] if self._desk.is_open else [])]
        await self._vote_at(peer, dict.fromkeys((one for one in where if one != peer), 0), 0)


async def _answer(asking: Awaitable[_T]) -> _T | None:
    """What a super-peer says; one that does not answer costs only what it was asked."""
    try:
        return await asking
    except WarrenError as error:
        _log.debug("a super-peer did not answer: %s", error)
        return None
