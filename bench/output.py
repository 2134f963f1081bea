"""What the measured programs print: one JSON line a result, and how round trips are summed up."""

from __future__ import annotations

import json
import resource
import statistics
from typing import Any


def emit(command: str, *, ok: bool = True, **fields: object) -> None:
    """Print one result line, at once."""
    print(json.dumps({"cmd": command, "ok": ok, **fields}), flush=True)


def round_trips(took_s: list[float]) -> dict[str, Any]:
    """Median and 99th percentile, in microseconds, of round trips given in seconds."""
    ordered = sorted(took_s)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return {
        "n": len(ordered),
        "rtt_us_median": round(statistics.median(ordered) * 1e6, 1),
        "rtt_us_p99": round(p99 * 1e6, 1),
    }


def raise_file_limit() -> None:
    """Let this process hold as many sockets as the system allows it; thousands are held in the idle test."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
