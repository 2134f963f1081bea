"""One Warren node that holds a file or fetches it, in a process of its own.

    python -m bench.transfers.peer hold SOURCE HOME IP [--lies] [--up BYTES_PER_S]
    python -m bench.transfers.peer get CID FOLDER HOME IP ADDRESS...

Prints JSON lines. `hold` shares with everybody until the end of standard input; one that lies sends every
chunk with its first byte changed. `get` connects to all addresses, fetches once a line comes, prints what
that took, and goes on to serve what it has until the end of standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from bench.output import emit
from bench.processes import cpu_seconds, peak_bytes
from warren.config import Config
from warren.core.cid import Cid
from warren.node import Node
from warren.services.discovery.config import DiscoveryConfig
from warren.services.files import serving
from warren.services.files.config import FilesConfig

if TYPE_CHECKING:
    from warren.protocols.transfer.server import Part
    from warren.runtime.seam import Disk
    from warren.services.files.serving import ReadChunks


def config(home: str, ip: str, files: FilesConfig | None = None) -> Config:
    return Config(
        home=Path(home),
        listen=(f"/ip4/{ip}/tcp/0",),
        name="bench",
        files=files or FilesConfig(),
        discovery=DiscoveryConfig(mdns=False),
    )


async def until_told() -> bool:
    """Whether a line came; False at the end."""
    return bool(await asyncio.to_thread(sys.stdin.readline))


def lie(disk: Disk, job: ReadChunks) -> list[Part]:
    """What is asked for, changed at its beginning."""
    return [
        part._replace(payload=bytes([part.payload[0] ^ 1]) + part.payload[1:]) if part.payload else part
        for part in honest_read(disk, job)
    ]


honest_read = serving.read


async def hold(args: argparse.Namespace) -> None:
    files = FilesConfig(up_bytes_per_s=args.up)
    async with Node(config(args.home, args.ip, files)) as node:
        share = await node.share(args.source, "public")
        if args.lies:
            mock.patch.object(serving, "read", lie).start()
        emit("ready", addr=str(node.addresses()[0]), cid=str(share.cid), hash_s=share.hash_seconds)
        while await until_told():
            emit("cost", cpu_s=cpu_seconds(os.getpid()), peak_bytes=peak_bytes(os.getpid()))


async def get(args: argparse.Namespace) -> None:
    async with Node(config(args.home, args.ip)) as node:
        peers = [(await node.connect(address)).peer_id for address in args.addresses]
        emit("ready", addr=str(node.addresses()[0]))
        await until_told()
        before, begun = cpu_seconds(os.getpid()), asyncio.get_running_loop().time()
        transfer = node.get(Cid.parse(args.cid), output=args.folder, holders=peers)
        await transfer.result()
        took_s = asyncio.get_running_loop().time() - begun
        emit(
            "got",
            fetch_s=took_s,
            cpu_s=cpu_seconds(os.getpid()) - before,
            peak_bytes=peak_bytes(os.getpid()),
            sources={str(one.peer): one.bytes_fetched for one in transfer.sources()},
        )
        await until_told()


def main() -> None:
    """Run one side."""
    parser = argparse.ArgumentParser(prog="bench.transfers.peer")
    commands = parser.add_subparsers(dest="command", required=True)
    holding = commands.add_parser("hold")
    for name in ("source", "home", "ip"):
        holding.add_argument(name)
    holding.add_argument("--lies", action="store_true")
    holding.add_argument("--up", type=int, default=0)
    getting = commands.add_parser("get")
    for name in ("cid", "folder", "home", "ip"):
        getting.add_argument(name)
    getting.add_argument("addresses", nargs="+")
    args = parser.parse_args()
    asyncio.run(hold(args) if args.command == "hold" else get(args))


if __name__ == "__main__":
    main()
