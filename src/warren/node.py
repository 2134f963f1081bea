"""`Node`: a whole peer, put together. This is the Python API; docs/python-api.md shows it by examples.

In:  a `Config` and a `Runtime` (by default the operating system). Out: an identity, a network with its
protocols, contacts, files. Only wiring: what a node does is decided below.

    async with Node(Config(home=Path("data"))) as node:
        print(await node.invite())

Several nodes live in one process. A node runs as one task of its own, so it may be started in one task and
closed in another (two cells of a notebook). Parts start in the order data folder, network, services,
listeners, and stop in the reverse one; whatever fails on the way, what was started is stopped again.

Refuses to start: a data folder in use, a damaged or readable identity, an address that cannot be listened on.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

import warren
from warren.config import Config
from warren.core.cid import Cid
from warren.core.errors import Closed, ContentUnknown, InputError, MisuseError, PeerUnknown
from warren.core.multiaddr import Multiaddr
from warren.core.peer_id import PeerId
from warren.core.query import Query, terms_of
from warren.parts import assemble, supervised
from warren.protocols.identify import IdentifyInfo
from warren.protocols.send.code import WORDS_MIN
from warren.services.contacts.join import join
from warren.services.contacts.resolve import check_unambiguous
from warren.services.directory.directory import SEARCH_S
from warren.services.files.queue.handle import QueuedGet
from warren.services.files.queue.wanted import wanted
from warren.services.files.types import Audience
from warren.services.peers.speedtest import SECONDS_DEFAULT
from warren.services.resources.said import Said
from warren.services.sending.looking import LOOK_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from warren.network.events import Subscription
    from warren.network.messages import BroadcastReport
    from warren.network.network import Network
    from warren.network.router import StreamHandler
    from warren.network.socket import Socket
    from warren.network.stack import Stack
    from warren.parts import Parts
    from warren.protocols.status.protocol import PeerStatus
    from warren.runtime.seam import Runtime
    from warren.services.contacts.contacts import Contacts
    from warren.services.contacts.model import Contact
    from warren.services.dht.dht import Dht
    from warren.services.directory.directory import Directory
    from warren.services.directory.model import Filters
    from warren.services.directory.search import Search
    from warren.services.discovery.discovery import Discovery
    from warren.services.files.queue.model import Want
    from warren.services.files.queue.transfers import Transfers
    from warren.services.files.queue.wanted import How
    from warren.services.files.streaming.streams import Reading
    from warren.services.files.types import FileEntry, Progress, Share
    from warren.services.files.uploads.uploads import Uploads
    from warren.services.groups.groups import Groups
    from warren.services.peers.lists import PeerLists
    from warren.services.peers.speedtest import SpeedProgress, SpeedResult
    from warren.services.peers.table import PeerTable
    from warren.services.presence.presence import Presence
    from warren.services.resources.resources import Described, Resources
    from warren.services.searches.searches import Searches
    from warren.services.sending.receiving import Receiving
    from warren.services.sending.sending import Sending
    from warren.services.status.board import StatusBoard

    Answer = bytes | None
    Handler = Callable[[PeerId, bytes], Answer | Awaitable[Answer]]

_AGENT = f"warren/{warren.__version__}"
_log = logging.getLogger(__name__)


class Node:
    """One peer. Use it as `async with Node(config) as node`, or `await start()` and `await close()`."""

    def __init__(
        self, config: Config | None = None, *, runtime: Runtime | None = None, stack: Stack | None = None
    ) -> None:
        """`runtime` stays the caller's to close; without one the node makes its own.

        stack: what its network is built of, where that is not TCP, Noise and Yamux.
        """
        self.config = config if config is not None else Config()
        self._given_runtime = runtime
        self._given_stack = stack
        self._parts: Parts | None = None
        self._peer_id: PeerId | None = None
        self._life: asyncio.Task[None] | None = None
        self._closing: asyncio.Event | None = None

    # --- life ---------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Start everything; when this returns, peers can connect.

        Raises StorageError (the folder is in use, the key damaged or readable by others), ConfigError (an
        address that cannot be listened on), MisuseError.
        """
        if self._life is not None:
            raise MisuseError("a node is started once", hint="make another Node")
        loop = asyncio.get_running_loop()
        started: asyncio.Future[None] = loop.create_future()
        self._closing = asyncio.Event()
        self._life = loop.create_task(self._live(started, self._closing), name="warren-node")
        try:
            await asyncio.shield(started)
        except BaseException:
            await self.close()
            if started.done():
                started.exception()  # seen, also where who waited for it was cancelled
            raise

    async def close(self) -> None:
        """Stop everything: say goodbye to peers, commit what is under way. Closing twice is harmless."""
        if self._life is None or self._closing is None:
            return
        self._closing.set()
        if not self._life.done():
            await asyncio.wait([self._life])

    async def _live(self, started: asyncio.Future[None], closing: asyncio.Event) -> None:
        """The whole life of the node: one stack, so that start and stop stand together."""
        try:
            async with AsyncExitStack() as stack:
                parts = await assemble(self.config, self._given_runtime, self._given_stack, _AGENT, stack)
                async with asyncio.TaskGroup() as tasks:
                    running = [tasks.create_task(supervised(name, work)) for name, work in parts.background]
                    self._parts, self._peer_id = parts, parts.network.peer_id
                    started.set_result(None)
                    await closing.wait()
                    for task in running:
                        task.cancel()
        except Exception as error:  # noqa: BLE001  the boundary of supervision
            if started.done():
                _log.exception("the node ended by a fault")
            else:
                started.set_exception(error)
        finally:
            self._parts = None

    # --- facts --------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What this node calls itself."""
        return self.config.name

    @property
    def peer_id(self) -> PeerId:
        """Who this node is; known once it has started, and still when it is closed."""
        return self._peer_id or self._running.network.peer_id

    @property
    def network(self) -> Network:
        """Sockets, streams and addresses, for who needs more than this class offers."""
        return self._running.network

    @property
    def contacts(self) -> Contacts:
        """Who this node knows."""
        return self._running.contacts

    @property
    def groups(self) -> Groups:
        """Sets of contacts, for `share(path, "group:NAME")`."""
        return self._running.groups

    @property
    def resources(self) -> Resources:
        """What is said of shared files and folders: title, authors, tags and more."""
        return self._running.resources

    @property
    def peers(self) -> PeerTable:
        """Who is out there: every peer that this node was told of, met or measured."""
        return self._running.peers

    @property
    def peer_lists(self) -> PeerLists:
        """The same as files: import and export."""
        return self._running.peer_lists

    @property
    def damage(self) -> str:
        """What was found wrong with the node's state when it started, and what became of it; "": nothing."""
        return str(self._running.damage or "")

    @property
    def discovery(self) -> Discovery:
        """How this node finds others: be found under a name (`advertise`), and look who is (`find`)."""
        return self._running.discovery

    @property
    def presence(self) -> Presence:
        """Who is online, by leases and fail votes, where this node is a super-peer; and whom votes hold
        offline, as far as its super-peers say.
        """
        return self._running.presence

    @property
    def uploads(self) -> Uploads:
        """What is being sent to whom, and how fast it may go."""
        return self._running.uploads

    @property
    def directory(self) -> Directory:
        """What this node shares and knows to be shared, who is there, and its part in searching."""
        return self._running.directory

    @property
    def dht(self) -> Dht:
        """Values, providers and peers in the DHT."""
        return self._running.dht

    @property
    def searches(self) -> Searches:
        """Standing searches: `await node.searches.save("maps", Query(...))`, and what they found."""
        return self._running.searches

    @property
    def transfers(self) -> Transfers:
        """The queue of what is fetched: `await node.transfers.add(node.want(...))`, `list`, `pause`, ..."""
        return self._running.transfers

    @property
    def status(self) -> StatusBoard:
        """How this node is doing (`await node.status.snapshot()`), and how others say they are."""
        return self._running.status

    @property
    def uptime_s(self) -> float:
        """Seconds since the node started."""
        parts = self._running
        return parts.runtime.clock.now() - parts.started_at

    def addresses(self) -> list[Multiaddr]:
        """Where others may reach this node, each with its peer id; the most public first."""
        return [address.with_peer(self.peer_id) for address in self._running.whereabouts.reachable()]

    def agent_of(self, peer: PeerId | str) -> str | None:
        """What software a connected peer says it runs."""
        for socket in self.network.sockets(self._peer(peer)):
            if isinstance(socket.identity, IdentifyInfo):
                return socket.identity.agent
        return None

    def events(self) -> Subscription:
        """Everything that happens from now on, as frozen dataclasses (`PeerConnected`, `ContactAdded`, ...).

        An async iterator for one consumer, which begins with this call and not with the first iteration. It
        ends with the node, by `close()`, or when it is let go. Whoever does not keep up loses the oldest
        events.
        """
        return self.network.events.subscribe()

    # --- peers --------------------------------------------------------------------------------------------

    def resolve_peer(self, text: str, listing: Sequence[PeerId] = ()) -> PeerId:
        """The peer that `text` names: a petname, a peer id in either form, the unique beginning of one, or a
        number of the last listing. Raises Ambiguous (with the candidates), PeerUnknown.
        """
        return self.contacts.resolve(text, known=self.network.peers(), listing=listing)

    async def find_peer(self, text: str, listing: Sequence[PeerId] = ()) -> PeerId:
        """Like `resolve_peer`, but among all peers of the table, too.

        Contacts and connected peers come first: strangers who are only heard of make no name ambiguous.
        Raises Ambiguous (with the candidates), PeerUnknown.
        """
        try:
            return self.resolve_peer(text, listing)
        except PeerUnknown:
            found = await self.peers.starting_with(text.strip())
            if len(found) != 1:
                check_unambiguous(text, found)
                raise
        return found[0]

    async def connect(self, target: str | Multiaddr | PeerId) -> Socket:
        """Connect to a peer that is known, or to an address. Returns the connection; it stays with the node.

        An address without peer id is dialled too; the key met there counts as unproven. Raises DialFailed,
        PeerIdMismatch, and what `resolve_peer` raises.
        """
        address = _address_in(target)
        if address is None:
            peer = await self._met(target) if isinstance(target, str | PeerId) else self.peer_id
            return await self.network.connect(peer, forced=True)
        peer_id = address.peer_id
        if peer_id is None:
            return await self.network.connect_unproven(address)
        return await self.network.connect(peer_id, [address], forced=True)

    async def ask_status(self, peer: PeerId | str) -> PeerStatus:
        """How a peer says it is doing, and how long it took to say so; that time is kept beside its latency.

        Raises RequestTimeout, ProtocolNotSupported, and what connecting raises.
        """
        return await self._running.status.ask(await self._met(peer))

    async def ping(self, peer: PeerId | str, count: int = 1, *, interval_s: float = 0.0) -> list[float]:
        """Round trips in seconds; they count for what the peer table shows, too.

        Raises RequestTimeout, and what connecting raises.
        """
        peer_id, times = await self._met(peer), []
        running = self._running
        for number in range(count):
            if number and interval_s:
                await asyncio.sleep(interval_s)
            times.append(await running.ping.ping(peer_id))
            await running.measuring.prober.pinged(peer_id, times[-1])
        return times

    async def speedtest(
        self,
        peer: PeerId | str,
        seconds: float = SECONDS_DEFAULT,
        *,
        progress: Callable[[SpeedProgress], None] = lambda _: None,
    ) -> SpeedResult:
        """Throughput to and from a contact; it goes into the peer table, too.

        Waits while another speed test is under way, here or at the peer. Raises Refused where this node is no
        contact of the peer, LimitReached where the wait was too long.
        """
        return await self._running.measuring.speeds.measure(await self._met(peer), seconds, progress)

    # --- messages -----------------------------------------------------------------------------------------

    def handle(self, protocol: str, handler: Handler) -> None:
        """Answer requests and take what is sent, of `protocol`: `handler(peer, payload) -> bytes | None`.

        The handler may be a coroutine function. Raises MisuseError when the protocol is taken.
        """

        async def answer(peer: PeerId, payload: bytes) -> bytes | None:
            result = handler(peer, payload)
            return await result if inspect.isawaitable(result) else result

        self.network.handle_request(protocol, answer)

    def handle_stream(self, protocol: str, handler: StreamHandler) -> None:
        """Serve streams of `protocol` with `await handler(stream)`; a failure costs its stream only."""
        self.network.handle_stream(protocol, handler)

    async def request(
        self, peer: PeerId | str, protocol: str, payload: bytes, *, timeout_s: float = 10.0
    ) -> bytes:
        """Ask a peer and wait for the answer; connects if need be.

        Raises RequestTimeout, Refused, ProtocolNotSupported, and what connecting raises.
        """
        return await self.network.request(await self._met(peer), protocol, payload, timeout_s=timeout_s)

    async def send(
        self, peer: PeerId | str, protocol: str, payload: bytes, *, timeout_s: float = 10.0
    ) -> None:
        """Send to one peer what wants no answer; returns when its handler has it. Connects if need be.

        Raises what `request` raises.
        """
        await self.network.send(await self._met(peer), protocol, payload, timeout_s=timeout_s)

    async def broadcast(self, protocol: str, payload: bytes, *, timeout_s: float = 10.0) -> BroadcastReport:
        """Send to every connected peer at once; the report says whom it reached, whom not and why."""
        return await self.network.broadcast(protocol, payload, timeout_s=timeout_s)

    # --- contacts -----------------------------------------------------------------------------------------

    async def invite(self, uses: int = 1, expires_s: float = 86400.0, name: str | None = None) -> str:
        """One line of text; who joins with it becomes a contact, called `name` if that is given.

        Raises InputError (uses, expiry or name out of bounds), LimitReached.
        """
        return str(await self.contacts.invite(uses=uses, expires_s=expires_s, petname=name))

    async def join(self, code: str, *, name: str | None = None) -> Contact:
        """Accept an invitation: connect to who made it; both become contacts. `name` is what to call them.

        Raises InvalidCode, DialFailed, PeerIdMismatch, Refused (unknown, expired, used up), RequestTimeout.
        """
        parts = self._running
        return await join(code, name, parts.contacts, parts.network, parts.invites)

    async def add_contact(self, target: str | Multiaddr | PeerId, *, name: str | None = None) -> Contact:
        """Make a peer a contact on this side alone, by its id or by an address that holds its id."""
        address = _address_in(target)
        if address is not None and address.peer_id is None:
            raise InputError(f"{address} names no peer", hint="add /p2p/PEER-ID to the address")
        if address is not None and address.peer_id is not None:
            return await self.contacts.add(address.peer_id, name, [address])
        peer = await self._met(target) if isinstance(target, str | PeerId) else self.peer_id
        return await self.contacts.add(peer, name, self.network.addresses(peer))

    # --- files --------------------------------------------------------------------------------------------

    async def share(
        self,
        path: str | Path,
        audience: Audience | str | None = None,
        *,
        name: str | None = None,
        said: Said | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Share:
        """Hash a file or folder and share it from where it lies; changes follow by themselves from then on.

        audience: `contacts`, `public`, `group:NAME`, `peer:NAME,NAME`, or an `Audience`; None: contacts, or
        who it was for when it was shared before, so that sharing it again shows it to nobody else. name: what
        others see. said: what you say of it, as `resources.edit` takes it. Raises NotFound (of a group, too),
        StorageError, InputError.
        """
        _check_path(path)
        parts = self._running
        if isinstance(audience, str):
            audience = Audience.parse(audience, self.resolve_peer)
        if audience is not None and audience.kind == "group":
            parts.groups.get(audience.group)
        share = await parts.library.share(path, audience, name=name, progress=progress)
        await parts.resources.shared(share, said or Said())
        return share

    async def unshare(self, ref: str) -> Share:
        """Stop sharing, by name, path or content id; the files stay. Raises ContentUnknown."""
        return await self._running.library.unshare(ref)

    def shares(self) -> list[Share]:
        """What this node shares, by name, each with its state."""
        return self._running.library.shares()

    def pause_shares(self) -> None:
        """Take in no changes of what is shared until `resume_shares`, or a restart; they are not lost."""
        self._running.library.pause()

    def resume_shares(self) -> None:
        """Take in what changed meanwhile, and all that changes."""
        self._running.library.resume()

    async def list_files(self, peer: PeerId | str | None = None, path: str = "") -> list[FileEntry]:
        """What a peer lets this node see at `path` (SHARE/FOLDER); without a peer, what this node shares.

        Raises ContentUnknown, and what connecting raises.
        """
        parts = self._running
        peer_id = self.peer_id if peer is None else await self._met(peer)
        if peer_id == self.peer_id:
            return await parts.library.list_files(path)
        return await parts.fetcher.list_files(peer_id, path)

    async def resource_of(self, peer: PeerId | str, path: str) -> Described:
        """What a peer says of what it shares at SHARE/PATH, beside what this node and others say of that.

        The peer's word is kept. Raises ContentUnknown where it says nothing that this node may know, and what
        connecting raises.
        """
        parts = self._running
        peer_id = await self._met(peer)
        envelope = await parts.resource_protocol.ask(peer_id, path)
        if envelope is None:
            raise ContentUnknown(
                f"{peer_id} says nothing of {path!r}", hint=f"see what it shares: warren ls {peer_id}"
            )
        return await parts.resources.heard(envelope)

    def want(
        self,
        ref: str | Cid,
        *,
        output: str | Path | None = None,
        from_peer: PeerId | str | None = None,
        name: str | None = None,
        **how: Unpack[How],
    ) -> Want:
        """What `get` and `transfers.add` take: see `get`. Raises InputError, PeerUnknown."""
        _check_path(output or "")
        folder = str(Path(output or self.config.download_dir).absolute())
        return wanted(ref, folder, self._peer, from_peer=from_peer, name=name, **how)

    def get(
        self,
        ref: str | Cid,
        *,
        output: str | Path | None = None,
        from_peer: PeerId | str | None = None,
        name: str | None = None,
        **how: Unpack[How],
    ) -> QueuedGet:
        """Fetch a file or folder, verified, into the folder `output` (by default the download folder).

        ref: `peer/share/path`, or a content id, which whoever has it gives; with `from_peer`, `share/path` or
        a content id, from that peer alone. name: what to call it; without it, as it is called there.

        holders: more peers that have it. patterns: of a folder, fetch what fits these, in gitignore's syntax;
        paths: fetch these files and folders. priority: 0 to 9, higher goes first. cap_bytes_per_s: 0 is none.
        between: `22:00-06:00`, the hours in which it runs. keep: False: it is not shared with others.

        It goes into the queue of `transfers`, and runs by itself, over restarts: `async for progress in
        transfer`, `await transfer.result()`. Leaving its `async with` early pauses it. Raises InputError,
        PeerUnknown.
        """
        wants = self.want(ref, output=output, from_peer=from_peer, name=name, **how)
        return QueuedGet(self._running.transfers, wants)

    async def open(
        self, cid: str | Cid, *, from_peer: PeerId | str | None = None, holders: Sequence[PeerId | str] = ()
    ) -> Reading:
        """Read a file by its content id while it comes: `await reading.read(offset, length)`, anywhere.

        It comes from what is shared here, else from whoever has it, or from `from_peer` alone; holders: peers
        that are known to have it. What is read is fetched first. Close the reading. Raises InputError for a
        folder, LimitReached, PeerUnknown, InvalidCid, and what makes a fetch fail.
        """
        named = [from_peer] if from_peer is not None else holders
        peers = [self._peer(one) for one in named]
        wanted = cid if isinstance(cid, Cid) else Cid.parse(cid)
        return await self._running.streams.open(wanted, peers, only=from_peer is not None)

    async def send_files(
        self,
        *paths: str | Path,
        words: int = WORDS_MIN,
        once: bool = False,
        for_s: float | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Sending:
        """Give files and folders to whoever proves a short code: `sending.code` is to be told to them.

        Use it as `async with await node.send_files(path) as sending: async for state in sending: ...`; it
        ends when that is left, or with the node. Who receives need be no contact and does not become one.
        words: of the code, 2 to 6. once: until the first receiver has it. for_s: seconds at most. Raises
        InputError, LimitReached, NotFound, StorageError.
        """
        for path in paths:
            _check_path(path)
        return await self._running.sends.sender.send(
            [Path(path) for path in paths], words=words, once=once, for_s=for_s, progress=progress
        )

    async def receive(
        self,
        code: str,
        *,
        from_peer: PeerId | str | Multiaddr | None = None,
        timeout_s: float = LOOK_S,
        note: Callable[[str], None] = lambda _: None,
    ) -> Receiving:
        """Find who sends under a code, and prove it: `receiving.offer` is what is sent, and
        `await receiving.fetch(folder)` fetches it.

        from_peer: who sends, where that is known, by name or address. note: called with what is worth
        telling. Raises InvalidCode, Refused, NotFound, and what connecting to `from_peer` raises.
        """
        senders = () if from_peer is None else ((await self.connect(from_peer)).peer_id,)
        return await self._running.sends.receiver.receive(
            code, senders=senders, timeout_s=timeout_s, note=note
        )

    def receiving(self, number: str) -> Receiving:
        """An offer that waits for its answer, by its `id`. Raises NotFound."""
        return self._running.sends.receiver.get(number)

    # --- searching ----------------------------------------------------------------------------------------

    def search(
        self,
        query: str | Query,
        *,
        ttl: int | None = None,
        timeout_s: float = SEARCH_S,
        **filters: Unpack[Filters],
    ) -> Search:
        """Look for what is shared, here, at connected peers and at super-peers: `async for hit in search`.

        query: words, all of which must be there, each a prefix unless in double quotes; or a whole `Query`.
        Filters go with words; see `Query`. ttl: how far super-peers pass it on; 0: not at all, None: as they
        see fit. It ends when all have answered, or after timeout_s seconds. Everybody is asked from this call
        on. Raises InputError for what asks for nothing, or too much.
        """
        if isinstance(query, str):
            suffixes = tuple(one.lower().lstrip(".") for one in filters.get("suffixes", ()))
            rest: dict[str, Any] = {key: value for key, value in filters.items() if key != "suffixes"}
            query = Query(terms=terms_of(query), suffixes=suffixes, **rest)
        elif filters:
            raise InputError("a whole query has its filters", hint="give words, or set them in the query")
        return self._running.directory.search(query, ttl=ttl, timeout_s=timeout_s)

    # --- inside -------------------------------------------------------------------------------------------

    @property
    def _running(self) -> Parts:
        if self._parts is None:
            if self._life is None:
                raise MisuseError("this node is not started", hint="use it inside: async with Node() as node")
            raise Closed("this node is closed", hint="make another Node")
        return self._parts

    def _peer(self, peer: PeerId | str) -> PeerId:
        """The peer meant, reachable by its id where it is a contact."""
        peer_id = peer if isinstance(peer, PeerId) else self.resolve_peer(peer)
        contact = self.contacts.get(peer_id)
        if contact is not None and not self.network.is_connected(peer_id):
            self.network.add_addresses(peer_id, contact.addresses)
        return peer_id

    async def _met(self, peer: PeerId | str) -> PeerId:
        """The peer meant, reachable by its id where it is a contact or in the table."""
        peer_id = peer if isinstance(peer, PeerId) else await self.find_peer(peer)
        if self.network.is_connected(peer_id):
            return peer_id
        known = await self.peers.get(peer_id)
        if known is not None:
            self.network.add_addresses(peer_id, known.addresses)
        return self._peer(peer_id)


def _check_path(path: str | Path) -> None:
    if "\0" in str(path):
        raise InputError(f"{str(path)!r} holds a NUL character, which no path can", hint="give another path")


def _address_in(target: str | Multiaddr | PeerId) -> Multiaddr | None:
    if isinstance(target, str):
        return Multiaddr.parse(target) if target.startswith("/") else None
    return target if isinstance(target, Multiaddr) else None
