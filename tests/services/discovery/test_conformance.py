"""Every discovery of a node, held to the same promises."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.services.discovery.conformance import *  # noqa: F403  its tests run here
from tests.services.discovery.conformance import PEERS, check_advertiser
from warren.core.errors import RequestTimeout
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.protocols.mdns.records import texts_of
from warren.runtime.seam import LocalService
from warren.runtime.simulated import World
from warren.services.discovery.acquaintances import Acquaintances
from warren.services.discovery.bootstrap import Bootstrap
from warren.services.discovery.dht import DhtRouting
from warren.services.discovery.dns import Dns
from warren.services.discovery.mdns import Mdns, kind_of_namespace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from tests.services.discovery.conformance import AdvertiserCase, Case
    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Family
    from warren.services.discovery.interfaces import Discoverer

ME = PrivateKey.from_seed(b"m" * 32).peer_id


class Names:
    """Name servers of a test, which may be down."""

    def __init__(self) -> None:
        self.texts: dict[str, list[bytes]] = {}
        self.hosts: dict[str, list[str]] = {}
        self.broken = False

    async def resolve(self, name: str, family: Family = 0) -> list[str]:
        await asyncio.sleep(0.01)
        if self.broken or not self.hosts.get(name):
            raise socket.gaierror(socket.EAI_NONAME, name)
        return self.hosts[name]

    async def resolve_txt(self, name: str) -> list[bytes]:
        await asyncio.sleep(0.01)
        if self.broken:
            raise TimeoutError(name)
        if not self.texts.get(name):
            raise socket.gaierror(socket.EAI_NONAME, name)
        return self.texts[name]


class Plain:
    """What most cases have in common."""

    grows = True
    tells_peers = True
    separates = False

    def __init__(self) -> None:
        self.world = World(seed=1)
        self.chance = self.world.runtime("me", ["10.0.0.99"]).entropy
        self.names = Names()

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def set_broken(self, broken: bool) -> bool:
        self.names.broken = broken
        return True


class BootstrapCase(Plain):
    """Addresses in the configuration itself."""

    grows = False

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[Multiaddr] = []

    @property
    def discoverer(self) -> Discoverer:
        return Bootstrap(self.addresses, self.names, self.chance)

    async def put(self, peer: PeerId, address: Multiaddr, namespace: str) -> None:
        self.addresses.append(address.with_peer(peer))

    def set_broken(self, broken: bool) -> bool:
        return False


class UnknownBootstrapCase(BootstrapCase):
    """The same without peer ids."""

    tells_peers = False

    async def put(self, peer: PeerId, address: Multiaddr, namespace: str) -> None:
        self.addresses.append(address)


class ListedBootstrapCase(Plain):
    """A list in DNS that the configuration refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.discoverer: Discoverer = Bootstrap(
            [Multiaddr.parse("/dnsaddr/example.org")], self.names, self.chance
        )

    async def put(self, peer: PeerId, address: Multiaddr, namespace: str) -> None:
        entry = f"dnsaddr={address.with_peer(peer)}".encode()
        self.names.texts.setdefault("_dnsaddr.example.org", []).append(entry)


class DnsaddrCase(ListedBootstrapCase):
    """A DNS name with dnsaddr records."""

    def __init__(self) -> None:
        super().__init__()
        self.discoverer = Dns([("example.org", None)], self.names, self.chance)


class HeadlessServiceCase(Plain):
    """The addresses of a name, with one port."""

    tells_peers = False

    def __init__(self) -> None:
        super().__init__()
        self.discoverer: Discoverer = Dns([("warren.svc", 4101)], self.names, self.chance)

    async def put(self, peer: PeerId, address: Multiaddr, namespace: str) -> None:
        self.names.hosts.setdefault("warren.svc", []).append(str(address.host))


class Entry(NamedTuple):
    """A peer as the peer table holds it."""

    peer_id: PeerId
    addresses: tuple[Multiaddr, ...]
    last_seen: float | None = None
    first_hand: tuple[Multiaddr, ...] = ()
    sources: tuple[str, ...] = ("exchange",)


