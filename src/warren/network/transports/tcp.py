"""TCP over IPv4, IPv6 and DNS names, on top of the runtime's seam.

Multiaddrs: /ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT, with or without /p2p at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.errors import InvalidMultiaddr
from warren.core.multiaddr import Multiaddr

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from warren.runtime.seam import Family, Listener, Transport

_FAMILY: Final[dict[str, Family]] = {"dns": 0, "dns4": 4, "dns6": 6}
_HOSTS: Final = frozenset({"ip4", "ip6", *_FAMILY})
RESOLVED_MAX: Final = 8
"""Addresses taken from one DNS name."""


class TcpListener:
    """A listening TCP port."""

    __slots__ = ("_listener", "address")

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.address = Multiaddr.tcp(listener.host, listener.port)

    def close(self) -> None:
        """Stop accepting."""
        self._listener.close()


class TcpTransport:
    """Implements `warren.network.transports.base.LinkTransport`."""

    __slots__ = ("_seam",)

    def __init__(self, seam: Transport) -> None:
        self._seam = seam

    def can_dial(self, address: Multiaddr) -> bool:
        """Whether `address` is a plain TCP address."""
        names = address.protocols
        ends = len(names) == 2 or (len(names) == 3 and names[2] == "p2p")
        return ends and names[0] in _HOSTS and names[1] == "tcp"

    async def resolve(self, address: Multiaddr) -> list[Multiaddr]:
        """The numeric addresses behind a DNS name. Raises `OSError`."""
        host, port = _endpoint(address)
        family = _FAMILY.get(address.protocols[0])
        if family is None:
            return [address.without_peer()]
        found = await self._seam.resolve(host, family)
        return [Multiaddr.tcp(ip, port) for ip in found[:RESOLVED_MAX]]

    async def dial(
        self, address: Multiaddr, factory: Callable[[], asyncio.BufferedProtocol], timeout_s: float
    ) -> asyncio.BufferedProtocol:
        """Connect to a numeric address. Raises `OSError`."""
        host, port = _endpoint(address)
        _, protocol = await self._seam.connect(factory, host, port, timeout_s=timeout_s)
        return protocol

    async def listen(
        self,
        address: Multiaddr,
        factory: Callable[[], asyncio.BufferedProtocol],
        admit: Callable[[str], bool] | None = None,
    ) -> TcpListener:
        """Accept connections; port 0 takes a free one. Raises `OSError`."""
        host, port = _endpoint(address)
        if not self.can_dial(address) or address.protocols[0] in _FAMILY:
            raise InvalidMultiaddr(
                f"{address} cannot be listened on", hint="use /ip4/…/tcp/PORT or /ip6/…/tcp/PORT"
            )
        return TcpListener(await self._seam.listen(factory, host, port, admit=admit))


def _endpoint(address: Multiaddr) -> tuple[str, int]:
    host, port = address.host, address.port
    if host is None or port is None:
        raise InvalidMultiaddr(f"{address} names no host and port")
    return host, port
