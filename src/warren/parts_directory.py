"""How the directory is tied to the library, to contacts and to the peer table. Only wiring.

In:  the parts that do not know each other. Out: a `Directory`, and what runs as long as the node.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from warren.core.entry import Entry, Metadata
from warren.services.contacts.model import ContactAdded, ContactRemoved
from warren.services.directory.catalog import Catalog
from warren.services.directory.directory import Directory
from warren.services.directory.index.sqlite import SqliteIndex
from warren.services.files.types import Audience

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from contextlib import AsyncExitStack

    from warren.config import Config
    from warren.core.cid import Cid
    from warren.core.keys import PrivateKey
    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.runtime.seam import Database, StrPath
    from warren.services.contacts.contacts import Contacts
    from warren.services.files.library import Library
    from warren.services.files.types import FileEntry, Share
    from warren.services.peers.table import PeerTable

    Work = Callable[[], Awaitable[None]]
    Describe = Callable[[Sequence[Cid]], Awaitable[Mapping[Cid, Metadata]]]

SUPER_ROLE = "super"
# Super-peers of the table that are dialled, one after the other, while there are too few.
_FOUND_MAX = 16
_LOOKED_AT = 256
_PAGE = 500
_NOTHING = Metadata()


class ShareCircles:
    """Whom the audiences of shares admit; see `services.directory.catalog.Circles`."""

    def __init__(self, contacts: Contacts) -> None:
        self._contacts = contacts

    def admits(self, audience: str, peer: PeerId) -> bool:
        """Whether the peer may see what is shared with that audience."""
        return _parsed(audience).admits(peer, is_contact=self._contacts.is_contact(peer))

    def members(self, audience: str) -> list[PeerId]:
        """All whom it admits."""
        parsed = _parsed(audience)
        if parsed.kind == "peers":
            return list(parsed.peers)
        known = [one.peer_id for one in self._contacts.all()]
        return [peer for peer in known if self.admits(audience, peer)]


@lru_cache(maxsize=1024)
def _parsed(audience: str) -> Audience:
    return Audience.parse(audience)


class Feeding:
    """Tells the catalog what the library shares: all of it at the start, then what changes."""

    def __init__(self, library: Library, catalog: Catalog, describe: Describe) -> None:
        """describe: what is said of each content; those of which nothing is said are left out."""
        self._library = library
        self._catalog = catalog
        self._describe = describe
        library.subscribe(self._on_changed)

    async def run(self) -> None:
        """Bring the catalog in line with what is shared."""
        await self._catalog.keep_only(self._is_shared)
        for share in self._library.shares():
            if share.ready:
                await self._catalog.bring_in_line(share.name, str(share.audience), self._pages(share))

    def _is_shared(self, name: str) -> bool:
        """What is hashed again is listed when that is done."""
        return any(share.name == name and share.ready for share in self._library.shares())

    async def _on_changed(self, share: Share, added: Sequence[FileEntry], removed: Sequence[str]) -> None:
        await self._catalog.change(str(share.audience), await self._entries(added), removed)

    async def _pages(self, share: Share) -> AsyncIterator[list[Entry]]:
        page: list[FileEntry] = []
        async for _, entry in self._library.entries(share.path):
            page.append(entry)
            if len(page) == _PAGE:
                yield await self._entries(page)
                page = []
        if page:
            yield await self._entries(page)

    async def _entries(self, some: Sequence[FileEntry]) -> list[Entry]:
        said = await self._describe([one.cid for one in some])
        return [
            Entry(
                one.path,
                "dir" if one.kind == "dir" else "file",
                one.size,
                one.cid,
                said.get(one.cid, _NOTHING),
            )
            for one in some
        ]


async def nothing_said(_cids: Sequence[Cid]) -> Mapping[Cid, Metadata]:
    """Nothing is said of anything."""
    return {}


@dataclass(frozen=True, slots=True)
class Ties:
    """What the directory of a node is tied to. reachable: where others may dial it. describe: what is said of
    contents; what changes of it goes to `Catalog.follow` and `Catalog.refresh`.
    """

    network: Network
    key: PrivateKey
    state: Database
    library: Library
    contacts: Contacts
    peers: PeerTable
    reachable: Callable[[], Sequence[Multiaddr]]
    describe: Describe = nothing_said


async def assemble_directory(
    config: Config, ties: Ties, place: StrPath, stack: AsyncExitStack
) -> tuple[Directory, list[tuple[str, Work]]]:
    """The directory, and what runs as long as the node, by name. `stack` takes what ends it.

    place: of the index. Raises StorageError.
    """
    network, contacts, peers = ties.network, ties.contacts, ties.peers
    runtime = network.runtime
    index = await SqliteIndex.open(runtime, place)
    stack.push_async_callback(index.close)
    circles = ShareCircles(contacts)
    catalog = await Catalog.open(ties.state, circles, network.peer_id, runtime.entropy, runtime.clock)

    async def find() -> list[PeerId]:
        candidates = await peers.candidates(_LOOKED_AT)
        found = [one for one in candidates if SUPER_ROLE in one.roles]
        for one in found[:_FOUND_MAX]:
            network.add_addresses(one.peer_id, one.addresses)
        return [one.peer_id for one in found[:_FOUND_MAX]]

    directory = Directory(
        network,
        index,
        catalog,
        ties.key,
        config.directory,
        is_contact=contacts.is_contact,
        is_public=lambda: any(address.is_global for address in ties.reachable()),
        find=find if config.discovery.connections else None,
    )
    for kind in (ContactAdded, ContactRemoved):
        network.events.on(kind, lambda _: directory.registrar.wake())
    feeding = Feeding(ties.library, catalog, ties.describe)
    return directory, [("listing what is shared", feeding.run), *directory.background]
