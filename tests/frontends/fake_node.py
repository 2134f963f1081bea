"""A node that answers at once and touches nothing: the facade's shape, for tests of what stands above it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.frontends.fake_files import CONTENT, FakeReading
from tests.frontends.fake_peers import FakeLists, FakePeers
from tests.frontends.fake_sending import Sends
from tests.frontends.fake_transfers import FakeQueue
from warren.config import Config
from warren.core.cid import Cid
from warren.core.entry import Entry, Metadata
from warren.core.errors import (
    Ambiguous,
    ConnectionFailed,
    ContentUnknown,
    InputError,
    InvalidCode,
    NotFound,
    PeerUnknown,
    SourceVanished,
)
from warren.core.found import Counts
from warren.core.found import Found as SearchFound
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.query import Query, terms_of
from warren.core.resource import Resource
from warren.network.events import PeerConnected
from warren.protocols.kad import signed
from warren.protocols.kad.gathering import Provider
from warren.protocols.kad.kad import FoundPeer
from warren.protocols.status.facts import Details, Facts
from warren.protocols.status.protocol import PeerStatus
from warren.services.contacts.model import Contact
from warren.services.dht.dht import DhtStatus, Put, Value
from warren.services.dht.keys import key_of, shown
from warren.services.dht.publisher import Published
from warren.services.directory.merging import Merging
from warren.services.directory.model import Hit, Holder, SearchProgress
from warren.services.directory.search import Search
from warren.services.directory.search import Source as SearchSource
from warren.services.discovery.model import DiscoveryStatus, Found, Source
from warren.services.files.queue.wanted import wanted
from warren.services.files.types import (
    Audience,
    FileEntry,
    Progress,
    Share,
    Skipped,
)
from warren.services.groups.groups import Group
from warren.services.peers.speedtest import SpeedProgress, SpeedResult
from warren.services.resources.resources import Described
from warren.services.resources.said import Said

if TYPE_CHECKING:
    from warren.services.presence.model import Tally

ME = PrivateKey.from_seed(bytes(32)).peer_id
ANNA = PrivateKey.from_seed(b"a" * 32).peer_id
BEN = PrivateKey.from_seed(b"b" * 32).peer_id
STRANGER = PrivateKey.from_seed(b"s" * 32).peer_id
CID = Cid.raw_sha256(bytes(32))
ADDRESS = Multiaddr.parse("/ip4/192.0.2.7/tcp/4101")


@dataclass
class FakeSocket:
    peer_id: object = ANNA
    rtt_s: float | None = 0.0123
    direction: str = "outbound"
    remote_addr: Multiaddr = ADDRESS


class FakeContacts:
    def __init__(self) -> None:
        self.known = {ANNA: Contact(ANNA, "anna", "Anna A.", 1_700_000_000.0, (ADDRESS,))}

    def all(self) -> Any:
        return sorted(self.known.values(), key=lambda one: one.petname)

    def get(self, peer: Any) -> Any:
        return self.known.get(peer)

    async def rename(self, peer: Any, name: str) -> None:
        if peer not in self.known:
            raise PeerUnknown(f"{peer} is no contact", hint="warren peer list shows who is known")
        self.known[peer] = replace(self.known[peer], petname=name)

    async def remove(self, peer: Any) -> None:
        del self.known[peer]


class FakeNetwork:
    def __init__(self) -> None:
        self.connected = [ANNA, BEN]

    def peers(self) -> Any:
        return list(self.connected)

    def sockets(self, peer: Any) -> Any:
        return [FakeSocket(peer)] if peer in self.connected else []

    def addresses(self, peer: Any) -> Any:
        return [ADDRESS.with_peer(peer)] if peer in self.connected else []


def hit(number: int, name: str, *holders: Holder, size: int = 1_200_000, title: str = "") -> Hit:
    kind: Any = "file" if "." in name else "dir"
    return Hit(number, CID, name, size, kind, Metadata(title), holders, 1.0)


class FakeSearch:
    """Finds three things, and of the first later on that Ben has it too; `nothing` finds nothing.

    `slow` does not end before the node's `hold` is set, and then not in time.
    """

    def __init__(self, node: Any, words: str) -> None:
        self._node, self._words = node, words
        self.errors = {BEN: ConnectionFailed("the line broke")} if words == "broken" else {}
        self._hits = 0

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._node.search_ended.set()

    async def __aiter__(self) -> Any:
        if self._words == "nothing":
            return
        at_anna = Holder(ANNA, ("Maps/old map.pdf",), True, 0.02)
        away = Holder(STRANGER, ("x/notes",), False)
        for one in (
            hit(1, "old map.pdf", at_anna, title="A map"),
            hit(2, "no\x1btes", away, Holder(BEN, ("y/notes",), False)),
            hit(3, "Mine", Holder(ME, ("Mine",), True)),
            hit(1, "old map.pdf", at_anna, Holder(BEN, ("m.pdf",), True, 0.001), title="A map"),
        ):
            self._hits = max(self._hits, one.number)
            yield one
        await self._node.hold.wait()

    @property
    def progress(self) -> Any:
        return SearchProgress(2, 3, self._hits, done=True, in_time=self._words != "slow")


class FakeDiscovery:
    """One that found somebody on a bootstrap list, and has no local link. Under `alone` nobody is there.

    advertised_now: namespaces, as long as somebody wants them. searches: those that are open. idle: neither.
    """

    def __init__(self) -> None:
        self.advertised_now: list[str] = []
        self.searches = 0
        self.idle = threading.Event()

    def sources(self, namespace: str) -> Any:
        if not namespace.strip():
            raise InputError("a namespace has 1 to 255 bytes", hint="name a service")
        looking = (Source("mdns", False, "listens on no local link"), Source("dht", True, "provider records"))
        return (*self.status().sources[:1], *looking) if namespace == "warren" else looking

    @asynccontextmanager
    async def advertised(self, namespace: str) -> Any:
        self.advertised_now.append(namespace)
        try:
            yield
        finally:
            self.advertised_now.remove(namespace)
            self._look_idle()

    async def find(self, namespace: str) -> Any:
        self.searches += 1
        try:
            if namespace != "alone":
                yield Found(ANNA, (ADDRESS,), "dht")
                yield Found(BEN, (ADDRESS,), "mdns")
                yield Found(None, (ADDRESS,), "dns")
            await asyncio.get_running_loop().create_future()
        finally:
            self.searches -= 1
            self._look_idle()

    def _look_idle(self) -> None:
        if not self.searches and not self.advertised_now:
            self.idle.set()

    def status(self) -> DiscoveryStatus:
        sources = (Source("bootstrap", True, "1 address"), Source("mdns", False, "listens on no local link"))
        return DiscoveryStatus("warren", sources, found=3, tried=2, met=1, wanted=16)


class FakeRegistrar:
    def __init__(self) -> None:
        self.with_whom: list[Any] = []

    def registered(self) -> Any:
        return self.with_whom


class FakeSuperPeer:
    def __init__(self) -> None:
        self.leases: set[Any] = set()


class FakeDirectory:
    """A weak peer that is registered with nobody."""

    def __init__(self) -> None:
        self.is_super, self.fleet = False, None
        self.registrar, self.super_peer = FakeRegistrar(), FakeSuperPeer()


class FakePresence:
    """Votes hold those in `held` offline."""

    def __init__(self) -> None:
        self.held: dict[Any, Tally] = {}

    def tally(self, peer: Any) -> Any:
        return self.held.get(peer)


class FakeDht:
    """Keeps what is put; under `alone` nobody is there."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.content: list[Cid] = []
        self.alone = False

    @property
    def status(self) -> Any:
        return DhtStatus("server", "/warren/kad/1.0.0", 2, len(self.values), 0, len(self.values))

    async def put(self, name: bytes, value: bytes) -> Any:
        key = signed.key_of(ME, name)
        self.values[key] = value
        if self.alone:
            raise ConnectionFailed("no peer of the DHT is known yet", hint="it is kept here")
        return Put(key, 2, 3, 7)

    async def put_record(self, key: Any, record: bytes) -> Any:
        self.values[key_of(key)] = record
        return Put(key_of(key), 1, 1)

    async def get(self, key: Any) -> Any:
        key = key_of(key)
        if key not in self.values:
            raise ContentUnknown(f"nobody has a value under {shown(key)}", hint="check the key")
        is_ours = key.startswith(b"/warren/")
        return Value(key, self.values[key], ANNA if is_ours else None, 7 if is_ours else None)

    async def take_back(self, name: bytes) -> None:
        if self.values.pop(signed.key_of(ME, name), None) is None:
            raise ContentUnknown("that is not published here")

    async def provide(self, cid: str) -> Any:
        self.content.append(Cid.parse(cid))
        return Put(self.content[-1].multihash, 2, 2)

    async def stop_providing(self, cid: str) -> None:
        self.content.remove(Cid.parse(cid))

    async def find_providers(self, cid: str, count: int) -> Any:
        if Cid.parse(cid) in self.content:
            yield Provider(ANNA, (ADDRESS,))
            yield Provider(BEN, ())

    async def find_peer(self, peer: Any) -> Any:
        return FoundPeer(peer, (ADDRESS,), 2, reached=peer == ANNA)

    def published(self) -> Any:
        own = [Published(key, None, 1_700_000_000.0, 3600.0) for key in self.values]
        return own + [Published(cid.multihash, cid, None, None) for cid in self.content]


