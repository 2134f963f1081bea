"""Liars name machines at home, or one machine of somebody else's: nobody knocks there, or not often."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.peers.support import records
from warren import testing
from warren.config import Config
from warren.core.errors import PeerUnknown
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.peer_record import PeerRecord
from warren.network.config import NetworkConfig
from warren.node import Node
from warren.protocols.exchange.config import ExchangeConfig
from warren.protocols.kad.config import KadConfig
from warren.protocols.kad.messages import Kind, PeerInfo
from warren.protocols.kad.server import Server
from warren.runtime.simulated import Quality, World
from warren.runtime.simulated.transport import SimulatedTransport
from warren.services.discovery.config import DiscoveryConfig
from warren.services.peers.config import PeersConfig
from warren.services.whereabouts.whereabouts import Whereabouts
from warren.testing.nodes import QUIET
from warren.testing.plaintext import plaintext_stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from warren.core.peer_id import PeerId
    from warren.protocols.kad.messages import Message

PORT = 4101
EAGER = Config(peers=PeersConfig(feeler_interval_s=10), listen=(f"/ip4/0.0.0.0/tcp/{PORT}",))
AT_HOME = [Multiaddr.tcp(host, port) for host, port in (("10.0.0.9", 22), ("127.0.0.1", 5432))]
AT_HOME.append(Multiaddr.tcp("169.254.0.9", 80))


def invented(number: int) -> PrivateKey:
    """The key of a peer that nobody runs."""
    return PrivateKey.from_seed(b"invented" + number.to_bytes(24))


class Town:
    """Nodes on simulated hosts; what each dials; what some lie, about themselves and in the DHT."""

    def __init__(self, world: World, patch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.nodes: dict[str, Node] = {}
        self.dialled: list[tuple[str, str]] = []
        """Host and target."""
        self.says: dict[str, Sequence[Multiaddr]] = {}
        """By host: where its node says that it is."""
        self.names: dict[PeerId, Sequence[PeerInfo]] = {}
        """By peer: whom it names in the DHT, whoever is asked for."""
        connect, reachable, answer = SimulatedTransport.connect, Whereabouts.reachable, Server.answer

        async def counted(of: SimulatedTransport, factory: Any, host: str, port: int, **more: Any) -> Any:
            self.dialled.append((of._host.name, f"{host}:{port}"))
            return await connect(of, factory, host, port, **more)

        def said(of: Whereabouts) -> list[Multiaddr]:
            lies = self.says.get(of._network.runtime.transport._host.name)  # type: ignore[attr-defined]
            return reachable(of) if lies is None else list(lies)

        def answered(of: Server, peer: PeerId, place: Multiaddr | None, request: Message) -> Message | None:
            honest = answer(of, peer, place, request)
            lies = self.names.get(of._network.peer_id)
            if lies is None or honest is None or request.kind not in (Kind.FIND_NODE, Kind.GET_PROVIDERS):
                return honest
            providers = tuple(lies) if request.kind is Kind.GET_PROVIDERS else ()
            return replace(honest, closer=tuple(lies), providers=providers)

        patch.setattr(SimulatedTransport, "connect", counted)
        patch.setattr(Whereabouts, "reachable", said)
        patch.setattr(Server, "answer", answered)

    async def start(self, name: str, *hosts: str, config: Config = EAGER) -> Node:
        runtime = self.world.runtime(name, hosts)
        config = replace(config, home=Path("/home/warren"), name=name)
        node = Node(config, runtime=runtime, stack=plaintext_stack())
        await node.start()
        self.nodes[name] = node
        return node

    async def stop(self, name: str) -> None:
        await self.nodes.pop(name).close()

    def dials(self, name: str, *targets: str) -> int:
        """How often the node on a host has tried one of `targets`, each with a port or without."""
        return sum(
            host == name and (target in targets or target.rpartition(":")[0] in targets)
            for host, target in self.dialled
        )


@asynccontextmanager
async def town(patch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    world = World("reach", loop=asyncio.get_running_loop())  # type: ignore[arg-type]
    world.network.set_default(Quality(latency_s=0.02))
    made = Town(world, patch)
    try:
        yield made
    finally:
        for node in made.nodes.values():
            await node.close()
        world.close()


def where(host: str) -> str:
    return f"/ip4/{host}/tcp/{PORT}"


async def holds_record_of(node: Node, liar: Node) -> bool:
    sealed = [PeerRecord.open(envelope).peer_id for envelope, _ in await records(node.peers) if envelope]
    return liar.peer_id in sealed


@pytest.mark.parametrize("comes_too", [True, False], ids=["with its own address", "with lies alone"])
def test_nobody_on_the_internet_makes_a_node_knock_at_home(
    monkeypatch: pytest.MonkeyPatch, *, comes_too: bool
) -> None:
    """By its record, in identify or passed on by others at home and away, and by what it says in the DHT."""
    lies = [f"{one.host}:{one.port}" for one in AT_HOME]

    async def main() -> None:
        async with town(monkeypatch) as made:
            for name, host in (("printer", "10.0.0.9"), ("camera", "169.254.0.9")):
                made.world.runtime(name, host)
            for name, host in (("liar", "61.0.0.1"), ("other", "62.0.0.1")):
                made.says[name] = [*AT_HOME, *([Multiaddr.tcp(host, PORT)] if comes_too else [])]
            away = await made.start("away", "70.0.0.1")
            neighbour = await made.start("neighbour", "10.0.0.2", "60.0.0.2")
            knows = replace(
                EAGER, discovery=DiscoveryConfig(bootstrap=(where("10.0.0.2"), where("70.0.0.1")))
            )
            victim = await made.start("victim", "60.0.0.1", "10.0.0.1", config=knows)
            liar = await made.start("liar", "61.0.0.1")  # comes to the victim itself
            other = await made.start("other", "62.0.0.1")  # known to the victim through others alone
            for node in (liar, other):
                named = [PeerInfo(invented(number).peer_id, tuple(AT_HOME)) for number in range(20)]
                made.names[node.peer_id] = [*named, PeerInfo(node.peer_id, tuple(AT_HOME))]
            await liar.connect(where("60.0.0.1"))
            await other.connect(where("60.0.0.2"))
            await other.connect(where("70.0.0.1"))
            await asyncio.sleep(600)
            for node in (victim, neighbour, away):
                assert await holds_record_of(node, liar)
                assert await holds_record_of(node, other)
            await victim.dht.find_peer(other.peer_id)
            await made.stop("liar")  # and is looked for
            await made.stop("other")
            await asyncio.sleep(3600)
            for name in ("victim", "neighbour", "away"):
                assert made.dials(name, *lies) == 0
            assert made.dials("victim", "10.0.0.2") > 0
            if comes_too:  # what they may say is taken at their word
                assert made.dials("victim", "62.0.0.1") > 0

    testing.run(main())


def test_a_neighbour_may_name_machines_at_home_but_none_of_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same scene from nearer: it shows what the one above would see."""

    async def main() -> None:
        async with town(monkeypatch) as made:
            made.world.runtime("printer", "10.0.0.9")
            made.says["liar"] = AT_HOME
            await made.start("victim", "60.0.0.1", "10.0.0.1")
            liar = await made.start("liar", "10.0.0.3", "fd00::3")
            await liar.connect(where("10.0.0.1"))
            await asyncio.sleep(60)
            await made.stop("liar")
            await asyncio.sleep(3600)
            assert made.dials("victim", "10.0.0.9:22") > 0
            assert made.dials("victim", "127.0.0.1", "169.254.0.9") == 0

    testing.run(main())


