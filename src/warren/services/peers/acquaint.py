"""`Acquaint`: dials the addresses of which nobody knows whose they are, until a key is met at each.

In:  the leads of the peer table that are due. Out: peers with a proven address; leads put off where nobody
was met. At most `AT_ONCE` dials at a time, so that an imported list of thousands is no storm. Each connection
is let go once the peer has said who it is, unless somebody uses or wants it: to keep it is for others to
decide.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from warren.core.errors import WarrenError
from warren.services.peers.looked import let_go

if TYPE_CHECKING:
    from warren.core.multiaddr import Multiaddr
    from warren.network.network import Network
    from warren.services.peers.table import PeerTable

LOOK_EVERY_S: Final = 15.0
"""Between two rounds at the least, unless new leads have come."""
AT_ONCE: Final = 8
"""Attack: a list of addresses, given to somebody to import, makes that node a scanner of networks."""
INTRODUCTION_S: Final = 10.0
"""How long whoever was met may take to say who it is. Attack: one that keeps silent holds up the others."""
_log = logging.getLogger(__name__)


class Acquaint:
    """Runs as one task, from `run` until that is cancelled."""

    __slots__ = ("_network", "_soon", "_table")

    def __init__(self, network: Network, table: PeerTable) -> None:
        self._network = network
        self._table = table
        self._soon = asyncio.Event()

    def soon(self) -> None:
        """There are new leads."""
        self._soon.set()

    async def run(self) -> None:
        """Dial what is due until cancelled. May be run again after a fault."""
        while True:
            self._soon.clear()
            while due := await self._table.leads.due(AT_ONCE):
                await asyncio.gather(*(self._meet(address) for address in due))
                # Those at which somebody was met are no leads any more.
                await self._table.leads.failed(due)
            wait_s = await self._table.leads.wait_s()
            try:
                async with asyncio.timeout(None if wait_s is None else max(wait_s, LOOK_EVERY_S)):
                    await self._soon.wait()
            except TimeoutError:
                pass

    async def _meet(self, address: Multiaddr) -> None:
        """Learn who is there, if anybody is."""
        try:
            socket = await self._network.connect_unproven(address, passing=True)
        except (WarrenError, OSError) as error:
            _log.debug("nobody was met at %s: %s", address, error)
            return
        await self._table.seen(socket.peer_id, address, proven=True, source="import")
        await self._table.commit()
        try:
            async with asyncio.timeout(INTRODUCTION_S):
                await socket.wait_open()
        except (TimeoutError, WarrenError):
            pass
        await let_go(self._network, socket, own_streams=0)
