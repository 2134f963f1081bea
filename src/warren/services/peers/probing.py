"""Whom to try to reach, when; who counts as reachable; who leaves the table. Pure.

In:  the time (monotonic seconds), chance, and what happened: a peer was met, lost, probed in vain; somebody
was heard; this node itself stumbled. Out: `Probe(peer)` or `Wait(until)`, and the changes of state.

    new, reachable --a probe fails--> suspect --`failures_max` in a row--> unreachable --for long--> forgotten
         `---------------------------- met: reachable -----------------------------'

A loss is no verdict: the peer is tried again first. Suspects are tried ever less often, the unreachable
backing off for up to a day, and the last thing before a peer is forgotten is one more try.

A failure needs a witness: somebody else, as far away at least, must have been heard since the probe began,
else it may be our own network that is gone. Without one the failure is held for `hold_s` and then dropped,
and nobody is accused; while in such doubt the node probes one peer at a time, and with the first sign of life
all held back are due again. Nor does a failure count when this node stumbled meanwhile: its loop lagged, its
interfaces were gone. Where too few others are known to bear witness the failure counts, but nobody is
forgotten for it.

Connected peers are not probed: their connection has a keep-alive. Reachable ones that are not connected are
not kept here: feelers draw them from the table.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from warren.services.peers.reach import FAR

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.services.peers.model import State
    from warren.services.peers.probe_policy import ProbePolicy
    from warren.services.peers.reach import Place

WITNESSES_MIN: Final = 2
"""So many others that were reachable before: were this node's network fine, one of them would be heard."""
_NEVER: Final = float("-inf")


class Chance(Protocol):
    """Where the jitter comes from."""

    def uniform(self, low: float, high: float) -> float: ...


@dataclass(frozen=True, slots=True)
class Probe:
    """Try to reach this peer now, then report `met` or `failed`."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is due before `until`; None: not before something happens."""

    until: float | None


