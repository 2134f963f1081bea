"""What this node shares, in its own index: so it is found like what others register.

In:  the catalog and its changes. Out: the index in line with it, at once. The index may be lost or older: it
is then filled anew.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from warren.services.directory.index.interface import Gap, Stale

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.protocols.directory.entries import Registered
    from warren.services.directory.catalog import Catalog
    from warren.services.directory.index.interface import Index


class OwnEntries:
    """Keeps the entries of `me` in the index; `run` as long as the node lives."""

    def __init__(self, index: Index, catalog: Catalog, me: PeerId) -> None:
        self._index = index
        self._catalog = catalog
        self._me = me
        self._changed = asyncio.Event()
        catalog.on_changed.append(self._changed.set)
        index.set_online(me, True)

    async def run(self) -> None:
        """Follow the catalog until cancelled."""
        while True:
            self._changed.clear()
            while self._index.position(self._me) != self._catalog.position:
                await self._step()
            await self._changed.wait()

    async def _step(self) -> None:
        position, now = self._index.position(self._me), self._catalog.position
        if position is None or position.epoch != now.epoch:
            await self._fill()
            return
        numbers = self._catalog.all_numbers()
        changes = await self._catalog.changes(position.seq, numbers)
        if changes is None:
            await self._fill()
            return
        added = list(changes.added)
        try:
            await self._index.apply(
                self._me, now.epoch, position.seq, changes.looked_to, added, changes.removed
            )
        except Gap:
            await self._fill()

    async def _fill(self) -> None:
        at, numbers = self._catalog.position, self._catalog.all_numbers()
        entries: list[Registered] = []
        after = ""
        while page := await self._catalog.page(after, numbers):
            entries += page
            after = page[-1].entry.path
        try:
            await self._index.replace(self._me, at.epoch, at.seq, entries)
        except (Stale, Gap) as error:
            if error.position is not None:
                await self._catalog.begin_later_epoch(error.position)
            await self._index.forget(self._me)  # it is this node's own, and the catalog is what holds
