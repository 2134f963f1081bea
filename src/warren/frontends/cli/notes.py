"""What a share or a transfer left out or renamed, in words.

In:  the document of a share or a transfer. Out: lines for people. --json has what is not listed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SHOWN_MAX = 10


def left_out(document: dict[str, Any]) -> Iterator[str]:
    """One line for each entry that was left out, up to a limit."""
    shown = document["skipped"][:SHOWN_MAX]
    yield from (f"left out: {one['path']} ({one['reason']})" for one in shown)
    yield from _more("left out", document["skipped_count"] - len(shown))


def renamed(document: dict[str, Any]) -> Iterator[str]:
    """One line for each entry that got another name here, up to a limit."""
    shown = document["renamed"][:SHOWN_MAX]
    yield from (f"renamed: {one['path']} to {one['new_name']} ({one['reason']})" for one in shown)
    yield from _more("renamed", document["renamed_count"] - len(shown))


def _more(what: str, count: int) -> Iterator[str]:
    if count > 0:
        yield f"{what}: {count:,} more (see --json)"
