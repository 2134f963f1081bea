"""Work in real threads: it ends before the runtime does, and none is taken after."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.support import run
from warren.core.errors import Closed
from warren.runtime.real import RealRuntime


def test_closing_waits_for_work_that_nobody_awaits_any_more() -> None:
    started, finish, ended = threading.Event(), threading.Event(), []

    def work() -> None:
        started.set()
        finish.wait(10)
        ended.append(threading.current_thread().name)

    async def main() -> None:
        runtime = RealRuntime()
        job = asyncio.create_task(runtime.offload(work))
        await asyncio.to_thread(started.wait, 10)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        closing = asyncio.create_task(runtime.close())
        await asyncio.sleep(0)
        with pytest.raises(Closed):
            await runtime.offload(work)
        finish.set()
        await closing

    run(main())
    assert len(ended) == 1
    assert ended[0].startswith("warren-offload")


def test_a_runtime_that_did_nothing_has_no_threads() -> None:
    before = threading.active_count()
    RealRuntime()
    assert threading.active_count() == before
