"""What was fetched whole becomes a replica: a share that others can have from here.

In:  a fetch that came to its end, with the nodes that it verified. Out: a share under the root's content id,
for everybody where its origin said so, else for those alone whom the origin admits (audience `origin:PEER`);
nothing of it is read again. Not kept are: parts of a root, copies whose names had to be another or whose
symlinks were left out (they are not the root), what lies in a share already, what nobody knows the origin of.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from warren.core.errors import WarrenError
from warren.services.files.holders.rows import Rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from warren.core.cid import Cid
    from warren.runtime.seam import Runtime
    from warren.services.files.index import EntryRow
    from warren.services.files.library import Library
    from warren.services.files.types import Audience, Fetched, Share

logger = logging.getLogger(__name__)


class Verified(Protocol):
    """What is needed of a fetch under way; `swarm.partial.Partial` is that."""

    root: Cid
    audience: Audience | None
    """For whom its content is; None: nobody knows."""

    def find_node(self, cid: bytes) -> bytes | None:
        """A verified node by its binary content id, if it was kept. Blocks."""
        ...


def is_whole(fetched: Fetched) -> bool:
    """Whether the copy is all of its root, under the names that it has there."""
    return not (fetched.partial or fetched.renamed_count or fetched.skipped_count)


class Replicas:
    """Of one node."""

    def __init__(self, runtime: Runtime, library: Library) -> None:
        self._runtime = runtime
        self._library = library

    async def keep(self, fetched: Fetched, verified: Verified) -> Share | None:
        """Make a replica of what was fetched; None where it cannot be one, which the log explains."""
        audience = verified.audience
        if fetched.already_there or audience is None or not is_whole(fetched):
            return None
        try:
            top = await self._runtime.offload(self._runtime.disk.real_path, str(fetched.path))
            rows = Rows(self._runtime.disk, top, verified.root.to_bytes(), verified.find_node)
            return await self._library.adopt(top, verified.root, audience, self._pages(rows.pages()))
        except (WarrenError, OSError) as error:
            logger.info("%s is not kept for others: %s", fetched.path, error)
            return None

    async def _pages(self, pages: Iterator[list[EntryRow]]) -> AsyncIterator[Sequence[EntryRow]]:
        while page := await self._runtime.offload(next, pages, ()):
            yield page
