"""The keep-alive: decided from times alone, and with real dead peers."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.network.nodes import LIMIT_S, LOOPBACK, closed, connect, event, make, nodes, until
from tests.support import require, run
from warren.core.multiaddr import Multiaddr
from warren.network.events import PeerDisconnected
from warren.network.states import SocketState
from warren.protocols.ping import KeepAlive, Silence
from warren.runtime.simulated import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.network.mux import MuxedConnection

INTERVAL_S, TIMEOUT_S = 15.0, 20.0

# ---------------------------------------------------------------- who is silent for too long


def silence() -> Silence[str]:
    return Silence(INTERVAL_S, TIMEOUT_S)


def test_who_is_heard_of_is_left_alone() -> None:
    watch = silence()
    verdict = watch.look(100.0, {"talks": 100.0, "talked": 95.0})
    assert (verdict.probe, verdict.dead) == ([], [])
    assert verdict.look_in_s <= 10.0


def test_who_answers_the_probe_lives_and_who_does_not_is_dead_after_the_timeout() -> None:
    watch = silence()
    now, reads = 100.0, {"lives": 80.0, "dies": 80.0}
    assert watch.look(now, reads).probe == ["lives", "dies"]
    while now + 5 < 100.0 + TIMEOUT_S:
        reads["lives"] = now
        now += 5
        verdict = watch.look(now, reads)
        assert (verdict.dead, verdict.probe) == ([], [])
    assert watch.look(100.0 + TIMEOUT_S, reads).dead == ["dies"]


def test_who_does_not_answer_at_once_is_named_once_long_before_it_counts_as_dead() -> None:
    watch = silence()
    now, reads, named = 100.0, {"lives": 80.0, "dies": 80.0}, []
    watch.look(now, reads)
    while now < 100.0 + TIMEOUT_S:
        now += 2.5
        reads["lives"] = now
        verdict = watch.look(now, reads)
        named += [(one, now - 100.0) for one in verdict.quiet]
    assert named == [("dies", TIMEOUT_S / 4)]
    # It spoke again, and falls silent once more.
    reads["dies"] = now
    while not named[1:]:
        now += 2.5
        reads["lives"] = now
        named += [(one, now - reads["dies"]) for one in watch.look(now, reads).quiet]
    assert named[1][0] == "dies"
    assert named[1][1] <= INTERVAL_S + TIMEOUT_S / 4 + 2.5


@pytest.mark.parametrize("slept_s", [TIMEOUT_S / 2, INTERVAL_S + TIMEOUT_S, 1e6])
@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_a_jump_of_time_between_looks_kills_nobody(slept_s: float, before: int) -> None:
    """Whether the jump comes before the first probe or while one waits for its answer."""
    watch, now, reads = silence(), 100.0, {"peer": 100.0}
    for _ in range(before):
        now += watch.look(now, reads).look_in_s
    now += watch.look(now, reads).look_in_s + slept_s
    verdict = watch.look(now, reads)
    assert (verdict.probe, verdict.dead) == (["peer"], [])
    while not verdict.dead:
        assert now < 100.0 + INTERVAL_S + 2 * TIMEOUT_S + TIMEOUT_S / 2 + slept_s
        now += verdict.look_in_s
        verdict = watch.look(now, reads)


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.1, 4.0, 6.0, 30.0, 1e5]), st.floats(0, 5)), max_size=60))
def test_who_answers_in_good_time_never_dies_however_long_this_process_sleeps(
    steps: list[tuple[float, float]],
) -> None:
    """An answer that falls into a sleep comes after it: a machine that sleeps receives nothing."""
    watch, now, reads = silence(), 0.0, {"peer": 0.0}
    answer_at: float | None = None
    for late_s, takes_s in steps:
        verdict = watch.look(now, reads)
        assert verdict.dead == []
        if verdict.probe:
            answer_at = answer_at or now + takes_s
        next_at = now + verdict.look_in_s + late_s
        if answer_at is not None and late_s > 5.0 and answer_at > now:
            answer_at = max(answer_at, next_at + takes_s)
        if answer_at is not None and answer_at <= next_at:
            reads["peer"], answer_at = answer_at, None
        now = next_at


@given(st.dictionaries(st.text(max_size=3), st.floats(-0.8 * INTERVAL_S, 0), min_size=1, max_size=30))
def test_the_dead_are_noticed_in_time_and_looks_are_few(reads: dict[str, float]) -> None:
    watch, now, looks = silence(), 0.0, 0
    left = dict(reads)
    while left:
        verdict = watch.look(now, left)
        for key in verdict.dead:
            assert TIMEOUT_S < now - left.pop(key) <= INTERVAL_S + TIMEOUT_S + 1e-6
        looks += 1
        now += verdict.look_in_s
    assert looks <= 3 * INTERVAL_S


def test_a_follower_is_probed_only_when_the_one_it_follows_probes_in_vain() -> None:
    """Two ends of one connection, each with a watch of its own, and 0.4 s from one to the other."""
    ends = {"leads": silence(), "follows": Silence[str](INTERVAL_S, TIMEOUT_S, bool)}
    heard, looks_at = dict.fromkeys(ends, 0.0), dict.fromkeys(ends, 0.0)
    probes: list[str] = []

    def step(hears: bool) -> None:
        end = min(ends, key=lambda name: looks_at[name])
        now = looks_at[end]
        verdict = ends[end].look(now, {"other": heard[end]})
        looks_at[end] = now + verdict.look_in_s
        if verdict.probe:
            probes.append(end)
            if hears:
                heard["follows" if end == "leads" else "leads"], heard[end] = now + 0.4, now + 0.8

    for _ in range(100):
        step(hears=True)
    assert set(probes) == {"leads"}
    while "follows" not in probes:
        step(hears=False)
    assert looks_at["follows"] - heard["follows"] < INTERVAL_S + TIMEOUT_S


def test_who_is_gone_is_forgotten() -> None:
    watch = silence()
    assert watch.look(100.0, {"peer": 0.0}).probe == ["peer"]
    assert watch.look(101.0, {}).look_in_s > 1
    assert watch.look(102.0, {"peer": 0.0}).probe == ["peer"]


# ---------------------------------------------------------------- whole nodes


@pytest.mark.parametrize("awake_s", [0.0, INTERVAL_S - 0.01, INTERVAL_S + 0.01])
def test_a_pause_of_this_process_drops_no_living_peer(awake_s: float) -> None:
    async def main() -> None:
        alice, bob = make(1, world.runtime("alice")), make(2, world.runtime("bob"))
        await bob.listen([Multiaddr.parse("/ip4/100.0.0.2/tcp/4101")])
        near, far = await connect(alice, bob)
        watches = [KeepAlive(network) for network in (alice, bob)]
        for watch in watches:
            watch.start()
        await asyncio.sleep(awake_s)
        world.loop.now += 600
        await asyncio.sleep(120)
        assert near.state is far.state is SocketState.OPEN
        for watch in watches:
            watch.stop()
        await alice.stop()
        await bob.stop()

    with World() as world:
        world.run(main())


def test_a_peer_that_is_cut_off_is_noticed_within_interval_and_timeout() -> None:
    async def main() -> None:
        alice, bob = make(1, world.runtime("alice")), make(2, world.runtime("bob"))
        await bob.listen([Multiaddr.parse("/ip4/100.0.0.2/tcp/4101")])
        near, _ = await connect(alice, bob)
        watch = KeepAlive(alice, interval_s=INTERVAL_S, timeout_s=TIMEOUT_S)
        watch.start()
        await asyncio.sleep(1000)
        assert near.state is SocketState.OPEN
        world.network.partition([["alice"], ["bob"]])
        began = alice.clock()
        await closed(near)
        assert TIMEOUT_S <= alice.clock() - began <= INTERVAL_S + TIMEOUT_S
        assert "answered no probe" in str(near.error)
        watch.stop()
        await alice.stop()
        await bob.stop()

    with World() as world:
        world.run(main())


ROOT = Path(__file__).parents[2]
CHILD = """
import asyncio, sys
sys.path[:0] = sys.argv[1:3]
from tests.network.nodes import LOOPBACK, make

