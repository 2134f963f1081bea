"""Have memory at hand: in a virtual machine the first use of it costs a second or more for a GiB.

In: what the same program wrote a moment ago.  Out: nothing; it is removed, so that the program finds the
memory that it took itself. Other memory does not serve: the kernel keeps what is free in pieces of many sizes
and who writes more at a time takes larger ones, so that what one program gave back helps another or not.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def give_back(old: Path | None) -> None:
    """Remove the folder that a copy of a large file lies in."""
    if old is not None:
        shutil.rmtree(old)
