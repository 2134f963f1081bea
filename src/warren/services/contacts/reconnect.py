"""When to dial which contact, so that all stay connected without a storm of dials.

In:  the time (monotonic seconds), chance, and what happened to each contact's connection.
Out: `Dial(peer)` or `Wait(until)`. A decision machine: it does nothing itself.

Every wait is drawn at random from half to one and a half of its length, so that many nodes that lost each
other at once do not dial each other at once. Waits double with each failure. A connection that did not last
counts as a failure, else a peer that accepts and hangs up would be dialled without pause. The first success
after a time without any connection suggests that it was our own network that was away: then everybody is due
again soon.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId


class Chance(Protocol):
    """Where the jitter comes from."""

    def uniform(self, low: float, high: float) -> float: ...


@dataclass(frozen=True, slots=True)
class ReconnectPolicy:
    """Seconds, but for the last.

    start_s: the wait for a new contact, and for all at the start. first_s: after a loss or a first failure.
    longest_s: waits double up to this.
    steady_s: a connection that stood this long was a good one.
    dials_max: attack: an invitation used by many, each with dead addresses, would make us a scanner.
    """

    start_s: float = 0.2
    first_s: float = 1.0
    longest_s: float = 600.0
    steady_s: float = 30.0
    dials_max: int = 8


@dataclass(frozen=True, slots=True)
class Dial:
    """Dial this contact now, then report `connected` or `failed`."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is due before `until`; None: not before something happens."""

    until: float | None


class _Contact:
    __slots__ = ("due", "failures", "since")

    def __init__(self) -> None:
        self.due: float | None = None  # None: connected, or a dial is under way
        self.failures = 0
        self.since: float | None = None  # when it connected


class Reconnect:
    """Keeps the schedule of all contacts."""

    __slots__ = ("_chance", "_connected", "_contacts", "_dialling", "_heap", "_policy")

    def __init__(self, policy: ReconnectPolicy, chance: Chance) -> None:
        self._policy = policy
        self._chance = chance
        self._contacts: dict[PeerId, _Contact] = {}
        self._dialling: set[PeerId] = set()
        self._connected = 0
        self._heap: list[tuple[float, PeerId]] = []

    def add(self, peer: PeerId, now: float) -> None:
        """Begin to keep `peer` connected; a first dial is due at once, or nearly."""
        if peer not in self._contacts:
            self._contacts[peer] = _Contact()
            self._due_within(peer, now, self._policy.start_s)

    def remove(self, peer: PeerId) -> None:
        """Stop keeping `peer` connected."""
        contact = self._contacts.pop(peer, None)
        if contact is not None and contact.since is not None:
            self._connected -= 1
        self._dialling.discard(peer)

    def connected(self, peer: PeerId, now: float) -> None:
        """A first connection stands, whoever dialled."""
        contact = self._contacts.get(peer)
        if contact is None or contact.since is not None:
            return
        self._dialling.discard(peer)
        contact.due, contact.since = None, now
        self._connected += 1
        if self._connected == 1:
            self._all_due_soon(now)

    def lost(self, peer: PeerId, now: float) -> None:
        """The last connection is gone."""
        contact = self._contacts.get(peer)
        if contact is None or contact.since is None:
            return
        steady = now - contact.since >= self._policy.steady_s
        contact.failures = 0 if steady else contact.failures + 1
        contact.since = None
        self._connected -= 1
        self._schedule(peer, now)

    def failed(self, peer: PeerId, now: float) -> None:
        """A dial that `next` asked for came to nothing."""
        self._dialling.discard(peer)
        contact = self._contacts.get(peer)
        if contact is not None and contact.since is None:
            contact.failures += 1
            self._schedule(peer, now)

    def next(self, now: float) -> Dial | Wait:
        """What to do now. Each `Dial` must be followed by `connected` or `failed` for its peer."""
        while self._heap:
            due, peer = self._heap[0]
            contact = self._contacts.get(peer)
            if contact is None or contact.due != due:
                heapq.heappop(self._heap)  # superseded
                continue
            if len(self._dialling) >= self._policy.dials_max:
                return Wait(None)
            if due > now:
                return Wait(due)
            heapq.heappop(self._heap)
            contact.due = None
            self._dialling.add(peer)
            return Dial(peer)
        return Wait(None)

    def _schedule(self, peer: PeerId, now: float) -> None:
        contact = self._contacts[peer]
        # Beyond 2**30 the power only grows the number, not the wait.
        doubled = self._policy.first_s * 2.0 ** min(max(contact.failures - 1, 0), 30)
        self._due_within(peer, now, min(doubled, self._policy.longest_s))

    def _all_due_soon(self, now: float) -> None:
        for peer, contact in self._contacts.items():
            if contact.due is not None and contact.due > now + self._policy.first_s:
                self._due_within(peer, now, self._policy.first_s)

    def _due_within(self, peer: PeerId, now: float, wait_s: float) -> None:
        due = now + self._chance.uniform(wait_s / 2, wait_s * 1.5)
        self._contacts[peer].due = due
        heapq.heappush(self._heap, (due, peer))
