"""How a network ends: handlers, then what was closed for writing is sent, then goodbye; all in one grace.

In: what runs in a network.  Out: nothing that runs.  A handler that does not end and a peer that takes
nothing cost the grace and no more; when that is over every link is dropped.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from warren.core.errors import Closed
from warren.network.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.network.dialer import Dialer
    from warren.network.router import Router
    from warren.network.socket import Socket


async def end(dialer: Dialer, router: Router, sockets: Callable[[], list[Socket]], grace_s: float) -> None:
    """Give up dials, end handlers and close all `sockets()`, at most `grace_s` seconds after the call."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + grace_s
    try:
        await dialer.stop()
        await router.stop(grace_s)
        closing = [asyncio.ensure_future(_part(socket)) for socket in sockets()]
        if closing:
            await asyncio.wait(closing, timeout=max(deadline - loop.time(), 0.0))
            drop(sockets())
            await asyncio.wait(closing)
    finally:
        drop(sockets())


def drop(sockets: list[Socket]) -> None:
    """Say goodbye where that takes no time, and drop the links at once."""
    for socket in sockets:
        socket.shut(Closed("the connection was closed here"), 0)
        socket.abort()


async def _part(socket: Socket) -> None:
    """Send all that was closed for writing, then say goodbye."""
    for sink in socket.mux.sinks() if socket.mux is not None else ():
        if isinstance(sink, Stream):
            await sink.finish()
    await socket.close()
