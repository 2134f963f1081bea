"""`run.py bench transfers`: downloads, side by side with the tools that people would pick instead.

    one       1 GiB from one holder to one receiver
    small     10,000 files of 4 KiB
    four      from 4 holders whose lines are capped, to one receiver
    spread    from one capped holder to 4 receivers at once
    failing   from 4 holders, one of which stalls, one lies, one dies
    memory    of both ends of a transfer of 20 GiB

Needs, beside what `bench files` does: `python tests/interop/install.py copiers`, `apt install syncthing`, and
for the last four root and iproute2 (each peer gets a network namespace, its line shaped by tc).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.table import render
from bench.transfers.rows import PARTS, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def main(argv: Sequence[str], progress: Callable[[str], None]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="bench transfers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}; else all")
    parser.add_argument("--runs", type=int, default=3, help="of each, beside one that does not count")
    parser.add_argument(
        "--dir",
        type=Path,
        default=Path(tempfile.gettempdir()),
        help="folder on the disk to measure; needs 8 GiB, 25 for `memory`  [default: %(default)s]",
    )
    args = parser.parse_args(argv)
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))} (there are {', '.join(PARTS)})")
    measured = list(rows(args.parts or PARTS, args.runs, args.dir, progress))
    progress("")
    print(render(measured))
    return 0
