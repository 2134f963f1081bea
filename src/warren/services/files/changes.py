"""Who is told what changed in the shares.

In:  what the library committed. Out: calls of the listeners, one after another, in the order of the commits
of a share. A listener that fails is logged and misses what it was told: it has to see to it by itself, by
going through all that is in the share later on (`Library.entries`).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from warren.core.errors import WarrenError
from warren.services.files.types import FileEntry, Share

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

logger = logging.getLogger(__name__)

PAGE_ENTRIES: Final = 1000
"""Entries told or listed at a time: what is held in memory of a share of any size."""

OnChanged = Callable[[Share, Sequence[FileEntry], Sequence[str]], Awaitable[None]]
"""`await on_changed(share, added, removed)`: entries of this share changed.

share: as it is now, name and audience included; `cid` may be older than the entries while more is to come.
added: at most `PAGE_ENTRIES` entries that are new or have changed (files and folders, the topmost included;
no symlinks). removed: paths that are gone, each with all that lay below it; they are to be taken away before
what is added. A share that is no longer there, or not reachable, comes as its name in `removed`; one whose
name or audience changed comes as its old name in `removed` and all its entries added again. Nothing more of
the share is committed before this returns, so it should be quick; it must not call the library.
"""


class Listeners:
    """Those who are told."""

    def __init__(self) -> None:
        self._all: list[OnChanged] = []

    def add(self, on_changed: OnChanged) -> Callable[[], None]:
        """Tell `on_changed` from now on. Returns what ends that."""
        self._all.append(on_changed)
        return lambda: self._all.remove(on_changed)

    async def tell(self, share: Share, added: Sequence[FileEntry] = (), removed: Sequence[str] = ()) -> None:
        """Tell all of one page of changes."""
        for on_changed in self._all.copy():
            try:
                await on_changed(share, added, removed)
            except WarrenError as error:
                logger.warning("a change of %r was not taken in yet: %s", share.name, error)

    async def tell_pages(self, share: Share, pages: AsyncIterator[Sequence[FileEntry]]) -> None:
        """Tell all of what was added, page by page."""
        if self._all:
            async for added in pages:
                await self.tell(share, added)
