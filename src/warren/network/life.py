"""Something that has one of nine states, and those who wait for the next: `states` as a running thing.

In: moves.  Out: a call of `_moved` after each, and whoever waits is woken.  Refuses what the table has not.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warren.core.errors import ConnectionClosed
from warren.network.states import USABLE, SocketState, move

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

OVER: Final = frozenset({SocketState.CLOSING, SocketState.CLOSED})
_OPEN: Final = frozenset({SocketState.OPEN})


class Life:
    """The state of a socket."""

    __slots__ = ("_waiters", "error", "state")

    def __init__(self) -> None:
        self.state = SocketState.OPENING
        self.error: Exception | None = None
        """What ended it."""
        self._waiters: list[asyncio.Future[None]] | None = None

    async def wait_connected(self) -> None:
        """Wait until streams may be opened. Raises what ended the socket before."""
        await self._wait_for(USABLE)

    async def wait_open(self) -> None:
        """Wait until identify is done, was refused or timed out. Raises what ended the socket before."""
        await self._wait_for(_OPEN)

    def _moved(self, old: SocketState, new: SocketState) -> None:
        """Called right after each move, before anybody who waits goes on."""
        raise NotImplementedError

    def _move(self, new: SocketState) -> None:
        old, self.state = self.state, move(self.state, new)
        self._moved(old, new)
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    async def _wait_for(self, states: AbstractSet[SocketState]) -> None:
        while self.state not in states:
            if self.state in OVER:
                raise self.error or ConnectionClosed("the connection was closed")
            await self._next_move()

    async def _next_move(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(waiter)
        await waiter
