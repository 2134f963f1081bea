"""Have memory at hand: in a virtual machine the first use of it costs a second or two for a GiB.

    python -m bench.warm BYTES

In: how much is about to be written.  Out: nothing; so much memory was used and given back a moment ago, so
that whoever comes next does not pay for it. A process of its own does it, which leaves no trace in the
peak memory of the one that measures.
"""

from __future__ import annotations

import mmap
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SPARE_BYTES = 256 << 20
"""Buffers beside the file itself."""
HELD_S = 2.5
"""Until the kernel has told the host of what was free before. Else it tells of this as well, soon after it is
given back, and the host takes it while somebody measures."""


def warm(count: int) -> None:
    """Use `count` bytes and some more in a process that ends."""
    subprocess.run([sys.executable, "-m", "bench.warm", str(count)], check=True)


def warm_for(source: Path) -> None:
    """The same for a copy of a file, or of a folder with all in it."""
    warm(sum(path.stat().st_size for path in (source, *source.rglob("*"))))


def main() -> None:
    """Write to each page once."""
    with mmap.mmap(-1, int(sys.argv[1]) + SPARE_BYTES) as memory:
        for at in range(0, len(memory), mmap.PAGESIZE):
            memory[at] = 1
        time.sleep(HELD_S)


if __name__ == "__main__":
    main()
