"""A listener of a library, and waiting for what it is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.services.files.library import Library
    from warren.services.files.types import FileEntry, Share


class Catalog:
    """What a listener makes of what it is told: entries by path, with their audience."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[FileEntry, str]] = {}
        self.told: list[tuple[list[str], list[str]]] = []
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[dict[str, int]], object], timeout_s: float = 20) -> None:
        """Wait until this holds of the sizes of all entries, by path."""
        async with asyncio.timeout(timeout_s):
            while not condition({path: entry.size for path, (entry, _) in self.entries.items()}):
                self._changed.clear()
                await self._changed.wait()

    async def on_changed(self, share: Share, added: Sequence[FileEntry], removed: Sequence[str]) -> None:
        self.told.append(([one.path for one in added], list(removed)))
        for path in removed:
            for known in list(self.entries):
                if known == path or known.startswith(f"{path}/"):
                    del self.entries[known]
        self.entries |= {one.path: (one, str(share.audience)) for one in added}
        self._changed.set()


async def walked(library: Library) -> dict[str, tuple[FileEntry, str]]:
    return {entry.path: (entry, str(share.audience)) async for share, entry in library.entries()}
