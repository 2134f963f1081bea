"""What peers get to see of the library: the other side of the transfer protocol.

In:  requests of peers. Out: listings, nodes and chunks of the shares whose audience admits the asker, and
nothing else in any way: what is not for it is answered like what is not there. What is for those of another
origin is in no listing, and served to whoever showed a ticket for it; so is what a fetch under way has.
"""

from __future__ import annotations

import contextlib
import os
from collections import ChainMap
from functools import partial
from typing import TYPE_CHECKING, cast

from warren.runtime.waiting import run_out
from warren.services.files import index, listing, serving
from warren.services.files.index import ListedEntry, below
from warren.services.files.kept_open import KeptOpen
from warren.services.files.swarm.admission import Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, MutableMapping, Sequence

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.protocols.transfer.messages import Listing
    from warren.protocols.transfer.server import Part, ReadJob
    from warren.runtime.seam import Database, Runtime
    from warren.services.files.index import Place
    from warren.services.files.serving import ReadChunks
    from warren.services.files.swarm.partial import Partial
    from warren.services.files.swarm.swarms import Swarms
    from warren.services.files.types import Share


class Offering:
    """See `protocols.transfer.server.ContentSource`, and `swarm.swarms.Shelf`.

    shares: what is served, by number; it stays the library's and changes under this. swarms: has the fetches
    under way. lent: as shares, of what stands in no listing. note: told what file a peer is sent next.
    """

    def __init__(
        self,
        runtime: Runtime,
        database: Database,
        shares: MutableMapping[int, Share],
        swarms: Swarms,
        is_missing: Callable[[Share], bool],
        lent: MutableMapping[int, Share],
        note: Callable[[PeerId, str], None],
    ) -> None:
        self._runtime = runtime
        self._database = database
        self._shares = shares
        self._admission = swarms.admission
        self._is_missing = is_missing
        self._swarms = swarms
        self._served = ChainMap(shares, lent)
        self._note = note
        self._kept_open = KeptOpen(runtime)

    async def close(self) -> None:
        """Close what files are kept open."""
        await self._kept_open.close()

    def is_known(self, peer: PeerId) -> bool:
        """See `ContentSource`."""
        audiences = (one.audience for one in self._served.values())
        return self._admission.is_known(peer) or any(
            peer in audience.peers for audience in audiences if audience.kind == "peers"
        )

    async def list_path(self, peer: PeerId, path: str, after: str, limit: int) -> Listing | None:
        """See `ContentSource`."""
        return await self.list_among(self.listed(peer), path, after, limit)

    async def read_nodes(self, peer: PeerId, pending: list[bytes], bytes_max: int) -> list[bytes | None]:
        """See `ContentSource`."""
        blocks = await self._read_partials(peer, pending, bytes_max)
        left = bytes_max - sum(map(len, blocks))
        found: list[bytes | None] = [*blocks]
        if not pending or left <= 0:
            return found
        visible = self.visible(peer)
        if not visible:
            return [*found, None]
        return found + await self._database.run(
            partial(index.read_nodes, visible=visible, pending=pending, bytes_max=left)
        )

    async def _read_partials(self, peer: PeerId, pending: list[bytes], bytes_max: int) -> list[bytes]:
        """What fetches under way have of it, up to the first node that none has."""
        partials = self._swarms.partials_for(peer)
        if not partials:
            return []
        with contextlib.ExitStack() as stack:
            for one in partials:
                stack.enter_context(one.reading())
            return await run_out(self._runtime, read_nodes, partials, pending, bytes_max)

    async def plan_chunks(self, peer: PeerId, digests: Sequence[bytes], *, check: bool) -> Sequence[ReadJob]:
        """See `ContentSource`."""
        visible = self.visible(peer)
        places: Sequence[tuple[Place, ...]] = [()] * len(digests)
        if visible:
            places = await self._database.run(partial(index.find_chunks, visible=visible, digests=digests))
        partials = self._swarms.partials_for(peer)
        if partials:
            places = [found or find_chunk(partials, one) for found, one in zip(places, digests, strict=True)]
        self._note_first(peer, places)
        return serving.plan(digests, places, check=check)

    async def read_chunks(self, job: ReadJob) -> list[Part]:
        """See `ContentSource`."""
        mine = cast("ReadChunks", job)
        parts = await self._kept_open.read(mine)
        if mine.broken or mine.changed or mine.sound:
            await self._database.run(
                partial(index.mark, changed=mine.changed, broken=mine.broken, sound=mine.sound)
            )
        return parts

    def _note_first(self, peer: PeerId, places: Sequence[tuple[Place, ...]]) -> None:
        found = next((one[0] for one in places if one), None)
        if found is not None:
            self._note(peer, found.name or os.path.basename(found.top))

    def visible(self, peer: PeerId) -> set[int]:
        """The numbers of the shares that a peer may have now."""
        admits = self._admission.of(peer)
        return {
            number
            for number, share in self._served.items()
            if admits(Rule(share.audience, share.cid)) and not self._is_missing(share)
        }

    def listed(self, peer: PeerId) -> set[int]:
        """Those of them that it sees in listings."""
        shares = ((number, self._shares.get(number)) for number in self.visible(peer))
        return {number for number, share in shares if share and share.audience.kind != "origin"}

    async def find_root(self, peer: PeerId, root: Cid) -> list[Rule]:
        """See `Shelf`."""
        visible = self.visible(peer)
        if not visible:
            return []
        found = await self._database.run(partial(index.find_root, visible=visible, cid=root.to_bytes()))
        shares = [self._served[number] for number in found if number in self._served]
        return [Rule(share.audience, share.cid) for share in shares]

    def origins(self, root: Cid) -> list[PeerId]:
        """See `Shelf`."""
        audiences = (share.audience for share in self._shares.values() if share.cid == root)
        return [audience.origin for audience in audiences if audience.origin is not None]

    async def list_among(self, visible: Collection[int], path: str, after: str, limit: int) -> Listing | None:
        """One page of what lies at `path` in the shares of these numbers; None where nothing does."""
        if not path:
            found = [share for n, share in self._shares.items() if n in visible]
            roots = [ListedEntry(one.name, one.kind, one.bytes, one.cid.to_bytes()) for one in found]
            return listing.page(None, sorted(root for root in roots if root.name > after), limit)
        name, *inner = path.split("/")
        numbers = [n for n, share in self._shares.items() if n in visible and share.name == name]
        if not numbers:
            return None
        *above, last = inner or [""]
        here = await self._database.run(
            partial(index.find_entry, share=numbers[0], folder="/".join(above), name=last)
        )
        if here is None or (inner and not last):
            return None
        entries: list[ListedEntry] = []
        if here.kind == "dir" and limit:
            entries = await self._database.run(
                partial(
                    index.list_folder, share=numbers[0], folder="/".join(inner), after=after, limit=limit + 1
                )
            )
        return listing.page(listing.to_wire(here, last or name), entries, limit)


def read_nodes(partials: Sequence[Partial], pending: list[bytes], bytes_max: int) -> list[bytes]:
    """As `index.read_nodes`, but a node that is not there stays in `pending`. It blocks."""
    found: list[bytes] = []
    size = 0
    while pending and size < bytes_max:
        blocks = (one.find_node(pending[-1]) for one in partials)
        block = next((block for block in blocks if block is not None), None)
        if block is None:
            break
        pending.pop()
        found.append(block)
        size += len(block)
        pending += below(block)
    return found


def find_chunk(partials: Sequence[Partial], digest: bytes) -> tuple[Place, ...]:
    """Where fetches under way have a chunk."""
    places = (one.find_chunk(digest) for one in partials)
    return tuple(place for place in places if place is not None)
