"""`Attempts`: tries one peer at once, for whoever has to know whether it is there.

In:  a peer, the peer table, the connections. Out: whether it was reached; if not, whether that says anything
of the peer: only if somebody else, who is as far away at least, gave a sign of life meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from warren.core.errors import Blocked, Closed, DialFailed, LimitReached, StorageError, WarrenError
from warren.core.multiaddr import Multiaddr
from warren.network.race import REFUSED_REASON
from warren.services.peers.looked import let_go
from warren.services.peers.reach import place_of, reach_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.socket import Socket
    from warren.protocols.ping import Ping
    from warren.services.peers.table import PeerTable

WITNESSES_ASKED: Final = 3
WITNESS_S: Final = 1.0
"""So long after a failure witnesses are waited for that have not answered by then."""
LAG_S: Final = 2.0
"""Who comes so much later than it should was asleep or overworked: what failed meanwhile says nothing."""
# What goes wrong on this side, and says nothing of the peer.
_OWN_FAULTS: Final = (StorageError, LimitReached, Closed, Blocked)

Tried: TypeAlias = Literal["reached", "failed", "unsure"]


class Attempts:
    """Of one node."""

    __slots__ = ("_network", "_ping", "_table")

    def __init__(self, network: Network, ping: Ping, table: PeerTable) -> None:
        self._network = network
        self._ping = ping
        self._table = table

    async def attempt(self, peer: PeerId, timeout_s: float) -> Tried:
        """Try to reach a peer now, over its connection or a new one, which is given up again.

        unsure: that failed, but nobody else was heard meanwhile, or nothing was tried.
        """
        began = self._network.clock()
        self._ask_witnesses(peer)
        try:
            socket, is_new = await self._reach(peer, timeout_s)
        except (WarrenError, TimeoutError) as error:
            return await self._judge(peer, error, began, timeout_s)
        if is_new:
            await let_go(self._network, socket, own_streams=1)  # one stream is that of the ping
        return "reached"

    async def _reach(self, peer: PeerId, timeout_s: float) -> tuple[Socket, bool]:
        known = await self._table.get(peer)
        if known is not None and known.blocked:
            raise Blocked(f"{peer} is blocked")
        sure, told = (known.first_hand, known.addresses) if known is not None else ((), ())
        was_connected = self._network.is_connected(peer)
        async with asyncio.timeout(timeout_s):
            socket = await self._network.connect(peer, sure, hearsay=told, forced=True, passing=True)
            await self._ping.ping(socket, timeout_s=timeout_s)
        return socket, socket.outbound and not was_connected

    async def _judge(self, peer: PeerId, error: Exception, began: float, timeout_s: float) -> Tried:
        nothing_tried = isinstance(error, DialFailed) and not error.attempts
        if isinstance(error, _OWN_FAULTS) or nothing_tried:
            return "unsure"
        if self._network.clock() > began + timeout_s + LAG_S:
            return "unsure"
        reach = await self._reach_of(peer)
        if any(reach_of(address) >= reach for address in refusals(error)):
            return "failed"
        if not self._was_heard(peer, reach, began):
            await asyncio.sleep(WITNESS_S)
        return "failed" if self._was_heard(peer, reach, began) else "unsure"

    # --- the others -----------------------------------------------------------------------------------------

    def _others(self, peer: PeerId) -> list[Socket]:
        return [socket for socket in self._network.sockets() if socket.usable and socket.peer_id != peer]

    def _ask_witnesses(self, peer: PeerId) -> None:
        """Those who were heard last, and are likely to answer."""
        others = sorted(self._others(peer), key=lambda socket: socket.last_read_at, reverse=True)
        for reach in {reach_of(socket.remote_addr) for socket in others}:
            as_far = [socket for socket in others if reach_of(socket.remote_addr) == reach]
            for socket in as_far[:WITNESSES_ASKED]:
                with contextlib.suppress(WarrenError):
                    socket.probe()

    def _was_heard(self, peer: PeerId, reach: int, since: float) -> bool:
        return any(
            socket.last_read_at > since and reach_of(socket.remote_addr) >= reach
            for socket in self._others(peer)
        )

    async def _reach_of(self, peer: PeerId) -> int:
        """How far the peer is, as far as its connection or its best address tells."""
        sockets = self._network.sockets(peer)
        if sockets:
            return place_of(sockets[0].remote_addr).reach
        known = await self._table.get(peer)
        return place_of(known.addresses[0] if known is not None and known.addresses else None).reach


def refusals(error: Exception) -> Iterator[Multiaddr]:
    """The addresses at which a machine answered, if only that nobody listens there."""
    if isinstance(error, DialFailed):
        for address, reason in error.attempts:
            if reason == REFUSED_REASON:
                yield Multiaddr.parse(address)
