"""Connections made for look-ups: short-lived, few, and closed again when they rest.

In:  peers to ask. Out: a socket for each: one that is there, or a new one. What was opened here is closed
after a rest, or earlier when there are too many, unless somebody else wants it (`Network.is_wanted`) or has a
stream on it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from warren.core.errors import Closed
from warren.network.yamux.frames import GO_AWAY_NORMAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.socket import Socket


class _Opened:
    """A connection that was opened here."""

    __slots__ = ("activity", "rests_since", "socket", "users")

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.users = 0
        self.rests_since = 0.0
        self.activity = 0

    @property
    def rests(self) -> bool:
        return not self.users and not self.socket.streams


class Connections:
    """See the module's header. connections_max: rests are cut short beyond so many; idle_s: the longest."""

    __slots__ = ("_connections_max", "_dialling", "_idle_s", "_network", "_opened", "_timer")

    def __init__(self, network: Network, connections_max: int, idle_s: float) -> None:
        self._network = network
        self._connections_max = connections_max
        self._idle_s = idle_s
        self._opened: dict[PeerId, _Opened] = {}
        """Who was used last stands last."""
        self._dialling = 0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._opened) + self._dialling

    @asynccontextmanager
    async def socket(
        self, peer: PeerId, addresses: Sequence[Multiaddr], *, forced: bool = False
    ) -> AsyncIterator[Socket]:
        """A socket to `peer` that stays open within the block. Raises what `Network.connect` raises."""
        socket = await self._reach(peer, addresses, forced=forced)
        opened = self._opened.get(peer)
        if opened is None or opened.socket is not socket:
            yield socket
            return
        opened.users += 1
        try:
            yield socket
        finally:
            opened.users -= 1
            self._rest(peer, opened)

    def close(self) -> None:
        """Close what rests; used when the node leaves."""
        if self._timer is not None:
            self._timer.cancel()
        for peer in list(self._opened):
            self._end(peer)

    async def _reach(self, peer: PeerId, addresses: Sequence[Multiaddr], *, forced: bool) -> Socket:
        if self._network.is_connected(peer):
            return await self._network.connect(peer, passing=True)
        self._dialling += 1
        try:
            self._make_room()
            socket = await self._network.connect(peer, hearsay=addresses, passing=True, forced=forced)
        finally:
            self._dialling -= 1
            # Also of what is not handed out: a dial may end in the very turn in which nobody wants it any
            # more, or cross one of the peer's.
            for opened in self._network.sockets(peer):
                self._take_over(peer, opened)
        return socket

    def _take_over(self, peer: PeerId, socket: Socket) -> None:
        """Take charge of a connection that was opened here, unless somebody has or wants it."""
        opened = self._opened.get(peer)
        if not socket.usable or not socket.outbound or socket.kept:
            return
        if opened is None or opened.socket is not socket:
            self._opened[peer] = _Opened(socket)
            self._rest(peer, self._opened[peer])

    def _make_room(self) -> None:
        for peer in [peer for peer, opened in self._opened.items() if opened.rests]:
            if len(self) <= self._connections_max:
                return
            self._end(peer)

    def _rest(self, peer: PeerId, opened: _Opened) -> None:
        opened.rests_since = self._network.clock()
        opened.activity = opened.socket.activity
        if self._opened.get(peer) is opened:
            del self._opened[peer]
            self._opened[peer] = opened
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._idle_s, self._look)

    def _look(self) -> None:
        """Close what has rested for long enough; what others use goes on, and is looked at again."""
        self._timer, now = None, self._network.clock()
        for peer, opened in list(self._opened.items()):
            if opened.users:
                continue
            if not opened.rests or opened.activity != opened.socket.activity:
                opened.activity, opened.rests_since = opened.socket.activity, now
            elif now - opened.rests_since >= self._idle_s:
                self._end(peer)
        resting = [opened.rests_since for opened in self._opened.values() if not opened.users]
        if resting:
            wait_s = max(min(resting) + self._idle_s - now, 1.0)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._look)

    def _end(self, peer: PeerId) -> None:
        """Let go of a connection that rests here, and close it if nobody else wants it."""
        socket = self._opened.pop(peer).socket
        if not self._network.is_wanted(socket):
            socket.shut(Closed("it was made for a look-up, and rested"), GO_AWAY_NORMAL)
