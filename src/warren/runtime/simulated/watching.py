"""Changes of a simulated disk, told to who watches.

In:  paths that the disk changed. Out: what `seam.Watch` tells, at once, and the errors that a test orders.
"""

from __future__ import annotations

import asyncio
import errno
import os

from warren.runtime.seam import Change


class SimulatedWatch:
    """See `seam.Watch`. `top` is an absolute path without symlinks."""

    def __init__(self, disk_watches: list[SimulatedWatch], top: str, *, only: str | None) -> None:
        self._all = disk_watches
        self._top = top
        self._only = only
        self._found: dict[str, bool] = {}
        self._ended: OSError | None = None
        self._told = asyncio.Event()
        disk_watches.append(self)

    async def changes(self) -> list[Change]:
        """See `seam.Watch`."""
        while not self._found:
            if self._ended is not None:
                raise self._ended
            self._told.clear()
            await self._told.wait()
        found, self._found = self._found, {}
        return [Change(path, deep) for path, deep in found.items()]

    async def close(self) -> None:
        """See `seam.Watch`."""
        if self in self._all:
            self._all.remove(self)

    def tell(self, path: str, *, deep: bool, gone: bool) -> None:
        """Something happened at `path`; `gone`: it was removed or moved away, or what it lies in was."""
        if gone and f"{self._top}/".startswith(f"{path}/"):
            self.end(OSError(errno.ENOENT, os.strerror(errno.ENOENT), self._top))
        elif self._is_told(path):
            self._found[path] = deep or self._found.get(path, False)
            self._told.set()

    def _is_told(self, path: str) -> bool:
        if self._only is None:
            return f"{path}/".startswith(f"{self._top}/")
        return path in (self._top, os.path.join(self._top, self._only))

    def end(self, error: OSError) -> None:
        """Tell no more: what was told is still given out, then this error."""
        self._found[self._top] = True
        self._ended = error
        self._told.set()
