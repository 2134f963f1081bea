"""`SpeedGate`: which speed tests of others this node answers, and one at a time.

In:  runs that peers ask for (`warren.protocols.perf`), the budgets. Out: runs that begin, wait, or are
refused. `Turns` holds the order, `Budget` the costs; this is the IO around them.

A test is several runs; it counts as one from its first run to `LEASE_S` after its last. While any test is
under way, be it this node's own, others wait in line.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warren.core.errors import Refused
from warren.services.peers.budget import Allowance, Budget

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.peer_id import PeerId
    from warren.protocols.perf import ServedRun
    from warren.runtime.seam import Clock
    from warren.services.peers.budget import Turns
    from warren.services.peers.config import PeersConfig

RUN_BYTES_MAX: Final = 4 << 30
"""Bytes of one run in each direction, so that a contact cannot make this node send for ever."""
LOOK_S: Final = 0.1
"""While a run is served or somebody waits, things are looked at so often."""
_CONTACT_TESTS_MAX: Final = 10_000


class SpeedGate:
    """Asked by `Perf` about every run."""

    __slots__ = (
        "_clock",
        "_contacts",
        "_is_contact",
        "_left",
        "_run",
        "_seconds_max",
        "_strangers",
        "_timer",
        "_turns",
        "_waiting",
    )

    def __init__(
        self, turns: Turns, clock: Clock, is_contact: Callable[[PeerId], bool], config: PeersConfig
    ) -> None:
        self._turns = turns
        self._clock = clock
        self._is_contact = is_contact
        self._seconds_max = config.served_seconds_max
        each = Allowance(config.contact_tests_per_day, config.contact_bytes_per_day)
        together = Allowance(_CONTACT_TESTS_MAX, _CONTACT_TESTS_MAX * config.contact_bytes_per_day)
        self._contacts = Budget(each, together)
        strangers = Allowance(config.stranger_tests_per_day, config.stranger_bytes_per_day)
        one = Allowance(config.stranger_tests_per_day, config.stranger_bytes_per_test)
        self._strangers = Budget(one, strangers)
        self._run: ServedRun | None = None
        self._left = 0  # bytes that the test under way may still cost
        self._waiting: dict[PeerId, ServedRun] = {}
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, run: ServedRun) -> None:
        """Begin the run, put it in line, or raise `Refused`."""
        self._look()  # the run before it may be over, and nobody has noticed yet
        peer, now = run.peer_id, self._clock.now()
        continues = self._run is None and self._turns.continues(peer, now)
        if not (self._left if continues else self._budget(peer).left_bytes(peer, now)):
            raise Refused("no speed tests for this peer, or no more today")
        if continues:
            self._begin(run, now)
        elif self._run is None and self._turns.may_serve(peer, now):
            self._begin_test(run, now)
        elif self._turns.wait(peer, now):
            self._waiting[peer] = run
            self._look_later()
        else:
            raise Refused("too many wait for a speed test")

    def close(self) -> None:
        """Stop looking; runs under way end with the network."""
        if self._timer is not None:
            self._timer.cancel()

    # --- inside ---------------------------------------------------------------------------------------------

    def _budget(self, peer: PeerId) -> Budget:
        return self._contacts if self._is_contact(peer) else self._strangers

    def _begin_test(self, run: ServedRun, now: float) -> None:
        budget = self._budget(run.peer_id)
        self._left = budget.left_bytes(run.peer_id, now)
        budget.begin(run.peer_id, now)
        self._begin(run, now)

    def _begin(self, run: ServedRun, now: float) -> None:
        self._turns.begin_run(run.peer_id, now)
        self._run = run
        run.begin(min(self._left, RUN_BYTES_MAX), self._seconds_max)
        self._look_later()

    def _look(self) -> None:
        """See whether the run is over, who is next, and who waited too long."""
        now = self._clock.now()
        run = self._run
        if run is not None and run.over:
            self._run = None
            self._turns.end_run(now)
            self._left = max(self._left - run.moved_bytes, 0)
            self._budget(run.peer_id).spend(run.peer_id, run.moved_bytes, now)
        for peer, waiting in list(self._waiting.items()):
            if waiting.over:
                self._leave(peer)
        for peer in self._turns.overdue(now):
            self._leave(peer).refuse()
        following = self._turns.next_waiting(now)
        if following is not None:
            # What it may cost was asked when it came; that it is next may have taken a minute.
            self._begin_test(self._waiting.pop(following), now)

    def _leave(self, peer: PeerId) -> ServedRun:
        self._turns.leave(peer)
        return self._waiting.pop(peer)

    def _look_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._look()
        if self._run is not None or self._waiting:
            self._look_later()
