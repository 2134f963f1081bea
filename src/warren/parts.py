"""What a running node is made of, and how it is put together. Only wiring: what a node does is decided below.

In:  a `Config` and a `Runtime` (by default the operating system). Out: `Parts`, started; whatever has to be
stopped again is on the stack that the caller gave. Parts start in the order data folder, network, services,
listeners, and stop in the reverse one.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warren.core.multiaddr import Multiaddr
from warren.network.network import Network
from warren.parts_directory import Ties, assemble_directory, covers, open_catalog, tie_presence
from warren.parts_files import HolderTies, assemble_holders
from warren.parts_overlay import assemble_overlay
from warren.parts_searches import assemble_searches
from warren.parts_sending import SendingTies, assemble_sending
from warren.parts_swarm import make_swarms
from warren.parts_transfers import assemble_transfers, make_uploads, open_streams
from warren.protocols.exchange.entry import Entry
from warren.protocols.exchange.protocol import PeerExchange
from warren.protocols.identify import Identify
from warren.protocols.invite.protocol import InviteProtocol
from warren.protocols.ping import KeepAlive, Ping
from warren.protocols.resource import ResourceProtocol
from warren.runtime.migrations import numbered_scripts
from warren.services.contacts.contacts import Contacts
from warren.services.contacts.keeper import Keeper
from warren.services.contacts.model import ContactRemoved
from warren.services.contacts.petname import petname_key
from warren.services.dht.assembly import assemble_dht
from warren.services.discovery.sources import discovery_of
from warren.services.files.fetcher import Fetcher
from warren.services.files.library import Library
from warren.services.groups.groups import Groups
from warren.services.identity.home import DHT_NAME, DIRECTORY_NAME, INDEX_NAME, STATE_NAME, Home
from warren.services.identity.state import open_state
from warren.services.peers import store as peer_store
from warren.services.peers.acquaint import Acquaint
from warren.services.peers.book import Book
from warren.services.peers.lists import PeerLists
from warren.services.peers.measuring import Measuring
from warren.services.peers.mend import mend
from warren.services.peers.roles import roles_of
from warren.services.peers.table import PeerTable
from warren.services.peers.watcher import Watcher
from warren.services.presence.presence import Presence
from warren.services.resources.resources import Resources
from warren.services.status.board import Sources, StatusBoard
from warren.services.whereabouts.own_record import OwnRecord
from warren.services.whereabouts.sequence import FILE_NAME as SEQUENCE_NAME
from warren.services.whereabouts.sequence import SequenceFile
from warren.services.whereabouts.whereabouts import Whereabouts

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable
    from contextlib import AsyncExitStack

    from warren.config import Config
    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId
    from warren.network.stack import Stack
    from warren.parts_sending import Sends
    from warren.runtime.seam import Database, Runtime
    from warren.services.contacts.model import Contact
    from warren.services.dht.dht import Dht
    from warren.services.directory.directory import Directory
    from warren.services.discovery.discovery import Discovery
    from warren.services.files.holders.finder import Finder
    from warren.services.files.queue.transfers import Transfers
    from warren.services.files.streaming.streams import Streams
    from warren.services.files.swarm.swarms import Swarms
    from warren.services.files.uploads.uploads import Uploads
    from warren.services.identity.state import Damage
    from warren.services.overlay.overlay import Overlay
    from warren.services.searches.searches import Searches

    Work = Callable[[], Awaitable[None]]

# Whose tables `state.db` holds.
OWNERS_OF_STATE = (
    "warren.services.contacts",
    "warren.services.files",
    "warren.services.peers",
    "warren.services.dht",
    "warren.services.directory",
    "warren.services.resources",
    "warren.services.groups",
    "warren.services.searches",
)
# A part that fails by a fault of ours is started again after this long.
_RESTART_S = 1.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Parts:
    """What a running node is made of. damage: what was found wrong with its state at the start. background:
    what runs as long as the node, by name, supervised.
    """

    runtime: Runtime
    network: Network
    whereabouts: Whereabouts
    ping: Ping
    measuring: Measuring
    contacts: Contacts
    groups: Groups
    peers: PeerTable
    peer_lists: PeerLists
    invites: InviteProtocol
    swarms: Swarms
    library: Library
    uploads: Uploads
    resources: Resources
    resource_protocol: ResourceProtocol
    fetcher: Fetcher
    streams: Streams
    sends: Sends
    holders: Finder
    transfers: Transfers
    discovery: Discovery
    directory: Directory
    overlay: Overlay
    searches: Searches
    dht: Dht
    presence: Presence
    status: StatusBoard
    started_at: float
    damage: Damage | None
    background: list[tuple[str, Work]]


async def assemble(
    config: Config, given: Runtime | None, built_of: Stack | None, agent: str, stack: AsyncExitStack
) -> Parts:
    """Put a node together and start it; `stack` takes what ends it. agent: what it says it runs.

    built_of: what its network is built of, where that is not the usual.

    Raises StorageError, ConfigError.
    """
    runtime = given
    if runtime is None:
        runtime = _real_runtime()
        stack.push_async_callback(runtime.close)
    home = Home(config.home, runtime)
    key = await home.open()
    stack.push_async_callback(home.close)
    scripts = numbered_scripts(*OWNERS_OF_STATE)
    state, damage = await open_state(runtime, home.place(STATE_NAME), scripts, mend)
    stack.push_async_callback(state.close)
    network = Network(runtime, key, config.network, built_of)
    whereabouts = Whereabouts(network)
    peers = await _open_peers(state, network, key, stack)
    contacts, groups = await _open_contacts(config.name, state, peers, whereabouts, network, stack)
    numbers = SequenceFile(runtime, None if config.home is None else home.place(SEQUENCE_NAME))
    own_record = OwnRecord(key, whereabouts.reachable, numbers, runtime.clock)
    identify = Identify(network, agent, own_record.addresses, own_record.sealed)
    own_record.on_changed = identify.push
    exchange = _exchange(config, network, peers, own_record)
    network.router.on_changed = _once_a_turn(identify.push)
    index, is_contact = home.place(INDEX_NAME), contacts.is_contact
    swarms = make_swarms(network, key, contacts, groups, peers)
    uploads = make_uploads(config.files, runtime.clock, contacts, groups, stack)
    library = await Library.open(runtime, network, config.files, state, index, swarms, uploads)
    stack.push_async_callback(library.close)
    catalog = await open_catalog(network, state, contacts, groups, peers)
    resources = Resources(runtime, state, key, library, catalog.follow, covers)
    resources.listen(network.events.emit)
    library.subscribe(resources.heed)
    watcher, acquaint = Watcher(network, peers), Acquaint(network, peers)
    ping = Ping(network)
    measuring = Measuring(network, ping, peers, is_contact, config.peers, home.path)
    stack.callback(measuring.close)
    dht, dht_work = await assemble_dht(
        network, key, config.dht, whereabouts.reachable, state, home.place(DHT_NAME), stack
    )
    keeper = Keeper(network, contacts, runtime.clock, runtime.entropy)
    kad = dht.kad if config.dht.mode != "off" else None
    presence = Presence(network, key, config.presence, measuring.attempts, whereabouts.reachable)
    discovery = discovery_of(
        config.discovery, runtime, network, whereabouts.reachable, peers, kad, presence.is_held_offline
    )
    ties = Ties(network, key, catalog, library, resources, contacts, peers, whereabouts.reachable)
    place = home.place(DIRECTORY_NAME)
    directory, directory_work = await assemble_directory(config, ties, place, stack)
    overlay = assemble_overlay(network, config, directory, kad, peers)
    tie_presence(presence, directory, network)
    presence.fellows = lambda: overlay.neighbours
    holding = await assemble_holders(
        config,
        HolderTies(network, state, library, directory, dht, swarms, contacts, peers),
        measuring.fetched,
        stack,
    )
    fetcher = Fetcher(
        runtime,
        network,
        config.files,
        holding.fetched,
        swarms=swarms,
        holders=holding.finder,
        replicas=holding.replicas,
        gave=uploads.gave,
    )
    streams = await open_streams(
        runtime, fetcher, library, home.folder("streams", config.download_dir, network.peer_id), stack
    )
    searches = await assemble_searches(network, state, directory, fetcher, config.download_dir)
    sends = assemble_sending(
        SendingTies(network, discovery, library, fetcher, swarms.tickets, whereabouts.reachable), config.name
    )
    transfers = await assemble_transfers(config.files, state, network, contacts, peers, fetcher, uploads)
    started_at = runtime.clock.now()
    status_sources = Sources(
        agent=agent,
        started_at=started_at,
        addresses=whereabouts.reachable,
        roles=lambda: roles_of(network.router.protocols),
        is_contact=is_contact,
        known=peers.count,
        dht=lambda: dht.status,
        discovery=discovery.status,
        presence=lambda: presence.counts,
    )
    parts = Parts(
        runtime=runtime,
        network=network,
        whereabouts=whereabouts,
        ping=ping,
        measuring=measuring,
        contacts=contacts,
        groups=groups,
        peers=peers,
        peer_lists=PeerLists(runtime, peers, acquaint.soon),
        invites=InviteProtocol(network, contacts, runtime.clock),
        swarms=swarms,
        library=library,
        uploads=uploads,
        resources=resources,
        resource_protocol=ResourceProtocol(network, resources),
        fetcher=fetcher,
        streams=streams,
        sends=sends,
        holders=holding.finder,
        transfers=transfers,
        discovery=discovery,
        directory=directory,
        overlay=overlay,
        searches=searches,
        dht=dht,
        presence=presence,
        status=StatusBoard(network, status_sources, peers),
        started_at=started_at,
        damage=damage,
        background=[
            ("keeping contacts", keeper.run),
            ("keeping the own record", own_record.run),
            ("watching peers", watcher.run),
            ("writing the peer table", peers.run),
            ("dialling imported addresses", acquaint.run),
            ("reading what shared files say of themselves", resources.run),
            *measuring.background,
            *([("exchanging peers", exchange.run)] if exchange is not None else []),
            ("discovery", discovery.run),
            ("keeping presence", presence.run),
            *dht_work,
            *directory_work,
            ("asking other super-peers", overlay.run),
            ("looking at saved searches", searches.run),
            *holding.background,
            ("running transfers", transfers.run),
        ],
    )
    for end in (network.stop, fetcher.close, transfers.close, directory.close, sends.close):
        stack.push_async_callback(end)
    await whereabouts.listen([Multiaddr.parse(text) for text in config.listen])
    await own_record.start()
    keep_alive = KeepAlive(network)
    keep_alive.start()
    stack.callback(keep_alive.stop)
    return parts


async def _open_peers(state: Database, network: Network, key: PrivateKey, stack: AsyncExitStack) -> PeerTable:
    runtime = network.runtime
    peers = PeerTable(
        state, runtime.clock, runtime.entropy, key, emit=network.events.emit, expel=network.expel
    )
    network.set_blocked(peers.is_blocked)
    await peers.load()
    stack.push_async_callback(peers.close)
    return peers


async def _open_contacts(
    name: str,
    state: Database,
    peers: PeerTable,
    whereabouts: Whereabouts,
    network: Network,
    stack: AsyncExitStack,
) -> tuple[Contacts, Groups]:
    runtime, emit = network.runtime, network.events.emit

    def tell(event: object) -> None:
        if isinstance(event, ContactRemoved):
            groups.drop(event.peer)
        emit(event)

    contacts = Contacts(
        state,
        runtime.clock,
        runtime.entropy,
        network.peer_id,
        name,
        whereabouts.reachable,
        tell,
        _in_table(peers, runtime),
    )
    groups = Groups(state, contacts.is_contact, emit)
    await contacts.load()
    await groups.load()
    stack.push_async_callback(contacts.close)
    return contacts, groups


async def supervised(doing: str, work: Work) -> None:
    """Keep a part running: a fault in it is logged, and costs neither the node nor its peers."""
    while True:
        try:
            await work()
            return
        except Exception:  # noqa: BLE001  the boundary of supervision
            _log.exception("%s failed; trying again", doing)
            await asyncio.sleep(_RESTART_S)


def _real_runtime() -> Runtime:
    from warren.runtime.real.runtime import RealRuntime

    return RealRuntime()


def _exchange(config: Config, network: Network, peers: PeerTable, own: OwnRecord) -> PeerExchange | None:
    """Peer exchange, where it is wanted."""
    if not config.exchange.enabled:
        return None
    book = Book(peers, network.runtime.entropy)
    exchange = PeerExchange(network, book, lambda: Entry(own.sealed(), peers.own.sealed()))
    peers.own.on_changed = exchange.announce
    return exchange


def _in_table(
    peers: PeerTable, runtime: Runtime
) -> Callable[[sqlite3.Connection, PeerId, Contact | None], None]:
    """Who is a contact stands in the peer table too, by the same commit: it is never let go to make room."""

    def follow(db: sqlite3.Connection, peer: PeerId, contact: Contact | None) -> None:
        name_key = petname_key(contact.petname) if contact is not None else None
        addresses = contact.addresses if contact is not None else ()
        peer_store.follow_contact(db, peer, name_key, addresses, runtime.clock.wall(), peers.room(db))

    return follow


def _once_a_turn(work: Callable[[], None]) -> Callable[[], None]:
    """However often it is called in one turn of the loop, `work` is done once, in the next."""
    due = False

    def do() -> None:
        nonlocal due
        due = False
        work()

    def soon() -> None:
        nonlocal due
        if not due:
            due = True
            asyncio.get_running_loop().call_soon(do)

    return soon
