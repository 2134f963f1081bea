"""For whom the content of a fetch is: kept beside it, so that the next attempt knows it of what it finds.

In: what sources say of what they send. Out: the same told to the partial, before it is written; and a small
file `audience` in the hidden folder of the fetch. Where that is not there, or says nothing that can be read,
what lies there is for nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Final

from warren.core.errors import InputError
from warren.runtime.waiting import run_out
from warren.services.files.staging.faults import named_errors
from warren.services.files.swarm.partial import Partial
from warren.services.files.types import Audience

if TYPE_CHECKING:
    from warren.core.cid import Cid
    from warren.runtime.seam import Disk, Runtime

NOBODY: Final = "nobody"
BYTES_MAX: Final = 256
"""More than any audience of a partial takes."""


class Words:
    """Of one fetch. `folder` is its hidden folder; `resumed`: an earlier attempt left something there."""

    __slots__ = ("_kept", "_path", "_runtime", "_turn", "partial")

    def __init__(self, runtime: Runtime, root: Cid, folder: str, *, resumed: bool) -> None:
        self._runtime = runtime
        self._path = os.path.join(folder, "audience")
        self._turn = asyncio.Lock()
        before = read(runtime.disk, self._path) if resumed else None
        self._kept = str(before) if before is not None else NOBODY if resumed else ""
        self.partial = Partial(root, runtime.disk, folder, audience=before, resumed=resumed)

    async def use(self, word: Audience | None) -> None:
        """What comes next is of a source that says so. Raises `StorageError`."""
        self.partial.use(word)
        if self._text() == self._kept:
            return
        async with self._turn:
            text = self._text()
            if text != self._kept:
                await run_out(self._runtime, self._write, text.encode())
                self._kept = text

    def _text(self) -> str:
        audience = self.partial.audience
        return NOBODY if audience is None else str(audience)

    def _write(self, data: bytes) -> None:
        with named_errors("what is fetched"):
            disk = self._runtime.disk
            if self._kept:  # for fewer than before: that must not be lost, whatever happens
                disk.write_whole(self._path, data)
                return
            with contextlib.suppress(FileNotFoundError):
                disk.remove(self._path)
            with contextlib.closing(disk.open_write(self._path, create=True)) as file:
                file.pwrite(0, data)


def read(disk: Disk, path: str) -> Audience | None:
    """What is kept there; None where that is nothing, or nobody. Blocks."""
    try:
        with contextlib.closing(disk.open_read(path, follow_link=False)) as file:
            return Audience.parse(file.pread(0, BYTES_MAX).decode())
    except (OSError, UnicodeDecodeError, InputError):
        return None
