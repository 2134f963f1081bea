"""The peer table with a hundred thousand peers: how long a node takes to open, and a sorted page to come.

    python -m bench.peer_table [PEERS]

Prints milliseconds: of the opening of a node on a data folder with that many peers (each with two addresses,
a signed record and figures), of the first and of a late page in every order, of looking up a beginning of an
id, and of what a round of pings of 1,000 peers costs. Removes what it made.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from warren import Config, Node
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.peer_record import PeerRecord
from warren.services.peers import store
from warren.services.peers.book import Book
from warren.services.peers.model import SORTS, Figure
from warren.services.peers.notes import Note, Signed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable, Mapping

    from warren.core.peer_id import PeerId

PEERS = 100_000
BATCH = 5_000
PAGE = 50


def note(rng: random.Random, number: int, record: bytes) -> Note:
    """A peer like many: two addresses, a record of usual size, figures for most."""
    now = 1.7e9 + number
    made = Note(
        now, now, introduces=True, seen_at=now, state="reachable", agent="warren/0.1.0", roles=("dht",)
    )
    made.tell([Multiaddr.tcp(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 4101)], now)
    made.prove(Multiaddr.tcp(f"2001:db8::{number >> 16:x}:{number & 65535:x}", 4101), now)
    if number % 10:
        made.latency, made.jitter_s = Figure(rng.uniform(0.001, 0.3), now), 0.002
    if number % 3:
        made.download = made.upload = Figure(rng.uniform(1e5, 1e8), now)
    made.record = Signed(number, record)
    return made


async def fill(home: Path, count: int) -> None:
    """A data folder whose table holds `count` peers."""
    rng = random.Random(1)
    key = PrivateKey.from_seed(bytes(32))
    addresses = (Multiaddr.tcp("192.0.2.1", 4101), Multiaddr.tcp("2001:db8::1", 4101))
    record = PeerRecord(key.peer_id, 1, addresses).seal(key)
    async with Node(Config(home=home, listen=("/ip4/127.0.0.1/tcp/0",))) as node:
        for start in range(0, count, BATCH):
            notes = {
                PrivateKey.from_seed(number.to_bytes(32)).peer_id: note(rng, number, record)
                for number in range(start, min(start + BATCH, count))
            }
            await node.peers.transact(partial(_apply, notes))


def _apply(notes: Mapping[PeerId, Note], db: sqlite3.Connection, room: store.Room) -> None:
    store.apply(db, notes, room)


async def timed(label: str, work: Callable[[], Awaitable[object]], times: int = 5) -> None:
    """The median of some runs."""
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        await work()
        took.append(time.perf_counter() - begun)
    print(f"{label:<42}{sorted(took)[times // 2] * 1000:9.1f} ms", flush=True)


async def measure(home: Path, count: int) -> None:
    """Open a node there, and ask its table."""
    begun = time.perf_counter()
    node = Node(Config(home=home, listen=("/ip4/127.0.0.1/tcp/0",)))
    await node.start()
    print(f"{'node opens':<42}{(time.perf_counter() - begun) * 1000:9.1f} ms", flush=True)
    begun = time.perf_counter()
    assert len(await node.peers.page("latency", 0, PAGE)) == min(PAGE, count)
    print(f"{'very first page, by latency':<42}{(time.perf_counter() - begun) * 1000:9.1f} ms", flush=True)
    table = node.peers
    for sort in (None, *SORTS):
        await timed(f"first {PAGE} by {sort or 'default'}", partial(table.page, sort, 0, PAGE))
        await timed(f"  {PAGE} from the middle", partial(table.page, sort, count // 2, PAGE))
    await timed("count", table.count)
    await timed("ids that begin with 8 characters", lambda: table.starting_with("12D3KooWQdTf"))
    await timed("20 candidates", lambda: table.candidates(20))
    await timed("20 candidates at random", lambda: table.candidates(20, at_random=True))
    book = Book(table, node.network.runtime.entropy)
    await timed("100 records to pass on", lambda: book.sample(100, lambda _, __: False))
    some = [one.peer_id for one in await table.page("seen", 0, 1000)]

    async def pinged() -> None:
        for peer in some:
            await table.note_latency(peer, 0.01, 0.001)
        await table.commit()

    await timed("a round of pings of 1,000 peers, written", pinged)
    await node.close()


def main() -> None:
    """Make, measure, remove."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else PEERS
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        begun = time.perf_counter()
        asyncio.run(fill(home, count))
        took = time.perf_counter() - begun
        size = sum(file.stat().st_size for file in home.glob("state.db*")) / 1e6
        print(f"{count} peers made in {took:.1f} s; state.db takes {size:.0f} MB", flush=True)
        asyncio.run(measure(home, count))


if __name__ == "__main__":
    main()
