"""Whether this node may accuse a peer: only if its own network works, and it tried the peer itself. Pure.

In:  what is known of the tries, the time (monotonic seconds). Out: yes, or why not, in words.

A node whose cable is pulled can reach nobody: were that enough to vote, it would accuse everybody. So
somebody else, who is as far away as the accused or further, must have been heard since the tries began to
fail, and lately.
"""

from __future__ import annotations

from typing import Final, Protocol

TRIES_MIN: Final = 2
"""Tries in a row that failed: one may be a moment's trouble."""
HEARD_S: Final = 120.0
"""Others must have been heard within so many seconds. The keep-alive hears a connected peer more often."""


class Evidence(Protocol):
    """What was seen of a peer that cannot be reached. Times are monotonic seconds."""

    @property
    def failures(self) -> int:
        """Tries in a row that came to nothing."""
        ...

    @property
    def failing_since(self) -> float:
        """When the first of them failed."""
        ...

    @property
    def heard_at(self) -> float:
        """When somebody at least as far away as this peer gave a sign of life last; -inf: never."""
        ...

    @property
    def doubting(self) -> bool:
        """Whether this node suspects its own network, or was asleep itself, as a shut laptop is."""
        ...


def why_not(evidence: Evidence | None, now: float) -> str:
    """Why this node must not vote; empty if it may. None: the peer is not known as failing."""
    if evidence is None or evidence.failures < TRIES_MIN:
        return "it was not tried often enough"
    if evidence.doubting:
        return "this node doubts its own network"
    if evidence.heard_at < max(evidence.failing_since, now - HEARD_S):
        return "nobody else as far away was heard meanwhile"
    return ""
