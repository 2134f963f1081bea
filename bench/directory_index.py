"""The index of a super-peer with a million names: how fast it fills, answers, and whether peers slow it down.

    python3 run.py bench index [--names N] [--dir FOLDER]

Each owner registers 1,000 names; queries ask for the best 50 (corpus.py says of what). While it fills,
somebody else sends a delta of one entry every 20 ms. The last rows have the same 100 files with every owner,
and the same 20,000 spread over all owners. Bare FTS5 stands beside it: the same names, as they are, in one
transaction, found and counted by nobody. Removes what it made.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from bench import bare_fts5
from bench.corpus import QUERIES, Corpus, entry
from warren.core.peer_id import PeerId
from warren.core.query import Query, Term, terms_of
from warren.core.words import words
from warren.runtime.real import RealRuntime
from warren.services.directory.index.sqlite import SqliteIndex

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

NAMES = 1_000_000
EACH = 1000
AT_ONCE = 20
IN_TURN = 100
BUSY_S = 100e-6
BESIDE = 300
BESIDE_S_MAX = 60.0
BEFORE = 5000
"""Searches that a super-peer has answered before, so that its cache is as it mostly is."""


def peer(number: object) -> PeerId:
    return PeerId(b"\x12\x20" + sha256(str(number).encode()).digest())


def show(label: str, *figures: str) -> None:
    print(f"{label:<48}{' '.join(f'{one:>14}' for one in figures)}", flush=True)


def spread(took: list[float]) -> tuple[str, str]:
    took.sort()
    return f"{took[len(took) // 2] * 1e3:.2f} ms p50", f"{took[int(len(took) * 0.99)] * 1e3:.2f} ms p99"


def memory_mb() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1e3


def size_mb(folder: str) -> float:
    return sum(file.stat().st_size for file in Path(folder).glob("directory.db*")) / 1e6


async def fill(index: SqliteIndex, corpus: Corpus, count: int) -> None:
    """Register all names, AT_ONCE owners at a time; making them is not counted."""
    took = cpu = 0.0
    acks: list[float] = []
    for first in range(0, count // EACH, AT_ONCE):
        snapshots = [(peer(one), corpus.entries(one, EACH)) for one in range(first, first + AT_ONCE)]
        other = asyncio.create_task(bother(index, acks))
        begun, begun_cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(index.replace(owner, 1, 1, entries) for owner, entries in snapshots))
        took += time.perf_counter() - begun
        cpu += time.process_time() - begun_cpu
        other.cancel()
        with suppress(asyncio.CancelledError):
            await other
        for owner, _ in snapshots:
            index.set_online(owner, online=True)
    show(f"{count} names of {count // EACH} owners", f"{took:.1f} s", f"{cpu:.1f} s of CPU")
    show("  acknowledging a delta to others meanwhile", *spread(acks))


async def bother(index: SqliteIndex, acks: list[float]) -> None:
    """One who changes one file after another."""
    owner = peer("other")
    if index.position(owner) is None:
        await index.replace(owner, 1, 0, [])
    while True:
        position = index.position(owner)
        seq = position.seq if position else 0
        begun = time.perf_counter()
        await index.apply(owner, 1, seq, seq + 1, [entry(f"Mine/{seq}.txt")], [f"Mine/{seq - 3}.txt"])
        acks.append(time.perf_counter() - begun)
        await asyncio.sleep(0.02)


async def ask(index: SqliteIndex, label: str, queries: list[Query]) -> None:
    took, cpu, found = await search(index, queries)
    show(label, *spread(took), "of CPU:", *spread(cpu), f"{found / len(queries):.0f} found")


async def ask_both(index: SqliteIndex, db: sqlite3.Connection, label: str, queries: list[Query]) -> None:
    """The index and bare FTS5 in turns, so that both find the machine as fast or as slow."""
    ours, bare = list[float](), list[float]()
    for at in range(0, len(queries), IN_TURN):
        some = queries[at : at + IN_TURN]
        ours += (await search(index, some))[0]
        bare += bare_fts5.ask(db, some, ranked=False)
    times = statistics.median(ours) / statistics.median(bare)
    show(label, *spread(ours), "bare FTS5:", *spread(bare), f"{times:.2f} times")


async def search(index: SqliteIndex, queries: Sequence[Query]) -> tuple[list[float], list[float], int]:
    """Seconds and processor seconds of each, and how much all found."""
    took, cpu, found = [], [], 0
    for query in queries:
        begun, begun_cpu = time.perf_counter(), time.process_time()
        results = await index.search(query, None)
        took.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - begun_cpu)
        found += results.total
    return took, cpu, found


async def ask_beside(index: SqliteIndex, label: str, queries: list[Query]) -> None:
    """The same while something else takes 0.1 ms in each turn, and ends with a short system call."""
    loop, turns = asyncio.get_running_loop(), [time.perf_counter()]
    devnull = os.open(os.devnull, os.O_WRONLY)
    next_turn: list[asyncio.Handle] = []

    def work() -> None:
        turns.append(time.perf_counter())
        while time.perf_counter() < turns[-1] + BUSY_S:
            pass
        os.write(devnull, b".")
        next_turn[:] = [loop.call_soon(work)]

    work()
    try:
        async with asyncio.timeout(BESIDE_S_MAX):
            await ask(index, label, queries)
    except TimeoutError:
        show(label, f"not within {BESIDE_S_MAX:g} s")
    finally:
        next_turn[0].cancel()
        os.close(devnull)
    longest = max(later - sooner for sooner, later in pairwise(turns))
    show("  the longest turn of that loop", f"{longest * 1e3:.1f} ms")


async def measure(folder: str, count: int) -> None:
    runtime, corpus = RealRuntime(), Corpus()
    path = f"{folder}/directory.db"
    before = memory_mb()
    index = await SqliteIndex.open(runtime, path)
    await fill(index, corpus, count)
    await index.settle()
    names = (name for owner in range(count // EACH) for name in corpus.names(owner, EACH))
    show("bare FTS5: the names in one transaction", f"{bare_fts5.fill(folder, names):.1f} s")
    some = [name for owner in range(0, count // EACH, 10) for name in corpus.names(owner, EACH)]
    queries = corpus.queries(some)
    await ask(index, "two prefixes, best 50, the first of all", queries)
    others = corpus.queries(some, BEFORE, seed=3)
    await ask(index, f"{BEFORE} other ones", others)
    later = corpus.queries(some, seed=4)
    with bare_fts5.opened(folder) as db:
        bare_fts5.ask(db, others, ranked=False)
        await ask_both(index, db, "two prefixes, best 50, after these", later)
        await ask_both(index, db, "the same once more", later)
        show("bare FTS5: the best 50", *spread(bare_fts5.ask(db, later, ranked=True)))
    await ask_beside(index, "the same, beside a loop that is never idle", later[:BESIDE])
    whole = [Query(tuple(Term(word, whole=True) for word in words(name)[:2])) for name in some[:QUERIES]]
    await ask(index, "two words, best 50", whole)
    common = [Query(terms_of(word)) for word in corpus.vocabulary[:100]]
    await ask(index, "one of the 100 most common words, best 50", common)
    view = index.public_words()
    begun, told = time.perf_counter(), 0
    async for change in view.changes():
        told += len(change.added)
    show("public words of all owners", f"{time.perf_counter() - begun:.1f} s", f"{told} told")
    show(
        "file; memory before and with it",
        f"{size_mb(folder):.0f} MB",
        f"{before:.0f} MB",
        f"{memory_mb():.0f} MB",
    )
    await index.close()
    begun = time.perf_counter()
    index = await SqliteIndex.open(runtime, path)
    show("opening it again", f"{time.perf_counter() - begun:.2f} s")
    await index.close()
    for owners in (10, 100, 1000, 10_000):
        await flat(runtime, folder, corpus, owners)
    await runtime.close()


async def flat(runtime: RealRuntime, folder: str, corpus: Corpus, owners: int) -> None:
    """The same files with every owner; the same files spread over all."""
    same = corpus.entries("same", 100)
    spread_out = corpus.entries("spread", 20_000)
    for label, each in (("100 files with each of", None), ("20,000 files spread over", 20_000 // owners)):
        with tempfile.TemporaryDirectory(dir=folder) as place:
            index = await SqliteIndex.open(runtime, f"{place}/directory.db")
            for one in range(owners):
                entries = same if each is None else spread_out[one * each : (one + 1) * each]
                await index.replace(peer(one), 1, 1, entries)
                index.set_online(peer(one), online=True)
            of = same if each is None else spread_out
            queries = corpus.queries([listed.entry.name for listed in of])
            await ask(index, f"{label} {owners} owners", queries)
            await index.close()


def main(argv: Sequence[str]) -> int:
    """Make, measure, remove."""
    parser = argparse.ArgumentParser(
        prog="bench index", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--names", type=int, default=NAMES)
    parser.add_argument(
        "--dir", default=None, help="folder on the disk to measure  [default: a temporary one]"
    )
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        asyncio.run(measure(folder, args.names))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
