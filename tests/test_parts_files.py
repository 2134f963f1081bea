"""What the finder is tied to: contacts and whom they name, the DHT, the peer table."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.support import run
from warren.core.cid import Cid
from warren.core.errors import ConnectionFailed, ContentUnknown, PeerUnknown
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.parts_files import AtContacts, InDht, Judging, ProvidedInDht
from warren.protocols.kad.gathering import Provider
from warren.services.files.holders.finder import Sighting
from warren.services.files.holders.ranking import Candidate
from warren.services.peers.model import Figure, Peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.core.peer_id import PeerId

ME, ANNA, BEN, CARA = (PrivateKey.from_seed(bytes([number]) * 32).peer_id for number in range(1, 5))
ROOT = Cid.raw_sha256(bytes(32))
HERE, THERE = Multiaddr.parse("/ip4/192.0.2.1/tcp/1"), Multiaddr.parse("/ip4/192.0.2.2/tcp/2")


class Network:
    def __init__(self, *connected: PeerId) -> None:
        self.peer_id = ME
        self.connected = connected
        self.known: dict[PeerId, list[Multiaddr]] = {}

    def peers(self) -> list[PeerId]:
        return list(self.connected)

    def is_connected(self, peer: PeerId) -> bool:
        return peer in self.connected

    def add_addresses(self, peer: PeerId, addresses: Any) -> None:
        self.known.setdefault(peer, []).extend(addresses)


async def gather(sightings: AsyncIterator[Sighting]) -> list[Sighting]:
    return [one async for one in sightings]


def test_contacts_are_asked_and_whom_they_name_is_found_too() -> None:
    class Swarms:
        async def exchange(self, peer: PeerId, root: Cid) -> Any:
            assert (root, peer != CARA) == (ROOT, True)
            if peer == BEN:
                raise ContentUnknown("it has nothing of it")
            return SimpleNamespace(fellows=(CARA,))

    async def main() -> None:
        network: Any = Network(ANNA, BEN, CARA)
        asked = AtContacts(network, lambda peer: peer != CARA, Swarms())  # type: ignore[arg-type]
        assert await gather(asked(ROOT)) == [Sighting(ANNA, online=True), Sighting(CARA, online=True)]

    run(main())


def test_providers_are_where_they_say_or_where_the_dht_finds_them() -> None:
    class Dht:
        async def find_providers(self, root: Cid, count: int) -> AsyncIterator[Provider]:
            for peer in (ME, ANNA, BEN, CARA):
                yield Provider(peer, (HERE.with_peer(ANNA),) if peer == ANNA else ())

        async def find_peer(self, peer: PeerId) -> Any:
            if peer == CARA:
                raise PeerUnknown("nobody knows")
            return SimpleNamespace(addresses=(THERE,))

    async def main() -> None:
        network: Any = Network()
        found = await gather(InDht(Dht(), network)(ROOT))  # type: ignore[arg-type]
        assert [one.peer for one in found] == [ANNA, BEN, CARA]
        assert network.known == {ANNA: [HERE], BEN: [THERE], CARA: []}

    run(main())


def test_what_the_peer_table_and_contacts_know_of_a_peer() -> None:
    class Peers:
        async def get(self, peer: PeerId) -> Peer | None:
            if peer == ANNA:
                return Peer(
                    ANNA, (HERE,), latency=Figure(0.1, 1), download=Figure(5e6, 1), state="unreachable"
                )
            return Peer(BEN, (HERE,)) if peer == BEN else None

    class Contacts:
        def get(self, peer: PeerId) -> Any:
            return SimpleNamespace(addresses=(THERE,)) if peer in {ANNA, CARA} else None

    async def main() -> None:
        network: Any = Network(BEN)
        judge = Judging(network, Contacts(), Peers())  # type: ignore[arg-type]
        known = Candidate(ANNA, online=False, latency_s=0.1, bytes_per_s=5e6)
        assert await judge(Sighting(ANNA)) == known
        assert await judge(Sighting(ANNA, online=True, proven=True)) == known._replace(
            online=True, proven=True
        )
        assert await judge(Sighting(BEN)) == Candidate(BEN, connected=True)
        assert await judge(Sighting(CARA)) == Candidate(CARA)
        assert network.known == {ANNA: [THERE, HERE] * 2, CARA: [THERE]}

    run(main())


def test_what_is_provided_is_taken_back_once() -> None:
    class Dht:
        def __init__(self) -> None:
            self.provided: list[Cid] = []

        async def provide(self, root: Cid) -> None:
            self.provided.append(root)
            raise ConnectionFailed("later")

        async def stop_providing(self, root: Cid) -> None:
            if root not in self.provided:
                raise ContentUnknown("not published")
            self.provided.remove(root)

        def published(self) -> list[Any]:
            return [SimpleNamespace(key=root.multihash) for root in self.provided]

    async def main() -> None:
        providing = ProvidedInDht(Dht())  # type: ignore[arg-type]
        assert not providing.is_provided(ROOT)
        try:
            await providing.provide(ROOT)
        except ConnectionFailed:
            assert providing.is_provided(ROOT)
        await providing.stop(ROOT)
        await providing.stop(ROOT)
        assert not providing.is_provided(ROOT)

    run(main())
