"""How fast bytes travel to and from a peer.

In:  a peer and a budget of seconds. Out: round trip, and bytes per second in each direction. Each direction
starts small and sends more each time, until a run lasted long enough to say something: a slow link is not
flooded, and a fast one is not judged by its first packets.

Refuses budgets outside 0.1 to 60 seconds. The peer refuses whom it does not grant tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from warren.core.errors import InputError, Refused, StreamReset

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warren.core.peer_id import PeerId
    from warren.protocols.perf import Perf, PerfResult
    from warren.protocols.ping import Ping

SECONDS_MIN, SECONDS_DEFAULT, SECONDS_MAX = 0.1, 4.0, 60.0
# Bytes of one run; also what a node answers at most, so that a contact cannot make it send for ever.
RUN_BYTES_MAX = 4 << 30
_FIRST_BYTES = 64 * 1024
_GROWTH_MAX = 16
_PINGS = 5
# Beyond the budget, for one run: a slow link needs it, a peer that hangs gets no more.
RUN_GRACE_S = 30.0


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


async def speedtest(ping: Ping, perf: Perf, peer: PeerId, seconds: float) -> SpeedResult:
    """Measure for about `seconds`, half in each direction.

    Raises InputError, Refused, RequestTimeout (a run took `RUN_GRACE_S` longer than all of them should), and
    what connecting raises.
    """
    if not SECONDS_MIN <= seconds <= SECONDS_MAX:
        raise InputError(
            f"a speed test lasts {SECONDS_MIN:g} to {SECONDS_MAX:g} seconds, not {seconds:g}",
            hint=f"{SECONDS_DEFAULT:g} is a good choice",
        )
    run_timeout_s = seconds / 2 + RUN_GRACE_S
    rtt_s = min([await ping.ping(peer) for _ in range(_PINGS)])
    try:
        up = await _measure(
            lambda count: perf.measure(peer, upload_bytes=count, timeout_s=run_timeout_s), seconds / 2
        )
    except StreamReset as error:
        raise Refused(
            "the peer turned the speed test down", hint="Warren answers the tests of its contacts only"
        ) from error
    down = await _measure(
        lambda count: perf.measure(peer, download_bytes=count, timeout_s=run_timeout_s), seconds / 2
    )
    return SpeedResult(
        peer,
        rtt_s,
        up.bytes_per_s,
        down.bytes_per_s,
        up.uploaded_bytes,
        down.downloaded_bytes,
        up.seconds + down.seconds,
    )


async def _measure(run: Callable[[int], Awaitable[PerfResult]], budget_s: float) -> PerfResult:
    """Repeat `run` with more bytes until one takes half the budget, or the budget is spent."""
    count, left_s = _FIRST_BYTES, budget_s
    while True:
        result = await run(count)
        left_s -= result.seconds
        if result.seconds >= budget_s / 2 or left_s <= 0 or count == RUN_BYTES_MAX:
            return result
        count = next_count(count, result.seconds, budget_s)


def next_count(count: int, took_s: float, budget_s: float) -> int:
    """How many bytes should take some 60 % of the budget, but no more than 16 times as many as before."""
    wanted = count * 0.6 * budget_s / max(took_s, 1e-6)
    return int(min(max(wanted, count * 2), count * _GROWTH_MAX, RUN_BYTES_MAX))
