"""The virtual loop: time that jumps, one order everywhere, and an end for what would hang."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import time
from typing import Any

import pytest

from warren.runtime.simulated import Deadlock, SimulationError, World
from warren.runtime.simulated import loop as loop_module


def test_an_hour_passes_in_an_instant() -> None:
    async def main() -> float:
        before = asyncio.get_running_loop().time()
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time() - before

    started = time.monotonic()
    assert World().run(main()) == pytest.approx(3600)
    assert time.monotonic() - started < 5


def test_timers_fire_by_time_and_then_in_the_order_of_their_making() -> None:
    fired: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(2, fired.append, "late")
        loop.call_later(1, fired.append, "early")
        loop.call_at(loop.time() + 1, fired.append, "early too")
        dropped = loop.call_later(1, fired.append, "never")
        loop.call_soon(fired.append, "now")
        assert (dropped.cancelled(), dropped.when()) == (False, 1.0)
        dropped.cancel()
        dropped.cancel()
        assert dropped.cancelled()
        assert "cancelled" in repr(dropped)
        await asyncio.sleep(3)

    World().run(main())
    assert fired == ["now", "early", "early too", "late"]


def test_cancelled_timers_are_swept() -> None:
    world = World()

    async def main() -> None:
        for _ in range(5000):
            async with asyncio.timeout(1e6):
                await asyncio.sleep(0.001)

    world.run(main())
    assert len(world.loop._events) < 2500


def test_asyncio_works_on_it() -> None:
    async def fail() -> None:
        await asyncio.sleep(1)
        raise LookupError

    async def numbers() -> Any:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    closed: list[bool] = []

    async def main() -> str:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.sleep(2)
        with pytest.raises(ExceptionGroup):  # noqa: PT012
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(fail())
                tasks.create_task(asyncio.sleep(5))
        assert asyncio.get_running_loop().time() == pytest.approx(2)
        async for _ in numbers():
            break
        assert await asyncio.to_thread(pow, 2, 5) == 32
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(divmod, 1, 0)
        queue: asyncio.Queue[str] = asyncio.Queue()
        asyncio.get_running_loop().call_soon_threadsafe(queue.put_nowait, "done")
        return await queue.get()

    assert World().run(main()) == "done"
    assert closed == [True]


def test_a_set_of_tasks_has_one_order() -> None:
    async def main() -> list[str]:
        tasks = {asyncio.create_task(asyncio.sleep(1), name=str(n)) for n in range(50)}
        done, _ = await asyncio.wait(tasks)
        return [task.get_name() for task in done]

    assert len({tuple(World().run(main())) for _ in range(5)}) == 1


def test_waiting_for_nothing_is_a_deadlock_that_names_the_place() -> None:
    async def wait_for_godot() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        await asyncio.sleep(7)
        await wait_for_godot()

    with pytest.raises(Deadlock, match=r"after 7\.0.*main"):
        World().run(main())


def test_spinning_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "JOBS_PER_INSTANT_MAX", 1000)

    async def main() -> None:
        while True:  # noqa: ASYNC110
            await asyncio.sleep(0)

    with pytest.raises(SimulationError, match="no end of callbacks"):
        World().run(main())


def test_a_run_has_a_limit_of_virtual_time() -> None:
    async def main() -> None:
        while True:  # noqa: ASYNC110
            await asyncio.sleep(1)

    with pytest.raises(SimulationError, match=r"not done by 100 s.*main"):
        World().run(main(), limit_s=100)


def test_an_error_that_nobody_handles_fails_the_run() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(divmod, 1, 0)
        await asyncio.sleep(1)

    with pytest.raises(ExceptionGroup) as caught:
        World().run(main())
    assert caught.group_contains(ZeroDivisionError)


def test_what_main_leaves_behind_is_cancelled() -> None:
    ended: list[str] = []

    async def linger(name: str) -> None:
        try:
            await asyncio.sleep(1e9)
        finally:
            ended.append(name)

    async def main() -> None:
        main.left = [asyncio.create_task(linger(n)) for n in ("first", "second")]  # type: ignore[attr-defined]
        await asyncio.sleep(0)

    World().run(main())
    assert ended == ["first", "second"]


def test_a_world_runs_again_where_it_stopped() -> None:
    async def main() -> float:
        await asyncio.sleep(5)
        return asyncio.get_running_loop().time()

    with World() as world:
        assert [world.run(main()), world.run(main())] == [5.0, 10.0]
    assert world.loop.is_closed()
    coro = main()
    with pytest.raises(RuntimeError, match="closed"):
        world.run(coro)
    coro.close()


def test_what_touches_the_real_world_is_refused() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(NotImplementedError):
            loop.add_reader(0, print)
        with pytest.raises(NotImplementedError):
            loop.set_task_factory(lambda loop, coro: asyncio.Task(coro, loop=loop))
        with pytest.raises(RuntimeError):
            loop.run_forever()
        with pytest.raises(RuntimeError):
            loop.close()
        assert loop.is_running()
        assert not loop.get_debug()
        assert loop.get_task_factory() is None

    World().run(main())


def test_an_exception_handler_may_be_set() -> None:
    seen: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: seen.append(context["message"]))
        assert loop.get_exception_handler() is not None
        loop.call_soon(divmod, 1, 0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    World().run(main())
    assert seen == ["error in a callback"]


def test_a_coroutine_that_is_stopped_from_inside_is_reported() -> None:
    world = World()

    async def main() -> None:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(1)

    with pytest.raises(RuntimeError, match="stopped before"):
        world.run(main())


def test_leftovers_that_fail_while_they_are_cancelled_are_errors() -> None:
    async def stumble() -> None:
        try:
            await asyncio.sleep(1e9)
        finally:
            raise LookupError

    async def main() -> None:
        main.left = asyncio.create_task(stumble())  # type: ignore[attr-defined]
        await asyncio.sleep(0)

    with pytest.raises(ExceptionGroup) as caught:
        World().run(main())
    assert caught.group_contains(LookupError)


def test_a_generator_that_is_dropped_is_closed_in_the_loop() -> None:
    closed: list[float] = []

    async def numbers() -> Any:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(1)
            closed.append(asyncio.get_running_loop().time())

    async def main() -> None:
        async for _ in numbers():
            break
        gc.collect()
        await asyncio.sleep(5)

    World().run(main())
    assert closed == [1.0]


def test_callbacks_run_in_their_own_context() -> None:
    variable = contextvars.ContextVar("variable", default="outside")
    seen: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        context.run(variable.set, "inside")
        handle = loop.call_soon(lambda: seen.append(variable.get()), context=context)
        loop.call_soon(lambda: seen.append(variable.get()))
        assert handle.get_context() is context if hasattr(handle, "get_context") else True
        assert len({handle, handle}) == 1
        await asyncio.sleep(0.1)

    World().run(main())
    assert seen == ["inside", "outside"]