LIARS = 5
HALF_S = 600.0
LIES = 40
SILENT = replace(QUIET, dht=KadConfig(), exchange=ExchangeConfig(), listen=EAGER.listen)
"""Answers and tells, and dials nobody."""


async def tell_lies(made: Town, number: int, target: str, way: str) -> None:
    """Start a liar that names peers at its own ports of the target."""
    name, host = f"liar{number}", f"{71 + number}.0.0.1"
    there = [Multiaddr.tcp(target, 1000 * number + port) for port in range(1, LIES + 1)]
    keys = [invented(1000 * number + at) for at in range(LIES)]
    if way != "look-ups":
        made.says[name] = [Multiaddr.tcp(host, PORT), *there[:8]]
    liar = await made.start(name, host, config=SILENT)
    if way != "records":
        pairs = zip(keys, there, strict=True)
        made.names[liar.peer_id] = [PeerInfo(key.peer_id, (one,)) for key, one in pairs]
    if way != "look-ups":
        for key, one in zip(keys, there, strict=True):
            record = PeerRecord(key.peer_id, int(made.world.clock.wall() * 1000), (one,))
            await liar.peers.note_record(record.seal(key), "exchange")
    await liar.connect(where("60.0.0.1"))


@pytest.mark.parametrize("way", ["records", "look-ups", "both"])
def test_many_liars_cannot_make_a_node_hammer_one_host(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """By signed records, their own and those of peers that nobody runs, and by what they say in the DHT."""
    target = "99.0.0.9"

    async def main() -> None:
        async with town(monkeypatch) as made:
            made.world.runtime("target", target)
            victim = await made.start("victim", "60.0.0.1")
            honest = await made.start("honest", "40.0.0.1", config=SILENT)
            for number in range(LIARS):
                await tell_lies(made, number, target, way)
            await asyncio.sleep(HALF_S)
            for number in range(0, LIARS, 2):
                await made.stop(f"liar{number}")
            for number in range(20):
                with contextlib.suppress(PeerUnknown):
                    await victim.dht.find_peer(invented(number).peer_id)
                await asyncio.sleep(HALF_S / 20)
            config, lasted_s = NetworkConfig(), made.world.clock.now()
            most = config.hearsay_per_host_max + lasted_s / config.hearsay_per_host_every_s
            assert config.hearsay_per_host_max <= made.dials("victim", target) <= most
            await honest.connect(where("60.0.0.1"))
            await asyncio.sleep(60)
            assert victim.network.is_connected(honest.peer_id)

    testing.run(main())
