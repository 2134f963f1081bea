"""`run.py bench swarm`: many receivers of one file, in virtual time, against the best that is possible.

    python3 run.py bench swarm                    200 receivers: all honest; a fifth leaves; a twentieth lies
    python3 run.py bench swarm --plot FILE.svg    the same, and draws when each was done

Whole nodes without ciphers. Takes about a GiB of memory for each 50 nodes and MiB.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.swarm_plot import svg
from bench.swarm_town import Plan, run
from warren import testing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.swarm_town import Outcome

HEADINGS = (
    "town",
    "optimum",
    "first",
    "median",
    "p95",
    "last",
    "last / optimum",
    "sent / needed",
    "failed",
    "CPU",
)


def main(argv: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="bench swarm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--receivers", type=int, default=200)
    parser.add_argument(
        "--chunks", type=int, default=32, help="of 1 MiB, in the file  [default: %(default)s]"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("honest", "churn", "liars"), action="append")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg")
    args = parser.parse_args(argv)
    plan = Plan(receivers=args.receivers, chunks=args.chunks, seed=args.seed)
    plans = {
        "honest": plan,
        "churn": replace(plan, leaving=plan.receivers // 5),
        "liars": replace(plan, lying=max(1, plan.receivers // 20)),
    }
    print(f"{plan.receivers} receivers, {plan.chunks} MiB; lines {plan.up_bytes_per_s / 1e6:g} MB/s up,")
    print(f"{plan.down_bytes_per_s / 1e6:g} down; the source's {plan.source_up_bytes_per_s / 1e6:g} up\n")
    print("| " + " | ".join(HEADINGS) + " |\n|" + "---|" * len(HEADINGS))
    curves: dict[str, tuple[Plan, Outcome]] = {}
    for name in args.only or plans:
        cpu = time.process_time()
        outcome = testing.run(run(plans[name]))
        curves[name] = plans[name], outcome
        print(_line(name, plans[name], outcome, time.process_time() - cpu), flush=True)
    if args.plot:
        args.plot.write_text(svg(curves))
    return 0


def _line(name: str, plan: Plan, outcome: Outcome, cpu_s: float) -> str:
    took = outcome.took_s or [float("nan")]
    cells = [
        name,
        f"{plan.optimum_s:.1f} s",
        *(f"{at:.1f} s" for at in (took[0], statistics.median(took), took[int(len(took) * 0.95)], took[-1])),
        f"{took[-1] / plan.optimum_s:.2f}",
        f"{outcome.sent_bytes / outcome.needed_bytes:.3f}",
        str(outcome.failed),
        f"{cpu_s:.0f} s",
    ]
    return "| " + " | ".join(cells) + " |"
