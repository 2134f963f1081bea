"""`SimulatedTransport`: dialling, listening and names for one host of the simulated network.

In:  numeric addresses and protocol factories. Out: `LinkEnd`s, or the `OSError` that TCP would give:
refused where a host has no listener, a timeout where no host is or a partition lies between.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from warren.runtime.simulated.link import LinkEnd

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.runtime.seam import Admit, Family, Listener, ProtocolFactory
    from warren.runtime.simulated.network import Host, Path, SimulatedNetwork

P = TypeVar("P", bound=asyncio.BufferedProtocol)


class SimulatedListener:
    """See `seam.Listener`."""

    __slots__ = ("_admit", "_factory", "_host", "host", "is_open", "port")

    def __init__(self, on: Host, factory: ProtocolFactory, host: str, port: int, admit: Admit | None) -> None:
        self._host = on
        self._admit = admit
        self._factory = factory
        self.host = host
        self.port = port
        self.is_open = True
        on.listeners[host, port] = self

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            del self._host.listeners[self.host, self.port]

    def accept(self, end: LinkEnd) -> None:
        """Start a link whose dialler is connected already."""
        if self.is_open and (self._admit is None or self._admit(end.get_extra_info("peername")[0])):
            end.start(self._factory())
        else:
            end.refuse()


class SimulatedTransport:
    """See `seam.Transport`."""

    __slots__ = ("_host", "_network")

    def __init__(self, network: SimulatedNetwork, host: Host) -> None:
        self._network = network
        self._host = host

    async def connect(
        self,
        factory: Callable[[], P],
        host: str,
        port: int,
        *,
        from_listener: Listener | None = None,
        timeout_s: float = 10.0,
    ) -> tuple[asyncio.Transport, P]:
        ip = _numeric(host, port)
        own = self._own_address(ip, from_listener)
        target = self._network.host_at(str(ip), self._host)
        async with asyncio.timeout(timeout_s):
            if target is None:
                await asyncio.get_running_loop().create_future()  # nobody is there to answer
                raise AssertionError
            listener = await self._knock(target, str(ip), port)
        return self._open(factory, target, listener, own, _socket_address(ip, port))

    async def listen(
        self, factory: ProtocolFactory, host: str, port: int, *, admit: Admit | None = None
    ) -> SimulatedListener:
        ip = _numeric(host, port)
        if not self._host.may_bind(str(ip), ip.version):
            raise _os_error(errno.EADDRNOTAVAIL)
        if port and self._host.listener_at(str(ip), port):
            raise _os_error(errno.EADDRINUSE)
        return SimulatedListener(self._host, factory, str(ip), port or self._host.free_port(), admit)

    async def resolve(self, name: str, family: Family = 0) -> list[str]:
        await asyncio.sleep(0)
        found = [a for a in self._network.look_up(name) if family in (0, ipaddress.ip_address(a).version)]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, f"no address for {name}")
        return found

    async def resolve_txt(self, name: str) -> list[bytes]:
        await asyncio.sleep(0)
        found = self._network.texts.get(name)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, f"no TXT record for {name}")
        return list(found)

    def interface_addresses(self) -> list[str]:
        return ["127.0.0.1", "::1", *self._host.addresses]

    async def _knock(self, target: Host, address: str, port: int) -> SimulatedListener:
        """Send the first packet there and the answer back, over paths that may be blocked for a while."""
        there = self._network.path(self._host, target)
        back = self._network.path(target, self._host)
        answer: asyncio.Future[SimulatedListener | None] = asyncio.get_running_loop().create_future()

        def settle(listener: SimulatedListener | None) -> None:
            if not answer.done():
                answer.set_result(listener)

        there.carry(lambda _: back.carry(settle, target.listener_at(address, port)), None)
        listener = await answer
        if listener is None:
            self._network.release(there)
            raise _os_error(errno.ECONNREFUSED)
        return listener

    def _open(
        self,
        factory: Callable[[], P],
        target: Host,
        listener: SimulatedListener,
        own: tuple[Any, ...],
        other: tuple[Any, ...],
    ) -> tuple[LinkEnd, P]:
        there = self._network.path(self._host, target)
        back = self._network.path(target, self._host)
        if any(
            end.get_extra_info("sockname") == own and end.get_extra_info("peername") == other
            for end in there.ends
        ):
            raise _os_error(errno.EADDRNOTAVAIL)
        near = LinkEnd(self._network, there, own, other)
        far = LinkEnd(self._network, back, other, own)
        near.attach(far)
        far.attach(near, listener.accept)
        near.announce()
        protocol = factory()
        near.start(protocol)
        _limit_life(near, there)
        return near, protocol

    def _own_address(
        self, ip: ipaddress.IPv4Address | ipaddress.IPv6Address, from_listener: Listener | None
    ) -> tuple[Any, ...]:
        own = str(ip) if ip.is_loopback else self._host.address(ip.version)
        port = self._host.free_port() if from_listener is None else from_listener.port
        return (own, port) if ip.version == 4 else (own, port, 0, 0)


def _limit_life(end: LinkEnd, path: Path) -> None:
    if path.quality.mean_life_s is not None:
        life_s = path.chance.expovariate(1 / path.quality.mean_life_s)
        path.loop.at(path.loop.now + life_s, end.cut, None)


@lru_cache(maxsize=4096)
def _numeric(host: str, port: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if not 0 <= port <= 0xFFFF:
        raise OSError(errno.EINVAL, f"not a port: {port}")
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        raise OSError(errno.EINVAL, f"not a numeric address: {host!r}") from None


def _socket_address(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> tuple[Any, ...]:
    return (str(ip), port) if ip.version == 4 else (str(ip), port, 0, 0)


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