class FakeGroups:
    """Groups of whoever is a contact."""

    def __init__(self, contacts: FakeContacts) -> None:
        self._contacts = contacts
        self.kept: dict[str, Group] = {}

    def all(self) -> Any:
        return [self.kept[name] for name in sorted(self.kept)]

    def get(self, name: str) -> Any:
        if name not in self.kept:
            raise NotFound(f"no group is called {name!r}", hint="warren group list shows them")
        return self.kept[name]

    async def add(self, name: str, members: Any = ()) -> Any:
        for one in members:
            if self._contacts.get(one) is None:
                raise PeerUnknown(f"{one} is no contact", hint="a group holds contacts only")
        before = self.kept.get(name, Group(name, ())).members
        self.kept[name] = Group(name, tuple(sorted({*before, *members})))
        return self.kept[name]

    async def take_out(self, name: str, members: Any) -> Any:
        left = tuple(one for one in self.get(name).members if one not in members)
        self.kept[name] = Group(name, left)
        return self.kept[name]

    async def remove(self, name: str) -> Any:
        self.get(name)
        return self.kept.pop(name)


class FakeResources:
    """Of what it is asked of, unless that is called `none`; Ben says something of all."""

    def __init__(self) -> None:
        self.said: dict[str, Said] = {}
        self.others = (Resource(BEN, CID, 3, Metadata("What Ben says")),)

    async def all(self) -> Any:
        return [await self.show(ref) for ref, said in sorted(self.said.items()) if said]

    async def show(self, ref: str) -> Any:
        if ref.endswith(("none", "silent")):
            raise ContentUnknown(f"nothing is shared at {ref!r}", hint="warren ls")
        said = self.said.get(ref, Said())
        from_file = Metadata("From the file", authors=("Anna",)) if ref.endswith(".pdf") else Metadata()
        return Described(CID, said.over(from_file), said.names, 7, (ref,), self.others)

    async def edit(self, ref: str, **said: Any) -> Any:
        await self.show(ref)
        self.said[ref] = self.said.get(ref, Said()).changed(Said(**said))
        return await self.show(ref)

    async def clear(self, ref: str) -> Any:
        await self.show(ref)
        self.said.pop(ref, None)
        return await self.show(ref)


