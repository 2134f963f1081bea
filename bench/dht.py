"""Measure the DHT of a town of simulated nodes, and draw how it grows with the town.

    python3 run.py bench dht [--nodes 100,1000] [--cipher noise|plain|both] [--churn MINUTES] [--liars PART]

Each row runs in a process of its own, on one core: so many nodes come through a few bootstrap nodes, settle,
live on, and look each other up, all in virtual time. `--cipher both` runs each row with Noise and without
ciphers and fails unless all that is counted is the same. It fails, too, when a row misses a bound, and says
which. docs/performance.md says what the columns are.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
for folder in (ROOT / "src", ROOT):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from bench.dht_plot import svg  # noqa: E402
from bench.dht_town import CONNECTIONS_MAX, LATENCY_S, SETTLED_AGE_S, Town, remember, town_config  # noqa: E402
from warren import testing  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.dht_town import Tally

GROW_S = 300.0
"""In this much virtual time all nodes of a town come, but not more than the bootstrap nodes have room for."""
ARRIVALS_PER_S_MAX = 10.0
UPKEEP_S = 300.0
"""So long it is watched what nodes do while nobody looks for anything."""
LOOK_S = 120.0
"""Look-ups are spread over so much virtual time."""
CHURN_MINUTES = 60.0
"""So long a town lives with its comings and goings; look-ups are made in the second half."""
NEAR_LIARS = 8
FOUND_MIN = 0.99
FOUND_IN_CHURN_MIN = 0.97
PROVIDERS_MIN = 0.9
HOPS_MEDIAN_MAX = 2
HOPS_P99_MAX = 4
MEMORY_MIB_MAX = 16 * 1024
CPU_S_MAX = 1800.0
LIMIT_S = 86_400.0
REMEMBERED = 8
"""Of each kind, times the nodes."""
COLUMNS = (
    ("nodes", "nodes"),
    ("cipher", "cipher"),
    ("session min", "churn_minutes"),
    ("liars", "liars"),
    ("found", "success"),
    ("hops median", "hops_median"),
    ("hops p99", "hops_p99"),
    ("requests per look-up", "requests_mean"),
    ("s per look-up", "took_s_median"),
    ("providers found", "providers_success"),
    ("messages of an announcement", "announcement_messages"),
    ("kB", "announcement_kb"),
    ("messages of a look-up of providers", "look_up_messages"),
    ("kB", "look_up_kb"),
    ("upkeep requests per node and min", "upkeep_requests"),
    ("messages per node and min", "upkeep_messages"),
    ("connections at most", "connections_most"),
    ("virtual min", "virtual_minutes"),
    ("CPU s", "cpu_s"),
    ("wall s", "wall_s"),
    ("peak MiB", "peak_mib"),
)
_COUNTED_APART = ("cipher", "cpu_s", "wall_s", "peak_mib")


@dataclass(frozen=True, slots=True)
class Plan:
    """What one row measures. churn_minutes: the median session; None: nobody leaves. liars: their part."""

    nodes: int
    cipher: str = "plain"
    churn_minutes: float | None = None
    liars: float = 0.0
    lookups: int = 1000
    providers: int = 100
    seed: str = "1"


async def live(plan: Plan) -> dict[str, Any]:
    """Let a town come, settle, live and look; return all that is counted of it."""
    world = testing.World(plan.seed, loop=asyncio.get_running_loop())  # type: ignore[arg-type]
    world.network.set_default(testing.Quality(latency_s=LATENCY_S))
    nodes = testing.Nodes(world, config=town_config(), encrypted=plan.cipher == "noise")
    town = Town(nodes, plan.seed, liars=plan.liars)
    try:
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(town.watch_connections())
            facts = await _measure(town, plan)
            watch.cancel()
        virtual_minutes = round(asyncio.get_running_loop().time() / 60, 1)
        return {**facts, "deliveries": world.deliveries, "virtual_minutes": virtual_minutes}
    finally:
        await nodes.close()
        world.close()


async def _measure(town: Town, plan: Plan) -> dict[str, Any]:
    await town.grow(plan.nodes, min(plan.nodes / GROW_S, ARRIVALS_PER_S_MAX), _progress)
    _progress("all have come")
    await asyncio.sleep(SETTLED_AGE_S)
    before = _work(town)
    await asyncio.sleep(UPKEEP_S)
    requests, messages = (after - earlier for after, earlier in zip(_work(town), before, strict=True))
    per_node_and_minute = plan.nodes * UPKEEP_S / 60
    _progress("all have settled")
    peers, providers = await (_at_rest(town, plan) if plan.churn_minutes is None else _in_churn(town, plan))
    _progress("all have looked")
    announcement, look_up = await town.costs_of_providers(plan.providers, LOOK_S)
    return {
        **announcement.summary("announcement"),
        **look_up.summary("look_up"),
        **peers.summary(),
        "providers_success": round(providers.success, 4),
        "upkeep_requests": round(requests / per_node_and_minute, 2),
        "upkeep_messages": round(messages / per_node_and_minute, 1),
        "connections_most": town.connections_most,
        "left": town.left,
    }


def _progress(what: str) -> None:
    minutes = asyncio.get_running_loop().time() / 60
    print(f"{what} after {minutes:.1f} min, {time.process_time():.0f} s of CPU", file=sys.stderr, flush=True)


def _work(town: Town) -> tuple[int, int]:
    """Requests made and messages delivered so far."""
    requests = sum(sum(resident.kad.stats.sent.values()) for resident in town.residents.values())
    return requests, town.nodes.world.deliveries


async def _at_rest(town: Town, plan: Plan) -> tuple[Tally, Tally]:
    near_liars = NEAR_LIARS if plan.liars else 0
    peers = await town.look_for_peers(plan.lookups, LOOK_S)
    return peers, await town.look_for_providers(plan.providers, near_liars, LOOK_S)


async def _in_churn(town: Town, plan: Plan) -> tuple[Tally, Tally]:
    half_s = CHURN_MINUTES * 30
    async with asyncio.TaskGroup() as tasks:
        churn = tasks.create_task(town.churn((plan.churn_minutes or 0) * 60))
        await asyncio.sleep(half_s)
        peers = await town.look_for_peers(plan.lookups, half_s)
        providers = await town.look_for_providers(plan.providers, 0, LOOK_S)
        churn.cancel()
    return peers, providers


def run_row(plan: Plan) -> dict[str, Any]:
    """Measure one row in this process."""
    # Hundreds of thousands of objects live on: to look at all of them at each turn takes half of the time.
    gc.set_threshold(1_000_000, 20, 100)
    remember(REMEMBERED, plan.nodes)
    began = time.monotonic()
    facts = testing.run(live(plan), limit_s=LIMIT_S)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    spent = {"cpu_s": round(time.process_time(), 1), "wall_s": round(time.monotonic() - began, 1)}
    return {**asdict(plan), **facts, **spent, "peak_mib": peak_mib}


def run_apart(plan: Plan) -> dict[str, Any]:
    """Measure one row in a process of its own, so that its memory is its own."""
    command = [sys.executable, "-m", "bench.dht", "--row", json.dumps(asdict(plan))]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def agree(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What two runs of the same town counted differently, the cost of their ciphers left out."""
    return [name for name in one if name not in _COUNTED_APART and one[name] != other[name]]


