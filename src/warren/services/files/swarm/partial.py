"""What a fetch under way has so far, as others may be served of it.

In: verified nodes, the places of leaves, and which of them are written, as the fetch comes to know them. Out:
blocks of nodes, and where a chunk lies. It reads nothing itself: chunks are read by `serving.py`, beneath the
hidden folder of the fetch, and beneath the target folder once they have their final name.

`on_node` (one at a time) and `find_node` (within `reading`) may block: call them in `offload`. All else is
for the event loop.
"""

from __future__ import annotations

import asyncio
import os
from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from warren.services.files.index import GROWING, Place
from warren.services.files.swarm.bits import Bits
from warren.services.files.swarm.nodes_kept import NodesKept
from warren.services.files.types import Audience

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from warren.core.cid import Cid
    from warren.runtime.seam import Disk

LEAVES_MAX: Final = 1 << 20
"""Leaves that are served while the fetch runs, some 250 bytes of memory each. Fault: a tree of many millions;
its later leaves are served when all is there."""
EQUAL_MAX: Final = 8
"""Places of one and the same chunk. Attack: a tree of a million times the same one, looked for in all."""
PUBLIC: Final = Audience("public")
UNKNOWN: Final = -1


class Partial:
    """One root that is being fetched.

    folder: the hidden folder of the fetch, in which `content` grows. audience: for whom that is which an
    earlier attempt left there, and None where that is not known; resumed: whether there is anything of it.
    bits: the leaves that are served; complete: all of them are.

    For whom it is follows from whom it came: `public`, those of one origin, or, where several sources said
    different things, those for whom all of it is. Until anything came, and where nobody is left, it is for
    nobody (None).
    """

    def __init__(
        self,
        root: Cid,
        disk: Disk,
        folder: str,
        *,
        audience: Audience | None = None,
        resumed: bool = False,
    ) -> None:
        self.root = root
        self.audience = audience
        self._decided = resumed or audience is not None
        self.bits = Bits()
        self.complete = False
        self.named_at_ns: int | None = None
        """When all had its final name, as times of files: what was written to later is the user's own."""
        self._content = os.path.join(folder, "content")
        self._nodes = NodesKept(disk, os.path.join(folder, "nodes"))
        self._files: list[str] = []
        self._by_digest: dict[bytes, list[int]] = {}
        self._file_of = array("i")
        self._offsets = array("Q")
        self._lengths = array("i")
        self._grown = asyncio.Event()

    # --- for whom it is -----------------------------------------------------------------------------------

    def fits(self, word: Audience | None) -> bool:
        """Whether a source that says so of its content leaves this for as many as it is for now. Another is
        better left alone while there are such.
        """
        if not self._decided:
            return word is not None
        return self.audience is None or word in {self.audience, PUBLIC}

    def use(self, word: Audience | None) -> None:
        """Something came from a source that says so; call it before that is told here."""
        if not self._decided:
            self.audience, self._decided = word, True
        elif word is None or self.audience is None:
            self.audience = None
        elif word not in {PUBLIC, self.audience}:
            self.audience = word if self.audience == PUBLIC else None

    # --- what the fetch tells -----------------------------------------------------------------------------

    def on_node(self, cid: bytes, block: bytes) -> None:
        """A verified node: its binary content id, its bytes. May be called in a thread."""
        self._nodes.add(cid, block)

    def on_leaf(self, number: int, digest: bytes, length: int, path: str, offset: int) -> None:
        """A leaf of this number is wanted: its SHA2-256, its bytes (`UNKNOWN` if nobody said), its file below
        the top ('' for the top itself) and its place in that. Saying it again changes nothing.
        """
        if number >= LEAVES_MAX:
            return
        missing = number + 1 - len(self._file_of)
        if missing > 0:
            self._file_of.extend([UNKNOWN] * missing)
            self._offsets.extend([0] * missing)
            self._lengths.extend([0] * missing)
        if self._file_of[number] != UNKNOWN:
            return
        if not self._files or self._files[-1] != path:
            self._files.append(path)
        self._file_of[number] = len(self._files) - 1
        self._offsets[number] = offset
        self._lengths[number] = length
        numbers = self._by_digest.setdefault(digest, [])
        if len(numbers) < EQUAL_MAX:
            numbers.append(number)

    def on_stored(self, number: int, length: int = UNKNOWN) -> None:
        """It is verified and written, and others are served with it from now on. length: in bytes, where
        nobody knew it before.
        """
        if number >= len(self._file_of) or self._file_of[number] == UNKNOWN:
            return
        if length != UNKNOWN:
            self._lengths[number] = length
        if self._lengths[number] != UNKNOWN and self.bits.add(number):
            grown, self._grown = self._grown, asyncio.Event()
            grown.set()

    async def more_than(self, version: int) -> None:
        """Wait until `bits` is newer than this."""
        while self.bits.version <= version:
            await self._grown.wait()

    def on_moved(self, path: str, at_ns: int) -> None:
        """All has its final name now, and lies at this absolute path. at_ns: see `named_at_ns`."""
        self._content, self.named_at_ns = path, at_ns

    def close(self) -> None:
        """Serve nothing any more."""
        self.bits = Bits()
        self._by_digest.clear()
        self._nodes.close()

    # --- what others are served ---------------------------------------------------------------------------

    def reading(self) -> AbstractContextManager[None]:
        """Around `find_node`, on the event loop: what it reads stays open meanwhile."""
        return self._nodes.reading()

    def find_node(self, cid: bytes) -> bytes | None:
        """A node by its binary content id, if it was kept."""
        return self._nodes.find(cid)

    def find_chunk(self, digest: bytes) -> Place | None:
        """Where a chunk lies that was stored."""
        for number in self._by_digest.get(digest, ()):
            if number in self.bits:
                return self._place(number)
        return None

    def stored_from(self, offset: int, most: int) -> int:
        """Where the root is one file: how many bytes from `offset` on are there, one behind the other; `most`
        at most. Of a graph whose leaves do not come in the order of their places it may miss some.
        """
        offsets, lengths = self._offsets, self._lengths
        number = bisect_right(offsets, offset) - 1
        if number < 0:
            return 0
        begin = end = offsets[number]
        while end < offset + most and number < len(offsets) and number in self.bits:
            if offsets[number] != end:
                break
            end += lengths[number]
            number += 1
        return min(most, max(0, end - offset)) if begin <= offset else 0

    @property
    def path(self) -> str:
        """Where it grows, or has its final name."""
        return self._content

    def _place(self, number: int) -> Place:
        top, name = os.path.split(self._content)
        path = self._files[self._file_of[number]]
        folder, _, last = f"{name}/{path}".rpartition("/") if path else ("", "", name)
        newest_ns = self.named_at_ns or 0
        return Place(GROWING, top, folder, last, 0, newest_ns, self._offsets[number], self._lengths[number])
