"""Measure ten thousand weak peers with one super-peer: they are held, and come back when it is started again.

    python3 run.py bench storm [--peers 10000] [--cipher noise|plain] [--down S] [--index-lost] [--seed 1]

Whole simulated nodes, in one process on one core, in virtual time (bench/storm_town.py says which). They
come, share files, register; stay for two lengths of a lease; samples of them are searched for. Then the
super-peer is killed as by kill -9, stays away for a while, and is started again on the same address with what
it had committed (or without its index). The storm lasts from there until it has the registration of every one
and counts it as there. What it costs is what this process costs meanwhile: the super-peer, all weak peers,
and the simulator. It fails when a bound is missed, and says which. docs/performance.md has the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
for folder in (ROOT / "src", ROOT):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from bench.dht_town import remember  # noqa: E402
from bench.storm_town import Town  # noqa: E402
from warren import testing  # noqa: E402
from warren.services.directory.config import DirectoryConfig  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.storm_town import Storm

SAMPLES = 100
STORM_S_MAX = 60.0
STORM_CPU_S_MAX = 60.0
LIMIT_S = 86_400.0
REMEMBERED = 8
"""Of each kind, times the nodes: what the processes of so many nodes would have checked of each other."""
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured. down_s: between the kill and the start. index_is_lost: with the index gone."""

    peers: int = 10_000
    encrypted: bool = True
    down_s: float = 10.0
    index_is_lost: bool = False
    seed: str = "1"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, and whether it is what it must be; kept None: nothing was promised."""

    what: str
    figure: str
    promised: str = ""
    kept: bool | None = None


async def measure(plan: Plan, show: Callable[[list[Row]], None]) -> None:
    """Let a town live through it; show what came of it before all are closed, which takes long."""
    town = Town(plan.peers, plan.seed, encrypted=plan.encrypted)
    try:
        await town.grow(_progress)
        _progress("all are registered")
        rows = await held(town)
        await town.kill()
        _progress("the super-peer was killed")
        await asyncio.sleep(plan.down_s)
        began = time.process_time()
        storm = await town.come_back(index_is_lost=plan.index_is_lost)
        cpu_s = time.process_time() - began
        _progress("all are back")
        rows += storm_rows(plan, storm, cpu_s)
        rows += [_all_of(plan.peers, "registered again", town.registered), await _found(town, "found again")]
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        show([*rows, Row("memory of all nodes together", f"{peak_mib:,} MiB")])
    finally:
        await town.close()


async def held(town: Town) -> list[Row]:
    """Stay for two lengths of a lease, and look who is still there."""
    world, stay_s = town.world, 2.0 * DirectoryConfig().lease_s
    cpu_s, messages, size = time.process_time(), world.deliveries, world.network.delivered_bytes
    await asyncio.sleep(stay_s)
    cpu_s = time.process_time() - cpu_s
    per_peer_s = town.peers * stay_s
    messages, size = world.deliveries - messages, world.network.delivered_bytes - size
    _progress("they have stayed")
    return [
        _all_of(town.peers, f"connections held, {stay_s:g} s later", town.connections),
        _all_of(town.peers, "registered, with all entries", town.registered),
        _all_of(town.peers, "online, by their leases", town.online),
        await _found(town, "found, of samples"),
        Row("messages of a registered peer", f"{messages / per_peer_s * 60:.1f} a minute, both ways"),
        Row("bytes of a registered peer", f"{size / per_peer_s:.0f} a second, both ways"),
        Row("CPU to hold one", f"{cpu_s / per_peer_s * 1e6:.0f} us a second, both ends and simulator"),
    ]


def storm_rows(plan: Plan, storm: Storm, cpu_s: float) -> list[Row]:
    """What the storm came to."""
    took_s = storm.took_s if storm.took_s is not None else float("inf")
    lost = plan.peers if plan.index_is_lost else 0
    sent = storm.registrations
    refused = sum(count for what, count in sent.items() if what.endswith("RefusedAnswer"))
    return [
        Row("storm, virtual time", f"{took_s:.1f} s", f"at most {STORM_S_MAX:g} s", took_s <= STORM_S_MAX),
        Row("storm, CPU", f"{cpu_s:.1f} s", f"at most {STORM_CPU_S_MAX:g} s", cpu_s <= STORM_CPU_S_MAX),
        Row("storm, messages", f"{storm.messages:,} ({storm.messages / plan.peers:.1f} a peer, both ways)"),
        Row("storm, bytes", f"{storm.bytes / MIB:.1f} MiB ({storm.bytes / plan.peers:,.0f} a peer)"),
        Row("storm, leases shown", f"{sum(n for what, n in sent.items() if what.startswith('lease')):,}"),
        Row(
            "storm, snapshots sent",
            f"{sum(n for what, n in sent.items() if what.startswith('snapshot')):,}",
            f"{lost:,}",
            sent["snapshot: Held"] == lost,
        ),
        Row("storm, leases and registrations refused", f"{refused:,}", "0", refused == 0),
        Row("storm, connections turned away", f"{sum(storm.refused.values()):,}"),
    ]


def _all_of(peers: int, what: str, figure: int) -> Row:
    return Row(what, f"{figure:,}", f"{peers:,}", figure == peers)


async def _found(town: Town, what: str) -> Row:
    samples = min(SAMPLES, town.peers)
    found = await town.found(samples)
    return Row(what, f"{found} of {samples}", "all", found == samples)


def _progress(what: str) -> None:
    virtual_s = asyncio.get_running_loop().time()
    print(f"{what} after {virtual_s:.0f} s, {time.process_time():.0f} s of CPU", file=sys.stderr, flush=True)


def run(plan: Plan, show: Callable[[list[Row]], None]) -> None:
    """Measure in this process."""
    # Millions of objects live on: to look at all of them at each turn takes half of the time.
    gc.set_threshold(1_000_000, 20, 100)
    remember(REMEMBERED, plan.peers)
    testing.run(measure(plan, show), limit_s=LIMIT_S)


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| what | measured | must be | kept |", "|---|---|---|---|"]
    words: dict[Any, str] = {True: "yes", False: "NO", None: ""}
    lines += [f"| {row.what} | {row.figure} | {row.promised} | {words[row.kept]} |" for row in rows]
    return "\n".join(lines)


def missed(rows: Sequence[Row]) -> list[str]:
    """What is not as promised: each as a sentence."""
    return [f"{one.what}: {one.figure}, not {one.promised}" for one in rows if one.kept is False]


def _parser() -> argparse.ArgumentParser:
    plan = Plan()
    parser = argparse.ArgumentParser(
        prog="bench storm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", type=int, default=plan.peers, help="weak peers  [default: %(default)s]")
    parser.add_argument("--cipher", choices=("noise", "plain"), default="noise")
    parser.add_argument(
        "--down", type=float, default=plan.down_s, metavar="S", help="seconds  [default: %(default)s]"
    )
    parser.add_argument("--index-lost", action="store_true", help="all that is registered must come again")
    parser.add_argument("--seed", default=plan.seed, help="what all chance follows from  [default: 1]")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    args = _parser().parse_args(argv)
    plan = Plan(args.peers, args.cipher == "noise", args.down, args.index_lost, args.seed)
    failed: list[str] = []

    def show(rows: list[Row]) -> None:
        lost = ", its index lost" if plan.index_is_lost else ""
        print(
            f"{plan.peers:,} weak peers, {args.cipher}; the super-peer is away for {plan.down_s:g} s{lost}\n"
        )
        print(table(rows))
        failed.extend(missed(rows))
        print(*failed, sep="\n", flush=True)

    run(plan, show)
    return 1 if failed else 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
