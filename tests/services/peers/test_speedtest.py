"""The speed test: within its budget, gentle to slow links, honest about shaped ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren import testing
from warren.core.errors import InputError, Refused, RequestTimeout
from warren.protocols.perf import PROTOCOL_ID
from warren.services.peers.serving import RUN_BYTES_MAX
from warren.services.peers.speedtest import RUN_GRACE_S, next_count

if TYPE_CHECKING:
    from warren.network.stream import Stream


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
