"""Measure Warren on this machine and print one table: medians, spreads, ratios, and what was promised.

    python3 run.py bench [--quick] [network] [files] [start]        (all three parts when none is named)

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

from bench.file_rows import GIB, SMALL_COUNT, file_rows  # noqa: E402
from bench.network_rows import FULL, QUICK, network_rows  # noqa: E402
from bench.start_rows import start_rows  # noqa: E402
from bench.table import render  # noqa: E402

if TYPE_CHECKING:
    from bench.table import Row

PARTS = ("network", "files", "start")


def machine() -> str:
    """What the figures hang on."""
    facts = [f"{os.cpu_count()} processors", platform.platform(), f"Python {platform.python_version()}"]
    control = Path("/proc/sys/net/ipv4/tcp_congestion_control")
    if control.exists():
        facts.append(f"TCP {control.read_text().strip()}")
    if hasattr(os, "getloadavg"):
        facts.append(f"load {os.getloadavg()[0]:.1f} before the start")
    return ", ".join(facts)


def progress(text: str) -> None:
    """One line on the terminal that is written over; nothing where there is none."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def measure(args: argparse.Namespace) -> list[Row]:
    """The rows of the parts that were asked for."""
    quick = args.quick
    rows: list[Row] = []
    if "start" in args.parts:
        rows += start_rows(2 if quick else 7, progress)
    if "network" in args.parts:
        rows += network_rows(QUICK if quick else FULL, progress)
    if "files" in args.parts:
        size, count = (GIB // 4, SMALL_COUNT // 5) if quick else (GIB, SMALL_COUNT)
        rows += file_rows(1 if quick else 5, size, count, args.dir, progress)
    return rows


def main() -> int:
    """Measure and print."""
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
    rows = measure(args)
    progress("")
    print(render(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
