"""What the local link adds to finding: interfaces that change, names that lie, who is gone."""

from __future__ import annotations

import asyncio
import errno
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import pytest

from warren import testing
from warren.core.errors import LimitReached
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.protocols.mdns.records import KIND, Announcement, texts_of
from warren.runtime.seam import Heard
from warren.runtime.simulated import World
from warren.services.discovery import mdns as module
from warren.services.discovery.mdns import Mdns, merged, on_links
from warren.services.discovery.model import DEFAULT_NAMESPACE, Found

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from warren.core.peer_id import PeerId
    from warren.runtime.seam import LocalService

ME = PrivateKey.from_seed(b"m" * 32).peer_id
ANNA = PrivateKey.from_seed(b"a" * 32).peer_id
BEN = PrivateKey.from_seed(b"b" * 32).peer_id


def address(text: str) -> Multiaddr:
    return Multiaddr.parse(f"/ip6/{text}/tcp/4101" if ":" in text else f"/ip4/{text}/tcp/4101")


class FakeLinks:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.announced: dict[tuple[str, str], LocalService] = {}
        self.withdrawn: list[tuple[str, str]] = []
        self.asked: list[str] = []
        self.closed = False

    async def announce(self, service: LocalService) -> None:
        self.announced[service.kind, service.name] = service

    async def withdraw(self, kind: str, name: str) -> None:
        self.withdrawn.append((kind, name))

    def ask(self, kind: str) -> None:
        self.asked.append(kind)

    async def close(self) -> None:
        self.closed = True


class FakeMulticast:
    """Gives a new place at each join, unless it is broken."""

    def __init__(self) -> None:
        self.broken = False
        self.joined: list[tuple[tuple[str, ...], FakeLinks]] = []
        self.hear: Callable[[Heard], None] = lambda _: None

    async def join(self, addresses: Sequence[str], hear: Callable[[Heard], None]) -> FakeLinks:
        if self.broken:
            raise OSError(errno.ENODEV, "no such device")
        self.hear = hear
        links = FakeLinks()
        self.joined.append((tuple(addresses), links))
        return links

    def say(self, name: str, peer: PeerId, *addresses: str, kind: str = KIND) -> None:
        self.hear(Heard(kind, name, texts_of(peer, [address(one) for one in addresses])))


class Setting:
    """An `Mdns` that runs, on a link where the test is everybody else."""

    def __init__(self, world: World) -> None:
        runtime = world.runtime("me", ["10.0.0.1"])
        self.multicast = FakeMulticast()
        self.where = [address("10.0.0.1")]
        self.gone: list[PeerId] = []
        self.mdns = Mdns(
            self.multicast,
            runtime.clock,
            runtime.entropy,
            ME,
            lambda: self.where,
            on_gone=self.gone.append,
        )

    @property
    def links(self) -> FakeLinks:
        return self.multicast.joined[-1][1]


def run(main: Any) -> None:
    async def started() -> None:
        world = World(loop=asyncio.get_running_loop())  # type: ignore[arg-type]
        setting = Setting(world)
        running = asyncio.ensure_future(setting.mdns.run())
        try:
            await asyncio.sleep(0.1)
            await main(setting)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            world.close()

    testing.run(started())


async def collect(mdns: Mdns, into: list[Found]) -> None:
    async with aclosing(cast("AsyncGenerator[Found, None]", mdns.find(DEFAULT_NAMESPACE))) as search:
        async for one in search:
            into.append(one)  # noqa: PERF401  what came before the end counts


@pytest.mark.parametrize(
    ("own", "joined"),
    [
        (["127.0.0.1", "::1"], []),
        (["192.168.1.2", "127.0.0.1"], ["192.168.1.2"]),
        (["192.168.1.2", "fd00::2"], ["192.168.1.2", "fd00::2"]),
        (["8.8.8.8", "192.168.1.2"], ["192.168.1.2"]),
        (["8.8.8.8", "2a00::1"], []),
        (["2a00::1", "192.168.1.2"], ["192.168.1.2", "2a00::1"]),
        (["2a00::1"], ["2a00::1"]),
    ],
)
def test_it_takes_part_where_there_is_a_local_network(own: list[str], joined: list[str]) -> None:
    assert [one.host for one in on_links([address(one) for one in own])] == joined


def test_what_it_says_follows_the_interfaces() -> None:
    async def main(one: Setting) -> None:
        await one.mdns.advertise(DEFAULT_NAMESPACE)
        before = one.links
        assert one.multicast.joined[-1][0] == ("10.0.0.1",)
        one.where = [address("10.0.7.7")]
        await asyncio.sleep(module.LOOK_EVERY_S + 1)
        assert before.closed
        [service] = one.links.announced.values()
        assert service.texts == texts_of(ME, [address("10.0.7.7")])
        assert (service.addresses, service.port) == (("10.0.7.7",), 4101)
        one.where = []
        await asyncio.sleep(module.LOOK_EVERY_S + 1)
        assert one.links.closed
        assert one.mdns.activity == (False, "listens on no local link")

    run(main)


