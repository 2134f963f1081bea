"""Several transports as one: an address goes to the first that can dial it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.network.transports.base import LinkListener, LinkTransport


class Transports:
    """Implements `warren.network.transports.base.LinkTransport`."""

    __slots__ = ("_transports",)

    def __init__(self, transports: Sequence[LinkTransport]) -> None:
        self._transports = tuple(transports)

    def can_dial(self, address: Multiaddr) -> bool:
        """Whether one of them can."""
        return any(transport.can_dial(address) for transport in self._transports)

    async def resolve(self, address: Multiaddr) -> list[Multiaddr]:
        """The addresses behind a name. Raises `OSError`, `InvalidMultiaddr`."""
        return await self._for(address).resolve(address)

    async def dial(
        self, address: Multiaddr, factory: Callable[[], asyncio.BufferedProtocol], timeout_s: float
    ) -> asyncio.BufferedProtocol:
        """Open a link. Raises `OSError`, `InvalidMultiaddr`."""
        return await self._for(address).dial(address, factory, timeout_s)

    async def listen(
        self,
        address: Multiaddr,
        factory: Callable[[], asyncio.BufferedProtocol],
        admit: Callable[[str], bool] | None = None,
    ) -> LinkListener:
        """Accept links. Raises `OSError`, `InvalidMultiaddr`."""
        return await self._for(address).listen(address, factory, admit)

    def _for(self, address: Multiaddr) -> LinkTransport:
        for transport in self._transports:
            if transport.can_dial(address):
                return transport
        return self._transports[0]  # which says why it cannot
