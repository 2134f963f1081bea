from __future__ import annotations

import asyncio
import threading

import pytest

from tests.support import keep_cancelling, run
from warren.runtime.real import RealRuntime
from warren.runtime.waiting import finish, run_out, settle


def test_settling_outlasts_cancels() -> None:
    async def main() -> None:
        gate = asyncio.Event()
        task = asyncio.create_task(gate.wait())
        waiter = asyncio.create_task(settle({task}))
        await keep_cancelling(waiter)
        await asyncio.sleep(0)
        assert not waiter.done()
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert task.result() is True
        await settle({task})
        await settle([])

    run(main())


@pytest.mark.parametrize("error", [None, ValueError("wrong")])
def test_a_thread_is_waited_for_when_its_call_is_cancelled(error: Exception | None) -> None:
    begun, gate, ended = threading.Event(), threading.Event(), threading.Event()

    def call(value: int) -> int:
        begun.set()
        gate.wait(10)
        ended.set()
        if error is not None:
            raise error
        return value

    async def main() -> None:
        runtime = RealRuntime()
        waiter = asyncio.create_task(run_out(runtime, call, 7))
        await asyncio.to_thread(begun.wait, 10)
        waiter.cancel()
        asyncio.get_running_loop().call_soon(gate.set)
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert ended.is_set()
        if error is None:
            assert await run_out(runtime, call, 8) == 8
        else:
            with pytest.raises(ValueError, match="wrong"):
                await run_out(runtime, call, 8)
        await runtime.close()

    run(main())


@pytest.mark.parametrize("error", [None, ValueError("wrong")])
def test_work_is_finished_whoever_gives_up_waiting(error: Exception | None) -> None:
    async def main() -> None:
        gate, done = asyncio.Event(), asyncio.Event()

        async def work() -> int:
            await gate.wait()
            done.set()
            if error is not None:
                raise error
            return 7

        waiter = asyncio.create_task(finish(work()))
        await keep_cancelling(waiter)
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert done.is_set()
        if error is None:
            assert await finish(work()) == 7
        else:
            with pytest.raises(ValueError, match="wrong"):
                await finish(work())

    run(main())
