"""Numbers for people: sizes, rates, spans, counts; and back.

In:  numbers in bytes and seconds, or text as somebody typed it. Out: text, or numbers.
Sizes are decimal (1 MB = 1,000,000 bytes), as disks and networks are sold. Refuses, with ValueError, what is
no number.
"""

from __future__ import annotations

import re

_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")
# Of less than this a rate says nothing: it measures the program's start.
RATED_BYTES_MIN = 1_000_000
_SIZE_CHARS_MAX = 24
_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def size(count: float) -> str:
    """1234567 -> '1.2 MB'."""
    value, unit = float(count), 0
    while value >= 999.95 and unit < len(_SIZES) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} B" if unit == 0 else f"{value:.1f} {_SIZES[unit]}"


def rate(count: float, seconds: float) -> str:
    """Bytes over seconds -> '350.0 MB/s'; '-' if nothing was measured."""
    return f"{size(count / seconds)}/s" if seconds > 0 else "-"


def bit_rate(bytes_per_s: float) -> str:
    """30000000 -> '240.0 Mbit/s (30.0 MB/s)': as links are sold, and as files are measured."""
    return f"{bytes_per_s * 8 / 1e6:,.1f} Mbit/s ({size(bytes_per_s)}/s)"


def span(seconds: float) -> str:
    """93784 -> '1 day 2 h'; the two largest units."""
    if seconds < 0.0005:
        return "under 1 ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    parts: list[str] = []
    left = round(seconds)
    for name, length in (("day", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= length and len(parts) < 2:
            many = "s" if name == "day" and left >= 2 * length else ""
            parts.append(f"{left // length} {name}{many}")
            left %= length
    return " ".join(parts)


def count(number: int, one: str, many: str = "") -> str:
    """3, 'file' -> '3 files'."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def parse_size(text: str) -> int:
    """'500', '10k', '1.5 MB', '1GiB' -> bytes. Raises ValueError."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?)b?\s*", text.lower(), re.ASCII)
    if not found or (found[3] and not found[2]) or len(text) > _SIZE_CHARS_MAX:
        raise ValueError(f"{text!r} is no size; write for instance 500k, 1M or 2.5 GB")
    unit: int = (1024 if found[3] else 1000) ** " kmgtp".index(found[2] or " ")
    return round(float(found[1]) * unit)


def parse_span(text: str) -> float:
    """'90', '15m', '24h', '7d' -> seconds. Raises ValueError."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw]?)\s*", text.lower())
    if not found or float(found[1]) == 0:
        raise ValueError(f"{text!r} is no span of time; write for instance 30m, 24h or 7d")
    return float(found[1]) * _SPANS[found[2] or "s"]
