"""What many measurements of one peer come to: its round trip with jitter, and its speeds. Pure.

In:  samples in seconds, or bytes per second, as they come. Out: one figure that says what is typical.

Round trips follow RFC 6298 in spirit: smoothed by an eighth of each new sample, their mean deviation by a
quarter. What it lacks for samples that are minutes apart: one outlier (a busy link, a busy machine) moves
nothing, because what is smoothed is the median of the last three; and a path that changed is believed after
four samples that agree, instead of being approached over dozens.
"""

from __future__ import annotations

from collections import deque
from statistics import fmean, median
from typing import Final

RTT_GAIN: Final = 1 / 8
JITTER_GAIN: Final = 1 / 4
_MEDIAN_OF: Final = 3
SHIFT_SAMPLES: Final = 4
"""So many samples in a row, all off to the same side by more than `SHIFT_SHARE`: the path has changed."""
SHIFT_SHARE: Final = 0.1
DEVIATION_MAX: Final = 4.0
"""A deviation counts for no more than the round trip and so many times the jitter: one stall of seconds
would show as jitter for many samples."""
TRANSFER_GAIN: Final = 1 / 8
FIGURE_OLD_S: Final = 86400.0
"""A speed older than this gives way to whatever was measured last."""


class RoundTrips:
    """The round trips of one peer. `rtt_s` and `jitter_s` are None before the first and the second sample."""

    __slots__ = ("_count", "_recent", "jitter_s", "rtt_s")

    def __init__(self) -> None:
        self.rtt_s: float | None = None
        self.jitter_s: float | None = None
        self._count = 0
        self._recent: deque[float] = deque(maxlen=SHIFT_SAMPLES)

    def add(self, sample_s: float) -> None:
        """Take one more round trip, in seconds."""
        self._count += 1
        self._recent.append(sample_s)
        if self.rtt_s is None:
            self.rtt_s = sample_s
        elif self._has_shifted(self.rtt_s):
            self._begin_anew()
        else:
            self._smooth(self.rtt_s, sample_s)

    def _smooth(self, rtt_s: float, sample_s: float) -> None:
        deviation = abs(sample_s - rtt_s)
        if self.jitter_s is None:
            self.jitter_s = min(deviation, rtt_s)
        else:
            deviation = min(deviation, rtt_s + DEVIATION_MAX * self.jitter_s)
            self.jitter_s += JITTER_GAIN * (deviation - self.jitter_s)
        # The very first was measured while the connection began, and must not weigh for long.
        gain = RTT_GAIN if self._count > _MEDIAN_OF else 1.0
        self.rtt_s = rtt_s + gain * (self._typical() - rtt_s)

    def _typical(self) -> float:
        last = list(self._recent)[-_MEDIAN_OF:]
        # Of two samples the lesser: what disturbs a round trip makes it longer.
        return median(last) if len(last) == _MEDIAN_OF else min(last)

    def _has_shifted(self, rtt_s: float) -> bool:
        if len(self._recent) < SHIFT_SAMPLES:
            return False
        return min(self._recent) > rtt_s * (1 + SHIFT_SHARE) or max(self._recent) < rtt_s * (1 - SHIFT_SHARE)

    def _begin_anew(self) -> None:
        self._count = len(self._recent)
        self.rtt_s = median(self._recent)
        self.jitter_s = fmean(abs(one - self.rtt_s) for one in self._recent)


def speed_after_transfer(known: float | None, age_s: float, sample: float) -> float:
    """What a speed is after a transfer at `sample`, bytes per second; `known` was measured `age_s` ago.

    A transfer says what is possible at least: its source may have been busy, or its disk slow. So a faster
    one replaces what is known, and a slower one lowers it by little.
    """
    if known is None or sample >= known or age_s > FIGURE_OLD_S:
        return sample
    return known + TRANSFER_GAIN * (sample - known)
