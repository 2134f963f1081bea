"""`RealTransport`: TCP over IPv4 and IPv6 on whatever asyncio loop runs.

In:  numeric addresses and protocol factories; names only in `resolve` and `resolve_txt`. Out: asyncio
transports, or an `OSError`. Refuses a name where an address is due, so that no dial ever waits for DNS
unnoticed.

Every socket sends at once (TCP_NODELAY) and keeps little unsent data in the kernel (TCP_NOTSENT_LOWAT,
https://lwn.net/Articles/560082/), so that what is urgent is not stuck behind megabytes of bulk.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import os
import socket
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from warren.runtime.real.interfaces import interface_addresses
from warren.runtime.real.names import look_up_txt
from warren.runtime.real.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.runtime.seam import Admit, Family, Listener, ProtocolFactory

P = TypeVar("P", bound=asyncio.BufferedProtocol)
T = TypeVar("T")

logger = logging.getLogger(__name__)

# Links that wait for accept: a burst of thousands (a restarted super-peer) must not be turned away. The
# kernel caps it.
BACKLOG = 4096
# Links accepted in one turn of the loop: a flood of connections must not starve the links that live.
ACCEPT_BATCH_MAX = 4
# Out of file descriptors (a flood of connections): accept again after this long, and say so once a minute.
ACCEPT_PAUSE_S = 1.0
ACCEPT_WARNING_EVERY_S = 60.0
# Look-ups under way at once: each holds a thread for as long as DNS takes, and peers choose the names.
RESOLVES_MAX = 8

_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_FAMILIES: dict[Family, socket.AddressFamily] = {
    0: socket.AF_UNSPEC,
    4: socket.AF_INET,
    6: socket.AF_INET6,
}


def _notsent_lowat_option() -> int | None:
    numbers = {"linux": 25, "darwin": 0x201}
    return getattr(socket, "TCP_NOTSENT_LOWAT", numbers.get(sys.platform))


_NOTSENT_LOWAT = _notsent_lowat_option()


class RealTransport:
    """See `seam.Transport`.

    notsent_lowat_bytes: bytes written but not yet sent that the kernel holds per link before it reports it
        full. More smooths bulk on a fast link, less shortens the wait of a ping behind bulk on a slow one.
        0 leaves the system's default.
    name_servers: numeric address and port of those to ask for TXT records; none: the system's.
    """

    __slots__ = ("_name_servers", "_notsent_lowat_bytes", "_resolves")

    def __init__(
        self, *, notsent_lowat_bytes: int = 128 * 1024, name_servers: Sequence[tuple[str, int]] = ()
    ) -> None:
        self._notsent_lowat_bytes = notsent_lowat_bytes
        self._name_servers = tuple(name_servers)
        self._resolves = asyncio.Semaphore(RESOLVES_MAX)

    async def connect(
        self,
        factory: Callable[[], P],
        host: str,
        port: int,
        *,
        from_listener: Listener | None = None,
        timeout_s: float = 10.0,
    ) -> tuple[asyncio.Transport, P]:
        family, address = _numeric(host, port)
        loop = asyncio.get_running_loop()
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._tune(sock)
            if from_listener is not None:
                _bind_to_listener(sock, from_listener)
            async with asyncio.timeout(timeout_s):
                await loop.sock_connect(sock, address)
            return await loop.create_connection(factory, sock=sock)
        except BaseException:
            sock.close()
            raise

    async def listen(
        self, factory: ProtocolFactory, host: str, port: int, *, admit: Admit | None = None
    ) -> RealListener:
        family, address = _numeric(host, port)
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if os.name == "posix":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(address)
            sock.listen(BACKLOG)
            return await RealListener.start(sock, factory, self._tune, admit)
        except BaseException:
            sock.close()
            raise

    async def resolve(self, name: str, family: Family = 0) -> list[str]:
        async with self._resolves:
            return await _in_daemon_thread(lambda: _look_up(name, family))

    async def resolve_txt(self, name: str) -> list[bytes]:
        async with self._resolves:
            return await _in_daemon_thread(lambda: look_up_txt(name, self._name_servers))

    def interface_addresses(self) -> list[str]:
        return interface_addresses()

    def _tune(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if _NOTSENT_LOWAT is not None and self._notsent_lowat_bytes:
            sock.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, self._notsent_lowat_bytes)


class RealListener:
    """A listening TCP socket that accepts by itself.

    asyncio's own server, when file descriptors run out, reports that once for every link in the backlog and
    every second; this one pauses, says it once and goes on. Loops without `add_reader` (Windows) use
    asyncio's.
    """

    __slots__ = (
        "_admit",
        "_factory",
        "_loop",
        "_opening",
        "_resume",
        "_server",
        "_tune",
        "_warned_at",
        "host",
        "port",
        "sock",
    )

    def __init__(
        self,
        sock: socket.socket,
        factory: ProtocolFactory,
        tune: Callable[[socket.socket], None],
        admit: Admit | None,
    ) -> None:
        self.sock = sock
        name = sock.getsockname()
        self.host: str = name[0]
        self.port: int = name[1]
        self._factory = factory
        self._admit = admit
        self._tune = tune
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None
        self._resume: asyncio.TimerHandle | None = None
        self._warned_at = -ACCEPT_WARNING_EVERY_S

    @classmethod
    async def start(
        cls,
        sock: socket.socket,
        factory: ProtocolFactory,
        tune: Callable[[socket.socket], None],
        admit: Admit | None,
    ) -> RealListener:
        self = cls(sock, factory, tune, admit)
        try:
            self._loop.add_reader(sock, self._accept_batch)
        except NotImplementedError:
            self._server = await self._loop.create_server(factory, sock=sock, backlog=BACKLOG)
        return self

    def close(self) -> None:
        if self.sock.fileno() < 0:
            return
        if self._resume is not None:
            self._resume.cancel()
        if self._server is not None:
            self._server.close()
        else:
            self._loop.remove_reader(self.sock)
        self.sock.close()

    def _accept_batch(self) -> None:
        for _ in range(ACCEPT_BATCH_MAX):
            try:
                link, address = self.sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as exc:
                self._pause(exc)
                return
            if self._admit is None or self._admit(address[0]):
                self._open(link)
            else:
                link.close()

    def _open(self, link: socket.socket) -> None:
        try:
            self._tune(link)
        except OSError:
            # Gone again before it was looked at.
            link.close()
            return
        task = self._loop.create_task(self._loop.connect_accepted_socket(self._factory, link))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def _pause(self, exc: OSError) -> None:
        now = self._loop.time()
        if now - self._warned_at >= ACCEPT_WARNING_EVERY_S:
            self._warned_at = now
            logger.warning("cannot accept links on %s port %d: %s", self.host, self.port, exc)
        if exc.errno not in _OUT_OF_RESOURCES:
            return
        self._loop.remove_reader(self.sock)
        self._resume = self._loop.call_later(
            ACCEPT_PAUSE_S, self._loop.add_reader, self.sock, self._accept_batch
        )


def _numeric(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """Return family and socket address of a numeric host, which may carry an IPv6 zone (`fe80::1%eth0`)."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        raise OSError(errno.EINVAL, f"not a numeric address: {host!r}") from None
    if not 0 <= port <= 0xFFFF:
        raise OSError(errno.EINVAL, f"not a port: {port}")
    if isinstance(ip, ipaddress.IPv4Address):
        return socket.AF_INET, (host, port)
    zone = ip.scope_id
    if zone is None:
        return socket.AF_INET6, (host, port)
    index = int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
    return socket.AF_INET6, (host.partition("%")[0], port, 0, index)


def _bind_to_listener(sock: socket.socket, listener: Listener) -> None:
    """Bind a socket that will dial to the port on which `listener` accepts.

    Linux and macOS share a listening port only if both sockets say SO_REUSEPORT. The listener says so for
    this moment alone: else any process of the same user could take a part of its links, and a second node
    would start on its port.
    """
    if not isinstance(listener, RealListener):
        raise TypeError("from_listener must come from the same transport")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    address = listener.sock.getsockname()
    if not hasattr(socket, "SO_REUSEPORT"):
        sock.bind(address)
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind(address)
    finally:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)


def _look_up(name: str, family: Family) -> list[str]:
    found = socket.getaddrinfo(name, None, family=_FAMILIES[family], type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def _in_daemon_thread(fn: Callable[[], list[T]]) -> list[T]:
    """Run `fn` in a thread that does not keep the process alive: a hanging DNS server must not delay the
    exit, nor the next look-up.
    """
    thread = Threads("warren-resolve")
    looking_up = thread.do(fn)
    thread.end()
    try:
        return await looking_up
    except UnicodeError as exc:
        raise OSError(errno.EINVAL, f"not a DNS name: {exc}") from exc
