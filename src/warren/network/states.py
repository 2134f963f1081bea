"""The life of a socket: nine states and the legal moves between them, as data.

In: the state a socket is in and the one it wants.  Out: the new state, or `IllegalMove`.
The diagram in `docs/socket-states.md` is drawn from `MOVES`; a test keeps the two equal.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from warren.core.errors import IllegalMove


class SocketState(Enum):
    """What is true of a socket right now; the order is the order of a good life."""

    OPENING = "opening"
    """The object exists and the limits were asked."""
    CONNECTING = "connecting"
    """The transport is under way (outbound) or was accepted (inbound)."""
    AUTHENTICATING = "authenticating"
    """Noise is running."""
    AUTHENTICATED = "authenticated"
    """The remote key is verified."""
    CONNECTED = "connected"
    """The muxer is agreed; streams flow."""
    OPEN = "open"
    """Identify is done, was refused or timed out."""
    ERRORED = "errored"
    """Something failed; the socket recovers or closes."""
    CLOSING = "closing"
    """No new streams; what is under way drains."""
    CLOSED = "closed"
    """The transport is gone."""


_S = SocketState

MOVES: Final[dict[SocketState, frozenset[SocketState]]] = {
    _S.OPENING: frozenset({_S.CONNECTING, _S.ERRORED, _S.CLOSING}),
    _S.CONNECTING: frozenset({_S.AUTHENTICATING, _S.ERRORED, _S.CLOSING}),
    _S.AUTHENTICATING: frozenset({_S.AUTHENTICATED, _S.ERRORED, _S.CLOSING}),
    _S.AUTHENTICATED: frozenset({_S.CONNECTED, _S.ERRORED, _S.CLOSING}),
    _S.CONNECTED: frozenset({_S.OPEN, _S.ERRORED, _S.CLOSING}),
    _S.OPEN: frozenset({_S.ERRORED, _S.CLOSING}),
    _S.ERRORED: frozenset({_S.OPEN, _S.CLOSING}),
    _S.CLOSING: frozenset({_S.CLOSED}),
    _S.CLOSED: frozenset(),
}

USABLE: Final = frozenset({_S.CONNECTED, _S.OPEN})
"""States in which streams may be opened."""


def move(old: SocketState, new: SocketState) -> SocketState:
    """Return `new`, or raise `IllegalMove` when the table has no such move."""
    if new not in MOVES[old]:
        legal = ", ".join(sorted(s.value for s in MOVES[old])) or "nothing"
        raise IllegalMove(f"a socket that is {old.value} cannot become {new.value} (only {legal})")
    return new


def diagram() -> str:
    """The table as a Mermaid state diagram, for the docs."""
    lines = ["stateDiagram-v2", f"    [*] --> {_S.OPENING.value}"]
    for old in SocketState:
        lines += [f"    {old.value} --> {new.value}" for new in SocketState if new in MOVES[old]]
    lines.append(f"    {_S.CLOSED.value} --> [*]")
    return "\n".join(lines)
