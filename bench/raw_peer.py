"""Plain asyncio over TCP, without security or protocol: the floor that every other figure is compared with.

    python -m bench.raw_peer listen           print the address, then serve
    python -m bench.raw_peer perf ADDR UP DOWN  until the last byte is acknowledged (up) or read (down)
    python -m bench.raw_peer ping ADDR N      32-byte echoes on one connection
    python -m bench.raw_peer conns ADDR N     N times in sequence: connect, one echo, close
    python -m bench.raw_peer idle ADDR N      N connections, held until stdin closes

A connection begins with a letter and eight bytes: `U` and a size (read so many bytes, then answer one), `D`
and a size (send so many), or `P` (send everything back).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import struct
import sys
import time
from typing import TYPE_CHECKING

from bench.output import emit, raise_file_limit, round_trips

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK = bytes(65536)
HEAD = struct.Struct(">cQ")


class Connection(asyncio.Protocol):
    """One end: sends zeros while the transport does not ask for a pause, and hands on what arrives."""

    def __init__(self, on_bytes: Callable[[bytes], None] | None = None) -> None:
        self.on_bytes = on_bytes or self.serve
        self.to_send = 0
        self.to_read = 0
        self.mode = b""
        self.paused = False
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set_result(exc)

    def data_received(self, data: bytes) -> None:
        self.on_bytes(data)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self.pump()

    def send_zeros(self, count: int) -> None:
        self.to_send = count
        self.pump()

    def pump(self) -> None:
        while self.to_send > 0 and not self.paused:
            self.transport.write(BLOCK[: self.to_send] if self.to_send < len(BLOCK) else BLOCK)
            self.to_send -= len(BLOCK)

    def serve(self, data: bytes) -> None:
        if not self.mode:
            self.mode, size = HEAD.unpack_from(data)
            data = data[HEAD.size :]
            if self.mode == b"D":
                self.send_zeros(size)
            self.to_read = size
        if self.mode == b"P" and data:
            self.transport.write(data)
        elif self.mode == b"U":
            self.to_read -= len(data)
            if self.to_read <= 0:
                self.transport.write(b"k")


async def connect(address: str, on_bytes: Callable[[bytes], None]) -> Connection:
    host, port = address.rsplit(":", 1)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(on_bytes), host, int(port))
    return connection


class Pinger:
    """One connection in echo mode."""

    async def open(self, address: str) -> Pinger:
        self.got = b""
        self.waiter: asyncio.Future[None] | None = None
        self.connection = await connect(address, self.on_bytes)
        self.connection.transport.write(HEAD.pack(b"P", 0))
        return self

    def on_bytes(self, data: bytes) -> None:
        self.got += data
        if len(self.got) >= 32 and self.waiter:
            self.waiter.set_result(None)

    async def once(self) -> float:
        """One round trip in seconds."""
        payload = secrets.token_bytes(32)
        self.got = b""
        self.waiter = asyncio.get_running_loop().create_future()
        start = time.perf_counter()
        self.connection.transport.write(payload)
        await self.waiter
        took_s = time.perf_counter() - start
        assert self.got == payload
        return took_s

    async def close(self) -> None:
        self.connection.transport.close()
        await self.connection.closed


async def listen(args: argparse.Namespace) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", args.port, backlog=4096)
    host, port = server.sockets[0].getsockname()
    emit("listen", addr=f"{host}:{port}", pid=os.getpid())
    await server.serve_forever()


async def perf(args: argparse.Namespace) -> None:
    done = asyncio.get_running_loop().create_future()
    left = args.down or 1

    def on_bytes(data: bytes) -> None:
        nonlocal left
        left -= len(data)
        if left <= 0 and not done.done():
            done.set_result(None)

    connection = await connect(args.addr, on_bytes)
    cpu, start = time.process_time(), time.perf_counter()
    connection.transport.write(HEAD.pack(b"U", args.up) if args.up else HEAD.pack(b"D", args.down))
    connection.send_zeros(args.up)
    await done
    took_s = time.perf_counter() - start
    emit(
        "perf",
        s=round(took_s, 4),
        MBps=round((args.up + args.down) / took_s / 1e6, 1),
        cpu_s=round(time.process_time() - cpu, 4),
    )


async def ping(args: argparse.Namespace) -> None:
    pinger = await Pinger().open(args.addr)
    emit("ping", **round_trips([await pinger.once() for _ in range(args.n)]))


async def conns(args: argparse.Namespace) -> None:
    cpu, start = time.process_time(), time.perf_counter()
    for _ in range(args.n):
        pinger = await Pinger().open(args.addr)
        await pinger.once()
        await pinger.close()
    took_s = time.perf_counter() - start
    emit("conns", n=args.n, per_s=round(args.n / took_s, 2), cpu_s=round(time.process_time() - cpu, 4))


async def idle(args: argparse.Namespace) -> None:
    held = [await Pinger().open(args.addr) for _ in range(args.n)]
    for pinger in held:
        await pinger.once()
    emit("idle", held=len(held))
    await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Run the subcommand of the command line."""
    raise_file_limit()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("listen").add_argument("--port", type=int, default=0)
    for function, numbers in ((perf, ("up", "down")), (ping, ("n",)), (conns, ("n",)), (idle, ("n",))):
        command = commands.add_parser(function.__name__)
        command.add_argument("addr")
        for name in numbers:
            command.add_argument(name, type=int)
    args = parser.parse_args()
    asyncio.run(
        {"listen": listen, "perf": perf, "ping": ping, "conns": conns, "idle": idle}[args.command](args)
    )


if __name__ == "__main__":
    main()
