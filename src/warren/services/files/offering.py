"""What peers get to see of the library: the other side of the transfer protocol.

In:  requests of peers. Out: listings, nodes and chunks of the shares whose audience admits the asker, and
nothing else in any way: what is not for it is answered like what is not there.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from warren.services.files import index, listing, serving
from warren.services.files.index import ListedEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from warren.core.peer_id import PeerId
    from warren.protocols.transfer.messages import Listing
    from warren.protocols.transfer.server import Part, ReadJob
    from warren.runtime.seam import Database, Runtime
    from warren.services.files.index import Place
    from warren.services.files.serving import ReadChunks
    from warren.services.files.types import Share


class Offering:
    """See `protocols.transfer.server.ContentSource`.

    shares: what is served, by number; it stays the library's and changes under this. lent: the same of what
    stands in no listing.
    """

    def __init__(
        self,
        runtime: Runtime,
        database: Database,
        shares: Mapping[int, Share],
        is_contact: Callable[[PeerId], bool],
        groups_of: Callable[[PeerId], Collection[str]],
        is_missing: Callable[[Share], bool],
        lent: Mapping[int, Share],
    ) -> None:
        self._runtime = runtime
        self._database = database
        self._shares = shares
        self._is_contact = is_contact
        self._groups_of = groups_of
        self._is_missing = is_missing
        self._lent = lent

    def is_known(self, peer: PeerId) -> bool:
        """See `ContentSource`."""
        named = (one.audience.peers for shares in (self._shares, self._lent) for one in shares.values())
        return self._is_contact(peer) or any(peer in peers for peers in named)

    async def list_path(self, peer: PeerId, path: str, after: str, limit: int) -> Listing | None:
        """See `ContentSource`."""
        return await self.list_among(self.listed(peer), path, after, limit)

    async def read_nodes(self, peer: PeerId, pending: list[bytes], bytes_max: int) -> list[bytes | None]:
        """See `ContentSource`."""
        visible = self.visible(peer)
        if not visible:
            return [None]
        return await self._database.run(
            partial(index.read_nodes, visible=visible, pending=pending, bytes_max=bytes_max)
        )

    async def plan_chunks(self, peer: PeerId, digests: Sequence[bytes], *, check: bool) -> Sequence[ReadJob]:
        """See `ContentSource`."""
        visible = self.visible(peer)
        places: Sequence[tuple[Place, ...]] = [()] * len(digests)
        if visible:
            places = await self._database.run(partial(index.find_chunks, visible=visible, digests=digests))
        return serving.plan(digests, places, check=check)

    async def read_chunks(self, job: ReadJob) -> list[Part]:
        """See `ContentSource`."""
        mine = cast("ReadChunks", job)
        parts = await self._runtime.offload(serving.read, self._runtime.disk, mine)
        if mine.broken or mine.changed or mine.sound:
            await self._database.run(
                partial(index.mark, changed=mine.changed, broken=mine.broken, sound=mine.sound)
            )
        return parts

    def visible(self, peer: PeerId) -> set[int]:
        """The numbers of all that a peer may have now."""
        return self.listed(peer).union(n for n, share in self._lent.items() if peer in share.audience.peers)

    def listed(self, peer: PeerId) -> set[int]:
        """The numbers of the shares that a peer may see now."""
        is_contact, groups = self._is_contact(peer), self._groups_of(peer)
        return {
            number
            for number, share in self._shares.items()
            if share.audience.admits(peer, is_contact=is_contact, groups=groups)
            and not self._is_missing(share)
        }

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
