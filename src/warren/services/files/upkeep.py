"""The keepers of all shares: one task for each, begun and stopped with it.

In:  shares as the library takes them on and lets them go. Out: their states; whether all is paused.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from warren.services.files.keeper import Keeper
from warren.services.files.pace import Pace

if TYPE_CHECKING:
    from pathlib import Path

    from warren.runtime.seam import Database, Runtime
    from warren.services.files.config import FilesConfig
    from warren.services.files.keeper import Holder
    from warren.services.files.types import Share

logger = logging.getLogger(__name__)

RESTART_S: Final = 30.0


class Upkeep:
    """See the module's header."""

    def __init__(self, runtime: Runtime, database: Database, config: FilesConfig, holder: Holder) -> None:
        self._runtime = runtime
        self._database = database
        self._config = config
        self._holder = holder
        self._slots = asyncio.Semaphore(config.hash_jobs)
        self._keepers: dict[Path, tuple[Keeper, asyncio.Task[None]]] = {}
        self.pace = Pace(runtime.clock, config.hash_bytes_per_s)

    def begin(self, number: int, share: Share) -> None:
        """Keep a share up to date from now on, unless it is already."""
        if share.path not in self._keepers:
            keeper = Keeper(
                self._runtime,
                self._database,
                self._config,
                self.pace,
                self._slots,
                self._holder,
                number,
                share,
            )
            self._keepers[share.path] = keeper, asyncio.create_task(_supervised(keeper, share))

    async def stop(self, path: Path) -> None:
        """Leave a share as it is."""
        found = self._keepers.pop(path, None)
        if found is not None:
            keeper, task = found
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await keeper.close()

    async def close(self) -> None:
        """Stop all."""
        for path in list(self._keepers):
            await self.stop(path)

    def is_missing(self, share: Share) -> bool:
        """Whether what is shared is not there, or is a replica and no more what it was."""
        found = self._keepers.get(share.path)
        return found is not None and bool(found[0].missing or found[0].changed)

    def described(self, share: Share) -> Share:
        """The share with its state."""
        found = self._keepers.get(share.path)
        if found is None:
            return share
        keeper = found[0]
        return replace(
            share,
            state=keeper.state,
            note=keeper.changed or keeper.missing or keeper.polled,
            progress=keeper.progress,
        )


async def _supervised(keeper: Keeper, share: Share) -> None:
    while True:
        try:
            await keeper.run()
            return
        except Exception:
            logger.exception("keeping %r up to date failed; trying again", share.name)
            await asyncio.sleep(RESTART_S)
