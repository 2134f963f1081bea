"""`VirtualLoop`: an asyncio event loop whose time jumps to the next timer instead of waiting for it.

In:  callbacks, timers, coroutines. Out: the same run for the same seed, as fast as the CPU allows.
It has no selector, no threads and no signals: what touches the real world (`add_reader`, subprocesses) raises
`NotImplementedError` as `asyncio.AbstractEventLoop` does, and `run_in_executor` runs inline.

Order is a function of the program alone: callbacks run first in, first out; timers by time, then by the
order of their making; tasks hash by number, so that even a `set` of tasks (asyncio keeps several) has one
order everywhere.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
import logging
import math
import sys
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine
    from concurrent.futures import Executor

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

logger = logging.getLogger(__name__)

# A program that does this much without letting time pass is spinning.
JOBS_PER_INSTANT_MAX = 10_000_000
# Cancelled timers (every timeout that was not needed) are swept when they are this many and most of the heap.
_SWEEP_AT = 1024


class SimulationError(Exception):
    """The simulated program is stuck, spins or let an error pass unhandled; the message says where."""


class Deadlock(SimulationError):
    """The program waits for something that nothing will ever bring about."""


class Job(asyncio.TimerHandle):
    """A callback that waits for its turn or its time."""

    __slots__ = ("args", "callback", "context", "due", "is_cancelled", "is_timer", "loop")

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: VirtualLoop,
        context: contextvars.Context | None,
    ) -> None:
        # The parent's own fields stay unset: this is made a million times, and overrides all that would
        # read them.
        self.callback = callback
        self.args = args
        self.loop = loop
        self.context = contextvars.copy_context() if context is None else context
        self.is_cancelled = False
        self.is_timer = False
        self.due = 0.0

    def cancel(self) -> None:
        if self.is_cancelled:
            return
        self.is_cancelled = True
        self.callback = _nothing
        self.args = ()
        if self.is_timer:
            self.loop.count_cancelled_timer()

    def cancelled(self) -> bool:
        return self.is_cancelled

    def when(self) -> float:
        return self.due

    def get_context(self) -> contextvars.Context:
        return self.context

    def __repr__(self) -> str:
        state = "cancelled" if self.is_cancelled else f"{self.callback!r}"
        return f"<Job {state} at {self.due:.6f}>"

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


class VirtualTask(asyncio.Task[T]):
    """A task whose hash is its number, so that a set of tasks iterates in the same order in every process."""

    def __init__(self, coro: Coroutine[Any, Any, T], *, loop: VirtualLoop, **options: Any) -> None:
        self.number = loop.next_number()
        super().__init__(coro, loop=loop, **options)

    def __hash__(self) -> int:
        return self.number


class VirtualLoop(asyncio.AbstractEventLoop):
    """See the module. `now` is the virtual time in seconds; it starts at 0."""

    def __init__(self) -> None:
        self.now = 0.0
        self.next_number = itertools.count(1).__next__
        self.unhandled: list[BaseException] = []
        self._ready: deque[Job] = deque()
        # (when, number, function, argument): the number makes every entry distinct, so functions never
        # compare.
        self._events: list[tuple[float, int, Callable[[Any], object], Any]] = []
        self._fire_timer = self._fire
        self._cancelled_timers = 0
        self._limit = math.inf
        self._stopping = False
        self._running = False
        self._closed = False
        self._exception_handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None = None
        self._asyncgens: weakref.WeakValueDictionary[int, AsyncGenerator[Any, Any]] = (
            weakref.WeakValueDictionary()
        )

    # ------------------------------------------------------------ time and turns

    def time(self) -> float:
        return self.now

    def at(self, when: float, fn: Callable[[Any], object], argument: Any) -> None:
        """Call `fn(argument)` at a time: a timer without a handle, for what happens often and is never
        cancelled.
        """
        heapq.heappush(self._events, (when, self.next_number(), fn, argument))

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> Job:
        job = Job(callback, args, self, context)
        self._ready.append(job)
        return job

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> Job:
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> Job:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> Job:
        job = Job(callback, args, self, context)
        job.due = when
        job.is_timer = True
        heapq.heappush(self._events, (when, self.next_number(), self._fire_timer, job))
        return job

    def count_cancelled_timer(self) -> None:
        """Note that a timer in the heap will do nothing; sweep when most of them are such."""
        self._cancelled_timers += 1
        if self._cancelled_timers >= _SWEEP_AT and self._cancelled_timers * 2 > len(self._events):
            fire = self._fire_timer
            self._events[:] = [e for e in self._events if e[2] is not fire or not e[3].is_cancelled]
            heapq.heapify(self._events)
            self._cancelled_timers = 0

    def _fire(self, job: Job) -> None:
        job.is_timer = False
        if job.is_cancelled:
            self._cancelled_timers -= 1
        else:
            self._ready.append(job)

    # ------------------------------------------------------------ running

    def run_main(self, main: Coroutine[Any, Any, T], limit_s: float) -> T:
        """Run `main` to its end, then cancel what it left behind, as `asyncio.run` does.

        Raises `Deadlock` when nothing can happen any more, `SimulationError` after `limit_s` of virtual
        time, and an `ExceptionGroup` of what nobody handled.
        """
        task = self.create_task(main)
        self._limit = self.now + limit_s
        try:
            result: T = self.run_until_complete(task)
        finally:
            self._limit = math.inf
            self._cancel_leftovers()
            unhandled, self.unhandled = self.unhandled, []
        if unhandled:
            raise BaseExceptionGroup("errors that nobody handled", unhandled)
        return result

    def run_until_complete(self, future: Any) -> Any:
        future = asyncio.ensure_future(future, loop=self)
        future.add_done_callback(self._stop_when_done)
        try:
            self.run_forever()
        finally:
            future.remove_done_callback(self._stop_when_done)
        if not future.done():
            raise RuntimeError("the loop was stopped before the future was done")
        return future.result()

    def run_forever(self) -> None:
        self._check_closed()
        if self._running:
            raise RuntimeError("this loop is already running")
        old_hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._first_iteration, finalizer=self._finalize)
        asyncio._set_running_loop(self)  # noqa: SLF001 - it is there for loops
        self._running = True
        try:
            self._run()
        finally:
            self._stopping = False
            self._running = False
            asyncio._set_running_loop(None)  # noqa: SLF001
            sys.set_asyncgen_hooks(*old_hooks)

    def _run(self) -> None:
        """Turn by turn: all that is ready, then the next event in time.

        The whole simulation happens in here.
        """
        ready, events, heappop = self._ready, self._events, heapq.heappop
        jobs_left = JOBS_PER_INSTANT_MAX
        while True:
            try:
                while ready:
                    jobs_left -= len(ready)
                    if jobs_left < 0:
                        raise SimulationError(f"no end of callbacks at {self.now:.6f} s: {self._where()}")
                    for _ in range(len(ready)):
                        job = ready.popleft()
                        if not job.is_cancelled:
                            job.context.run(job.callback, *job.args)
                if self._stopping:
                    return
                if not events:
                    raise Deadlock(f"nothing will happen after {self.now:.6f} s: {self._where()}")
                when, _, fn, argument = heappop(events)
                if when > self.now:
                    if when > self._limit:
                        raise SimulationError(f"not done by {self._limit:.0f} s: {self._where()}")
                    self.now = when
                    jobs_left = JOBS_PER_INSTANT_MAX
                fn(argument)
            except (SystemExit, KeyboardInterrupt, SimulationError):
                raise
            except BaseException as exc:  # noqa: BLE001 - the loop is the last supervisor
                self.call_exception_handler({"message": "error in a callback", "exception": exc})

    def stop(self) -> None:
        self._stopping = True

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        if self._running:
            raise RuntimeError("cannot close a running loop")
        self._closed = True
        self._ready.clear()
        self._events.clear()

    def _check_closed(self) -> None:
        if self._closed:
            raise RuntimeError("the loop is closed")

    def _stop_when_done(self, _: object) -> None:
        self._stopping = True

    def _cancel_leftovers(self) -> None:
        tasks = self._tasks()
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.wait(tasks))
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                self.unhandled.append(error)
        self.run_until_complete(self.shutdown_asyncgens())

    def _tasks(self) -> list[VirtualTask[Any]]:
        """Return the tasks that are not done, oldest first."""
        found = (task for task in asyncio.all_tasks(self) if isinstance(task, VirtualTask))
        return sorted(found, key=lambda task: task.number)

    def _where(self) -> str:
        return "; ".join(_describe(task) for task in self._tasks()[:20]) or "no task is left"

    # ------------------------------------------------------------ tasks, futures, executors

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> VirtualTask[Any]:
        self._check_closed()
        return VirtualTask(coro, loop=self, **options)

    def set_task_factory(self, factory: Any) -> None:
        if factory is not None:
            raise NotImplementedError("tasks of a virtual loop are its own")

    def get_task_factory(self) -> None:
        return None

    def run_in_executor(
        self,
        executor: Executor | None,  # noqa: ARG002 - there is but one way to run it
        func: Callable[[*Ts], T],
        *args: *Ts,
    ) -> asyncio.Future[T]:
        """Run `func` at once, in no virtual time."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as exc:  # noqa: BLE001 - it belongs to whoever awaits
            future.set_exception(exc)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109, ARG002
        return

    # ------------------------------------------------------------ asynchronous generators

    def _first_iteration(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._asyncgens[self.next_number()] = generator

    def _finalize(self, generator: AsyncGenerator[Any, Any]) -> None:
        if not self._closed:
            self.create_task(generator.aclose())

    async def shutdown_asyncgens(self) -> None:
        for generator in list(self._asyncgens.values()):
            await generator.aclose()

    # ------------------------------------------------------------ errors and debugging

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self._exception_handler is None:
            self.default_exception_handler(context)
        else:
            self._exception_handler(self, context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep the error for the end of the run: a simulation with an unhandled error has failed."""
        error = context.get("exception") or SimulationError(context["message"])
        logger.error("%s at %.6f s", context["message"], self.now, exc_info=error)
        self.unhandled.append(error)

    def set_exception_handler(self, handler: Any) -> None:
        self._exception_handler = handler

    def get_exception_handler(self) -> Any:
        return self._exception_handler

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        """Do nothing: slow callbacks are no fault in virtual time."""


def virtual_loop() -> VirtualLoop:
    """Return a new loop. What it lacks of the abstract one is what touches the real world."""
    return VirtualLoop()  # type: ignore[abstract]


def _nothing(*_: object) -> None:
    """Stand in for the callback of a cancelled job."""


def _describe(task: asyncio.Task[Any]) -> str:
    frames = task.get_stack()
    if not frames:
        return task.get_name()
    code = frames[-1].f_code
    return f"{task.get_name()} waits in {code.co_qualname} ({code.co_filename}:{frames[-1].f_lineno})"
