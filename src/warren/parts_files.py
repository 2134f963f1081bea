"""How finding holders and keeping replicas is tied to the directory, the DHT, contacts and the peer table.
Only wiring.

In:  the parts that do not know each other. Out: a `Finder` for the fetcher, `Replicas`, and what runs as long
as the node.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.errors import ContentUnknown, WarrenError
from warren.core.query import LIMIT_MAX, Query
from warren.services.files.holders.announcing import Announcing
from warren.services.files.holders.exchanged import Exchanged, Publicity
from warren.services.files.holders.finder import Finder, Sighting, Sources
from warren.services.files.holders.ranking import Candidate
from warren.services.files.holders.record import Record
from warren.services.files.holders.replicas import Replicas
from warren.services.files.types import ShareChanged, ShareRemoved

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
    from contextlib import AsyncExitStack

    from warren.config import Config
    from warren.core.cid import Cid
    from warren.core.found import Found
    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.protocols.kad.gathering import Provider
    from warren.runtime.seam import Database
    from warren.services.contacts.contacts import Contacts
    from warren.services.dht.dht import Dht
    from warren.services.directory.directory import Directory
    from warren.services.files.library import Library
    from warren.services.files.swarm.swarms import Swarms
    from warren.services.files.types import Fetched
    from warren.services.peers.table import PeerTable

    Work = Callable[[], Awaitable[None]]

SEARCH_S: Final = 10.0
DHT_HOLDERS_MAX: Final = 20
CONTACTS_MAX: Final = 64
"""Connected contacts asked in one round."""


class Recorded:
    """Who was heard of before; see `holders.finder.Source`."""

    def __init__(self, record: Record) -> None:
        self._record = record

    async def __call__(self, root: Cid) -> AsyncGenerator[Sighting, None]:
        for one in await self._record.known(root):
            yield Sighting(one.peer, proven=one.proven)


class InDirectory:
    """Who is found by a search for the content; see `holders.finder.Source`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def __call__(self, root: Cid) -> AsyncGenerator[Sighting, None]:
        query = Query(cid=root, limit=LIMIT_MAX)
        async with self._directory.search(query, timeout_s=SEARCH_S) as hits:
            async for hit in hits:
                for holder in hit.holders:
                    yield Sighting(holder.peer, online=holder.online)


class AtContacts:
    """Connected contacts, and whom they name; see `holders.finder.Source`.

    They see what nobody lists: a copy that they may have by the word of its origin.
    """

    def __init__(self, network: Network, is_contact: Callable[[PeerId], bool], swarms: Swarms) -> None:
        self._network = network
        self._is_contact = is_contact
        self._swarms = swarms

    async def __call__(self, root: Cid) -> AsyncGenerator[Sighting, None]:
        contacts = [peer for peer in self._network.peers() if self._is_contact(peer)]
        asking = [asyncio.create_task(self._ask(peer, root)) for peer in contacts[:CONTACTS_MAX]]
        try:
            for asked in asyncio.as_completed(asking):
                for sighting in await asked:
                    yield sighting
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self, peer: PeerId, root: Cid) -> list[Sighting]:
        try:
            holding = await self._swarms.exchange(peer, root)
        except WarrenError:
            return []
        return [Sighting(peer, online=True), *(Sighting(fellow, online=True) for fellow in holding.fellows)]


class InDht:
    """Who says so to everybody; see `holders.finder.Source`."""

    def __init__(self, dht: Dht, network: Network) -> None:
        self._dht = dht
        self._network = network

    async def __call__(self, root: Cid) -> AsyncGenerator[Sighting, None]:
        providers = self._dht.find_providers(root, DHT_HOLDERS_MAX)
        async with aclosing(providers) as found:  # type: ignore[type-var]
            async for provider in found:
                if provider.peer != self._network.peer_id:
                    addresses = await self._addresses(provider)
                    self._network.add_addresses(provider.peer, [one.without_peer() for one in addresses])
                    yield Sighting(provider.peer)

    async def _addresses(self, provider: Provider) -> Sequence[Multiaddr]:
        """Where it is: records keep addresses for half an hour only, and then just say who."""
        if provider.addresses or self._network.is_connected(provider.peer):
            return provider.addresses
        try:
            return (await self._dht.find_peer(provider.peer)).addresses
        except WarrenError:
            return ()


