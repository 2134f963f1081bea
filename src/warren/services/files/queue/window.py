"""The hours of a transfer: a span of each day in which it may run. Pure.

In:  text such as `22:00-06:00`, in local time; the minute of the day. Out: whether it may run now. A span may
reach over midnight. Refuses what is no span: other text, and one that ends where it begins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from warren.core.errors import InputError

_TEXT = re.compile(r"(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)", re.ASCII)
MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Window:
    """From minute `begin` of the day until before minute `end`."""

    begin: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read `22:00-06:00`. Raises `InputError`."""
        found = _TEXT.fullmatch(text.strip())
        if found:
            hours, minutes = (int(found[1]), int(found[3])), (int(found[2]), int(found[4]))
            begin, end = (60 * hour + minute for hour, minute in zip(hours, minutes, strict=True))
            if max(begin, end) < MINUTES and max(minutes) < 60 and begin != end:
                return cls(begin, end)
        raise InputError(f"{text!r} is no span of a day", hint="write for instance 22:00-06:00")

    def is_open(self, minute: int) -> bool:
        """Whether this minute of the day lies in it."""
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end

    @property
    def opens(self) -> str:
        """When it begins: `22:00`."""
        return _clock(self.begin)

    def __str__(self) -> str:
        return f"{_clock(self.begin)}-{_clock(self.end)}"


def minute_of_day(wall: float) -> int:
    """The minute of the day, where this machine is. wall: seconds since 1970."""
    local = datetime.fromtimestamp(wall, UTC).astimezone()
    return 60 * local.hour + local.minute


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
