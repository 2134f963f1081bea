"""`Whereabouts`: listens on the configured addresses, and knows which ones to give to others.

In:  addresses to listen on; the machine's interfaces, looked at again now and then, because machines move.
Out: listeners; the addresses that others may dial.

Refuses, with `ConfigError` that names the port and the cure: addresses that are taken, forbidden or not ours.
A machine without IPv6 (or IPv4) listens on what it has.
"""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING

from warren.core.errors import ConfigError
from warren.core.multiaddr import Multiaddr
from warren.services.whereabouts.reachable import reachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.network.network import Network

# Every newcomer is told the addresses; looking at the interfaces takes a tenth of a millisecond.
INTERFACES_FRESH_S = 10.0
_NO_SUCH_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
_log = logging.getLogger(__name__)


class Whereabouts:
    """Of one network."""

    __slots__ = ("_found", "_interfaces", "_listened", "_looked_at", "_network")

    def __init__(self, network: Network) -> None:
        self._network = network
        self._looked_at = 0.0
        self._listened: list[Multiaddr] = []
        self._interfaces: list[str] = []
        self._found: list[Multiaddr] = []

    def reachable(self) -> list[Multiaddr]:
        """Where others may dial, without the peer id; the most public first."""
        now, listen = self._network.clock(), self._network.listen_addrs
        if self._listened != listen or now - self._looked_at > INTERFACES_FRESH_S:
            interfaces = self._network.runtime.transport.interface_addresses()
            if self._listened != listen or self._interfaces != interfaces:
                self._found = reachable(listen, interfaces)
            self._looked_at, self._listened, self._interfaces = now, listen, interfaces
        return self._found

    async def listen(self, addresses: Sequence[Multiaddr]) -> None:
        """Listen on all addresses, with one port where several leave it open. Raises ConfigError."""
        port, missing = 0, None
        for wanted in addresses:
            address = Multiaddr.tcp(wanted.host, port) if port and not wanted.port and wanted.host else wanted
            try:
                await self._network.listen([address])
            except OSError as error:
                refused = _cannot_listen(address, error)
                if not (wanted.is_unspecified and error.errno in _NO_SUCH_FAMILY):
                    raise refused from error
                missing = refused
                _log.info("%s", missing)
            else:
                port = port or self._network.listen_addrs[-1].port or 0
        if missing is not None and not self._network.listen_addrs:
            raise missing


def _cannot_listen(address: Multiaddr, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"port {address.port} of {address.host} is taken by another program",
            hint=f"stop that program (another Warren?), or choose a free port: --listen {_any_port(address)}",
        )
    if error.errno == errno.EACCES:
        return ConfigError(
            f"no permission to listen on port {address.port}", hint="choose a port above 1023 (--listen)"
        )
    reason = error.strerror or str(error)
    return ConfigError(f"cannot listen on {address}: {reason}", hint="choose another address (--listen)")


def _any_port(address: Multiaddr) -> Multiaddr:
    return Multiaddr.tcp(address.host or "127.0.0.1", 0)
