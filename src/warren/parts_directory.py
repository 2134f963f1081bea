"""How the directory is tied to the library, to contacts and to the peer table. Only wiring.

In:  the parts that do not know each other. Out: a `Directory`, and what runs as long as the node.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from warren.core.entry import Entry, Metadata
from warren.core.errors import NotFound, StorageError
from warren.services.contacts.model import ContactAdded, ContactRemoved
from warren.services.directory.catalog import Catalog
from warren.services.directory.directory import Directory
from warren.services.directory.fleet.fleet import Fleet
from warren.services.directory.fleet.index import SharedIndex
from warren.services.directory.fleet.local import LocalIndex
from warren.services.directory.fleet.url import shown
from warren.services.directory.index.sqlite import SqliteIndex
from warren.services.files.types import Audience
from warren.services.groups.groups import GroupChanged
from warren.services.peers.model import PeerBlocked, PeerUnblocked
from warren.services.peers.with_role import SUPER_ROLE, with_role
from warren.services.presence.model import PeerHeldOffline

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from contextlib import AsyncExitStack
    from pathlib import Path

    from warren.config import Config
    from warren.core.keys import PrivateKey
    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.runtime.seam import Database, StrPath
    from warren.services.contacts.contacts import Contacts
    from warren.services.directory.config import DirectoryConfig
    from warren.services.directory.index.interface import Index
    from warren.services.files.library import Library
    from warren.services.files.types import FileEntry, Share
    from warren.services.groups.groups import Groups
    from warren.services.peers.table import PeerTable
    from warren.services.presence.presence import Presence
    from warren.services.resources.resources import Resources

    Work = Callable[[], Awaitable[None]]

_log = logging.getLogger(__name__)
_PAGE = 500
_AGAIN_S, _AGAIN_MAX_S = 1.0, 60.0
"""A share whose catalog is behind is gone through again after so long, then after twice as long each time."""


class ShareCircles:
    """Whom the audiences of shares admit; see `services.directory.catalog.Circles`."""

    def __init__(self, contacts: Contacts, groups: Groups, is_blocked: Callable[[PeerId], bool]) -> None:
        self._contacts = contacts
        self._groups = groups
        self._is_blocked = is_blocked

    def admits(self, audience: str, peer: PeerId) -> bool:
        """Whether the peer may see what is shared with that audience. Who is blocked may see nothing."""
        if self._is_blocked(peer):
            return False
        is_contact, groups = self._contacts.is_contact(peer), self._groups.of(peer)
        return _parsed(audience).admits(peer, is_contact=is_contact, groups=groups)

    def members(self, audience: str) -> list[PeerId]:
        """All whom it admits."""
        return [peer for peer in self._named(audience) if not self._is_blocked(peer)]

    def _named(self, audience: str) -> list[PeerId]:
        parsed = _parsed(audience)
        if parsed.kind == "peers":
            return list(parsed.peers)
        if parsed.kind == "origin":
            return []  # those whom another one gave tickets; it tells them itself
        if parsed.kind == "group":
            with contextlib.suppress(NotFound):  # of a group that is gone nobody is a member
                return list(self._groups.get(parsed.group).members)
            return []
        return [one.peer_id for one in self._contacts.all()]


def covers(outer: str, inner: str) -> bool:
    """Whether the first audience admits all whom the second one does."""
    return _parsed(outer).covers(_parsed(inner))


@lru_cache(maxsize=1024)
def _parsed(audience: str) -> Audience:
    return Audience.parse(audience)


class Feeding:
    """Tells the catalog what is shared and what is said of it: all at the start, then what changes.

    A share of which something could not be kept is told again as a whole.
    """

    def __init__(self, library: Library, resources: Resources, catalog: Catalog) -> None:
        self._library = library
        self._resources = resources
        self._catalog = catalog
        self._behind: set[Path] = set()
        self._news = asyncio.Event()
        library.subscribe(self._on_changed)
        resources.listen(lambda _: self._news.set())

    async def run(self) -> None:
        """Bring the catalog in line with what is shared, then follow what is said of it."""
        self._behind.update(share.path for share in self._library.shares())
        wait_s: float | None = None
        while True:
            self._news.clear()
            try:
                await self._catalog.refresh()
                await self._catch_up()
                wait_s = None
            except StorageError as error:
                wait_s = min(2 * wait_s, _AGAIN_MAX_S) if wait_s else _AGAIN_S
                _log.warning("the catalog is behind what is shared, for now: %s", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()

    async def _catch_up(self) -> None:
        """Bring in line what is behind."""
        if self._behind:
            await self._catalog.keep_only(self._is_shared)
        while self._behind:
            path = self._behind.pop()
            try:
                await self._bring_in_line(path)
            except StorageError:
                self._behind.add(path)
                raise

    async def _bring_in_line(self, path: Path) -> None:
        share = self._share(path)
        if share is None or not share.ready:
            return  # it is told when it is
        await self._catalog.bring_in_line(share.name, str(share.audience), self._pages(share))
        now = self._share(path)
        if now is not None and (now.name, now.audience) != (share.name, share.audience):
            self._behind.add(path)

    def _share(self, path: Path) -> Share | None:
        return next((share for share in self._library.shares() if share.path == path), None)

    def _is_shared(self, name: str) -> bool:
        """What is hashed again is listed when that is done."""
        return any(share.name == name and share.ready for share in self._library.shares())

    async def _on_changed(self, share: Share, added: Sequence[FileEntry], removed: Sequence[str]) -> None:
        try:
            await self._catalog.change(str(share.audience), await self._entries(share, added), removed)
        except StorageError:
            self._behind.add(share.path)
            self._news.set()
            raise

    async def _pages(self, share: Share) -> AsyncIterator[list[Entry]]:
        page: list[FileEntry] = []
        async for _, entry in self._library.entries(share.path):
            page.append(entry)
            if len(page) == _PAGE:
                yield await self._entries(share, page)
                page = []
        if page:
            yield await self._entries(share, page)

    async def _entries(self, share: Share, found: Sequence[FileEntry]) -> list[Entry]:
        said = await self._resources.metadata_of([one.cid for one in found], str(share.audience))
        return [_entry(one, said.get(one.cid, Metadata())) for one in found]


def _entry(one: FileEntry, metadata: Metadata) -> Entry:
    return Entry(one.path, "dir" if one.kind == "dir" else "file", one.size, one.cid, metadata)


@dataclass(frozen=True, slots=True)
class Ties:
    """What the directory of a node is tied to. reachable: where others may dial it. resources: what is said
    of contents; it writes what changes into the catalog by its own commits (`Catalog.follow`).
    """

    network: Network
    key: PrivateKey
    catalog: Catalog
    library: Library
    resources: Resources
    contacts: Contacts
    peers: PeerTable
    reachable: Callable[[], Sequence[Multiaddr]]


async def open_catalog(
    network: Network, state: Database, contacts: Contacts, groups: Groups, peers: PeerTable
) -> Catalog:
    """What this node lets others find. Raises StorageError."""
    circles, runtime = ShareCircles(contacts, groups, peers.is_blocked), network.runtime
    return await Catalog.open(state, circles, network.peer_id, runtime.entropy, runtime.clock)


async def assemble_directory(
    config: Config, ties: Ties, place: StrPath, stack: AsyncExitStack
) -> tuple[Directory, list[tuple[str, Work]]]:
    """The directory, and what runs as long as the node, by name. `stack` takes what ends it.

    place: of the index. Raises StorageError; where it is shared, ConfigError and ConnectionFailed, too.
    """
    network, contacts, peers = ties.network, ties.contacts, ties.peers
    index, fleet = await _open_index(config.directory, network, place, stack)
    directory = Directory(
        network,
        index,
        ties.catalog,
        ties.key,
        config.directory,
        is_contact=contacts.is_contact,
        is_public=lambda: any(address.is_global for address in ties.reachable()),
        find=partial(with_role, peers, network, SUPER_ROLE) if config.discovery.connections else None,
    )
    for kind in (ContactAdded, ContactRemoved, GroupChanged, PeerBlocked, PeerUnblocked):
        network.events.on(kind, lambda _: directory.registrar.wake())
    feeding = Feeding(ties.library, ties.resources, ties.catalog)
    works: list[tuple[str, Work]] = [("listing what is shared", feeding.run), *directory.background]
    if fleet is not None:
        directory.fleet = fleet
        fleet.follow(directory.super_peer)
        works.append(("sharing the index", fleet.run))
    return directory, works


async def _open_index(
    config: DirectoryConfig, network: Network, place: StrPath, stack: AsyncExitStack
) -> tuple[Index, Fleet | None]:
    """The index, and who shares it with other super-peers."""
    runtime = network.runtime
    if not config.store:
        index = await SqliteIndex.open(runtime, place)
        stack.push_async_callback(index.close)
        return index, None
    from warren.runtime.real.redis import connect  # noqa: PLC0415  most nodes have no use for it

    connection = await connect(config.store, shown(config.store))
    stack.push_async_callback(connection.close)
    shared = SharedIndex(await LocalIndex.open(runtime, place), network.peer_id)
    stack.push_async_callback(shared.close)
    fleet = Fleet(shared, connection, shown(config.store), network.peer_id, runtime, config.lease_s)
    stack.push_async_callback(fleet.close)
    return shared, fleet


def tie_presence(presence: Presence, directory: Directory, network: Network) -> None:
    """The leases that the directory takes are those by whose age votes are weighed; whom the votes hold
    offline is found as one who is not there.
    """
    registrar, super_peer = directory.registrar, directory.super_peer
    presence.follow(registrar.registered, registrar.sealed_lease, registrar.renew)
    registrar.on_registered = presence.moved
    directory.is_silent = presence.accuses
    super_peer.on_lease = presence.desk.lease_taken
    super_peer.on_went = presence.desk.went

    def on_role() -> None:
        if directory.is_super:
            presence.open_desk(super_peer.leases, super_peer.take_lease)
        else:
            presence.shut_desk()

    directory.role.on_changed.append(on_role)
    on_role()
    network.events.on(PeerHeldOffline, lambda event: super_peer.set_silent(event.peer, silent=True))
    presence.desk.on_released = partial(super_peer.set_silent, silent=False)