async def main():
    network = make(50)
    await network.listen([LOOPBACK])
    print(network.listen_addrs[0], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def node_in_another_process() -> AsyncIterator[tuple[Multiaddr, asyncio.subprocess.Process]]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        CHILD,
        str(ROOT),
        str(ROOT / "src"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(LIMIT_S):
            line = await child.stdout.readline()
        yield Multiaddr.parse(line.decode().strip()), child
    finally:
        child.kill()
        await child.communicate()


def test_the_keep_alive_notices_a_process_that_was_stopped() -> None:
    require(hasattr(signal, "SIGSTOP"), "SIGSTOP")

    async def main() -> None:
        async with nodes(1) as (alice,), node_in_another_process() as (address, child):
            watch = KeepAlive(alice, interval_s=0.2, timeout_s=0.4)
            watch.start()
            socket = await alice.connect_unproven(address)
            await socket.wait_open()
            assert socket.mux is not None
            await wait_for_probe(socket.mux)
            child.send_signal(signal.SIGSTOP)
            events = alice.events.subscribe()
            gone = await event(events, PeerDisconnected)
            assert gone.peer == make_peer(50)
            assert "answered no probe" in gone.reason
            watch.stop()
            watch.stop()

    run(main())


async def wait_for_probe(mux: MuxedConnection | None) -> None:
    assert mux is not None
    async with asyncio.timeout(LIMIT_S):
        while mux.rtt_at is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def make_peer(number: int) -> object:
    from tests.network.nodes import key

    return key(number).peer_id


class Relay:
    """Carries bytes between two TCP connections, until it is told to swallow them."""

    def __init__(self, target: Multiaddr) -> None:
        self.target = target
        self.swallowing = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = Multiaddr.tcp("127.0.0.1", self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.swallowing = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(self.target.host, self.target.port)
        for source, sink in ((reader, there[1]), (there[0], writer)):
            self._tasks.append(asyncio.ensure_future(self._pump(source, sink)))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                if not self.swallowing:
                    sink.write(data)
            if self.swallowing:  # the end, too
                await asyncio.Event().wait()
        except ConnectionError:
            return
        finally:
            sink.close()


def test_the_keep_alive_notices_a_way_that_swallows_everything() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob), Relay(bob.listen_addrs[0]) as relay:
            watches = [KeepAlive(network, interval_s=0.2, timeout_s=0.4) for network in (alice, bob)]
            socket = await alice.connect(bob.peer_id, [relay.address])
            await socket.wait_open()
            [far] = await until(bob, bob.sockets)
            for watch in watches:
                watch.start()
            await wait_for_probe(socket.mux)
            relay.swallowing = True
            for one in (socket, far):
                await closed(one)
                assert "answered no probe" in str(one.error)
            for watch in watches:
                watch.stop()

    run(main())


def test_a_keep_alive_that_was_never_started_can_be_stopped() -> None:
    async def main() -> None:
        network = make(1)
        KeepAlive(network).stop()
        await network.listen([LOOPBACK])
        await network.stop()

    run(main())
