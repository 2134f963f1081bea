"""`Watcher`: tells the peer table what happens in the network.

In:  events of the network. Out: notes of who was met, where, and what it says of itself; its signed record.

An address counts as proven where our dial of it met the key. What a peer says is believed as far as the
distance from which it speaks allows. Where an inbound connection came from is no
address to dial; it only says which host the peer is on.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from warren.core.errors import WarrenError
from warren.core.reach import teller_at
from warren.network.events import PeerConnected, PeerDisconnected, PeerIdentified
from warren.services.peers.roles import roles_of

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.socket import Socket
    from warren.services.peers.table import PeerTable

SEEN_EVERY_S: Final = 300.0
"""Whoever is connected is seen again after so long: a kill leaves no older time behind."""
_log = logging.getLogger(__name__)


class Watcher:
    """Runs as one task, from `run` until that is cancelled."""

    __slots__ = ("_network", "_table")

    def __init__(self, network: Network, table: PeerTable) -> None:
        self._network = network
        self._table = table

    async def run(self) -> None:
        """Follow the network until cancelled. May be run again after a fault."""
        events = self._network.events.subscribe(PeerConnected, PeerDisconnected, PeerIdentified)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._see_all_again())
                await self._look_at_all()
                async for event in events:
                    await self._on_event(event)
                    if events.missed():
                        await self._look_at_all()
        finally:
            events.close()

    async def _on_event(self, event: object) -> None:
        match event:
            case PeerConnected(peer):
                await self._meet(peer)
            case PeerDisconnected(peer, _):
                await self._table.parted(peer)
            case PeerIdentified(peer, socket, info):
                await self._meet(peer)
                await self._learn(peer, socket, info)
            case _:
                pass

    async def _look_at_all(self) -> None:
        for peer in self._network.peers():
            await self._meet(peer)
            for socket in self._network.sockets(peer):
                if socket.identity is not None:
                    await self._learn(peer, socket, socket.identity)

    async def _see_all_again(self) -> None:
        while True:
            await asyncio.sleep(SEEN_EVERY_S)
            for peer in self._network.peers():
                await self._table.seen(peer)

    async def _meet(self, peer: PeerId) -> None:
        for socket in self._network.sockets(peer):
            where = socket.remote_addr
            if where is None or not socket.outbound:
                host = where.host if where is not None else None
                await self._table.seen(peer, source="inbound", host=host or "")
            else:
                await self._table.seen(peer, where, proven=True, source="dialled")

    async def _learn(self, peer: PeerId, socket: Socket, info: object) -> None:
        agent, protocols = getattr(info, "agent", ""), getattr(info, "protocols", ())
        await self._table.note_identity(peer, agent, roles_of(protocols))
        record: bytes = getattr(info, "signed_record", b"")
        teller = teller_at(socket.remote_addr)
        if not record:
            await self._table.heard(peer, getattr(info, "listen_addrs", ()), "identify", teller)
            return
        try:
            await self._table.note_record(record, "identify", teller)
        except WarrenError as error:
            _log.debug("the record of %s is of no use: %s", peer, error)
