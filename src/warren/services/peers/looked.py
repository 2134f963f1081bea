"""What becomes of a connection that was made only to look who is there, or whether somebody still is.

In:  the connection, made in passing. Out: it is closed, unless somebody wants it (`Network.is_wanted`) or
uses it. Use shows as a stream, or as data that moved between two looks: a node at the other end that talks to
this one is not cut off in the middle.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warren.core.errors import Closed
from warren.network.yamux.frames import GO_AWAY_NORMAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.network.network import Network
    from warren.network.socket import Socket

LOOKS_AFTER_S: Final = (1.0, 10.0, 10.0)
"""When to see whether it may end: what a connection begins with is over by then. Less in all than
`ProbePolicy.steady_s`: the other node does not look into the end of so short a connection."""


async def let_go(
    network: Network, socket: Socket, *, own_streams: int, on_end: Callable[[], object] = lambda: None
) -> None:
    """Close it as soon as it rests. Whoever uses it for long may keep it.

    own_streams: so many may be left open by the looking itself. on_end: called just before the end.
    """
    for wait_s in LOOKS_AFTER_S:
        before = socket.activity
        await asyncio.sleep(wait_s)
        if network.is_wanted(socket):
            return
        if socket.streams <= own_streams and socket.activity == before:
            on_end()
            socket.shut(Closed("this node only looked who is there"), GO_AWAY_NORMAL)
            return
