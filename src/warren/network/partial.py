"""Whom to give up when too many sealed messages have arrived in part only: a pure choice.

In: the sockets, and how many bytes must go.  Out: those whose message has been incomplete for longest: honest
ones end within moments, so it is paid by who sends the beginning of a message and waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.network.socket import Socket


def longest_incomplete(sockets: Iterable[Socket], bytes_over: int) -> list[Socket]:
    """Sockets that hold at least `bytes_over` together, or all that hold any."""
    victims = []
    for socket in sorted((s for s in sockets if s.partial_bytes), key=lambda s: s.partial_since):
        if bytes_over <= 0:
            break
        victims.append(socket)
        bytes_over -= socket.partial_bytes
    return victims
