"""What all transfers together may move: as the settings say, or as the user says since.

In:  the settings; what the user says, kept over restarts. Out: `Limits`, applied whenever they change.
Refuses limits below 0.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from warren.core.errors import InputError
from warren.services.files.queue import store
from warren.services.files.queue.model import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.runtime.seam import Database

AS_SET: Final = -1
"""As the settings say."""


class TransferLimits:
    """Load once; `now` is what holds."""

    def __init__(self, state: Database, settings: Limits, apply: Callable[[Limits], None]) -> None:
        """apply: makes it so."""
        self._state = state
        self._settings = settings
        self._apply = apply
        self.now = settings

    async def load(self) -> None:
        """Take up what the user said before. Raises `StorageError`."""
        said = await self._state.run(store.limits)
        self.now = Limits(
            said.get("down", self._settings.down_bytes_per_s), said.get("up", self._settings.up_bytes_per_s)
        )
        self._apply(self.now)

    async def set(self, *, down_bytes_per_s: int | None = None, up_bytes_per_s: int | None = None) -> Limits:
        """Set what is not None, in bytes a second; 0: no limit, `AS_SET`: as the settings say.

        Raises `InputError`, `StorageError`.
        """
        given = {"down": down_bytes_per_s, "up": up_bytes_per_s}
        if any(value is not None and value < AS_SET for value in given.values()):
            raise InputError("a limit is 0 (none) or above", hint="write for instance 5M, in bytes a second")
        for direction, value in given.items():
            if value is not None:
                kept = None if value == AS_SET else value
                await self._state.run(partial(store.set_limit, direction=direction, bytes_per_s=kept))
        await self.load()
        return self.now
