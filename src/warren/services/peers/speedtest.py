"""How fast bytes travel to and from a peer.

In:  a peer and a budget of seconds, and of bytes where nobody asked for the test. Out: round trip, and bytes
per second in each direction; how far it is, as it goes. Each direction starts small and sends more each time,
until a run lasted long enough to say something: a slow link is not flooded, and a fast one is not judged by
its first packets.

A node is in one speed test at most. The first run moves a byte: its answer comes when the peer has its turn
for us, and only then does this node take its own and measure. What waiting took is in no figure.

Refuses budgets outside 0.1 to 60 seconds. The peer refuses whom it does not grant tests.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core.errors import InputError, LimitReached, Refused, StreamReset
from warren.services.peers.budget import WAIT_S
from warren.services.peers.serving import RUN_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.peer_id import PeerId
    from warren.protocols.perf import Perf, PerfResult
    from warren.protocols.ping import Ping
    from warren.runtime.seam import Clock, Entropy
    from warren.services.peers.budget import Turns

SECONDS_MIN, SECONDS_DEFAULT, SECONDS_MAX = 0.1, 4.0, 60.0
_FIRST_BYTES: Final = 64 * 1024
_GROWTH_MAX: Final = 16
_PINGS: Final = 5
# Beyond the budget, for one run: a slow link needs it, a peer that hangs gets no more.
RUN_GRACE_S: Final = 30.0
TURN_TIMEOUT_S: Final = 2 * WAIT_S
"""How long a test waits until both nodes have their turn."""
# What the peer's answer may take beyond the wait in its line.
_ADMITTED_S: Final = 5.0
# Between two looks whether it is this node's turn: apart enough that two nodes do not always meet.
_TURN_LOOK_S: Final = (0.1, 0.5)


@dataclass(frozen=True, slots=True)
class SpeedResult:
    """One measurement. Bytes per second are those of the longest run of each direction."""

    peer_id: PeerId
    rtt_s: float
    upload_bytes_per_s: float
    download_bytes_per_s: float
    uploaded_bytes: int
    downloaded_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SpeedProgress:
    """How far a test is. phase: "waiting", "upload" or "download". share: of the whole test, 0 to 1.

    bytes_per_s: of the run under way so far, as bytes leave or come; the figure in the end may differ.
    """

    phase: str
    share: float
    moved_bytes: int
    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class SpeedTester:
    """Makes speed tests of others, one at a time."""

    ping: Ping
    perf: Perf
    turns: Turns
    clock: Clock
    entropy: Entropy

    async def measure(
        self,
        peer: PeerId,
        seconds: float,
        *,
        bytes_max: int = RUN_BYTES_MAX,
        report: Callable[[SpeedProgress], None] = lambda _: None,
        on_moved: Callable[[int], None] = lambda _: None,
    ) -> SpeedResult:
        """Measure for about `seconds`, half in each direction, with runs of up to `bytes_max`.

        on_moved: called with each so many bytes that the test cost.
        Raises InputError, Refused, LimitReached (others are being tested all the time), RequestTimeout (a run
        took `RUN_GRACE_S` longer than all of them should), and what connecting raises.
        """
        if not SECONDS_MIN <= seconds <= SECONDS_MAX:
            raise InputError(
                f"a speed test lasts {SECONDS_MIN:g} to {SECONDS_MAX:g} seconds, not {seconds:g}",
                hint=f"{SECONDS_DEFAULT:g} is a good choice",
            )
        report(SpeedProgress("waiting", 0.0, 0, 0.0))
        await self._take_turn(peer)
        try:
            rtt_s = min([await self.ping.ping(peer) for _ in range(_PINGS)])
            up, down = (
                _Direction(self, peer, phase, seconds / 2, bytes_max, rtt_s, report, on_moved)
                for phase in ("upload", "download")
            )
            await up.measure()
            await down.measure()
        finally:
            self.turns.end_test()
        return SpeedResult(
            peer,
            rtt_s,
            up.bytes_per_s,
            down.bytes_per_s,
            up.bytes,
            down.bytes,
            up.seconds + down.seconds,
        )

    async def _take_turn(self, peer: PeerId) -> None:
        """Wait until both nodes are free for this test; then it is this node's turn, and it has begun."""
        until = self.clock.now() + TURN_TIMEOUT_S
        while True:
            if self.turns.may_test(peer, self.clock.now()):
                # No turn is held while waiting for another's: so no two nodes can wait for each other.
                await self._be_admitted(peer)
                if self.turns.may_test(peer, self.clock.now()):
                    self.turns.begin_test(peer)
                    return
            if self.clock.now() >= until:
                raise LimitReached("speed tests", "another speed test is under way", hint="try again later")
            await asyncio.sleep(self.entropy.uniform(*_TURN_LOOK_S))

    async def _be_admitted(self, peer: PeerId) -> None:
        try:
            await self.perf.measure(peer, download_bytes=1, timeout_s=WAIT_S + _ADMITTED_S)
        except StreamReset as error:
            raise Refused(
                "the peer turned the speed test down",
                hint="Warren answers the tests of its contacts, one at a time and within a daily budget",
            ) from error