@dataclass(frozen=True, slots=True)
class Changed:
    """A peer is in another state now."""

    peer: PeerId
    state: State


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A peer was unreachable for too long and failed once more: it leaves the table."""

    peer: PeerId


class _Peer:
    __slots__ = (
        "came",
        "connected",
        "due",
        "failing_since",
        "failures",
        "has_turn",
        "kept",
        "losses",
        "met",
        "met_at",
        "place",
        "probing",
        "state",
    )

    def __init__(self, state: State, place: Place) -> None:
        self.state: State = state
        self.place = place
        self.met = state != "new"
        self.kept = False
        self.connected = False
        self.met_at = 0.0
        self.came = False
        self.losses = 0  # in a row, of connections that did not last
        self.probing = False
        self.due: float | None = None
        self.has_turn = False  # it was due before, while its host had its pause; `due` is when that is over
        self.failures = 0
        self.failing_since: float | None = None


class Probing:
    """Keeps the schedule of all peers that need one."""

    __slots__ = (
        "_began",
        "_chance",
        "_changes",
        "_connected",
        "_doubting_since",
        "_free_at",
        "_heap",
        "_heard_at",
        "_held",
        "_host_free_at",
        "_peers",
        "_policy",
        "_stumbled_at",
    )

    def __init__(self, policy: ProbePolicy, chance: Chance) -> None:
        self._policy = policy
        self._chance = chance
        self._peers: dict[PeerId, _Peer] = {}
        self._connected = 0
        """How many of them are connected."""
        self._heap: list[tuple[float, PeerId]] = []
        self._began: dict[PeerId, float] = {}
        self._held: dict[PeerId, tuple[float, float]] = {}
        """Failures without a witness: when the probe began, until when to wait for one."""
        self._changes: list[Changed | Forgotten] = []
        self._free_at = 0.0
        self._host_free_at: dict[str, float] = {}
        self._heard_at = [_NEVER] * (FAR + 1)
        """When somebody who is so far away, or further, was heard last."""
        self._stumbled_at = _NEVER
        self._doubting_since: float | None = None

    @property
    def doubting(self) -> bool:
        """Whether this node suspects its own network."""
        return self._doubting_since is not None

    @property
    def holding(self) -> bool:
        """Whether a failure waits for a witness."""
        return bool(self._held)

    def reach_of(self, peer: PeerId) -> int:
        """How far a peer is, as far as that is known."""
        one = self._peers.get(peer)
        return one.place.reach if one is not None else FAR

    def __len__(self) -> int:
        return len(self._peers)

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self._peers

    # --- what happened --------------------------------------------------------------------------------------

    def watch(
        self,
        peer: PeerId,
        state: State,
        place: Place,
        now: float,
        *,
        kept: bool = False,
        failing_for_s: float = 0.0,
        at_once: bool = False,
    ) -> bool:
        """Begin to try a peer that is not connected; False when too many are watched.

        kept: never to be forgotten. failing_for_s: for how long it was unreachable already, before this node
        started. at_once: due now, also where it is watched already.
        """
        one = self._peers.get(peer)
        if one is None:
            if len(self._peers) >= self._policy.peers_max:
                return False
            one = self._peers[peer] = _Peer(state, place)
            if state in ("suspect", "unreachable"):
                one.failing_since = now - failing_for_s
                one.failures = 1 if state == "suspect" else self._policy.failures_max
            one.probing = peer in self._began  # from before it was unwatched
            if not one.probing:
                self._due_within(peer, now, self._first_wait_s(one))
        one.kept = kept
        if at_once and not (one.connected or one.probing):
            self._due_at(peer, now)
        return True

    def unwatch(self, peer: PeerId) -> None:
        """Try a peer no more, for instance because it is blocked."""
        self.released(peer)
        self._held.pop(peer, None)

    def met(self, peer: PeerId, place: Place, now: float, *, came: bool = False) -> None:
        """A connection with the peer stands: watched or not, it is reachable. came: it was the peer that
        dialled.
        """
        self.heard(now, place.reach)
        one = self._peers.get(peer)
        if one is None:
            one = self._peers[peer] = _Peer("new", place)
            self._make_room(peer)
        self._began.pop(peer, None)
        self._held.pop(peer, None)
        one.probing = False
        if not one.connected:
            self._connected += 1
            one.met_at, one.came = now, came
        one.place, one.met, one.connected, one.due = place, True, True, None
        one.failures, one.failing_since = 0, None
        self._set_state(peer, one, "reachable")

    def released(self, peer: PeerId) -> None:
        """This node gave the connection up: that says nothing of the peer, and feelers take over."""
        one = self._peers.pop(peer, None)
        self._connected -= one is not None and one.connected

    def lost(self, peer: PeerId, now: float) -> None:
        """The last connection with the peer is gone. It is tried again before anything is said."""
        one = self._peers.get(peer)
        if one is None or not one.connected:
            return
        one.connected = False
        self._connected -= 1
        lasted = now - one.met_at >= self._policy.steady_s
        one.losses = 0 if lasted else one.losses + 1
        if len(self._peers) > self._policy.peers_max or (one.came and not lasted):
            self.unwatch(peer)
        else:
            # Beyond 2**30 the power only grows the number, not the wait.
            doubled = self._policy.settle_s * 2.0 ** min(max(one.losses - 1, 0), 30)
            self._due_within(peer, now, min(doubled, self._policy.backoff_max_s))

    def failed(self, peer: PeerId, now: float, *, excused: bool = False) -> None:
        """A probe that `next` asked for came to nothing. excused: by what this node knows of itself."""
        one = self._peers.get(peer)
        began = self._began.pop(peer, now)
        if one is None or not one.probing:
            return  # it is watched no longer, or came to us meanwhile
        one.probing = False
        if excused or began <= self._stumbled_at:
            self._retry(peer, now)
        elif self._heard_at[one.place.reach] >= began:
            self._convict(peer, one, now, witnessed=True)
        elif not self._witnesses(peer, one):
            self._convict(peer, one, now, witnessed=False)
        else:
            self._held[peer] = (began, now + self._policy.hold_s)

    def heard(self, now: float, reach: int = FAR) -> None:
        """Somebody gave a sign of life at `now`, or a host answered if only to refuse: our network works, at
        least so far.
        """
        self._heard_at[: reach + 1] = [max(at, now) for at in self._heard_at[: reach + 1]]
        for peer, (began, _) in list(self._held.items()):
            one = self._peers[peer]
            if began <= now and one.place.reach <= reach:
                del self._held[peer]
                self._convict(peer, one, now, witnessed=True)
        if self._doubting_since is not None and now > self._doubting_since:
            self._doubting_since = None
            for peer, one in self._peers.items():
                if one.due is not None and one.due > now + self._policy.settle_s and one.failures == 0:
                    self._due_within(peer, now, self._policy.settle_s)

    def stumbled(self, now: float) -> None:
        """This node itself was the trouble: its loop lagged, its interfaces were gone. Nothing that failed
        until now counts.
        """
        self._stumbled_at = now
        held, self._held = list(self._held), {}
        for peer in held:
            self._retry(peer, now)

    # --- what to do -----------------------------------------------------------------------------------------

    def next(self, now: float) -> Probe | Wait:
        """What to do now. Each `Probe` must be followed by `met` or `failed` for its peer."""
        self._give_up_waiting(now)
        wakes = [until for _, until in self._held.values()]
        while self._heap:
            due, peer = self._heap[0]
            one = self._peers.get(peer)
            if one is None or one.due != due:
                heapq.heappop(self._heap)  # superseded
                continue
            if len(self._began) >= (1 if self.doubting else self._policy.probes_max):
                break
            start_at = max(due, self._free_at)
            if start_at > now:
                wakes.append(start_at)
                break
            heapq.heappop(self._heap)
            host = one.place.host
            host_free_at = self._host_free_at.get(host, now)
            if host_free_at > now and not one.has_turn:
                self._due_at(peer, host_free_at)
                one.has_turn = True
                self._host_free_at[host] = host_free_at + self._policy.host_gap_s
                continue
            return self._begin(peer, one, now)
        return Wait(min(wakes, default=None))

    def connected(self) -> list[PeerId]:
        """Who was met and not lost since."""
        return [peer for peer, one in self._peers.items() if one.connected]

    def take_changes(self) -> list[Changed | Forgotten]:
        """What has changed since the last call, in order."""
        changes, self._changes = self._changes, []
        return changes

    # --- inside ---------------------------------------------------------------------------------------------

    def _begin(self, peer: PeerId, one: _Peer, now: float) -> Probe:
        one.due, one.probing = None, True
        self._began[peer] = now
        self._free_at = now + (self._policy.settle_s if self.doubting else self._policy.gap_s)
        if not one.has_turn:
            self._host_free_at[one.place.host] = now + self._policy.host_gap_s
        if len(self._host_free_at) > 2 * self._policy.peers_max:
            self._host_free_at = {host: at for host, at in self._host_free_at.items() if at > now}
        return Probe(peer)

    def _convict(self, peer: PeerId, one: _Peer, now: float, *, witnessed: bool) -> None:
        policy = self._policy
        one.failures += 1
        if one.failing_since is None:
            one.failing_since = now
        if one.failures < policy.failures_max:
            self._set_state(peer, one, "suspect")
            self._due_within(peer, now, policy.retest_s * 2.0 ** (one.failures - 1))
            return
        self._set_state(peer, one, "unreachable")
        forget_s = policy.forget_s if one.met else policy.forget_new_s
        if witnessed and not one.kept and now - one.failing_since >= forget_s:
            del self._peers[peer]
            self._changes.append(Forgotten(peer))
            return
        doubled = policy.backoff_first_s * 2.0 ** min(one.failures - policy.failures_max, 30)
        self._due_within(peer, now, min(doubled, policy.backoff_max_s))

    def _retry(self, peer: PeerId, now: float) -> None:
        self._due_within(peer, now, self._policy.retest_s)

    def _give_up_waiting(self, now: float) -> None:
        """No witness came. Where many could have, that is strange: it may be this node's own network."""
        over = [peer for peer, (_, until) in self._held.items() if until <= now]
        for peer in over:
            del self._held[peer]
            one = self._peers[peer]
            if self._witnesses(peer, one) < WITNESSES_MIN:
                self._convict(peer, one, now, witnessed=False)
            else:
                self._doubting_since = now
                self._retry(peer, now)

    def _witnesses(self, accused: PeerId, at: _Peer) -> int:
        """How many others could bear witness, up to as many as it takes."""
        able = (
            peer
            for peer, one in self._peers.items()
            if peer != accused and one.state == "reachable" and one.place.reach >= at.place.reach
        )
        return sum(1 for _, _ in zip(able, range(WITNESSES_MIN), strict=False))

    def _first_wait_s(self, one: _Peer) -> float:
        return self._policy.backoff_first_s if one.state == "unreachable" else self._policy.settle_s

    def _set_state(self, peer: PeerId, one: _Peer, state: State) -> None:
        if one.state != state:
            one.state = state
            self._changes.append(Changed(peer, state))

    def _make_room(self, newcomer: PeerId) -> None:
        """Who is here takes the place of one that is not; the table still has it. Where all others are here,
        as with a super-peer, nobody is looked for.
        """
        if len(self._peers) > self._policy.peers_max and self._connected + 1 < len(self._peers):
            absent = (p for p, one in self._peers.items() if not (one.connected or one.probing))
            gone = next((peer for peer in absent if peer != newcomer), None)
            if gone is not None:
                self.unwatch(gone)

    def _due_within(self, peer: PeerId, now: float, wait_s: float) -> None:
        self._due_at(peer, now + self._chance.uniform(wait_s / 2, wait_s * 1.5))

    def _due_at(self, peer: PeerId, due: float) -> None:
        one = self._peers[peer]
        one.due, one.has_turn = due, False
        heapq.heappush(self._heap, (due, peer))
        if len(self._heap) > 2 * len(self._peers) + 64:
            # Most of it is superseded, and would stay until its time.
            self._heap = [(p.due, peer) for peer, p in self._peers.items() if p.due is not None]
            heapq.heapify(self._heap)
