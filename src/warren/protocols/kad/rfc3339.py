"""Times as text, to the nanosecond: what IPNS records and records of the DHT carry.

In:  nanoseconds since 1970 (UTC), or foreign text. Out: the other form. Refuses all but dates with time and
zone, and more than nine digits of a fraction.
https://www.rfc-editor.org/rfc/rfc3339#section-5.6
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from warren.core.errors import InputError

NANOSECONDS: Final = 1_000_000_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FORM: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)


def parse(text: str) -> int:
    """Nanoseconds since 1970. Raises `InputError`."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise InputError(f"{text[:40]!r} is no time as 1970-01-01T00:00:00.000000001Z is one")
    date, time, fraction, sign, hours, minutes = found.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{time}+00:00")
    except ValueError as error:
        raise InputError(f"{text[:40]!r} is a time that does not exist") from error
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    if sign:
        if int(hours) > 23 or int(minutes) > 59:
            raise InputError(f"{text[:40]!r} has a zone that does not exist")
        ahead_s = int(hours) * 3600 + int(minutes) * 60
        seconds -= ahead_s if sign == "+" else -ahead_s
    return seconds * NANOSECONDS + int((fraction or "0").ljust(9, "0"))


def show(time_ns: int) -> str:
    """The text with nine digits of a fraction, in UTC. Raises `InputError` outside of the years 1 to 9999."""
    seconds, fraction = divmod(time_ns, NANOSECONDS)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError as error:
        raise InputError(f"{time_ns} ns since 1970 is beyond the years that can be written") from error
    return f"{moment.replace(tzinfo=None).isoformat()}.{fraction:09}Z"
