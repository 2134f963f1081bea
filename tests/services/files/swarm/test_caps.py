from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from warren import testing
from warren.services.files.swarm.caps import BURST_S, LOOK_S, Bucket, Cap


@given(st.lists(st.integers(1, 5000), min_size=5, max_size=50), st.integers(100, 100_000))
def test_no_more_passes_than_the_cap_lets(sizes: list[int], rate: int) -> None:
    bucket, now = Bucket(), 50.0
    passed = 0
    for size in sizes:
        while wait_s := bucket.take(size, rate, now):
            now += wait_s
        passed += size
        assert passed <= rate * (now - 50.0 + BURST_S) + size + len(sizes)
    assert passed >= rate * (now - 50.0) - max(sizes)


def test_what_was_not_used_is_made_up_for_a_little() -> None:
    bucket = Bucket()
    assert not bucket.take(1000, 100, 0.0)
    assert bucket.take(1, 100, 1.0) > 0
    assert not bucket.take(1, 100, 1000.0)
    assert not bucket.take(int(100 * BURST_S), 100, 1000.0)
    assert bucket.take(1, 100, 1000.0) == 0.01


def test_without_a_cap_all_passes_and_no_debt_stays() -> None:
    bucket = Bucket()
    bucket.take(10**9, 1, 0.0)
    assert not bucket.take(10**9, 0, 0.0)
    assert not bucket.take(1, 1, 0.0)


def test_who_comes_first_is_first_and_a_lifted_cap_frees_all() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        rates = [1000]
        cap = Cap(clock, lambda: rates[0])
        order: list[int] = []

        async def take(number: int) -> None:
            await cap.admit(1000)
            order.append(number)

        tasks = [asyncio.create_task(take(number)) for number in range(4)]
        await asyncio.sleep(1.5)
        assert order == [0, 1]
        rates[0] = 0
        begun = clock()
        await asyncio.gather(*tasks)
        assert order == [0, 1, 2, 3]
        assert clock() - begun <= LOOK_S
        assert cap.bytes_per_s == 0

    testing.run(main())
