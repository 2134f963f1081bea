"""`Announcer`: lets the receivers of a send find this node, by the number of its code.

In:  a channel. Out: the node can be found under it by discovery (on the local link, in the DHT), and at the
peers that are connected, super-peers among them. Whoever sees that learns that something is sent here under
that number, and nothing of the words.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from warren.core.errors import InputError, ProtocolNotSupported, WarrenError
from warren.network.events import PeerConnected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.protocols.send.meeting import MeetingProtocol
    from warren.services.sending.interfaces import Discovery

PEERS_MAX: Final = 64
"""Connected peers at which a place is taken. Fault: a node with thousands of connections tells them all."""
AT_ONCE: Final = 8
AGAIN_S: Final = 30.0
"""Between two looks at who is connected, and after a failure. A lease is longer."""
LEAVE_S: Final = 2.0
_log = logging.getLogger(__name__)


def namespace_of(channel: int) -> str:
    """The name under which discovery finds who sends there."""
    return f"warren/send/{channel}"


class Announcer:
    """Of one node."""

    def __init__(self, network: Network, meeting: MeetingProtocol, discovery: Discovery) -> None:
        self._network = network
        self._meeting = meeting
        self._discovery = discovery

    @contextlib.asynccontextmanager
    async def announced(self, channel: int) -> AsyncIterator[None]:
        """Let this node be found as long as the context lasts."""
        tasks = [
            asyncio.ensure_future(self._advertise(channel)),
            asyncio.ensure_future(self._take_places(channel)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _advertise(self, channel: int) -> None:
        with contextlib.suppress(InputError):  # neither multicast nor the DHT is there
            async with self._discovery.advertised(namespace_of(channel)):
                await asyncio.get_running_loop().create_future()

    async def _take_places(self, channel: int) -> None:
        """Keep a place at those who are connected, newcomers too."""
        events = self._network.events.subscribe(PeerConnected)
        taken: dict[PeerId, float] = {}
        try:
            while True:
                due = self._due(taken)
                await asyncio.gather(*(self._take(peer, channel, taken) for peer in due))
                if not due:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(AGAIN_S):
                            await anext(events)
        finally:
            events.close()
            await self._leave(channel, taken)

    def _due(self, taken: dict[PeerId, float]) -> list[PeerId]:
        """Whom to ask now."""
        now, peers = self._network.clock(), self._network.peers()
        for gone in taken.keys() - set(peers):
            del taken[gone]
        room = PEERS_MAX - len(taken)
        fresh = [peer for peer in peers if peer not in taken][:room]
        return [*fresh, *(peer for peer, until in taken.items() if until <= now)][:AT_ONCE]

    async def _take(self, peer: PeerId, channel: int, taken: dict[PeerId, float]) -> None:
        wait_s = AGAIN_S
        try:
            wait_s = max(await self._meeting.take(peer, channel) / 2, AGAIN_S)
        except ProtocolNotSupported:
            wait_s = float("inf")
        except (OSError, WarrenError) as error:
            _log.debug("%s keeps no place for a send: %s", peer, error)
        taken[peer] = self._network.clock() + wait_s

    async def _leave(self, channel: int, taken: dict[PeerId, float]) -> None:
        places = [peer for peer in taken if self._network.is_connected(peer)]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                leaving = (self._meeting.leave(peer, channel) for peer in places)
                await asyncio.gather(*leaving, return_exceptions=True)
