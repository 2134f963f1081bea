"""What speed tests may cost, and whose turn it is. Pure: times in monotonic seconds are arguments.

In:  who wants to test or to be tested, and what tests moved. Out: how many bytes one may move, and
whether it may begin now.

`Budget` counts tests and bytes of the last 24 hours, per peer and in all. `Turns` sees to it that a node is
in one speed test at most, be it its own or a peer's: two at once would share the link, and both be wrong.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

DAY_S: Final = 86400.0
LEASE_S: Final = 2.0
"""A test is several runs with pauses of a round trip or two: as long after a run nobody else has the turn."""
TEST_S_MAX: Final = 180.0
"""No test lasts longer; what follows is another one, behind those that wait. Attack: a peer that goes on with
tiny runs, and keeps all others from testing."""
WAITING_MAX: Final = 8
"""Peers that wait for their turn. Attack: streams that are opened to be kept waiting."""
WAIT_S: Final = 30.0
"""Who waited for so long is refused. Attack: the same."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many tests and bytes in 24 hours."""

    tests: int
    bytes: int


@dataclass(slots=True)
class _Test:
    began_at: float
    peer: PeerId
    bytes: int = 0


class Budget:
    """The tests of the last 24 hours. Memory is bounded by the tests that `total` allows."""

    __slots__ = ("_bytes", "_bytes_of", "_per_peer", "_tests", "_tests_of", "_total")

    def __init__(self, per_peer: Allowance, total: Allowance) -> None:
        self._per_peer = per_peer
        self._total = total
        self._tests: deque[_Test] = deque()
        self._bytes = 0
        self._bytes_of: Counter[PeerId] = Counter()
        self._tests_of: Counter[PeerId] = Counter()

    def left_bytes(self, peer: PeerId, now: float) -> int:
        """What a test with `peer` may move if it began now; 0 when none may."""
        self._let_go(now)
        if len(self._tests) >= self._total.tests or self._tests_of[peer] >= self._per_peer.tests:
            return 0
        left = min(self._total.bytes - self._bytes, self._per_peer.bytes - self._bytes_of[peer])
        return max(left, 0)

    def begin(self, peer: PeerId, now: float) -> None:
        """Count a test, before it moves anything."""
        self._let_go(now)
        self._tests.append(_Test(now, peer))
        self._tests_of[peer] += 1
        while len(self._tests) > max(self._total.tests, 1):
            self._drop_oldest()

    def spend(self, peer: PeerId, moved_bytes: int, now: float) -> None:
        """What the newest test with `peer` moved, or a part of it."""
        self._let_go(now)
        for test in reversed(self._tests):
            if test.peer == peer:
                test.bytes += moved_bytes
                self._bytes += moved_bytes
                self._bytes_of[peer] += moved_bytes
                return

    def _let_go(self, now: float) -> None:
        while self._tests and self._tests[0].began_at <= now - DAY_S:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        test = self._tests.popleft()
        self._bytes -= test.bytes
        self._bytes_of[test.peer] -= test.bytes
        self._tests_of[test.peer] -= 1
        if not self._tests_of[test.peer]:
            del self._tests_of[test.peer], self._bytes_of[test.peer]


class Turns:
    """Who is in a speed test with this node: nobody, the peer that it tests, or the peer that tests it.

    A peer that tests keeps its turn for `LEASE_S` between its runs. Others wait in line, each for `WAIT_S`.
    """

    __slots__ = ("_leased_until", "_me", "_runs", "_served", "_since", "_testing", "_waiting")

    def __init__(self, me: PeerId) -> None:
        self._me = me
        self._testing: PeerId | None = None
        self._served: PeerId | None = None
        self._runs = 0
        self._since = 0.0
        self._leased_until = 0.0
        self._waiting: dict[PeerId, float] = {}

    def may_test(self, peer: PeerId, now: float) -> bool:
        """Whether our own test of `peer` may begin now.

        Two nodes that want to test each other give each other the turn at the same moment, and each finds its
        own taken. Then the one with the lower id goes first.
        """
        if self._testing is not None or self._runs:
            return False
        return now >= self._leased_until or (peer == self._served and self._me < peer)

    def begin_test(self, peer: PeerId) -> None:
        """Our own test begins; `may_test` said so. `end_test` must follow."""
        self._testing, self._served, self._leased_until = peer, None, 0.0

    def end_test(self) -> None:
        """Our own test is over."""
        self._testing = None

    def may_serve(self, peer: PeerId, now: float) -> bool:
        """Whether a run that `peer` asked for may begin now: the turn is free or its own, and it is next."""
        if self.continues(peer, now):
            return True
        if self._testing is not None:
            return False
        return not self._runs and now >= self._leased_until and next(iter(self._waiting), peer) == peer

    def continues(self, peer: PeerId, now: float) -> bool:
        """Whether a run of `peer` now is one more of the test that it has under way."""
        under_way = self._runs > 0 or now < self._leased_until
        return self._testing is None and peer == self._served and under_way and now < self._since + TEST_S_MAX

    def begin_run(self, peer: PeerId, now: float) -> None:
        """A run of `peer` begins; `may_serve` said so. `end_run` must follow."""
        self._waiting.pop(peer, None)
        if not self.continues(peer, now):
            self._since = now
        self._served = peer
        self._runs += 1

    def end_run(self, now: float) -> None:
        """A run of the served peer is over."""
        self._runs -= 1
        self._leased_until = now + LEASE_S

    def wait(self, peer: PeerId, now: float) -> bool:
        """Put `peer` in line. False where it stands there already, or the line is too long: refuse it."""
        if peer in self._waiting or len(self._waiting) >= WAITING_MAX:
            return False
        self._waiting[peer] = now + WAIT_S
        return True

    def leave(self, peer: PeerId) -> None:
        """`peer` waits no longer."""
        self._waiting.pop(peer, None)

    def next_waiting(self, now: float) -> PeerId | None:
        """Whose turn has come, of those in line."""
        peer = next(iter(self._waiting), None)
        return peer if peer is not None and self.may_serve(peer, now) else None

    def overdue(self, now: float) -> list[PeerId]:
        """Who waited for too long, to be refused and to `leave`."""
        return [peer for peer, until in self._waiting.items() if until <= now]
