"""The rows about the network: two processes on loopback, and the contenders take turns."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.contenders import RAW, WARREN, foreign
from bench.processes import Program, RunError, resident_bytes, run_client
from bench.table import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.contenders import Contender

GIB = 1 << 30
SHAPED_BYTES_PER_S = 20_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything: the full measurement, or the quick one of `run.py bench`."""

    runs: int
    bulk_bytes: int
    pings: int
    conns_share: float
    idle_share: float
    idle_s: float


FULL = Plan(runs=5, bulk_bytes=GIB, pings=5000, conns_share=1.0, idle_share=1.0, idle_s=60.0)
QUICK = Plan(runs=2, bulk_bytes=GIB // 4, pings=1000, conns_share=0.3, idle_share=0.1, idle_s=3.0)

Progress = Callable[[str], None]


def network_rows(plan: Plan, progress: Progress) -> Iterator[Row]:
    """Every row about the network."""
    everyone = [WARREN, RAW, *foreign()]
    libraries = [WARREN, *foreign()]
    yield from _bulk(plan, everyone, progress)
    yield from _ping(plan, everyone, progress)
    yield from _beside(plan, libraries, progress)
    yield from _beside_shaped(plan, progress)
    yield from _conns(plan, everyone, progress)
    yield from _idle(plan, everyone, progress)


def _in_turns(
    what: str,
    contenders: list[Contender],
    runs: int,
    progress: Progress,
    rows: dict[str, list[Row]],
    measure: Callable[[Contender], tuple[float, ...]],
) -> None:
    """A B C A B C: each run of each contender adds a sample to its rows, and a failure a note."""
    for run in range(runs):
        for contender in contenders:
            mine = rows[contender.name]
            if contender.argv is None:
                for row in mine:
                    row.note = f"missing: {contender.how_to_get}"
                continue
            progress(f"{what}: {contender.name}, run {run + 1} of {runs}")
            try:
                figures = measure(contender)
            except RunError as error:
                print(error, file=sys.stderr)
                for row in mine:
                    row.note = "failed"
                continue
            for row, figure in zip(mine, figures, strict=True):
                row.samples.append(figure)


def _bulk(plan: Plan, contenders: list[Contender], progress: Progress) -> Iterator[Row]:
    size = f"{plan.bulk_bytes // (1 << 20)} MiB"
    rates = {c.name: Row(f"bulk, one stream, {size}", c.name, "MB/s") for c in contenders}
    costs = {
        c.name: Row("processor time for it, both ends", c.name, "s/GB", better="less") for c in contenders
    }
    rates["js-libp2p"].ratio_min, rates["py-libp2p"].ratio_min = 2.0, 3.5
    costs["warren"].bound = 1.5

    def measure(contender: Contender) -> tuple[float, float]:
        with Program(contender.command("listen")) as listener:
            before = listener.cpu_s
            result = run_client(contender.command("perf", listener.info["addr"], plan.bulk_bytes, 0))
            cpu_s = listener.cpu_s - before + result["cpu_s"]
            return result["MBps"], cpu_s / plan.bulk_bytes * 1e9

    rows = {name: [rates[name], costs[name]] for name in rates}
    _in_turns("bulk", contenders, plan.runs, progress, rows, measure)
    yield from rates.values()
    yield from costs.values()


def _ping(plan: Plan, contenders: list[Contender], progress: Progress) -> Iterator[Row]:
    rows = {c.name: [Row("ping round trip", c.name, "us", better="less")] for c in contenders}
    rows[RAW.name][0].ratio_min = 1 / 1.4

    def measure(contender: Contender) -> tuple[float]:
        with Program(contender.command("listen")) as listener:
            result = run_client(contender.command("ping", listener.info["addr"], plan.pings))
            return (result["rtt_us_median"],)

    _in_turns("ping", contenders, plan.runs, progress, rows, measure)
    for mine in rows.values():
        yield from mine


def _beside(plan: Plan, contenders: list[Contender], progress: Progress) -> Iterator[Row]:
    what = "ping beside bulk on one connection, 99th percentile"
    rows = {c.name: [Row(what, c.name, "ms", better="less")] for c in contenders}
    rows[WARREN.name][0].bound = 10.0

    def measure(contender: Contender) -> tuple[float]:
        with Program(contender.command("listen")) as listener:
            result = run_client(contender.command("beside", listener.info["addr"], plan.bulk_bytes))
            return (result["rtt_us_p99"] / 1e3,)

    _in_turns("ping beside bulk", contenders, plan.runs, progress, rows, measure)
    for mine in rows.values():
        yield from mine


def _beside_shaped(plan: Plan, progress: Progress) -> Iterator[Row]:
    what = "the same over a link of 20 MB/s, above the ping without bulk"
    rows = {WARREN.name: [Row(what, WARREN.name, "ms", better="less", bound=50.0)]}

    def measure(contender: Contender) -> tuple[float]:
        with Program(contender.command("listen")) as listener:
            address = listener.info["addr"]
            port = re.search(r"/tcp/(\d+)", address)
            assert port is not None
            shaper_argv = [
                sys.executable, "-m", "bench.shaper", f"127.0.0.1:{port[1]}", str(SHAPED_BYTES_PER_S)
            ]  # fmt: skip
            with Program(shaper_argv) as shaper:
                shaped = address.replace(port[0], "/tcp/" + shaper.info["addr"].rsplit(":", 1)[1])
                base = run_client(contender.command("ping", shaped, 300))
                loaded = run_client(
                    contender.command("beside", shaped, 3 * SHAPED_BYTES_PER_S, "--pause", "0.002")
                )
            return ((loaded["rtt_us_p99"] - base["rtt_us_median"]) / 1e3,)

    _in_turns("ping beside bulk, 20 MB/s", [WARREN], plan.runs, progress, rows, measure)
    yield from rows[WARREN.name]


def _conns(plan: Plan, contenders: list[Contender], progress: Progress) -> Iterator[Row]:
    what = "connect, secure, multiplex, identify, ping, close"
    rates = {c.name: Row(what, c.name, "a second") for c in contenders}
    costs = {
        c.name: Row("processor time for one, both ends", c.name, "ms", better="less") for c in contenders
    }
    rates[WARREN.name].bound, costs[WARREN.name].bound = 600.0, 2.0

    def measure(contender: Contender) -> tuple[float, float]:
        count = max(4, round(contender.conns * plan.conns_share))
        with Program(contender.command("listen")) as listener:
            before = listener.cpu_s
            result = run_client(contender.command("conns", listener.info["addr"], count))
            return result["per_s"], (listener.cpu_s - before + result["cpu_s"]) / count * 1e3

    rows = {name: [rates[name], costs[name]] for name in rates}
    _in_turns("connections", contenders, plan.runs, progress, rows, measure)
    yield from rates.values()
    yield from costs.values()


def _idle(plan: Plan, contenders: list[Contender], progress: Progress) -> Iterator[Row]:
    what = f"memory of the listener for an idle connection, after {plan.idle_s:.0f} s"
    rows = {c.name: [Row(what, c.name, "kB", better="less")] for c in contenders}
    rows[WARREN.name][0].bound = 16.0

    def measure(contender: Contender) -> tuple[float]:
        count = max(50, round(contender.idle * plan.idle_share))
        # Warren's dialler holds the connections for every library: thousands of ids in seconds.
        holder_of = contender if contender is RAW else WARREN
        with Program(contender.command("listen")) as listener:
            address = listener.info["addr"]
            run_client(
                contender.command("ping", address, 100)
            )  # what is loaded or made once is no connection's
            before = resident_bytes(listener.pid)
            with Program(holder_of.command("idle", address, count)) as holder:
                held = holder.info["held"]
                time.sleep(plan.idle_s)
                after = resident_bytes(listener.pid)
                if holder_of is WARREN:
                    holder.say("ping")
                    answered = holder.next_line(120)["answered"]
                    rows[contender.name][0].note = f"{answered} of {held} answer a ping"
                else:
                    rows[contender.name][0].note = f"{held} held"
            return ((after - before) / held / 1e3,)

    _in_turns("idle connections", contenders, 1, progress, rows, measure)
    for mine in rows.values():
        yield from mine
