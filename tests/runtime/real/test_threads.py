"""Threads: jobs begin in order, what nobody waits for is not begun, and all ends."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from tests.support import run, wait_ended
from warren.runtime.real.threads import Threads


def test_jobs_of_one_thread_follow_one_another() -> None:
    async def main() -> list[int]:
        threads, done = Threads("one"), list[int]()
        await asyncio.gather(*(threads.do(done.append, number) for number in range(100)))
        await threads.close()
        return done

    assert run(main()) == list(range(100))


def test_as_many_are_done_at_once_as_there_are_threads() -> None:
    async def main() -> None:
        threads, together = Threads("three", 3), threading.Barrier(3)
        for _ in range(5):
            assert sorted(await asyncio.gather(*(threads.do(together.wait, 20) for _ in range(3)))) == [
                0,
                1,
                2,
            ]
        names = await asyncio.gather(
            *(threads.do(lambda: threading.current_thread().name) for _ in range(20))
        )
        assert set(names) <= {"three-0", "three-1", "three-2"}
        await threads.close()

    run(main())


def test_what_is_raised_is_raised_where_it_is_awaited() -> None:
    async def main() -> None:
        threads = Threads("one")
        with pytest.raises(ZeroDivisionError):
            await threads.do(divmod, 1, 0)
        assert await threads.do(divmod, 7, 2) == (3, 1)
        await threads.close()

    run(main())


def test_what_nobody_waits_for_is_not_begun_and_what_is_begun_ends() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), list[str]()

    def hold() -> None:
        begun.set()
        assert go_on.wait(20)
        done.append("held")

    async def main() -> None:
        threads = Threads("one")
        holding, given_up = threads.do(hold), threads.do(done.append, "given up")
        await asyncio.to_thread(begun.wait, 20)
        holding.cancel()
        given_up.cancel()
        closing = asyncio.create_task(threads.close())
        await asyncio.sleep(0)
        assert not closing.done()
        go_on.set()
        await closing

    run(main())
    assert done == ["held"]


def test_they_end_when_nobody_has_them() -> None:
    before = set(threading.enumerate())

    async def main() -> list[threading.Thread]:
        threads = Threads("left", 2)
        await asyncio.gather(threads.do(int), threads.do(int))
        return [one for one in threading.enumerate() if one not in before and one.name.startswith("left-")]

    ours = run(main())
    gc.collect()
    assert len(ours) == 2
    wait_ended(ours)
