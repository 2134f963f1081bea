"""Someone in the middle of a TCP connection: records what passes, and may change, cut, drop or repeat it.

In: the address of the real listener.  Out: an address to dial instead, and the bytes of each direction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from warren.core.multiaddr import Multiaddr

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TO_LISTENER = "to listener"
TO_DIALLER = "to dialler"

Tamper = Callable[[str, int, bytes], bytes | None]
"""Called with the direction, the offset of the first byte in it, and the bytes; returns what is passed on,
or None to cut the connection."""


def pass_on(_direction: str, _offset: int, data: bytes) -> bytes:
    """The honest middle."""
    return data


def flip(direction: str, at: int, *, bit: int = 0x01) -> Tamper:
    """Change one bit of the byte at offset `at` of `direction`."""

    def tamper(way: str, offset: int, data: bytes) -> bytes:
        if way != direction or not offset <= at < offset + len(data):
            return data
        changed = bytearray(data)
        changed[at - offset] ^= bit
        return bytes(changed)

    return tamper


def cut(direction: str, at: int) -> Tamper:
    """Pass `at` bytes of `direction`, then cut the connection."""

    def tamper(way: str, offset: int, data: bytes) -> bytes | None:
        if way != direction or offset + len(data) <= at:
            return data
        return data[: at - offset] or None

    return tamper


@dataclass
class Middle:
    """A proxy for any number of connections; `passed` holds what went through, of all of them together."""

    target: Multiaddr
    tamper: Tamper = pass_on
    passed: dict[str, bytearray] = field(
        default_factory=lambda: {TO_LISTENER: bytearray(), TO_DIALLER: bytearray()}
    )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        """Listen on a port of its own until the block ends."""
        self._links: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for link in self._links:
                link.cancel()
            await asyncio.gather(*self._links, return_exceptions=True)

    @property
    def address(self) -> Multiaddr:
        """Where to dial: the middle, with the peer id of the real listener."""
        peer = self.target.peer_id
        assert peer is not None
        return Multiaddr.tcp("127.0.0.1", self._port).with_peer(peer)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.ensure_future(self._carry(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self.target.host is not None
        far_reader, far_writer = await asyncio.open_connection(self.target.host, self.target.port)
        ways = [
            asyncio.ensure_future(self._forward(TO_LISTENER, reader, far_writer)),
            asyncio.ensure_future(self._forward(TO_DIALLER, far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            writer.close()
            far_writer.close()

    async def _forward(self, way: str, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        offset = 0
        with suppress(ConnectionError):
            while data := await source.read(65536):
                out = self.tamper(way, offset, data)
                offset += len(data)
                if out is None:
                    return
                self.passed[way] += out
                target.write(out)
                await target.drain()
