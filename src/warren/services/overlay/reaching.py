"""Connections to super-peers that are, or may become, neighbours.

In:  configured addresses, who else is known to be a super-peer, who is connected. Out: dials, now and then.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from warren.core.errors import WarrenError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Mapping, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.network import Network

    Find = Callable[[], Awaitable[Sequence[PeerId]]]

DIAL_EVERY_S: Final = 30.0
"""Between attempts to reach configured neighbours, and to find others."""
_DIAL_TIMEOUT_S: Final = 10.0
_log = logging.getLogger(__name__)


class Reaching:
    """Of one super-peer."""

    def __init__(self, network: Network, configured: Mapping[PeerId, Multiaddr], find: Find | None) -> None:
        """find: other super-peers that may be dialled; None: nobody is looked for."""
        self._network = network
        self._configured = configured
        self._find = find

    async def run(self, connected: Container[PeerId], wants_more: Callable[[], bool]) -> None:
        """Dial configured ones that are not `connected`, and others while there are too few, until
        cancelled.
        """
        while True:
            for peer, address in self._configured.items():
                if peer not in connected:
                    await self._dial(peer, (address,))
            if self._find is not None and wants_more():
                for peer in await self._find():
                    if not self._network.is_connected(peer):
                        await self._dial(peer, ())
            await asyncio.sleep(DIAL_EVERY_S)

    async def _dial(self, peer: PeerId, addresses: Sequence[Multiaddr]) -> None:
        try:
            await self._network.connect(peer, addresses, timeout_s=_DIAL_TIMEOUT_S)
        except WarrenError as error:
            _log.debug("overlay: %s cannot be reached: %s", peer, error)
