"""Which holder to ask first: who is there, fast and near. Pure.

In:  peers with what is known of them. Out: the same, the best first, as many come to know at different times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

SAMPLE_BYTES: Final = 4 * 1024 * 1024
"""Peers are compared by how soon so much would be here: of small things the near one wins, of large things it
hardly matters who comes first, as all are asked."""
LATENCY_GUESS_S: Final = 0.15
SPEED_GUESS: Final = 2_000_000.0
"""Bytes per second. What was not measured is taken for middling, so that it is tried before what is known to
be slow."""


class Candidate(NamedTuple):
    """A peer that may have it. online: somebody who ought to know says so; None: nobody does. proven: it gave
    something of it before. latency_s: the round trip; bytes_per_s: from it; None: not measured.
    """

    peer: PeerId
    connected: bool = False
    online: bool | None = None
    proven: bool = False
    latency_s: float | None = None
    bytes_per_s: float | None = None


def expected_s(one: Candidate) -> float:
    """Until `SAMPLE_BYTES` would be here: a round trip to connect unless it is, one to ask, the transfer."""
    latency = one.latency_s if one.latency_s is not None else LATENCY_GUESS_S
    speed = one.bytes_per_s or SPEED_GUESS
    return latency * (1 if one.connected else 3) + SAMPLE_BYTES / speed


class Ranked:
    """Those who wait to be asked: put in as they are found, taken out the best first."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[PeerId, Candidate] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, one: Candidate) -> None:
        """Somebody was found; who waits already is known better from now on."""
        before = self._waiting.get(one.peer)
        if before is not None:
            one = one._replace(
                proven=one.proven or before.proven,
                online=one.online if one.online is not None else before.online,
            )
        self._waiting[one.peer] = one

    def take(self) -> Candidate:
        """The best of them. Raises `ValueError` where nobody waits."""
        best = min(self._waiting.values(), key=_order)
        del self._waiting[best.peer]
        return best


def _order(one: Candidate) -> tuple[int, float, bool, PeerId]:
    reach = 0 if one.connected else {True: 1, None: 2, False: 3}[one.online]
    return reach, expected_s(one), not one.proven, one.peer