class AcquaintancesCase(Plain):
    """The peer table."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self.broken = False
        self.discoverer: Discoverer = Acquaintances(self, self.chance)

    async def candidates(self, limit: int, *, at_random: bool = False) -> Sequence[Entry]:
        assert at_random
        if self.broken:
            raise RequestTimeout("the disk is full")
        return self.entries[:limit]

    async def put(self, peer: PeerId, address: Multiaddr, namespace: str) -> None:
        self.entries.append(Entry(peer, (address,)))

    def set_broken(self, broken: bool) -> bool:
        self.broken = broken
        return True


class Provider(NamedTuple):
    """Of a key, as the DHT tells it."""

    peer: PeerId
    addresses: tuple[Multiaddr, ...]


class Stored(NamedTuple):
    """What comes of providing."""

    stored: int


class Dht:
    """A DHT that all ask, as one node sees it; it names who asks, too, as a real one may."""

    def __init__(self, providers: dict[bytes, list[Provider]], me: Provider) -> None:
        self.providers = providers
        self.me = me
        self.broken = False

    async def provide(self, key: bytes) -> Stored:
        if self.me not in self.providers.setdefault(key, []):
            self.providers[key].append(self.me)
        return Stored(20)

    async def find_peer(self, peer: PeerId) -> Provider | None:
        known = [one for providers in self.providers.values() for one in providers if one.peer == peer]
        return known[0] if known else None

    async def find_providers(self, key: bytes, count: int = 20) -> AsyncIterator[Provider]:
        await asyncio.sleep(0.05)
        if self.broken:
            raise RequestTimeout("nobody answers")
        for number, provider in enumerate(self.providers.get(key, [])[:count]):
            # Of some the addresses were kept, of some only the ids.
            yield provider if number % 2 else Provider(provider.peer, ())


class DhtCase(Plain):
    """Provider records."""

    separates = True
    forgets = False
    me = PEERS[4]

    def __init__(self) -> None:
        super().__init__()
        self.providers: dict[bytes, list[Provider]] = {}
        mine, theirs = (Provider(peer, (Multiaddr.parse("/ip4/10.0.0.99/tcp/1"),)) for peer in (ME, self.me))
        self.dht = Dht(self.providers, mine)
        self.discoverer = self.other = DhtRouting(self.dht, ME, self.chance)
        self.advertiser = DhtRouting(Dht(self.providers, theirs), self.me, self.chance)

    async def start(self) -> None:
        for namespace in ("warren", "chess"):
            await self.discoverer.advertise(namespace)

    async def put(self, peer: PeerId, address: Multiaddr, namespace: str) -> None:
        provider = Provider(peer, (address.with_peer(peer),))
        await DhtRouting(Dht(self.providers, provider), peer, self.chance).advertise(namespace)

    def set_broken(self, broken: bool) -> bool:
        self.dht.broken = broken
        return True


class MdnsCase(Plain):
    """Multicast DNS on a simulated link."""

    separates = True
    forgets = True
    me = PEERS[4]

    def __init__(self) -> None:
        super().__init__()
        self.world.runtime("them", ["10.0.0.98"])
        self.world.network.set_segment("link", ["me", "them"])
        self.discoverer = self.other = self.node("me", ME, "10.0.0.99")
        self.advertiser = self.node("them", self.me, "10.0.0.98")
        self._tasks: list[asyncio.Task[None]] = []

    def node(self, name: str, peer: PeerId, host: str) -> Mdns:
        runtime = self.world.runtime(name)
        where = [Multiaddr.tcp(host, 4101)]
        return Mdns(runtime.multicast, runtime.clock, runtime.entropy, peer, lambda: where)

    async def start(self) -> None:
        self._tasks = [asyncio.ensure_future(one.run()) for one in (self.discoverer, self.advertiser)]
        await self.discoverer.advertise("warren")
        self._links = await self.world.runtime("them").multicast.join(["10.0.0.98"], lambda _: None)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def put(self, peer: PeerId, address: Multiaddr, namespace: str) -> None:
        kind = kind_of_namespace(namespace)
        await self._links.announce(LocalService(kind, str(peer)[-20:], 1, texts_of(peer, [address]), ()))

    def set_broken(self, broken: bool) -> bool:
        if broken:
            self.world.network.partition([["me"], ["them"]])
        else:
            self.world.network.heal()
        return True


CASES: list[type[Case]] = [
    BootstrapCase,
    UnknownBootstrapCase,
    ListedBootstrapCase,
    DnsaddrCase,
    HeadlessServiceCase,
    AcquaintancesCase,
    DhtCase,
    MdnsCase,
]
ADVERTISERS: list[type[AdvertiserCase]] = [DhtCase, MdnsCase]


@pytest.fixture(params=CASES, ids=lambda kind: kind.__name__)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    made = request.param()
    yield made
    made.world.close()


@pytest.mark.parametrize("kind", ADVERTISERS, ids=lambda kind: kind.__name__)
def test_who_advertises_is_found(kind: type[AdvertiserCase]) -> None:
    made = kind()
    check_advertiser(made)
    made.world.close()
