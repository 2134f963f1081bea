"""Measure Warren on this machine and print the README's table; then spreads, ratios, and what was promised.

    python3 run.py bench [--quick] [network] [files] [start]        (all three parts when none is named)
    python3 run.py bench dht --help                                 (thousands of nodes in virtual time)
    python3 run.py bench overlay --help                             (a thousand super-peers, searched)
    python3 run.py bench scene --help                               (a shared library on loopback)
    python3 run.py bench storm --help                               (ten thousand peers of one that restarts)
    python3 run.py bench index --help                               (a million names in one index)
    python3 run.py bench registrations --help                       (the same, registered over the wire)
    python3 run.py bench transfers --help                           (downloads from many holders)
    python3 run.py bench swarm --help                               (two hundred receivers in virtual time)

Warren, plain asyncio, js-libp2p and py-libp2p take turns (A B C A B C), so that a machine that slows down
slows all of them. `Warren is` says how many times better Warren's median is than that line's; below 1 it is
worse. Missing tools are named with the line to type. docs/performance.md explains every row.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
for folder in (ROOT / "src", ROOT):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from bench.dht import main as measure_dht  # noqa: E402
from bench.directory_index import main as measure_index  # noqa: E402
from bench.directory_scene import main as measure_scene  # noqa: E402
from bench.directory_storm import main as measure_storm  # noqa: E402
from bench.directory_wire import main as measure_registrations  # noqa: E402
from bench.file_rows import GIB, SMALL_COUNT, file_rows  # noqa: E402
from bench.network_rows import FULL, QUICK, network_rows  # noqa: E402
from bench.overlay import main as measure_overlay  # noqa: E402
from bench.start_rows import start_rows  # noqa: E402
from bench.swarm import main as measure_swarm  # noqa: E402
from bench.table import render, summarise  # noqa: E402
from bench.transfers.main import main as measure_transfers  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.table import Row

PARTS = ("network", "files", "start")


def progress(text: str) -> None:
    """One line on the terminal that is written over; nothing where there is none."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


OTHERS: dict[str, Callable[[Sequence[str]], int]] = {
    "dht": measure_dht,
    "overlay": measure_overlay,
    "scene": measure_scene,
    "storm": measure_storm,
    "index": measure_index,
    "registrations": measure_registrations,
    "swarm": measure_swarm,
    "transfers": lambda argv: measure_transfers(argv, progress),
}
"""Benches of their own, each with its own options."""


def machine() -> str:
    """What the figures hang on."""
    facts = [f"{os.cpu_count()} processors", platform.platform(), f"Python {platform.python_version()}"]
    control = Path("/proc/sys/net/ipv4/tcp_congestion_control")
    if control.exists():
        facts.append(f"TCP {control.read_text().strip()}")
    if hasattr(os, "getloadavg"):
        facts.append(f"load {os.getloadavg()[0]:.1f} before the start")
    return ", ".join(facts)


def measure(args: argparse.Namespace) -> list[list[Row]]:
    """The rows of each part that was asked for."""
    quick = args.quick
    parts: list[list[Row]] = []
    if "network" in args.parts:
        parts.append(list(network_rows(QUICK if quick else FULL, progress)))
    if "files" in args.parts:
        size, count = (GIB // 4, SMALL_COUNT // 5) if quick else (GIB, SMALL_COUNT)
        parts.append(list(file_rows(1 if quick else 5, size, count, args.dir, progress)))
    if "start" in args.parts:
        parts.append(list(start_rows(2 if quick else 7, progress)))
    return parts


def main() -> int:
    """Measure and print."""
    other = OTHERS.get(sys.argv[1]) if len(sys.argv) > 1 else None
    if other is not None:
        return other(sys.argv[2:])
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="about two minutes instead of half an hour")
    parser.add_argument(
        "--dir",
        type=Path,
        default=Path(tempfile.gettempdir()),
        help="folder on the disk to measure; needs 5 GiB for the full run  [default: %(default)s]",
    )
    args = parser.parse_args()
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))} (there are {', '.join(PARTS)})")
    args.parts = args.parts or PARTS
    print(machine(), end="\n\n")
    parts = measure(args)
    progress("")
    for rows in parts:
        print(summarise(rows), end="\n\n")
    print("Medians. In detail, with what was promised:\n")
    print(render([row for rows in parts for row in rows]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
