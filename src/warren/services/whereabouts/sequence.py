"""The number of this node's newest record, kept so that no number is ever given twice.

In:  the time in milliseconds since 1970, which may have gone back. Out: a number above all before it, on
disk before anybody sees it.

Of two records of a peer the one with the higher number holds. A node whose clock went back, or whose
databases were lost, would be ignored by all who remember it; so the number has a small file of its own,
beside the key.
A file that cannot be read as a number counts as missing: then the clock alone decides.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from warren.core.errors import ReadOnlyTarget

if TYPE_CHECKING:
    from warren.runtime.seam import Disk, Runtime, StrPath

FILE_NAME = "record.seq"
# A record holds 64 bits; whatever comes near them is no number of ours.
NUMBER_MAX = 1 << 62
_DIGITS_MAX = 19
_log = logging.getLogger(__name__)


class SequenceFile:
    """Numbers from the file at `path`; None: from memory, for a node that leaves no trace."""

    __slots__ = ("_last", "_path", "_runtime")

    def __init__(self, runtime: Runtime, path: StrPath | None) -> None:
        self._runtime = runtime
        self._path = path
        self._last: int | None = None

    async def reserve(self, at_least: int) -> int:
        """A number that was never given before, `at_least` or above; on disk when this returns.

        Raises ReadOnlyTarget when it cannot be kept. One caller at a time.
        """
        if self._last is None:
            self._last = await self._runtime.offload(self._load)
        number = max(self._last + 1, at_least)
        if self._path is not None:
            await self._runtime.offload(_keep, self._runtime.disk, self._path, number)
        self._last = number
        return number

    def _load(self) -> int:
        if self._path is None:
            return 0
        try:
            self._runtime.disk.remove_drafts(self._path)
            file = self._runtime.disk.open_read(self._path, follow_link=False)
        except OSError:
            return 0
        try:
            text = file.pread(0, _DIGITS_MAX + 1).strip()
        finally:
            file.close()
        if not text.isdigit() or int(text) > NUMBER_MAX:
            _log.warning("%s holds no number of a record; numbers go on from the clock", self._path)
            return 0
        return int(text)


def _keep(disk: Disk, path: StrPath, number: int) -> None:
    try:
        disk.write_whole(path, b"%d\n" % number)
    except OSError as error:
        raise ReadOnlyTarget(
            f"cannot keep the number of this node's record in {path}: {error.strerror}",
            hint="check the disk; until then others see the addresses of before",
        ) from error
