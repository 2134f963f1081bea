"""The speed test: within its budget, gentle to slow links, honest about shaped ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulation.peers import stage
from warren import testing
from warren.core.errors import InputError, Refused, RequestTimeout
from warren.protocols.perf import PROTOCOL_ID
from warren.services.peers.config import PeersConfig
from warren.services.peers.serving import RUN_BYTES_MAX
from warren.services.peers.speedtest import RUN_GRACE_S, next_count

if TYPE_CHECKING:
    from warren.network.stream import Stream
    from warren.services.peers.speedtest import SpeedProgress


@given(st.integers(1, RUN_BYTES_MAX), st.floats(0, 100), st.floats(0.05, 30))
def test_the_next_run_grows_within_bounds(count: int, took_s: float, budget_s: float) -> None:
    assert (
        min(2 * count, RUN_BYTES_MAX) <= next_count(count, took_s, budget_s) <= min(16 * count, RUN_BYTES_MAX)
    )


@pytest.mark.parametrize(("down", "up"), [(1e6, 1e6), (2e6, 5e5)])
def test_a_shaped_link_is_measured_within_a_fifth(down: float, up: float) -> None:
    async def main() -> None:
        async with testing.network(2, degree=0) as nodes:
            anna, bob = nodes
            await bob.join(await anna.invite())
            world = nodes.world.network
            world.set_path(nodes.host(0), nodes.host(1), testing.Quality(latency_s=0.02))
            world.set_access(nodes.host(1), up_bytes_per_s=up, down_bytes_per_s=down)
            result = await bob.speedtest(anna.peer_id, seconds=10)
            assert result.upload_bytes_per_s == pytest.approx(up, rel=0.2)
            assert result.download_bytes_per_s == pytest.approx(down, rel=0.2)
            assert result.rtt_s == pytest.approx(0.04, rel=0.1)
            assert result.seconds < 15

    testing.run(main())


def test_strangers_and_senseless_budgets_are_refused() -> None:
    async def main() -> None:
        async with testing.network(2) as (anna, bob):
            with pytest.raises(Refused, match="turned the speed test down"):
                await bob.speedtest(anna.peer_id, seconds=1)
            for seconds in (0, -1, 61, float("nan")):
                with pytest.raises(InputError):
                    await bob.speedtest(anna.peer_id, seconds=seconds)

    testing.run(main())


def test_a_peer_that_hangs_delays_nobody_for_long() -> None:
    async def main() -> None:
        async with testing.network(2) as nodes:
            anna, bob = nodes

            async def hang(_: Stream) -> None:
                await asyncio.get_running_loop().create_future()

            anna.network.remove_handler(PROTOCOL_ID)
            anna.network.handle_stream(PROTOCOL_ID, hang)
            began = bob.network.clock()
            with pytest.raises(RequestTimeout):
                await bob.speedtest(anna.peer_id, seconds=10)
            assert bob.network.clock() - began < 10 + RUN_GRACE_S

    testing.run(main())


def test_two_that_test_each_other_at_once_take_turns() -> None:
    async def main() -> None:
        async with testing.network(2, degree=0) as nodes:
            anna, bob = nodes
            await bob.join(await anna.invite())
            world = nodes.world.network
            world.set_path(
                nodes.host(0), nodes.host(1), testing.Quality(latency_s=0.02, bytes_per_s=1_000_000)
            )
            results = await asyncio.gather(
                anna.speedtest(bob.peer_id, seconds=4), bob.speedtest(anna.peer_id, seconds=4)
            )
            for result in results:  # at the same time each would have had its half of the link
                assert result.upload_bytes_per_s == pytest.approx(1e6, rel=0.2)
                assert result.download_bytes_per_s == pytest.approx(1e6, rel=0.2)

    testing.run(main())


def test_many_that_test_one_at_once_all_come_to_their_turn() -> None:
    async def main() -> None:
        async with testing.network(5, degree=0) as nodes:
            anna, *others = nodes
            for one in others:
                await one.join(await anna.invite())
            nodes.world.network.set_access(nodes.host(0), up_bytes_per_s=1e6, down_bytes_per_s=1e6)
            results = await asyncio.gather(*(one.speedtest(anna.peer_id, seconds=2) for one in others))
            for result in results:
                assert result.upload_bytes_per_s == pytest.approx(1e6, rel=0.2)
                assert result.download_bytes_per_s == pytest.approx(1e6, rel=0.2)

    testing.run(main())


def test_a_test_says_how_far_it_is_and_what_it_found_stays_in_the_table() -> None:
    async def main() -> None:
        async with testing.network(2, degree=0) as nodes:
            anna, bob = nodes
            await bob.join(await anna.invite())
            nodes.world.network.set_access(nodes.host(1), up_bytes_per_s=5e5, down_bytes_per_s=2e6)
            seen: list[SpeedProgress] = []
            result = await bob.speedtest(anna.peer_id, seconds=4, progress=seen.append)
            phases = list(dict.fromkeys(one.phase for one in seen))
            assert phases == ["waiting", "upload", "download"]
            shares = [one.share for one in seen]
            assert shares == sorted(shares)
            assert 0.8 < shares[-1] <= 1.0
            assert all(0 <= one.share <= 1 for one in seen)
            known = await bob.peers.get(anna.peer_id)
            assert known is not None
            assert known.download is not None
            assert known.upload is not None
            assert known.download.value == result.download_bytes_per_s == pytest.approx(2e6, rel=0.2)
            assert known.upload.value == result.upload_bytes_per_s == pytest.approx(5e5, rel=0.2)

    testing.run(main())


def test_a_peer_that_grants_less_than_was_asked_ends_a_direction_early() -> None:
    async def main() -> None:
        config = PeersConfig(stranger_tests_per_day=1, stranger_bytes_per_test=3_000_000)
        async with stage(2, config) as made:
            anna, bob = made.nodes[0], made.nodes[1]
            await made.connect(1, 0)
            made.world.network.set_access("node1", up_bytes_per_s=1e6, down_bytes_per_s=1e6)
            result = await bob.speedtest(anna.peer_id, seconds=2)
            assert result.upload_bytes_per_s == pytest.approx(1e6, rel=0.2)
            await asyncio.sleep(60)
            with pytest.raises(Refused):
                await bob.speedtest(anna.peer_id, seconds=2)

    testing.run(main())
