"""What of the found is taken in at all, and what becomes of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from warren import testing
from warren.core.errors import StorageError
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.reach import Reach
from warren.network.events import PeerConnected
from warren.network.network import Network
from warren.runtime.simulated import World
from warren.services.discovery.choice import ChoicePolicy
from warren.services.discovery.finder import NOTES_BURST, Finder
from warren.services.discovery.model import Found, PeerDiscovered

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from warren.core.peer_id import PeerId

PEER = PrivateKey.from_seed(b"p" * 32).peer_id
OTHER = PrivateKey.from_seed(b"o" * 32).peer_id
GOOD = Multiaddr.parse("/ip4/10.0.0.2/tcp/4101")
LOOPBACK = Multiaddr.parse("/ip4/127.0.0.1/tcp/5432")


class FakeTable:
    """Notes who was heard of."""

    def __init__(self) -> None:
        self.told: list[tuple[PeerId, tuple[Multiaddr, ...], str]] = []
        self.blocked: set[PeerId] = set()
        self.full = False

    async def heard(self, peer: PeerId, addresses: Iterable[Multiaddr], source: str, teller: Reach) -> None:
        assert teller is Reach.NOWHERE  # the finder has sifted
        if self.full:
            raise StorageError("the disk is full")
        self.told.append((peer, tuple(addresses), source))

    def is_blocked(self, peer: PeerId) -> bool:
        return peer in self.blocked


class Setting:
    """A finder on a network of its own."""

    def __init__(self, world: World, own: str = "/ip4/10.0.0.1/tcp/4101") -> None:
        runtime = world.runtime("me", ["10.0.0.1"])
        self.network = Network(runtime, PrivateKey.from_seed(b"m" * 32))
        self.table = FakeTable()
        self.doubted: list[PeerId] = []
        self.own = Multiaddr.parse(own)
        self.finder = Finder(
            self.network,
            self.table,
            runtime.clock,
            runtime.entropy,
            lambda: [self.own],
            ChoicePolicy(),
            on_doubt=self.doubted.append,
        )


def run(main: Callable[[Setting], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def started() -> None:
        world = World(loop=asyncio.get_running_loop())  # type: ignore[arg-type]
        setting = Setting(world, **options)
        await main(setting)
        await setting.network.stop()
        world.close()

    testing.run(started())


def test_what_is_found_goes_to_the_table_the_address_book_and_the_events() -> None:
    async def main(one: Setting) -> None:
        events = one.network.events.subscribe()
        await one.finder.take(Found(PEER, (GOOD.with_peer(PEER),), "mdns"))
        await one.finder.take(Found(PEER, (GOOD,), "mdns"))
        assert one.table.told == [(PEER, (GOOD,), "mdns")]
        assert one.network.addresses(PEER) == [GOOD]
        assert await anext(events) == PeerDiscovered(PEER, (GOOD,), "mdns")
        assert one.finder.found == 1

    run(main)


def test_what_is_of_no_use_is_not_taken_in() -> None:
    async def main(one: Setting) -> None:
        await one.finder.take(Found(one.network.peer_id, (GOOD,), "mdns"))
        one.table.blocked.add(PEER)
        await one.finder.take(Found(PEER, (GOOD,), "mdns"))
        one.table.blocked.clear()
        for useless in (
            one.own,
            LOOPBACK,
            Multiaddr.parse("/ip4/0.0.0.0/tcp/1"),
            Multiaddr.parse("/ip4/10.0.0.2/udp/4101/quic-v1"),
        ):
            await one.finder.take(Found(PEER, (useless,), "mdns"))
            await one.finder.take(Found(None, (useless,), "dns"))
        assert one.finder.found == 0
        assert one.table.told == []

    run(main)


def test_loopback_is_taken_from_the_user_and_by_who_has_nothing_else() -> None:
    async def main(one: Setting) -> None:
        await one.finder.take(Found(None, (LOOPBACK,), "bootstrap"))
        assert one.finder.found == 1

    run(main)

    async def alone(one: Setting) -> None:
        await one.finder.take(Found(PEER, (LOOPBACK,), "peers"))
        assert one.finder.found == 1

    run(alone, own="/ip4/127.0.0.1/tcp/4101")


@pytest.mark.parametrize(
    ("source", "taken"),
    [
        ("bootstrap", "127.0.0.1 169.254.0.9 10.0.0.9 60.0.0.9 name.org"),
        ("dns", "10.0.0.9 60.0.0.9 name.org"),
        ("mdns", "169.254.0.9 10.0.0.9 60.0.0.9 name.org"),
        ("dht", "127.0.0.1 169.254.0.9 10.0.0.9 60.0.0.9 name.org"),  # sifted by who heard it
    ],
)
def test_how_near_what_a_source_names_may_be(source: str, taken: str) -> None:
    async def main(one: Setting) -> None:
        hosts = ["127.0.0.1", "169.254.0.9", "10.0.0.9", "60.0.0.9", "name.org"]
        await one.finder.take(Found(PEER, tuple(Multiaddr.tcp(host, 9) for host in hosts), source))
        [(_, addresses, _)] = one.table.told
        assert [address.host for address in addresses] == taken.split()

    run(main)


def test_who_listens_nowhere_is_not_at_home_on_loopback() -> None:
    async def main(one: Setting) -> None:
        one.finder._where = list
        await one.finder.take(Found(None, (LOOPBACK,), "dns"))
        assert one.finder.found == 0

    run(main)


def test_a_dial_counts_where_only_others_say_that_somebody_is() -> None:
    async def main(one: Setting) -> None:
        hearsay, left = one.network.hearsay, one.network.config.hearsay_per_host_max
        addresses = tuple(Multiaddr.tcp(f"60.0.0.{number}", 9) for number in range(1, 5))
        await one.finder.take(Found(PEER, addresses[:2], "peers", addresses[:1]))
        await one.finder.take(Found(None, addresses[2:3], "bootstrap"))
        await one.finder.take(Found(None, addresses[3:], "dns"))
        running = asyncio.ensure_future(one.finder.run())
        await asyncio.sleep(1.0)
        assert one.finder.tried == 3
        spent = [left - hearsay.left(address, one.network.clock()) for address in addresses]
        assert spent == [0, 1, 0, 1]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run(main)


def test_a_liar_fills_neither_the_table_nor_the_address_book() -> None:
    async def main(one: Setting) -> None:
        for number in range(2000):
            peer = PrivateKey.from_seed(number.to_bytes(32, "big")).peer_id
            await one.finder.take(Found(peer, (GOOD,), "mdns"))
        assert len(one.table.told) == NOTES_BURST
        assert one.finder.found <= ChoicePolicy().targets_max
        await one.finder.take(Found(PEER, (GOOD,), "dht"))
        assert one.table.told[-1][0] == PEER

    run(main)


def test_a_full_disk_does_not_keep_it_from_dialling() -> None:
    async def main(one: Setting) -> None:
        one.table.full = True
        await one.finder.take(Found(PEER, (GOOD,), "mdns"))
        running = asyncio.ensure_future(one.finder.run())
        await asyncio.sleep(30.0)
        assert one.finder.tried >= 1
        assert one.finder.met == 0
        assert PEER in one.doubted
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run(main)


def test_who_left_unnoticed_is_dialled_again() -> None:
    async def main(one: Setting) -> None:
        choice = one.finder._choice
        await one.finder.take(Found(PEER, (GOOD,), "mdns"))
        choice.connected(PEER)  # before a fault ended `run`, which therefore never heard that it left
        following = asyncio.create_task(one.finder.run())
        await asyncio.sleep(60)
        tried = one.finder.tried
        assert tried
        choice.connected(PEER)
        await asyncio.sleep(3600)
        assert one.finder.tried == tried
        for _ in range(5000):  # more than a subscription holds: that PEER left is among what is lost
            one.network.events.emit(PeerConnected(OTHER))
        await asyncio.sleep(60)
        assert one.finder.tried > tried
        following.cancel()

    run(main)
