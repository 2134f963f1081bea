"""A slow link: forwards TCP connections at a fixed rate, with a short queue in each direction.

    python -m bench.shaper HOST:PORT BYTES_PER_S      prints the address to dial instead

Sleeps between chunks as a link of that rate would take for them. The queue is the receive buffer of the
accepted socket, set small, so that what a sender piles up waits in the sender, as it does behind a real
modem.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

from bench.output import emit

CHUNK_BYTES = 16 * 1024
QUEUE_BYTES = 64 * 1024


async def forward(source: socket.socket, target: socket.socket, bytes_per_s: float) -> None:
    """Carry one direction until it ends."""
    loop = asyncio.get_running_loop()
    free_at = loop.time()
    with contextlib.suppress(OSError):
        while data := await loop.sock_recv(source, CHUNK_BYTES):
            free_at = max(free_at, loop.time()) + len(data) / bytes_per_s
            await asyncio.sleep(free_at - loop.time())
            await loop.sock_sendall(target, data)
        target.shutdown(socket.SHUT_WR)


async def serve(host: str, port: int, bytes_per_s: float) -> None:
    """Accept and forward until killed."""
    loop = asyncio.get_running_loop()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE_BYTES)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    listener.setblocking(False)
    emit("shaper", addr=f"127.0.0.1:{listener.getsockname()[1]}")
    async with asyncio.TaskGroup() as links:
        while True:
            source, _ = await loop.sock_accept(listener)
            target = socket.socket()
            target.setblocking(False)
            await loop.sock_connect(target, (host, port))
            for end in (source, target):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            links.create_task(forward(source, target, bytes_per_s))
            links.create_task(forward(target, source, bytes_per_s))


if __name__ == "__main__":
    to_host, to_port = sys.argv[1].rsplit(":", 1)
    asyncio.run(serve(to_host, int(to_port), float(sys.argv[2])))
