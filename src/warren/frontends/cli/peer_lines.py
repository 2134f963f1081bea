"""Peers as lines for people: the table of a listing, the page of one peer, with the age of each figure.

In:  documents of the API, the time. Out: lines.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from warren.frontends.cli import units
from warren.frontends.cli.base import columns

Document = dict[str, Any]
HEAD = ("#", "NAME", "STATE", "LATENCY", "DOWN", "UP", "SEEN", "PEER ID")
_AGES = ((86_400.0, "d"), (3600.0, "h"), (60.0, "m"), (0.0, "s"))


def age(then: float | None, now: float) -> str:
    """How long ago: 42s, 5m, 3h, 12d; - for never."""
    if then is None:
        return "-"
    seconds = max(now - then, 0.0)
    length, name = next(one for one in _AGES if seconds >= one[0])
    return f"{int(seconds / (length or 1.0))}{name}"


def table(found: Iterable[Document], now: float) -> list[str]:
    """The listing, numbered."""
    rows = [_row(number, one, now) for number, one in enumerate(found, 1)]
    return columns([HEAD, *rows], right=(0, 3, 4, 5, 6))


def details(one: Document, now: float) -> list[str]:
    """All of one peer."""
    kind = "" if one["contact"] else " (not a contact)"
    facts = [
        ("name", f"{one['name'] or '-'}{kind}"),
        ("peer id", one["peer_id"]),
        ("state", f"{_state(one)}{_held_offline(one)}"),
        ("latency", _measured(one, now)),
        ("response", _response(one, now)),
        ("download", _long_rate(one["download_bytes_per_s"], one["download_at"], now)),
        ("upload", _long_rate(one["upload_bytes_per_s"], one["upload_at"], now)),
        ("program", one["agent"] or ""),
        ("roles", ", ".join(one["roles"])),
        ("public", {True: "yes", False: "no: behind a NAT or a firewall", None: ""}[one["public"]]),
        ("contact", _day("since", one["added_at"])),
        ("seen", _seen(one, now)),
        ("known by", ", ".join(one["sources"])),
        *(("says", f"{key}: {value}") for key, value in one["metadata"].items()),
        *(("address", address) for address in one["addresses"]),
    ]
    return [f"{name:<11}{text}" for name, text in facts if text]


def _row(number: int, one: Document, now: float) -> tuple[str, ...]:
    return (
        str(number),
        one["name"] or "-",
        _state(one),
        _latency(one, now),
        _rate(one["download_bytes_per_s"], one["download_at"], now),
        _rate(one["upload_bytes_per_s"], one["upload_at"], now),
        "now" if one["connected"] else age(one["last_seen"], now),
        one["peer_id"],
    )


def _state(one: Document) -> str:
    if one["blocked"]:
        return "blocked"
    if one["connected"]:
        return "connected"
    return "away" if one["contact"] else str(one["state"])


def _held_offline(one: Document) -> str:
    tally = one["held_offline"]
    return f", held offline by votes ({tally['accusers']} of {tally['online']})" if tally else ""


def _latency(one: Document, now: float) -> str:
    if one["latency_ms"] is not None:
        return f"{one['latency_ms']:.1f} ms {age(one['latency_at'], now)}"
    return "-" if one["rtt_ms"] is None else f"{one['rtt_ms']:.1f} ms now"


def _rate(bytes_per_s: float | None, at: float | None, now: float) -> str:
    return "-" if bytes_per_s is None else f"{bytes_per_s * 8 / 1e6:,.1f} Mbit/s {age(at, now)}"


def _response(one: Document, now: float) -> str:
    if one["response_ms"] is None:
        return ""
    return f"{one['response_ms']:.2f} ms, measured {age(one['response_at'], now)} ago"


def _measured(one: Document, now: float) -> str:
    if one["latency_ms"] is not None:
        jitter = "" if one["jitter_ms"] is None else f" ± {one['jitter_ms']:.2f} ms"
        return f"{one['latency_ms']:.2f} ms{jitter}, measured {age(one['latency_at'], now)} ago"
    return "" if one["rtt_ms"] is None else f"{one['rtt_ms']:.2f} ms, of the connection"


def _long_rate(bytes_per_s: float | None, at: float | None, now: float) -> str:
    return "" if bytes_per_s is None else f"{units.bit_rate(bytes_per_s)}, measured {age(at, now)} ago"


def _seen(one: Document, now: float) -> str:
    last = "never met" if one["last_seen"] is None else f"{age(one['last_seen'], now)} ago"
    last = "now" if one["connected"] else last
    return f"{last}{_day(', known since', one['first_seen'])}"


def _day(word: str, then: float | None) -> str:
    return f"{word} {time.strftime('%Y-%m-%d %H:%M', time.localtime(then))}" if then else ""