@dataclass
class FakeNode(Sends):
    """`hold` keeps a transfer waiting until it is set; `cancelled` names those that were cancelled."""

    config: Config = field(default_factory=lambda: Config(name="me"))
    peer_id: object = ME
    uptime_s: float = 93784.0
    damage: str = ""

    def __post_init__(self) -> None:
        self._transfers: Any = None
        self.forget()

    def forget(self) -> None:
        """Be as new."""
        self.peers, self.peer_lists = FakePeers(self), FakeLists()
        self.discovery, self.presence, self.directory = FakeDiscovery(), FakePresence(), FakeDirectory()
        self.contacts, self.network, self.dht = FakeContacts(), FakeNetwork(), FakeDht()
        self.groups, self.resources = FakeGroups(self.contacts), FakeResources()
        self.kept: list[Any] = []
        self.cid = CID
        self.cancelled: list[str] = []
        self.asked_to_get: list[Any] = []
        self.fetched: list[Any] = []
        self._ended = asyncio.ensure_future(self._transfers.end()) if self._transfers is not None else None
        self._transfers = None
        self.asked_for: list[Any] = []
        self.without_content: dict[str, Exception] = {}
        self.content, self.step = CONTENT, 1 << 20
        self.holds_at = self.breaks_at = 1 << 60
        self.opened: list[Any] = []
        self.readings: list[FakeReading] = []
        self.search_ended = threading.Event()
        self.merges = False
        """Whether a search is one that merges what it is told, else one that says what it likes."""
        self.hold = asyncio.Event()
        self.hold.set()

    @property
    def name(self) -> Any:
        return self.config.name

    def addresses(self) -> Any:
        return [ADDRESS.with_peer(ME)]

    def agent_of(self, peer: Any) -> Any:
        return "js-libp2p/3.3.0" if peer in self.network.connected else None

    async def find_peer(self, text: str) -> Any:
        return self.resolve_peer(text)

    def resolve_peer(self, text: str) -> Any:
        known = {"anna": ANNA, "ben": BEN, str(ANNA): ANNA, str(BEN): BEN}
        if text == "12D3":
            raise Ambiguous("'12D3' fits 2 peers", [f"anna ({ANNA})", str(BEN)], hint="type more")
        if text not in known:
            raise PeerUnknown(f"no peer goes by {text!r}", hint="warren peer list shows who is known")
        return known[text]

    async def connect(self, target: Any) -> Any:
        if not str(target).startswith("/"):
            return FakeSocket(self.resolve_peer(str(target)))
        return FakeSocket(Multiaddr.parse(target).peer_id or BEN)

    async def ping(self, peer: Any) -> Any:
        return [0.0005]

    async def ask_status(self, peer: Any) -> Any:
        if peer == BEN:
            return PeerStatus(Facts("js-libp2p/3.3.0", (), 30), 0.25)
        details = Details(93784, 3, 40, 1, 2, 5, 1_500_000, 2_000, "server", 17)
        return PeerStatus(Facts("warren/9", ("dht", "relay"), 10, details), 0.0123)

    async def speedtest(self, peer: Any, seconds: Any, *, progress: Any = lambda _: None) -> Any:
        for phase, share in (("upload", 0.25), ("download", 0.75)):
            progress(SpeedProgress(phase, share, 1000, 2e8))
            await asyncio.sleep(0.15)  # longer than the pause between two lines of progress
        return SpeedResult(peer, 0.001, 2e8, 3e8, 10, 20, seconds)

    async def invite(self, uses: Any, expires_s: Any, name: str) -> Any:
        return f"warren1{uses}"

    async def join(self, code: str) -> Any:
        if not code.startswith("warren1"):
            raise InvalidCode("this is not an invite code", hint="a code starts with warren1")
        return self.contacts.known[ANNA]

    async def add_contact(self, target: Any, *, name: str | None = None) -> Any:
        peer: Any = Multiaddr.parse(target).peer_id if target.startswith("/") else self.resolve_peer(target)
        contact = Contact(peer, name or "peer", "", 1_700_000_001.0, (), (ADDRESS,))
        return self.contacts.known.setdefault(peer, contact)

    def shares(self) -> Any:
        return list(self.kept)

    async def share(
        self, path: Any, audience: Any = None, progress: Any = None, name: str | None = None, said: Any = None
    ) -> Any:
        if not path.exists():
            raise SourceVanished(f"{path} is gone")
        progress(Progress(5, 10, 1, 2, "x", "hashing"))
        skipped = (Skipped("link", "leads out of the share"),)
        one = Share(name or path.name, path, CID, audience or Audience(), "dir", 2, 10, skipped, 1, 0.5)
        self.kept.append(one)
        self.resources.said[one.name] = said
        return one

    def pause_shares(self) -> None:
        self.is_paused = True

    def resume_shares(self) -> None:
        self.is_paused = False

    async def unshare(self, ref: Any) -> Any:
        found = [one for one in self.kept if ref in (one.name, str(one.path), str(one.cid))]
        if not found:
            raise ContentUnknown(f"nothing is shared as {ref!r}", hint="warren ls")
        self.kept.remove(found[0])
        return found[0]

    def search(self, words: Any, *, ttl: Any = None, timeout_s: float = 10.0, **filters: Any) -> Any:
        """One of two kinds, as `merges` says."""
        self.searched = {"words": words, "ttl": ttl, **filters}
        told = {"ttl": ttl, **{name: value for name, value in filters.items() if name != "limit"}}
        self.asked_for.append((words, {name: value for name, value in told.items() if value}))
        Query(terms_of(words), limit=filters["limit"], suffixes=tuple(filters["suffixes"]))
        return self._merged(words, timeout_s) if self.merges else FakeSearch(self, words)

    def _merged(self, words: str, timeout_s: float) -> Any:
        """Two holders of one map, one of them of another that nobody there has, and a peer that fails."""

        async def ask(*answers: Any) -> Any:
            for one in answers:
                await asyncio.sleep(0)
                if isinstance(one, Exception):
                    raise one
                yield one

        said = Metadata(title="Old maps", authors=("Ada",))
        here = Entry("Maps/old.pdf", "file", 2_500_000, CID, said)
        gone = Entry("Atlas", "dir", 12, Cid.raw_sha256(b"x" * 32))
        by_anna = ask(SearchFound(ANNA, here, 2.0, online=True), Counts(2, 3))
        by_ben = ask(
            SearchFound(BEN, here._replace(path="map.pdf"), 1.0, online=False),
            SearchFound(BEN, gone, 0.5, online=False),
            ConnectionFailed("gone"),
        )
        merging = Merging(50, is_here=lambda peer: peer == ANNA, latency={ANNA: 0.0123}.get)
        sources = [SearchSource(ANNA, lambda: by_anna), SearchSource(BEN, lambda: by_ben)]
        sources += [SearchSource(None, self._held)] if words == "hold" else []
        return Search(sources, merging, timeout_s)

    async def _held(self) -> Any:
        await self.hold.wait()
        for nothing in list[Any]():
            yield nothing

    async def list_files(self, peer: Any = None, path: Any = "") -> Any:
        if path == "many":
            return [FileEntry(f"f{i}", f"many/f{i}", "file", i, CID) for i in range(1001)]
        entries = [
            FileEntry("Photos", "Photos", "dir", 2_500_000, CID),
            FileEntry("notes.txt", "notes.txt", "file", 12, CID),
        ]
        return [entries[1]] if path == "notes.txt" else entries

    async def resource_of(self, peer: Any, path: str) -> Any:
        if path.endswith("silent"):
            raise ContentUnknown(f"{peer} says nothing of {path!r}")
        return Described(CID, Metadata(), (), 0, (), (Resource(peer, CID, 3, Metadata(f"of {path}")),))

    @property
    def transfers(self) -> Any:
        """Made when first used: most tests fetch nothing."""
        if self._transfers is None:
            self._transfers = FakeQueue(self)
        return self._transfers

    def want(self, ref: Any, *, output: Any = None, **how: Any) -> Any:
        self.asked_to_get.append((str(ref), output, how))
        return wanted(ref, str(output or self.config.download_dir), self._peer, **how)

    async def open(self, cid: Any, *, from_peer: Any = None, holders: Any = ()) -> Any:
        self.opened.append((cid, from_peer, list(holders)))
        for peer in holders:
            if str(peer) in self.without_content:
                raise self.without_content[str(peer)]
        reading = FakeReading(self, self.content)
        self.readings.append(reading)
        return reading

    def _peer(self, peer: Any) -> Any:
        return self.resolve_peer(str(peer))

    async def events(self) -> Any:
        yield PeerConnected(ANNA)
        yield _Happened(FakeSocket(), b"\x01", (ANNA,), {"a": 1})


@dataclass(frozen=True)
class _Happened:
    socket: object
    raw: bytes
    several: tuple[object, ...]
    named: dict[str, object]
