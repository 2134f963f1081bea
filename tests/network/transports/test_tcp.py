from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.network.conformance_link import LinkConformance
from tests.support import run
from warren.core.multiaddr import Multiaddr
from warren.network.transports.tcp import RESOLVED_MAX, TcpTransport
from warren.runtime.real import RealRuntime
from warren.runtime.simulated import World

if TYPE_CHECKING:
    from collections.abc import Coroutine


class TestTcpOnSockets(LinkConformance):
    listen_addresses = ("/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0")
    names = ("/dns/localhost/tcp/4101", "/dns4/localhost/tcp/4101")

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        async def with_runtime() -> None:
            self._runtime = RealRuntime()
            await main
            await self._runtime.close()

        run(with_runtime())

    def dialler(self) -> TcpTransport:
        return TcpTransport(self._runtime.transport)

    def acceptor(self) -> TcpTransport:
        return TcpTransport(self._runtime.transport)


class TestTcpInTheSimulator(LinkConformance):
    listen_addresses = ("/ip4/100.0.0.2/tcp/0", "/ip6/2a00::2/tcp/0")
    names = ("/dns/acceptor/tcp/4101", "/dns4/acceptor/tcp/4101", "/dns6/acceptor/tcp/4101")

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        with World(seed=3) as world:
            self._runtimes = [world.runtime("dialler"), world.runtime("acceptor")]
            world.run(main)

    def dialler(self) -> TcpTransport:
        return TcpTransport(self._runtimes[0].transport)

    def acceptor(self) -> TcpTransport:
        return TcpTransport(self._runtimes[1].transport)


def test_a_name_with_a_thousand_addresses_is_worth_a_few() -> None:
    with World() as world:
        world.network.names["many.example"] = [f"100.9.{n // 250}.{n % 250}" for n in range(1000)]
        transport = TcpTransport(world.runtime("a").transport)
        found = world.run(transport.resolve(Multiaddr.parse("/dns4/many.example/tcp/1")))
        assert len(found) == RESOLVED_MAX
