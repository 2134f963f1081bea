"""What becomes of a transfer whose attempt failed. Pure.

In:  the error, and whether the user named who is to give it. Out: a `Verdict`: it waits for somebody who has
it, waits for room on the disk, waits for a place among those whom its source serves, or has failed for good,
until the user tries it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from warren.core.errors import (
    Blocked,
    ConnectionFailed,
    DiskFull,
    LimitReached,
    NotFound,
    RemoteError,
    SourceChanged,
    SourceVanished,
)

if TYPE_CHECKING:
    from warren.core.errors import WarrenError

Verdict: TypeAlias = Literal["done", "failed", "waiting", "full", "busy"]

BUSY: Final = "files.serve_streams_max"
"""The limit of a source that has no place for one more transfer now."""
OF_WHO_HAS_IT = (NotFound, RemoteError, SourceChanged, SourceVanished)
"""What says nothing of others, who may have it."""


def judge(error: WarrenError, *, named: bool) -> Verdict:
    """named: nobody else is asked than whom the user named."""
    match error:
        case DiskFull():
            return "full"
        case Blocked():
            return "failed" if named else "waiting"
        case LimitReached(limit=limit) if limit == BUSY:
            return "busy"
        case ConnectionFailed() | LimitReached():
            return "waiting"
        case _ if isinstance(error, OF_WHO_HAS_IT):
            return "failed" if named else "waiting"
    return "failed"
