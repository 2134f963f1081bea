"""`SimulatedMulticast`: what is said on a local link of the simulated network reaches who is on it.

In:  services and questions of one host. Out: `Heard`, on each host of the same segment, after the latency of
the path to it; what meets a partition is lost, as datagrams are. A host that stops without `close` says no
goodbye.
"""

from __future__ import annotations

import asyncio
import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warren.runtime.seam import Heard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.runtime.seam import LocalService
    from warren.runtime.simulated.network import Host, SimulatedNetwork


@dataclass(frozen=True, slots=True)
class _Question:
    kind: str


class SimulatedLinks:
    """See `seam.LocalLinks`."""

    __slots__ = ("_hear", "_host", "_kinds", "_network", "_services")

    def __init__(self, network: SimulatedNetwork, host: Host, hear: Callable[[Heard], None]) -> None:
        self._network = network
        self._host = host
        self._hear = hear
        self._kinds: set[str] = set()
        self._services: dict[tuple[str, str], LocalService] = {}
        host.ears.append(self._on_datagram)

    async def announce(self, service: LocalService) -> None:
        await asyncio.sleep(0)
        self._services[service.kind, service.name] = service
        self._say(Heard(service.kind, service.name, service.texts))

    async def withdraw(self, kind: str, name: str) -> None:
        await asyncio.sleep(0)
        if self._services.pop((kind, name), None) is not None:
            self._say(Heard(kind, name, (), gone=True))

    def ask(self, kind: str) -> None:
        self._kinds.add(kind)
        self._say(_Question(kind))

    async def close(self) -> None:
        for kind, name in list(self._services):
            await self.withdraw(kind, name)
        if self._on_datagram in self._host.ears:
            self._host.ears.remove(self._on_datagram)

    def _say(self, what: Heard | _Question) -> None:
        for host in self._network.hosts_on_link_with(self._host):
            self._network.path(self._host, host).cast(host.overhear, what)

    def _on_datagram(self, what: Heard | _Question) -> None:
        if isinstance(what, _Question):
            for service in [one for one in self._services.values() if one.kind == what.kind]:
                self._say(Heard(service.kind, service.name, service.texts))
        elif what.kind in self._kinds:
            self._hear(what)


class SimulatedMulticast:
    """See `seam.Multicast`."""

    __slots__ = ("_host", "_network")

    def __init__(self, network: SimulatedNetwork, host: Host) -> None:
        self._network = network
        self._host = host

    async def join(self, addresses: Sequence[str], hear: Callable[[Heard], None]) -> SimulatedLinks:
        await asyncio.sleep(0)
        if not set(addresses) & set(self._host.addresses):
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return SimulatedLinks(self._network, self._host, hear)
