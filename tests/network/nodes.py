"""Networks on real loopback sockets (or in a simulated world), made and stopped together.

    async with nodes(2) as (alice, bob):
        await connect(alice, bob)

Keys are fixed and rise with the number, so that rules which compare peer ids can be told in advance:
`lower_first` puts the lower peer id first.
"""

from __future__ import annotations

import asyncio
import socket as socket_module
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.peer_record import PeerRecord
from warren.network.config import NetworkConfig
from warren.network.network import Network
from warren.protocols.identify import Identify
from warren.runtime.real import RealRuntime
from warren.runtime.simulated import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from warren.network.events import Subscription
    from warren.network.socket import Socket
    from warren.network.stream import Stream
    from warren.runtime.seam import Runtime

LOOPBACK = Multiaddr.parse("/ip4/127.0.0.1/tcp/0")
LIMIT_S = 20.0
"""Longer than anything here takes in real time, even on a busy machine."""


def _patience() -> asyncio.Timeout:
    """What a wait may take; virtual time costs nothing."""
    virtual = isinstance(asyncio.get_running_loop(), VirtualLoop)
    return asyncio.timeout(1e6 if virtual else LIMIT_S)


def key(number: int) -> PrivateKey:
    return PrivateKey.from_seed(bytes([number]) * 32)


def make(
    number: int = 1, runtime: Runtime | None = None, *, identify: bool = True, **settings: Any
) -> Network:
    """A network that does not listen yet."""
    network = Network(runtime or RealRuntime(), key(number), NetworkConfig(**settings))
    if identify:
        Identify(network, "warren/test", lambda: network.listen_addrs, lambda: _record(network))
    return network


def _record(network: Network) -> bytes:
    """Where the network listens, sealed; always the same number."""
    return PeerRecord(network.peer_id, 1, tuple(network.listen_addrs)).seal(network.key)


@asynccontextmanager
async def nodes(
    count: int = 2,
    *,
    listen: Sequence[Multiaddr] = (LOOPBACK,),
    identify: bool = True,
    grace_s: float = 2.0,
    **settings: Any,
) -> AsyncIterator[list[Network]]:
    """Networks that listen on real sockets; they are stopped at the end, and leave nothing behind."""
    runtime = RealRuntime()
    made = [make(n + 1, runtime, identify=identify, **settings) for n in range(count)]
    try:
        for network in made:
            await network.listen(listen)
        yield made
    finally:
        for network in made:
            await network.stop(grace_s)
        await runtime.close()
    for network in made:
        assert_empty(network)


def assert_empty(network: Network) -> None:
    """Nothing that was counted is left over."""
    limits = network._registry.limits
    assert (limits.inbound, limits.outbound, limits.handshakes) == (0, 0, 0)
    assert network.window_total.granted == 0
    assert network.window_total.partial == 0
    assert network._registry.all() == []
    assert network.peers() == []


def lower_first(a: Network, b: Network) -> tuple[Network, Network]:
    return (a, b) if a.peer_id < b.peer_id else (b, a)


async def connect(a: Network, b: Network) -> tuple[Socket, Socket]:
    """Dial from `a` to `b`; the sockets of both, open."""
    near = await a.connect(b.peer_id, b.listen_addrs)
    await near.wait_open()
    far = await socket_at(b, near)
    await far.wait_open()
    return near, far


async def socket_at(network: Network, other_end: Socket) -> Socket:
    """The socket of `network` whose remote address is the local one of `other_end`."""

    def find() -> Socket | None:
        found = [s for s in network._registry.all() if s.remote_addr == other_end.local_addr]
        return found[0] if found else None

    found: Socket = await until(network, find)
    return found


async def until(network: Network, condition: Callable[[], Any]) -> Any:
    """Wait until `condition` is true, looking again after each event of `network`."""
    events = network.events.subscribe()
    try:
        async with _patience():
            while not (found := condition()):
                await anext(events)
            return found
    finally:
        events.close()


async def event(events: Subscription, kind: type) -> Any:
    """The next event of `kind`."""
    async with _patience():
        async for happened in events:
            if isinstance(happened, kind):
                return happened
    raise AssertionError(f"the events ended without {kind.__name__}")


@contextmanager
def silent_address() -> Iterator[Multiaddr]:
    """An address that takes connections (the system does) and never says a word."""
    with socket_module.create_server(("127.0.0.1", 0)) as server:
        yield Multiaddr.tcp("127.0.0.1", server.getsockname()[1])


async def closed(socket: Socket) -> None:
    """Wait until a socket is gone."""
    async with _patience():
        while socket.state.value != "closed":
            await socket._next_move()


async def without_streams(*sockets: Socket, most: int = 0) -> None:
    """Wait until no more than `most` streams run on each socket; no event tells of the end of a stream."""
    async with _patience():
        while any(socket.streams > most for socket in sockets):  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def until_true(condition: Callable[[], bool]) -> None:
    """Wait for what no event tells of."""
    async with _patience():
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


class Inbox:
    """A stream handler that hands the streams to the test and keeps them open until the network stops."""

    def __init__(self, network: Network, protocol: str) -> None:
        self.streams: asyncio.Queue[Stream] = asyncio.Queue()
        network.handle_stream(protocol, self._serve)

    async def _serve(self, stream: Stream) -> None:
        self.streams.put_nowait(stream)
        await asyncio.get_running_loop().create_future()

    async def next(self) -> Stream:
        async with _patience():
            return await self.streams.get()
