"""Warren's network floor alone: `Network` with identify, ping and perf, as benchmarks and tests run it.

    python -m bench.warren_peer listen            print the address, then serve
    python -m bench.warren_peer perf ADDR UP DOWN until the last byte is acknowledged (up) or read (down)
    python -m bench.warren_peer ping ADDR N       N round trips on one ping stream
    python -m bench.warren_peer beside ADDR UP    pings on the connection that carries an upload of UP bytes
    python -m bench.warren_peer conns ADDR N      N times: dial, secure, multiplex, identify, ping, close
    python -m bench.warren_peer idle ADDR N       N connections, each with its own id, until stdin closes

All limits are the defaults but those per IP address, because every peer of a test has the same one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.output import emit, raise_file_limit, round_trips
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.config import NetworkConfig
from warren.network.network import Network
from warren.protocols.identify import Identify
from warren.protocols.perf import Perf
from warren.protocols.ping import Ping
from warren.runtime.real import RealRuntime

if TYPE_CHECKING:
    from warren.network.socket import Socket
    from warren.network.stream import Stream

IDENTIFIED_ID = "/bench/identified/1.0.0"
"""Answers whether this side's identify of the asking connection is done."""
UNBOUNDED_PER_S = 1e9
IDENTIFIED_EVERY = 10
"""Of the connections in a row, how many are asked about: all would be another round trip in the figure."""


@dataclass
class Peer:
    """One network with the protocols that are measured."""

    network: Network
    ping: Ping
    perf: Perf

    @classmethod
    def make(cls, runtime: RealRuntime) -> Peer:
        defaults = NetworkConfig()
        config = NetworkConfig(
            per_ip_max=defaults.inbound_max,
            per_ip_per_s=UNBOUNDED_PER_S,
            handshakes_per_ip_max=defaults.handshakes_max,
        )
        network = Network(runtime, PrivateKey.from_seed(os.urandom(32)), config)
        Identify(network, "warren/bench", lambda: network.listen_addrs)
        network.handle_stream_inline(IDENTIFIED_ID, _answer_identified)
        return cls(network, Ping(network), Perf(network))

    async def dial(self, address: str) -> Socket:
        target = Multiaddr.parse(address)
        assert target.peer_id is not None
        return await self.network.connect(target.peer_id, [target], forced=True)


def _answer_identified(stream: Stream) -> None:
    stream.write_nowait(b"y" if stream.socket.identity is not None else b"n")
    stream.close_nowait()


async def identified(socket: Socket) -> None:
    """Wait until identify is done on this side."""
    await socket.wait_open()
    assert socket.identity is not None, "identify failed"


async def listen(args: argparse.Namespace) -> None:
    peer = Peer.make(RealRuntime())
    await peer.network.listen([Multiaddr.tcp("127.0.0.1", args.port)])
    address = peer.network.listen_addrs[0].with_peer(peer.network.peer_id)
    emit("listen", addr=str(address), pid=os.getpid())
    await asyncio.Event().wait()


async def perf(args: argparse.Namespace) -> None:
    peer = Peer.make(RealRuntime())
    socket = await peer.dial(args.addr)
    cpu = time.process_time()
    result = await peer.perf.measure(socket, upload_bytes=args.up, download_bytes=args.down)
    emit(
        "perf",
        s=round(result.seconds, 4),
        MBps=round(result.bytes_per_s / 1e6, 1),
        cpu_s=round(time.process_time() - cpu, 4),
    )


async def ping(args: argparse.Namespace) -> None:
    peer = Peer.make(RealRuntime())
    socket = await peer.dial(args.addr)
    emit("ping", **round_trips([await peer.ping.ping(socket) for _ in range(args.n)]))


async def beside(args: argparse.Namespace) -> None:
    peer = Peer.make(RealRuntime())
    socket = await peer.dial(args.addr)
    await peer.ping.ping(socket)
    bulk = asyncio.ensure_future(peer.perf.measure(socket, upload_bytes=args.up))
    await asyncio.sleep(0.05)  # the transfer is under way
    took_s = []
    while not bulk.done():
        took_s.append(await peer.ping.ping(socket))
        await asyncio.sleep(args.pause)
    emit("beside", MBps=round((await bulk).bytes_per_s / 1e6, 1), **round_trips(took_s))


async def conns(args: argparse.Namespace) -> None:
    peer = Peer.make(RealRuntime())
    cpu, start = time.process_time(), time.perf_counter()
    for count in range(args.n):
        socket = await peer.dial(args.addr)
        await peer.ping.ping(socket)
        await identified(socket)
        if count % IDENTIFIED_EVERY == 0:
            answer = await peer.network.open_stream(socket, IDENTIFIED_ID)
            assert await answer.read() == b"y", "the other side has not identified us"
        await socket.close()
    took_s = time.perf_counter() - start
    emit("conns", n=args.n, per_s=round(args.n / took_s, 2), cpu_s=round(time.process_time() - cpu, 4))


async def idle(args: argparse.Namespace) -> None:
    runtime = RealRuntime()
    peers: list[Peer] = []
    for _ in range(args.n):
        peer = Peer.make(runtime)
        socket = await peer.dial(args.addr)
        await peer.ping.ping(socket)
        await identified(socket)
        peers.append(peer)
    emit("idle", held=len(peers))
    await asyncio.to_thread(sys.stdin.readline)
    took_s = [await peer.ping.ping(peer.network.sockets()[0]) for peer in peers]
    emit("idle-ping", answered=len(took_s), **round_trips(took_s))
    await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Run the subcommand of the command line."""
    raise_file_limit()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("listen").add_argument("--port", type=int, default=0)
    functions = {function.__name__: function for function in (perf, ping, beside, conns, idle)}
    numbers = {"perf": ("up", "down"), "beside": ("up",)}
    for name in functions:
        command = commands.add_parser(name)
        command.add_argument("addr")
        for number in numbers.get(name, ("n",)):
            command.add_argument(number, type=int)
        if name == "beside":
            command.add_argument("--pause", type=float, default=0.0, help="seconds between two pings")
    args = parser.parse_args()
    asyncio.run({"listen": listen, **functions}[args.command](args))


if __name__ == "__main__":
    main()