class _Direction:
    """One direction of one test: runs that grow until one lasts half of its time."""

    def __init__(
        self,
        tester: SpeedTester,
        peer: PeerId,
        phase: str,
        budget_s: float,
        bytes_max: int,
        rtt_s: float,
        report: Callable[[SpeedProgress], None],
        on_moved: Callable[[int], None],
    ) -> None:
        self._tester = tester
        self._peer = peer
        self._phase = phase
        self._budget_s = budget_s
        self._bytes_max = bytes_max
        self._rtt_s = rtt_s
        self._report = report
        self._on_moved = on_moved
        self._spent_s = 0.0
        self._moved = 0
        self._run_began = 0.0
        self.bytes = 0
        self.seconds = 0.0

    @property
    def bytes_per_s(self) -> float:
        """Of the longest run. A round trip of it is the way of the question and of the last answer."""
        return self.bytes / max(self.seconds - self._rtt_s, self.seconds / 2, 1e-9)

    async def measure(self) -> None:
        """Repeat runs with more bytes until one takes half the budget, or the budget is spent."""
        count = min(_FIRST_BYTES, self._bytes_max)
        while True:
            try:
                result = await self._run(count)
            except StreamReset:
                if not self.seconds:
                    raise
                return  # more than the peer grants: what was measured before stands
            self.bytes, self.seconds = count, result.seconds
            self._spent_s += result.seconds
            enough = result.seconds >= self._budget_s / 2 or self._spent_s >= self._budget_s
            if enough or count == self._bytes_max:
                return
            count = min(next_count(count, result.seconds, self._budget_s), self._bytes_max)

    async def _run(self, count: int) -> PerfResult:
        self._moved, self._run_began = 0, self._tester.clock.now()
        up = self._phase == "upload"
        return await self._tester.perf.measure(
            self._peer,
            upload_bytes=count if up else 0,
            download_bytes=0 if up else count,
            timeout_s=self._budget_s + RUN_GRACE_S,
            on_moved=self._go_on,
        )

    def _go_on(self, size: int) -> None:
        self._on_moved(size)
        self._moved += size
        took_s = self._tester.clock.now() - self._run_began
        share = min((self._spent_s + took_s) / self._budget_s, 1.0) / 2
        done = share if self._phase == "upload" else 0.5 + share
        self._report(SpeedProgress(self._phase, done, self._moved, self._moved / max(took_s, 1e-3)))


def next_count(count: int, took_s: float, budget_s: float) -> int:
    """How many bytes should take some 60 % of the budget, but no more than 16 times as many as before."""
    wanted = count * 0.6 * budget_s / max(took_s, 1e-6)
    return int(min(max(wanted, count * 2), count * _GROWTH_MAX, RUN_BYTES_MAX))
