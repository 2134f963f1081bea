"""The node under attack: a whole `Node` with default limits, in a process of its own.

    python -m tests.hostile.victim

Prints one JSON line with its address; then answers each line of standard input with one about itself
(sockets, peers, streams, tasks). Serves, beside all that a node serves:
    /hostile/sink/1.0.0     takes everything, and at the end answers with its count in eight bytes
    /hostile/source/1.0.0   sends without end to whoever asks
    /hostile/deaf/1.0.0     a handler that never reads what it is sent
    /hostile/ask/1.0.0      answers each request with 64 KiB
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from typing import TYPE_CHECKING

from warren.config import Config
from warren.node import Node

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.network.stream import Stream

SINK_ID = "/hostile/sink/1.0.0"
SOURCE_ID = "/hostile/source/1.0.0"
DEAF_ID = "/hostile/deaf/1.0.0"
ASK_ID = "/hostile/ask/1.0.0"
BLOCK = bytes(64 * 1024)
ADDRESS_SPACE_BYTES = 3 << 30


def sink(stream: Stream) -> None:
    """Count in the callback: the honest transfer measures the network and not its handler."""
    received = 0

    def on_data(data: memoryview) -> None:
        nonlocal received
        received += len(data)

    def on_end(error: Exception | None) -> None:
        if error is None:
            stream.write_nowait(received.to_bytes(8, "big"))
            stream.close_write()

    stream.set_receiver(on_data, on_end)


async def source(stream: Stream) -> None:
    while True:
        await stream.write(BLOCK)


async def deaf(stream: Stream) -> None:
    while not stream.ended:  # noqa: ASYNC110 - waiting for it would be reading
        await asyncio.sleep(0.1)


async def answer(_peer: PeerId, _payload: bytes) -> bytes:
    return BLOCK


def describe(node: Node) -> dict[str, int]:
    sockets = node.network.sockets()
    return {
        "sockets": len(sockets),
        "peers": len(node.network.peers()),
        "streams": sum(socket.streams for socket in sockets),
        "tasks": len(asyncio.all_tasks()),
    }


async def main() -> None:
    async with Node(Config(home=None, listen=("/ip4/127.0.0.1/tcp/0",), name="victim")) as node:
        node.network.handle_stream_inline(SINK_ID, sink)
        node.handle_stream(SOURCE_ID, source)
        node.handle_stream(DEAF_ID, deaf)
        node.handle(ASK_ID, answer)
        print(json.dumps({"addr": str(node.addresses()[0]), "pid": os.getpid()}), flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(describe(node)), flush=True)


def run() -> None:
    # A build that breaks the promise must fail its test, not take the machine with it.
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    asyncio.run(main())


if __name__ == "__main__":
    run()
