"""The small interface behind which transports swap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from warren.core.multiaddr import Multiaddr


class LinkListener(Protocol):
    """An address on which links are accepted."""

    @property
    def address(self) -> Multiaddr:
        """The actual address, with the port that was given."""

    def close(self) -> None:
        """Stop accepting; links that exist stay."""


class LinkTransport(Protocol):
    """Dials and accepts byte links for some kinds of multiaddrs."""

    def can_dial(self, address: Multiaddr) -> bool:
        """Whether this transport knows what to do with `address`."""

    async def resolve(self, address: Multiaddr) -> list[Multiaddr]:
        """The addresses behind a DNS name, or the address itself. Raises `OSError`."""

    async def dial(
        self, address: Multiaddr, factory: Callable[[], asyncio.BufferedProtocol], timeout_s: float
    ) -> asyncio.BufferedProtocol:
        """Open a link; the protocol that `factory` made runs on it. Raises `OSError`."""

    async def listen(
        self,
        address: Multiaddr,
        factory: Callable[[], asyncio.BufferedProtocol],
        admit: Callable[[str], bool] | None = None,
    ) -> LinkListener:
        """Accept links; each gets a protocol from `factory`, unless `admit` turns its host away.

        Raises `OSError`.
        """