class ProvidedInDht:
    """See `holders.announcing.Providing`."""

    def __init__(self, dht: Dht) -> None:
        self._dht = dht

    async def provide(self, root: Cid) -> None:
        """Say so."""
        await self._dht.provide(root)

    async def stop(self, root: Cid) -> None:
        """Say so no more."""
        with contextlib.suppress(ContentUnknown):
            await self._dht.stop_providing(root)

    def is_provided(self, root: Cid) -> bool:
        """Whether it is said."""
        return any(one.key == root.multihash for one in self._dht.published())


class Judging:
    """What is known of a peer that may hold something; and where it is, for whoever dials it."""

    def __init__(self, network: Network, contacts: Contacts, peers: PeerTable) -> None:
        self._network = network
        self._contacts = contacts
        self._peers = peers

    async def __call__(self, sighting: Sighting) -> Candidate:
        """Raises StorageError."""
        peer, online = sighting.peer, sighting.online
        connected = self._network.is_connected(peer)
        contact, known = self._contacts.get(peer), await self._peers.get(peer)
        for found in (contact, known):
            if found is not None and found.addresses and not connected:
                self._network.add_addresses(peer, found.addresses)
        if known is None:
            return Candidate(peer, connected, online, sighting.proven)
        if online is None and known.state == "unreachable":
            online = False
        latency, download = known.latency, known.download
        return Candidate(
            peer,
            connected,
            online,
            sighting.proven,
            latency.value if latency is not None else None,
            download.value if download is not None else None,
        )


class HolderTies(NamedTuple):
    """What finding holders is tied to. state: the durable database."""

    network: Network
    state: Database
    library: Library
    directory: Directory
    dht: Dht
    swarms: Swarms
    contacts: Contacts
    peers: PeerTable


class Holding(NamedTuple):
    """What is made here. finder: see `services.files.swarm.interfaces.Holders`. replicas: None where nothing
    is to be kept. fetched: to be told of every fetch that came to its end.
    """

    finder: Finder
    replicas: Replicas | None
    fetched: Callable[[Fetched], Awaitable[None]]
    publicity: Publicity
    background: list[tuple[str, Work]]


async def assemble_holders(
    config: Config,
    ties: HolderTies,
    then: Callable[[Fetched], Awaitable[None]],
    stack: AsyncExitStack,
) -> Holding:
    """Put it together; `stack` takes what ends it. then: who else is told of every fetch.

    Raises StorageError.
    """
    network, directory, contacts, dht = ties.network, ties.directory, ties.contacts, ties.dht
    record, publicity = Record(ties.state, network.runtime.clock), Publicity()
    stack.push_async_callback(record.close)
    near = (
        Recorded(record),
        InDirectory(directory),
        AtContacts(network, contacts.is_contact, ties.swarms),
    )
    exchanged = Exchanged(record, publicity, ties.swarms.tickets)
    await exchanged.load()
    ties.swarms.on_exchanged = exchanged
    finder = Finder(
        network.peer_id,
        network.runtime.clock,
        record,
        Sources(near, InDht(dht, network) if config.dht.mode != "off" else None),
        Judging(network, contacts, ties.peers),
        publicity.is_public,
        ask_dht=config.files.ask_dht,
    )
    announcing = Announcing(ties.state, ties.library.shares, ProvidedInDht(dht))

    def on_found(found: Found) -> None:
        record.note(found.entry.cid, [found.owner])

    def on_neighbour(peer: PeerId) -> None:
        neighbour = directory.neighbours.get(peer)
        if neighbour is not None and (neighbour.is_super or contacts.is_contact(peer)):
            finder.wake()

    async def fetched(one: Fetched) -> None:
        gave = [source.peer for source in one.sources if source.bytes_fetched]
        record.note(one.cid, gave, proven=True)
        await then(one)

    directory.on_found = on_found
    directory.neighbours.on_changed.append(on_neighbour)
    for kind in (ShareChanged, ShareRemoved):
        network.events.on(kind, lambda _: announcing.wake())
    return Holding(
        finder,
        Replicas(network.runtime, ties.library) if config.files.keep_sharing else None,
        fetched,
        publicity,
        [("writing down who holds what", record.run), ("announcing what is public", announcing.run)],
    )
