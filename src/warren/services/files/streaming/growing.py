"""A file that is being fetched, for who reads it meanwhile.

In:  places that somebody wants to read. Out: verified bytes of them, as soon as they are there; what somebody
waits for is fetched before the rest. It is for roots that are one file; of a folder nothing can be read.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from warren.core.errors import StorageError
from warren.services.files.walk import LEAF_UNKNOWN

if TYPE_CHECKING:
    from warren.runtime.seam import Disk, Runtime
    from warren.services.files.ledger import Ledger
    from warren.services.files.swarm.partial import Partial
    from warren.services.files.swarm.picker import Picker
    from warren.services.files.walk import Walk


class Growing:
    """One for each fetch; it is of use until the fetch ended."""

    __slots__ = ("_ledger", "_partial", "_picker", "_places", "_runtime", "_walk")

    def __init__(
        self, runtime: Runtime, walk: Walk, partial: Partial, ledger: Ledger, picker: Picker
    ) -> None:
        self._runtime = runtime
        self._walk = walk
        self._partial = partial
        self._ledger = ledger
        self._picker = picker
        self._places: list[int] = []  # where somebody waits

    @property
    def size(self) -> int | None:
        """Bytes of the whole file; None before that is known, and of a folder."""
        top = self._walk.top
        return None if top is None or top.size == LEAF_UNKNOWN else top.size

    @property
    def is_folder(self) -> bool:
        """Whether it is known to be a folder."""
        return self._walk.is_folder

    async def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset` on, of those that are there; b"" if none are.

        Raises `StorageError`.
        """
        while count := self._partial.stored_from(offset, length):
            path = self._partial.path
            data = await self._runtime.offload(read_piece, self._runtime.disk, path, offset, count)
            if data is not None:
                return data
            if path == self._partial.path:  # it gets its final name in this moment
                await self._ledger.wait_moved()
        return b""

    async def wait(self, offset: int) -> None:
        """Wait until something may be there that was not. What lies from `offset` on is fetched first."""
        self._places.append(offset)
        try:
            if self._picker.seek(self._places):
                self.wake()
            await self._ledger.wait_moved()
        finally:
            self._places.remove(offset)

    async def moved(self) -> None:
        """Wait until something may be known that was not."""
        await self._ledger.wait_moved()

    def wake(self) -> None:
        """Let those who wait look again."""
        self._ledger.moved.set()


def read_piece(disk: Disk, path: str, offset: int, length: int) -> bytes | None:
    """Bytes of a file of our own, all that are asked for; None where there is no such file. Blocks.

    Raises `StorageError`.
    """
    try:
        with contextlib.closing(disk.open_read(path)) as file:
            data = file.pread(offset, length)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    if len(data) != length:
        raise StorageError(f"{path} is shorter than it was", hint="leave the data folder to the node")
    return data
