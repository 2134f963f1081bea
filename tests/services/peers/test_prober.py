"""The prober's IO: deadlines, what is this node's own fault, who bears witness. Its schedule is
test_probing.py's; whole nodes are in tests/simulation/test_peer_health.py."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from warren.core.errors import Closed, DialFailed, DiskFull, LimitReached, RequestTimeout
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.events import EventBus, PeerConnected, PeerDisconnected
from warren.network.race import REFUSED_REASON
from warren.services.peers.attempts import LAG_S
from warren.services.peers.config import PeersConfig
from warren.services.peers.latencies import FIRST_SAMPLES
from warren.services.peers.model import Peer, PeerBlocked, PeerForgotten
from warren.services.peers.probe_policy import ProbePolicy
from warren.services.peers.prober import PASSING_S, WITNESS_S, Prober
from warren.testing import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from warren.core.errors import WarrenError
    from warren.core.peer_id import PeerId

ANNA, BEN, CARL, DORA, EVE = (PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(5))
POLICY = ProbePolicy()
CONFIG = PeersConfig(feeler_interval_s=0, latency_interval_s=10)


def at(host: str) -> Multiaddr:
    return Multiaddr.tcp(host, 4101)


@dataclass(eq=False)
class FakeSocket:
    peer_id: PeerId
    remote_addr: Multiaddr
    outbound: bool = True
    usable: bool = True
    kept: bool = False
    streams: int = 0
    activity: int = 0
    rtt_s: float | None = None
    rtt_at: float | None = None
    last_read_at: float = 0.0
    opened_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    bytes_in: int = 0
    bytes_out: int = 0
    probes: int = 0
    answers: bool = True
    ended: list[object] = field(default_factory=list)

    def probe(self) -> None:
        self.probes += 1
        if self.answers:
            self.last_read_at = self.rtt_at = asyncio.get_running_loop().time()
            self.rtt_s = 0.05

    async def wait_open(self) -> None: ...

    def shut(self, error: Exception, code: int) -> None:
        self.ended.append(error)


class World:
    """Network, ping, table, clock and chance in one."""

    def __init__(self) -> None:
        self.events = EventBus()
        self.runtime: Any = self
        self.transport: Any = self
        self.peer_id = EVE
        self.interfaces = ["127.0.0.1", "100.0.0.1"]
        self.of_peer: dict[PeerId, list[FakeSocket]] = {}
        self.failure: dict[PeerId, Exception | Callable[[], Exception]] = {}
        self.known: dict[PeerId, Peer] = {}
        self.states: dict[PeerId, str] = {}
        self.latency: dict[PeerId, float] = {}
        self.dialled: list[PeerId] = []
        self.at: list[tuple[tuple[Multiaddr, ...], tuple[Multiaddr, ...]]] = []
        """Where: the addresses that the prober stands for, and those of which others told."""
        self.store_failure: WarrenError | None = None
        self.kept: set[PeerId] = set()

    def interface_addresses(self) -> list[str]:
        return self.interfaces

    # The network.
    def peers(self) -> list[PeerId]:
        """As in the real one, sorted."""
        return sorted(peer for peer, sockets in self.of_peer.items() if sockets)

    def is_connected(self, peer: PeerId) -> bool:
        return bool(self.of_peer.get(peer))

    def is_contact(self, peer: PeerId) -> bool:
        return peer in self.kept

    def is_wanted(self, socket: FakeSocket) -> bool:
        return socket.kept or socket.peer_id in self.kept

    def sockets(self, peer: PeerId | None = None) -> list[FakeSocket]:
        if peer is not None:
            return self.of_peer.get(peer, [])
        return [socket for sockets in self.of_peer.values() for socket in sockets]

    async def connect(
        self,
        peer: PeerId,
        addresses: Sequence[Multiaddr],
        *,
        hearsay: Sequence[Multiaddr],
        forced: bool,
        passing: bool,
    ) -> FakeSocket:
        assert passing
        self.dialled.append(peer)
        self.at.append((tuple(addresses), tuple(hearsay)))
        addresses = [*addresses, *hearsay]
        failure = self.failure.get(peer)
        if failure is not None:
            raise failure if isinstance(failure, Exception) else failure()
        return self.meet(peer, str(addresses[0].host if addresses else "100.0.0.9"), kept=False)

    def meet(self, peer: PeerId, host: str, *, kept: bool = True) -> FakeSocket:
        socket = FakeSocket(peer, at(host), kept=kept)
        self.of_peer.setdefault(peer, []).append(socket)
        self.events.emit(PeerConnected(peer))
        return socket

    def lose(self, peer: PeerId) -> None:
        self.of_peer.pop(peer, None)
        self.events.emit(PeerDisconnected(peer, "gone"))

    async def ping(self, socket: FakeSocket, *, timeout_s: float) -> float:
        return 0.05

    # The table.
    async def get(self, peer: PeerId) -> Peer | None:
        if self.store_failure is not None:
            raise self.store_failure
        return self.known.get(peer)

    async def note_state(self, peer: PeerId, state: str) -> None:
        self.states[peer] = state

    async def note_latency(self, peer: PeerId, rtt_s: float, jitter_s: float | None) -> None:
        self.latency[peer] = rtt_s

    async def forget(self, peer: PeerId) -> None:
        self.states[peer] = "forgotten"

    async def candidates(self, limit: int, *, states: Sequence[str], **_: Any) -> list[Peer]:
        return [peer for peer in self.known.values() if peer.state in states]

    # Time and chance.
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return 1e9 + self.now()

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2

    def below(self, n: int) -> int:
        return 0


@contextlib.asynccontextmanager
async def probing(world: World, config: PeersConfig = CONFIG) -> AsyncIterator[Prober]:
    fake: Any = world
    prober = Prober(fake, fake, fake, fake, fake, config, is_kept=world.is_contact)
    task = asyncio.create_task(prober.run())
    try:
        await asyncio.sleep(0)
        yield prober
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not world.events.watched


def with_others(world: World) -> None:
    for number, peer in enumerate((BEN, CARL, DORA)):
        world.meet(peer, f"100.0.1.{number}").answers = False
    world.meet(ANNA, "100.0.0.2")


async def lost_and_tried(world: World, failure: Exception | Callable[[], Exception]) -> str:
    """What is said of Anna after she was lost and the first try failed in this way; nobody else is heard."""
    async with probing(world):
        with_others(world)
        await asyncio.sleep(61)
        world.failure[ANNA] = failure
        world.lose(ANNA)
        await asyncio.sleep(POLICY.settle_s + 1)
        return world.states[ANNA]


def test_round_trips_of_the_connected_are_noted_soon_and_then_now_and_then() -> None:
    async def main() -> None:
        world = World()
        async with probing(world):
            socket = world.meet(ANNA, "100.0.0.2")
            await asyncio.sleep(3)
            assert world.latency == {ANNA: 0.05}
            await asyncio.sleep(5)
            assert FIRST_SAMPLES <= socket.probes <= FIRST_SAMPLES + 1
            await asyncio.sleep(100)
            assert 5 <= socket.probes <= 13  # nobody else asks here: it must do so itself

    run(main())


def test_who_comes_for_an_errand_is_measured_only_if_it_stays() -> None:
    async def main() -> None:
        world = World()
        async with probing(world, replace(CONFIG, latency_interval_s=600)):
            passing, staying = (
                world.meet(peer, host, kept=False) for peer, host in ((ANNA, "100.0.0.2"), (BEN, "100.0.0.3"))
            )
            passing.outbound = staying.outbound = False
            await asyncio.sleep(PASSING_S - 1)
            assert passing.probes == staying.probes == 0
            world.lose(ANNA)
            await asyncio.sleep(2)
            assert passing.probes == 0
            assert staying.probes >= 1
            await asyncio.sleep(3)
            assert world.latency == {BEN: 0.05}

    run(main())


def test_a_failure_without_a_witness_is_no_verdict() -> None:
    async def main() -> str:
        return await lost_and_tried(World(), RequestTimeout("late"))

    assert run(main()) == "reachable"


def test_a_machine_that_refuses_bears_witness_that_the_network_works() -> None:
    async def main() -> str:
        refused = DialFailed("no", [("/ip4/100.0.0.2/tcp/4101", REFUSED_REASON)])
        return await lost_and_tried(World(), refused)

    assert run(main()) == "suspect"


def test_one_who_answers_when_asked_bears_witness() -> None:
    async def main() -> str:
        world = World()
        async with probing(world):
            with_others(world)
            await asyncio.sleep(61)
            for socket in world.of_peer[BEN]:
                socket.answers = True
                socket.last_read_at = 0.0
            world.failure[ANNA] = RequestTimeout("late")
            world.lose(ANNA)
            await asyncio.sleep(POLICY.settle_s + 3)
            return world.states[ANNA]

    assert run(main()) == "suspect"


def test_what_is_this_nodes_own_fault_is_held_against_nobody() -> None:
    async def main(failure: Exception, world: World) -> str:
        world.known[BEN] = Peer(BEN)
        return await lost_and_tried(world, failure)

    for failure in (LimitReached("outbound_max"), Closed("stopped"), DiskFull("full")):
        assert run(main(failure, World())) == "reachable"

    async def without_interfaces() -> str:
        world = World()
        world.interfaces = ["127.0.0.1", "::1"]
        refused = DialFailed("no", [("/ip4/100.0.0.2/tcp/4101", REFUSED_REASON)])
        return await lost_and_tried(world, refused)

    assert run(without_interfaces()) == "reachable"


def test_a_loop_that_lagged_accuses_nobody() -> None:
    async def main() -> str:
        loop: Any = asyncio.get_running_loop()

        def late() -> Exception:
            loop.now += CONFIG.probe_timeout_s + LAG_S + 1  # what a blocked loop looks like from inside
            return DialFailed("no", [("/ip4/100.0.0.2/tcp/4101", REFUSED_REASON)])

        return await lost_and_tried(World(), late)

    assert run(main()) == "reachable"


def test_a_peer_that_hangs_ends_with_its_deadline() -> None:
    async def main() -> None:
        world = World()
        async with probing(world):
            for peer in (BEN, CARL, DORA):
                world.meet(peer, "100.0.1.1")

            async def hang(peer: PeerId, addresses: object, **_: object) -> FakeSocket:
                world.dialled.append(peer)
                await asyncio.get_running_loop().create_future()
                raise AssertionError

            world.meet(ANNA, "100.0.0.2")
            await asyncio.sleep(61)
            world.connect = hang  # type: ignore[method-assign]
            world.lose(ANNA)
            await asyncio.sleep(POLICY.settle_s + CONFIG.probe_timeout_s + 3)
            assert world.dialled == [ANNA]
            assert world.states[ANNA] == "suspect"

    run(main())


def test_who_was_tried_is_measured_and_let_go_unless_somebody_uses_the_connection() -> None:
    async def main() -> None:
        world = World()
        world.known = {peer: Peer(peer, (at(f"100.{n}.0.1"),)) for n, peer in enumerate((ANNA, BEN, CARL))}
        async with probing(world, PeersConfig(feeler_interval_s=4)):
            await asyncio.sleep(4.5)
            [first] = world.dialled
            world.kept = set(world.known) - {first}
            world.of_peer[first][0].streams = 2
            await asyncio.sleep(1)
            assert world.of_peer[first][0].ended == []
            world.of_peer[first][0].streams = 1
            await asyncio.sleep(10)
            assert len(world.of_peer[first][0].ended) == 1
            assert world.latency[first] == 0.05
            assert world.states[first] == "reachable"
            await asyncio.sleep(60)
            for friend in world.kept:  # a contact's connection is no mere try
                assert world.of_peer[friend][0].ended == []

    run(main())


def test_who_was_tried_is_kept_when_somebody_asked_for_it_or_data_moves() -> None:
    async def main() -> None:
        world = World()
        world.known = {ANNA: Peer(ANNA, (at("100.1.0.1"),))}
        async with probing(world, PeersConfig(feeler_interval_s=4)):
            await asyncio.sleep(4.5)
            [socket] = world.of_peer[ANNA]
            for _ in range(9):
                socket.activity += 1
                await asyncio.sleep(1)
            assert socket.ended == []
            socket.kept = True
            await asyncio.sleep(60)
            assert socket.ended == []

    run(main())


def test_the_networks_of_connections_that_stand_are_drawn_last() -> None:
    async def main() -> None:
        world = World()
        world.known = {ANNA: Peer(ANNA, (at("100.1.0.1"),)), BEN: Peer(BEN, (at("100.2.0.1"),))}
        async with probing(world, PeersConfig(feeler_interval_s=4)):
            world.meet(CARL, "100.1.0.9")
            await asyncio.sleep(4.5)
            assert world.dialled == [BEN]

    run(main())


def test_who_was_unreachable_before_the_start_is_tried_again() -> None:
    async def main() -> None:
        world = World()
        world.known = {ANNA: Peer(ANNA, (at("100.0.0.2"),), last_seen=0.0, state="unreachable")}
        world.failure[ANNA] = RequestTimeout("late")
        async with probing(world):
            world.meet(BEN, "100.0.1.1")
            await asyncio.sleep(POLICY.backoff_first_s + WITNESS_S + 1)
            assert world.dialled == [ANNA]
            assert world.states[ANNA] == "forgotten"  # it was away for thirty years, and was tried once more

    run(main())


def test_it_stands_for_what_is_known_first_hand_alone() -> None:
    async def main() -> None:
        world = World()
        known = at("100.0.0.2"), at("100.0.0.3")
        world.known = {ANNA: Peer(ANNA, known, first_hand=known[:1], state="suspect")}
        async with probing(world):
            await asyncio.sleep(60)
            assert world.at == [(known[:1], known)]

    run(main())


def test_who_is_blocked_is_not_tried() -> None:
    async def main() -> None:
        world = World()
        world.known = {
            ANNA: Peer(ANNA, (at("100.0.0.2"),), state="suspect"),
            BEN: Peer(BEN, (at("100.0.0.3"),), state="suspect", blocked=True),
        }
        async with probing(world):
            world.events.emit(PeerBlocked(ANNA))
            await asyncio.sleep(600)
            assert world.dialled == []

    run(main())


def test_lost_events_are_made_up_for() -> None:
    async def main() -> None:
        world = World()
        async with probing(world):
            world.meet(ANNA, "100.0.0.2")
            await asyncio.sleep(61)
            world.of_peer.clear()
            for _ in range(5000):  # more than a subscription holds: that Anna went is not told
                world.events.emit(PeerForgotten(BEN))
            await asyncio.sleep(POLICY.settle_s + 1)
            assert world.dialled == [ANNA]

    run(main())


def test_a_full_disk_ends_no_measuring() -> None:
    async def main() -> None:
        world = World()

        async def full(*_: object) -> None:
            raise DiskFull("the disk is full")

        real = world.note_latency
        world.note_latency = world.note_state = full  # type: ignore[method-assign,assignment]
        async with probing(world):
            world.meet(ANNA, "100.0.0.2")
            await asyncio.sleep(30)
            world.note_latency = real  # type: ignore[method-assign]
            await asyncio.sleep(700)
            assert world.latency == {ANNA: 0.05}

    run(main())
