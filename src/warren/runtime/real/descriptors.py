"""How many files and sockets this process may have open at once.

In:  how many it may need. Out: how many it may have, after its soft limit was raised as far as the hard one
lets it. Where the system has no such limit (Windows) there is nothing to do.
Spec: https://pubs.opengroup.org/onlinepubs/9699919799/functions/getrlimit.html
"""

from __future__ import annotations

import sys


def allow_open_files(wanted: int) -> int | None:
    """Let this process have so many files open, if it may. Returns how many it may have; None: no limit."""
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - Windows has none

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    if soft >= wanted:
        return soft
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # macOS says no hard limit, and has one (kern.maxfilesperproc)
        return soft
    return most
