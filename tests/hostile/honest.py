"""The honest peer beside an attack: keeps one connection and moves data over it when told to.

    python -m tests.hostile.honest ADDR

Prints a JSON line once connected; each line of standard input, a number of bytes, is answered with the rate
at which so much reached the victim's sink, acknowledged, and with the round trip of a ping after it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import TYPE_CHECKING

from tests.hostile.victim import SINK_ID
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.network import Network
from warren.protocols.identify import Identify
from warren.protocols.ping import Ping
from warren.runtime.real import RealRuntime

if TYPE_CHECKING:
    from warren.network.socket import Socket

BLOCK = os.urandom(1 << 20)


async def upload(network: Network, socket: Socket, count: int) -> float:
    """Bytes a second, from the first byte until the sink has acknowledged all."""
    stream = await network.open_stream(socket, SINK_ID)
    start = time.perf_counter()
    left = count
    while left > 0:
        await stream.write(BLOCK[:left] if left < len(BLOCK) else BLOCK)
        left -= len(BLOCK)
    stream.close_write()
    assert int.from_bytes(await stream.read_exactly(8), "big") == count
    return count / (time.perf_counter() - start)


async def main() -> None:
    network = Network(RealRuntime(), PrivateKey.from_seed(os.urandom(32)))
    Identify(network, "warren/honest", list)
    ping = Ping(network)
    address = Multiaddr.parse(sys.argv[1])
    assert address.peer_id is not None
    socket = await network.connect(address.peer_id, [address])
    await socket.wait_open()
    print(json.dumps({"connected": True}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        rate = await upload(network, socket, int(line))
        print(json.dumps({"MBps": rate / 1e6, "ping_s": await ping.ping(socket)}), flush=True)


def run() -> None:
    asyncio.run(main())


if __name__ == "__main__":
    run()
