"""Deadlines hold whatever the sweep waits for; the keep-alive spares who says goodbye slowly."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.network.nodes import closed, connect, make
from warren.core.multiaddr import Multiaddr
from warren.network.states import SocketState
from warren.protocols.ping import KeepAlive
from warren.runtime.simulated import World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warren.network.network import Network
    from warren.network.stream import Stream


class _Mute(asyncio.BufferedProtocol):
    """A link on which nothing is ever said."""

    def get_buffer(self, sizehint: int) -> bytearray:
        return bytearray(1024)

    def buffer_updated(self, nbytes: int) -> None:
        pass


def in_virtual_time(main: Callable[[World, Network, Network], Awaitable[None]], **settings: Any) -> None:
    world = World(seed=1)

    async def body() -> None:
        networks = [make(n, world.runtime(name), **settings) for n, name in ((1, "a"), (2, "b"))]
        for network, name in zip(networks, "ab", strict=True):
            await network.listen([Multiaddr.tcp(world.network.host(name).address(4), 4101)])
        await main(world, *networks)
        for network in networks:
            await network.stop()

    world.run(body())


def test_a_silent_newcomer_is_dropped_in_time_while_others_are_idle() -> None:
    async def main(world: World, a: Network, b: Network) -> None:
        await connect(a, b)
        await asyncio.sleep(5)
        address = b.listen_addrs[0]
        began = a.clock()
        assert address.host is not None
        assert address.port is not None
        link, _ = await world.runtime("a").transport.connect(_Mute, address.host, address.port)
        await asyncio.sleep(0.5)
        (mute,) = [s for s in b._registry.all() if s.state is not SocketState.OPEN]
        await closed(mute)
        assert b.clock() - began < b.config.handshake_timeout_s + 2
        link.abort()

    in_virtual_time(main)


def test_the_keep_alive_spares_a_draining_socket_with_a_quiet_stream() -> None:
    async def main(world: World, a: Network, b: Network) -> None:
        async def serve(stream: Stream) -> None:
            await stream.read()

        b.handle_stream("/quiet", serve)
        near, far = await connect(a, b)
        stream = await a.open_stream(near, "/quiet")
        watch = KeepAlive(a)
        watch.start()
        far.drain()
        await asyncio.sleep(300)
        watch.stop()
        assert near.state is SocketState.OPEN
        assert not stream.ended

    in_virtual_time(main)
