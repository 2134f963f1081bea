"""The Warren network that foreign and hostile peers meet in tests: on loopback, with the protocols of the
floor.

In: a `NetworkConfig`, if not the default one.  Out: a node that answers identify, ping, perf and the test
protocols that `peers/js/peer.mjs` and `peers/py/peer.py` describe in their headers.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Self

from warren.core.errors import StreamReset
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.peer_record import PeerRecord
from warren.network.network import Network
from warren.protocols.identify import Identify, IdentifyInfo
from warren.protocols.perf import Perf
from warren.protocols.ping import Ping
from warren.runtime.real import RealRuntime

if TYPE_CHECKING:
    from warren.network.config import NetworkConfig
    from warren.network.socket import Socket
    from warren.network.stream import Stream

ECHO_ID = "/echo/1.0.0"
RESET_ID = "/reset/1.0.0"
RESETS_ID = "/resets/1.0.0"
EARLY_MUXERS_ID = "/early-muxers/1.0.0"
"""Only the js node serves it."""
AGENT = "warren/interop"


async def exchange(stream: Stream, payload: bytes, chunk_bytes: int = 65536) -> bytes:
    """Write `payload` in pieces, half-close, and return what comes back."""

    async def write() -> None:
        for at in range(0, len(payload), chunk_bytes):
            await stream.write(payload[at : at + chunk_bytes])
        stream.close_write()

    writing = asyncio.ensure_future(write())
    parts = []
    while part := await stream.read():
        parts.append(part)
    await writing
    return b"".join(parts)


async def identified(socket: Socket) -> IdentifyInfo:
    """Wait until identify is done on this side, and return what the other side said."""
    await socket.wait_open()
    assert isinstance(socket.identity, IdentifyInfo)
    return socket.identity


class Node:
    """A Warren network with identify, ping, perf and the test protocols, listening on loopback."""

    def __init__(self, config: NetworkConfig | None = None) -> None:
        self.network = Network(RealRuntime(), PrivateKey.from_seed(os.urandom(32)), config)
        self.identify = Identify(self.network, AGENT, lambda: self.network.listen_addrs, self._record)
        self.ping = Ping(self.network)
        self.perf = Perf(self.network)
        self.resets = 0
        self.network.handle_stream(ECHO_ID, self._echo)
        self.network.handle_stream(RESET_ID, self._reset)
        self.network.handle_stream(RESETS_ID, self._count)

    def _record(self) -> bytes:
        number = int(self.network.runtime.clock.wall() * 1000)
        return PeerRecord(self.network.peer_id, number, tuple(self.network.listen_addrs)).seal(
            self.network.key
        )

    async def __aenter__(self) -> Self:
        await self.network.listen([Multiaddr.tcp("127.0.0.1", 0)])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.network.stop()
        await self.network.runtime.close()

    @property
    def address(self) -> Multiaddr:
        return self.network.listen_addrs[0].with_peer(self.network.peer_id)

    async def dial(self, address: Multiaddr) -> Socket:
        assert address.peer_id is not None
        return await self.network.connect(address.peer_id, [address])

    async def echo(self, socket: Socket, payload: bytes, chunk_bytes: int = 65536) -> bool:
        """Whether `payload` comes back from the other side as it was."""
        stream = await self.network.open_stream(socket, ECHO_ID)
        return await exchange(stream, payload, chunk_bytes) == payload

    async def _echo(self, stream: Stream) -> None:
        try:
            while data := await stream.read():
                await stream.write(data)
            stream.close_write()
        except StreamReset:
            self.resets += 1

    async def _reset(self, stream: Stream) -> None:
        await stream.read(1)
        stream.reset()

    async def _count(self, stream: Stream) -> None:
        await stream.read(1)
        await stream.write(str(self.resets).encode())
        stream.close_write()
