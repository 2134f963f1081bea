"""A file that is being fetched, for who reads it meanwhile.

In:  places that somebody wants to read. Out: verified bytes of them, as soon as they are there; what is
wanted is fetched before the rest. It is for roots that are one file; of a folder nothing can be read.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.runtime.seam import Runtime
    from warren.services.files.ledger import Ledger
    from warren.services.files.swarm.partial import Partial
    from warren.services.files.swarm.picker import Picker


class Growing:
    """One for each fetch; it is of use until the fetch ended."""

    __slots__ = ("_ledger", "_partial", "_picker", "_runtime")

    def __init__(self, runtime: Runtime, partial: Partial, ledger: Ledger, picker: Picker) -> None:
        self._runtime = runtime
        self._partial = partial
        self._ledger = ledger
        self._picker = picker

    @property
    def size(self) -> int:
        """Bytes of the whole file; 0 before that is known."""
        return self._ledger.total_bytes

    @property
    def is_file(self) -> bool:
        """Whether it is one file, as far as that is known."""
        return self._partial.is_file

    def seek(self, offset: int) -> None:
        """Fetch what lies from `offset` on before the rest."""
        self._picker.seek(offset)
        self._ledger.moved.set()

    def ready(self, offset: int) -> int:
        """How many bytes from `offset` on are there."""
        return self._partial.stored_from(offset)

    async def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset` on, of those that are there. Raises `OSError`."""
        path = self._partial.path
        found = await self._runtime.offload(self._read, path, offset, min(length, self.ready(offset)))
        if found is None:  # it got its final name meanwhile
            found = await self._runtime.offload(self._read, self._partial.path, offset, length)
        return found or b""

    async def moved(self) -> None:
        """Wait until something may be there that was not."""
        await self._ledger.wait_moved()

    def wake(self) -> None:
        """Let those who wait look again."""
        self._ledger.moved.set()

    def _read(self, path: str, offset: int, length: int) -> bytes | None:
        try:
            file = self._runtime.disk.open_read(path)
        except FileNotFoundError:
            return None
        with contextlib.closing(file):
            return file.pread(offset, length)