def test_a_machine_without_multicast_says_so_and_is_tried_again() -> None:
    async def main(one: Setting) -> None:
        one.multicast.broken = True
        one.where = [address("10.0.7.7")]
        await asyncio.sleep(module.LOOK_EVERY_S + 1)
        assert one.mdns.activity == (False, "no multicast here: no such device")
        await one.mdns.advertise(DEFAULT_NAMESPACE)
        one.multicast.broken = False
        await asyncio.sleep(module.LOOK_EVERY_S + 1)
        assert one.mdns.activity == (True, "on 10.0.7.7")
        assert len(one.links.announced) == 1

    run(main)


def test_the_end_says_goodbye() -> None:
    links: list[FakeLinks] = []

    async def main(one: Setting) -> None:
        await one.mdns.advertise(DEFAULT_NAMESPACE)
        links.append(one.links)

    run(main)
    assert links[0].closed


def test_a_record_in_pieces_makes_one_peer() -> None:
    async def main(one: Setting) -> None:
        found: list[Found] = []
        searching = asyncio.ensure_future(collect(one.mdns, found))
        await asyncio.sleep(0.1)
        for host in ("10.0.0.2", "10.0.0.3", "10.0.0.2"):
            one.multicast.say("x", ANNA, host)
        await asyncio.sleep(0.1)
        searching.cancel()
        assert found == [
            Found(ANNA, (address("10.0.0.2"),), "mdns"),
            Found(ANNA, (address("10.0.0.3"), address("10.0.0.2")), "mdns"),
        ]

    run(main)


def test_its_own_words_and_what_is_of_no_use_are_passed_over() -> None:
    async def main(one: Setting) -> None:
        found: list[Found] = []
        searching = asyncio.ensure_future(collect(one.mdns, found))
        await asyncio.sleep(0.1)
        one.multicast.say("me", ME, "10.0.0.1")
        one.multicast.say("other kind", ANNA, "10.0.0.2", kind="_other._udp.local")
        one.multicast.hear(Heard(KIND, "printer", (b"rp=queue",)))
        one.multicast.hear(Heard(KIND, "silent", ()))
        await asyncio.sleep(0.1)
        searching.cancel()
        assert found == []

    run(main)


def test_a_peer_under_two_names_is_gone_with_the_last() -> None:
    async def main(one: Setting) -> None:
        searching = asyncio.ensure_future(collect(one.mdns, []))
        await asyncio.sleep(0.1)
        one.multicast.say("first", ANNA, "10.0.0.2")
        one.multicast.say("second", ANNA, "10.0.0.2")
        for _ in range(20):
            await asyncio.sleep(2.0)
            one.multicast.say("second", ANNA, "10.0.0.2")
        assert one.gone == []
        await asyncio.sleep(20.0)
        assert one.gone == [ANNA]
        searching.cancel()

    run(main)


def test_whoever_returns_is_found_again() -> None:
    async def main(one: Setting) -> None:
        found: list[Found] = []
        searching = asyncio.ensure_future(collect(one.mdns, found))
        await asyncio.sleep(0.1)
        one.multicast.say("x", ANNA, "10.0.0.2")
        await asyncio.sleep(60.0)
        assert one.gone == [ANNA]
        one.multicast.say("x", ANNA, "10.0.0.2")
        await asyncio.sleep(0.1)
        assert len(found) == 2
        searching.cancel()

    run(main)


def test_a_doubt_about_a_peer_is_settled_on_the_link() -> None:
    async def main(one: Setting) -> None:
        searching = asyncio.ensure_future(collect(one.mdns, []))
        await asyncio.sleep(0.1)
        one.multicast.say("x", ANNA, "10.0.0.2")
        one.multicast.say("y", BEN, "10.0.0.3")
        one.mdns.met(BEN)
        one.mdns.doubt(ANNA)
        for _ in range(3):
            await asyncio.sleep(1.5)
            one.multicast.say("y", BEN, "10.0.0.3")
        assert one.gone == [ANNA]
        searching.cancel()

    run(main)


def test_packets_without_end_are_not_all_looked_at() -> None:
    async def main(one: Setting) -> None:
        found: list[Found] = []
        searching = asyncio.ensure_future(collect(one.mdns, found))
        await asyncio.sleep(0.1)
        one.multicast.say("anna", ANNA, "10.0.0.2")
        for number in range(5000):
            one.multicast.say(f"liar-{number}", BEN, f"10.1.{number // 250}.{number % 250 + 1}")
        await asyncio.sleep(0.1)
        searching.cancel()
        assert len(found) <= module.NEWCOMERS_BURST
        assert found[0].peer == ANNA

    run(main)


def test_searches_under_names_without_end_are_refused() -> None:
    async def main(one: Setting) -> None:
        for number in range(module.NAMESPACES_MAX):
            await one.mdns.advertise(f"name {number}")
        with pytest.raises(LimitReached):
            await one.mdns.advertise("one more")
        await one.mdns.withdraw("name 0")
        await one.mdns.advertise("one more")

    run(main)


def test_the_latest_addresses_stand_first() -> None:
    one, other = address("10.0.0.1"), address("10.0.0.2")
    assert merged(None, Announcement(ANNA, (one,))) == Announcement(ANNA, (one,))
    assert merged(Announcement(ANNA, (one,)), Announcement(ANNA, (other,))) == Announcement(
        ANNA, (other, one)
    )
    assert merged(Announcement(ANNA, (one,)), Announcement(BEN, (other,))) == Announcement(BEN, (other,))
