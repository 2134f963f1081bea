"""Two Warren nodes in two processes: one shares a file or folder, the other fetches it, verified, to disk.

    python -m bench.files SOURCE DEST_DIR [--sync] [--old FOLDER]

Prints one JSON line: `fetch_s` from the request to the final name, `hash_s` for the share, `cpu_s` of both
processes during the fetch, `peak_bytes` of the node that needed more memory. Data folders lie beside
DEST_DIR, on the same disk. FOLDER holds the copy of an earlier run, and is removed right before the
request (`warm`).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from bench.output import emit
from bench.processes import Program, cpu_seconds, peak_bytes
from bench.warm import give_back
from warren.config import Config
from warren.node import Node
from warren.services.files.config import FilesConfig


def config(home: Path, *, sync: bool = False) -> Config:
    files = FilesConfig(sync=sync)
    return Config(home=home, listen=("/ip4/127.0.0.1/tcp/0",), name="bench", files=files)


async def serve(source: Path, home: Path) -> None:
    """Share until the end of standard input."""
    async with Node(config(home)) as node:
        start = time.perf_counter()
        share = await node.share(source, "public")
        took_s = time.perf_counter() - start
        address = str(node.addresses()[0])
        emit("share", addr=address, name=share.name, bytes=share.bytes, hash_s=round(took_s, 3))
        await asyncio.to_thread(sys.stdin.read)


async def fetch(source: Path, target: Path, old: Path | None, *, sync: bool) -> None:
    """Fetch what another process shares."""
    with tempfile.TemporaryDirectory(prefix="home.", dir=target.parent) as folder:
        homes = Path(folder)
        serving = [sys.executable, "-m", "bench.files", "serve", str(source), str(homes / "one")]
        with Program(serving, ready_timeout_s=300) as sharer:
            async with Node(config(homes / "two", sync=sync)) as node:
                socket = await node.connect(sharer.info["addr"])
                await asyncio.to_thread(give_back, old)
                before = sharer.cpu_s + cpu_seconds(os.getpid())
                start = time.perf_counter()
                transfer = node.get(sharer.info["name"], output=target, from_peer=socket.peer_id)
                await transfer.result()
                took_s = time.perf_counter() - start
                cpu_s = sharer.cpu_s + cpu_seconds(os.getpid()) - before
            peaks = [peak_bytes(sharer.pid) or 0, peak_bytes(os.getpid()) or 0]
    emit(
        "fetch",
        fetch_s=round(took_s, 4),
        hash_s=sharer.info["hash_s"],
        cpu_s=round(cpu_s, 2),
        peak_bytes=max(peaks),
        peaks=peaks,
    )


def main() -> None:
    """Run one side of the measurement."""
    if sys.argv[1] == "serve":
        asyncio.run(serve(Path(sys.argv[2]), Path(sys.argv[3])))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--sync", action="store_true")
    parser.add_argument("--old", type=Path)
    args = parser.parse_args()
    asyncio.run(fetch(args.source, args.target, args.old, sync=args.sync))


if __name__ == "__main__":
    main()
