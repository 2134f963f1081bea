"""Who is near and who is there, told by whole nodes: through hung peers, cuts, restarts and eclipses."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.simulation.peers import stage, state_of, until
from warren import testing
from warren.config import Config
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.reach import Reach
from warren.network.events import PeerConnected
from warren.runtime.simulated import Quality
from warren.services.discovery.config import DiscoveryConfig
from warren.services.peers import prober
from warren.services.peers.anchoring import GROWN_S, LOOK_S
from warren.services.peers.config import PeersConfig
from warren.services.peers.latencies import FIRST_SAMPLES
from warren.services.peers.prober import PASSING_S
from warren.testing.nodes import QUIET

if TYPE_CHECKING:
    from tests.simulation.peers import Stage
    from warren.core.peer_id import PeerId
    from warren.network.socket import Socket
    from warren.node import Node

DAY_S = 86400.0
# For days of virtual time.
SELDOM = PeersConfig(latency_interval_s=600, feeler_interval_s=1200, forget_s=7200)


class Mute(asyncio.BufferedProtocol):
    """Accepts a connection and never says a word."""

    def get_buffer(self, sizehint: int) -> bytearray:
        return bytearray(4096)

    def buffer_updated(self, nbytes: int) -> None: ...


def stranger(number: int) -> PeerId:
    return PrivateKey.from_seed(number.to_bytes(32, "big")).peer_id


async def measured(node: Node, peer: PeerId) -> bool:
    known = await node.peers.get(peer)
    return known is not None and known.latency is not None


def test_each_peer_is_shown_as_near_as_it_is() -> None:
    async def main() -> None:
        async with stage(5) as made:
            for number in range(1, 5):
                quality = Quality(latency_s=0.01 * number**2, jitter_s=0.001)
                made.world.network.set_path("node0", f"node{number}", quality)
            await made.connect(0, 1, 2)
            await made.tell(made.nodes[0], 3, 4)  # these it knows by name only: feelers measure them
            await asyncio.sleep(120)
            assert set(made.nodes[0].network.peers()) >= {made.nodes[n].peer_id for n in (1, 2)}
            for number in range(1, 5):
                known = await made.nodes[0].peers.get(made.nodes[number].peer_id)
                assert known is not None
                assert known.latency is not None
                truth_s = 0.02 * number**2 + 0.001
                assert known.latency.value == pytest.approx(truth_s, rel=0.2)
                assert known.state == "reachable"


ALL_ON = Config(discovery=DiscoveryConfig(mdns=False, connections=0))
TALKATIVE = replace(ALL_ON, dht=QUIET.dht)


@pytest.mark.parametrize("others", [QUIET, TALKATIVE], ids=["alone", "with peer exchange"])
def test_a_peer_that_was_tried_is_let_go_and_two_do_not_try_each_other_for_ever(others: Config) -> None:
    async def main() -> None:
        async with stage(2, PeersConfig(feeler_interval_s=0), others=others) as made:
            anna, ben = made.nodes[0], made.nodes[1]
            await made.tell(anna, 1)
            known = await anna.peers.get(ben.peer_id)
            assert known is not None
            events = ben.events()
            anna._parts.measuring.prober._watch(known, at_once=True)  # type: ignore[union-attr]
            await until(lambda: measured(anna, ben.peer_id), 10)
            await asyncio.sleep(3600)
            assert anna.network.peers() == ben.network.peers() == []
            assert await state_of(anna, ben.peer_id) == await state_of(ben, anna.peer_id) == "reachable"
            events.close()
            dials = sum([isinstance(event, PeerConnected) async for event in events])
            assert dials == 1

    testing.run(main())


@pytest.mark.parametrize("asked_by", ["here", "there"])
def test_who_pings_over_a_connection_that_was_made_to_look_is_not_cut_off(asked_by: str) -> None:
    async def main() -> None:
        async with stage(2, PeersConfig(feeler_interval_s=0), latency_s=0.3, others=ALL_ON) as made:
            anna, ben = made.nodes[0], made.nodes[1]
            await made.tell(anna, 1)
            known = await anna.peers.get(ben.peer_id)
            assert known is not None
            anna._parts.measuring.prober._watch(known, at_once=True)  # type: ignore[union-attr]
            await until(lambda: measured(anna, ben.peer_id), 10)
            node, other = (anna, ben) if asked_by == "here" else (ben, anna)
            [socket] = node.network.sockets(other.peer_id)
            assert len(await node.ping(other.peer_id, 60, interval_s=0.5)) == 60
            assert node.network.sockets(other.peer_id) == [socket]

    testing.run(main())


def test_an_idle_connection_is_asked_a_few_times_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Counter[Socket] = Counter()
    real = prober._ask

    def ask(socket: Socket) -> None:
        asked[socket] += 1
        real(socket)

    async def main() -> None:
        config = PeersConfig()
        async with stage(3, config) as made:
            await made.connect(0, 1, 2)
            await made.connect(1, 2)
            await asyncio.sleep(3600)
            for node in made.nodes.values():
                for peer in node.network.peers():
                    assert await measured(node, peer)
            assert len(asked) == 6
            # On one side of each the answers to the keep-alive are there anyway.
            most = FIRST_SAMPLES + 1 + 3600 / (0.75 * config.latency_interval_s)
            assert max(asked.values()) <= most
            assert sum(asked.values()) <= 6 * most * 0.75

    monkeypatch.setattr(prober, "_ask", ask)
    testing.run(main())


def test_one_hung_peer_among_fifty_delays_nobody() -> None:
    async def main() -> None:
        config = PeersConfig(feeler_interval_s=1, probe_timeout_s=10)
        async with stage(50, config) as made:
            hung = made.world.runtime("hung", "100.99.0.1")
            listener = await hung.transport.listen(Mute, "100.99.0.1", 4101)
            node = made.nodes[0]
            await node.peers.heard(stranger(7), [Multiaddr.tcp("100.99.0.1", 4101)], "test", Reach.PRIVATE)
            await made.tell(node, *range(1, 50))
            others = [made.nodes[number].peer_id for number in range(1, 50)]

            async def all_measured() -> bool:
                return all([await measured(node, peer) for peer in others])

            # A feeler a second draws them by chance: some 50 * ln(50) draws meet all.
            await until(all_measured, 600)
            assert not await measured(node, stranger(7))
            assert await state_of(node, stranger(7)) in ("suspect", "unreachable")
            listener.close()

    testing.run(main())


async def five(made: Stage) -> list[PeerId]:
    await made.connect(0, 1, 2, 3, 4, 5)
    await asyncio.sleep(60)
    return [made.nodes[number].peer_id for number in range(1, 6)]


def test_a_node_whose_own_network_is_cut_accuses_nobody_and_heals() -> None:
    async def main() -> None:
        async with stage(6, SELDOM) as made:
            node, others = made.nodes[0], await five(made)
            made.cut_off(0)
            for _ in range(24):
                await asyncio.sleep(600)
                assert [await state_of(node, peer) for peer in others] == ["reachable"] * 5
            assert node.network.peers() == []
            # The others have witnesses: each other. They see that node 0 is gone.
            await made.connect(1, 2)
            await made.connect(3, 4)
            made.heal()

            async def all_met() -> bool:
                seen = [await node.peers.get(peer) for peer in others]
                now = made.world.clock.wall()
                return all(one is not None and now - (one.last_seen or 0) < 120 for one in seen)

            assert await until(all_met, 300) < 300

    testing.run(main())


def test_who_is_cut_off_alone_is_suspected_by_those_who_still_hear_others() -> None:
    async def main() -> None:
        async with stage(6) as made:
            node, others = made.nodes[0], await five(made)
            made.cut_off(3)  # node 3, which is others[2]

            async def accused() -> bool:
                return await state_of(node, others[2]) == "unreachable"

            took_s = await until(accused, 1200)
            assert took_s > 60
            assert [await state_of(node, peer) for peer in others if peer != others[2]] == ["reachable"] * 4
            made.heal()

            async def taken_back() -> bool:
                return await state_of(node, others[2]) == "reachable"

            await until(taken_back, 3600)

    testing.run(main())


def test_who_stays_away_leaves_the_table_and_is_taken_back_when_it_returns() -> None:
    async def main() -> None:
        async with stage(5, SELDOM) as made:
            node = made.nodes[0]
            await made.connect(0, 1, 2, 3, 4)
            contact = await made.nodes[2].join(await node.invite())
            assert contact.peer_id == node.peer_id
            await asyncio.sleep(120)
            gone, friend = made.nodes[1].peer_id, made.nodes[2].peer_id
            await made.stop(1)
            await made.stop(2)

            async def unreachable() -> bool:
                return await state_of(node, gone) == "unreachable"

            await until(unreachable, 1800)
            await asyncio.sleep(SELDOM.forget_s)

            async def forgotten() -> bool:
                return await state_of(node, gone) is None

            await until(forgotten, DAY_S)
            assert await state_of(node, friend) == "unreachable"  # a contact stays
            await made.start(1)
            await made.connect(1, 0)

            async def back() -> bool:
                return await state_of(node, gone) == "reachable"

            await until(back, 10)
            await until(lambda: measured(node, gone), 2 * PASSING_S)  # it came, and nobody here asked for it

    testing.run(main())


def test_anchors_are_dialled_first_after_a_restart() -> None:
    async def main() -> None:
        async with stage(6) as made:
            await made.connect(0, 1, 2, 3)
            await asyncio.sleep(GROWN_S + 2 * LOOK_S)
            await made.stop(0)
            before = made.world.deliveries
            node = await made.start(0)
            await asyncio.sleep(1)
            assert set(node.network.peers()) == {made.nodes[number].peer_id for number in (1, 2, 3)}
            assert made.world.deliveries > before

    testing.run(main())


def test_who_owns_one_network_cannot_surround_a_node_that_restarts() -> None:
    async def main() -> None:
        config = PeersConfig(feeler_interval_s=20)
        async with stage(5, config) as made:
            await made.connect(0, 1, 2, 3)
            await asyncio.sleep(GROWN_S + 2 * LOOK_S)
            node = made.nodes[0]
            await made.tell(node, 4)
            for number in range(1500):  # a /24 of the attacker's, six peer ids at each address
                host = f"66.6.6.{number % 250 + 1}"
                await node.peers.heard(stranger(number), [Multiaddr.tcp(host, 1000 + number)], "test")
            await made.stop(0)
            node = await made.start(0)
            await asyncio.sleep(5)
            assert len(node.network.peers()) == 3

            async def met_the_other() -> bool:
                return await measured(node, made.nodes[4].peer_id)

            # Of 1,504 peers one is honest, unknown and not connected: by lot it would take 500 times 20 s.
            await until(met_the_other, 3600)

    testing.run(main())