def missed(row: dict[str, Any]) -> list[str]:
    """Which bounds of a town of its kind this row does not keep: each as the end of a sentence."""
    found_min = FOUND_MIN if row["churn_minutes"] is None else FOUND_IN_CHURN_MIN
    kept = {
        f"find {found_min * 100:g} % of peers": row["liars"] > 0 or row["success"] >= found_min,
        f"find {PROVIDERS_MIN * 100:g} % of providers": not row["providers_success"]
        < PROVIDERS_MIN,  # or none was looked for
        f"take {HOPS_MEDIAN_MAX} hops at most in the median": row["hops_median"] <= HOPS_MEDIAN_MAX,
        f"take {HOPS_P99_MAX} hops at most in 99 of 100": row["hops_p99"] <= HOPS_P99_MAX,
        f"have {CONNECTIONS_MAX} connections at most": row["connections_most"] <= CONNECTIONS_MAX,
        f"fit in {MEMORY_MIB_MAX // 1024} GiB": row["peak_mib"] <= MEMORY_MIB_MAX,
        f"be done in {CPU_S_MAX / 60:g} minutes of a core": row["cipher"] == "noise"
        or row["cpu_s"] <= CPU_S_MAX,
    }
    return [what for what, holds in kept.items() if not holds]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows in Markdown."""
    lines = ["| " + " | ".join(title for title, _ in COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    lines += ["| " + " | ".join(_cell(row, name) for _, name in COLUMNS) + " |" for row in rows]
    return "\n".join(lines)


def _cell(row: dict[str, Any], name: str) -> str:
    value = row[name]
    if value is None or value != value:  # noqa: PLR0124 - not a number
        return "-"
    if name in ("success", "providers_success", "liars"):
        return f"{value * 100:.4g} %"
    return f"{value:,}" if isinstance(value, int) else str(value)


def plans(args: argparse.Namespace) -> list[Plan]:
    """The rows that were asked for."""
    ciphers = ("noise", "plain") if args.cipher == "both" else (args.cipher,)
    rest = {"lookups": args.lookups, "providers": args.providers, "seed": args.seed}
    return [
        Plan(nodes, cipher, args.churn, args.liars, **rest)
        for nodes in map(int, args.nodes.split(","))
        for cipher in ciphers
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench dht", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--nodes", default="100", help="sizes of towns, with commas between  [default: %(default)s]"
    )
    parser.add_argument("--cipher", choices=("noise", "plain", "both"), default="plain")
    parser.add_argument(
        "--churn", type=float, metavar="MINUTES", help="the median session; else nobody leaves"
    )
    parser.add_argument(
        "--liars", type=float, default=0.0, metavar="PART", help="0.2: a fifth of the nodes lie"
    )
    parser.add_argument("--lookups", type=int, default=1000, help="of peers  [default: %(default)s]")
    parser.add_argument(
        "--providers", type=int, default=100, help="look-ups of providers  [default: %(default)s]"
    )
    parser.add_argument("--seed", default="1", help="what all chance follows from  [default: %(default)s]")
    parser.add_argument(
        "--rows", type=Path, help="a file of JSON lines that gets each row, and begins the plot"
    )
    parser.add_argument("--plot", type=Path, help="write an SVG of hops and requests against the size")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    args = _parser().parse_args(argv)
    if args.row is not None:
        print(json.dumps(run_row(Plan(**json.loads(args.row)))))
        return 0
    rows: list[dict[str, Any]] = []
    failed = False
    for plan in plans(args):
        row = run_apart(plan)
        print(json.dumps(row), file=sys.stderr, flush=True)
        if args.rows is not None:
            with args.rows.open("a") as file:
                file.write(json.dumps(row) + "\n")
        if args.cipher == "both" and plan.cipher == "plain" and (names := agree(rows[-1], row)):
            print(f"{plan.nodes} nodes: with and without ciphers differ in {', '.join(names)}")
            failed = True
        rows.append(row)
    print(table(rows))
    for row in rows:
        for what in missed(row):
            print(f"{row['nodes']} nodes ({row['cipher']}) do not {what}")
            failed = True
    if args.plot is not None:
        kept = args.rows.read_text().splitlines() if args.rows is not None else ()
        args.plot.write_text(svg([json.loads(line) for line in kept] or rows))
    return 1 if failed else 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
