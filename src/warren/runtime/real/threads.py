"""`Threads`: a few threads for what would hold the loop up.

In:  functions. Out: what they return or raise, to whoever awaits it. The way there and back is short: by
`concurrent.futures` a job takes 0.04 ms more, of which a search had to pay one, and each MiB of a file two.
"""

from __future__ import annotations

import asyncio
import contextlib
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar
from weakref import finalize

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class _Job(NamedTuple):
    """What is to be done, and who waits for it where."""

    work: Callable[..., Any]
    args: tuple[object, ...]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Any]


class _End(NamedTuple):
    """Of one thread. told: called when it has nothing left to do."""

    told: Callable[[], object]


_Jobs: TypeAlias = "SimpleQueue[_Job | _End]"


class Threads:
    """At most `count` threads, one more with each of the first jobs. They end with `close`, or when nobody
    has this any more.
    """

    __slots__ = ("__weakref__", "_count", "_jobs", "_name", "_threads")

    def __init__(self, name: str, count: int = 1) -> None:
        self._name = name
        self._count = count
        self._threads: list[Thread] = []
        self._jobs: _Jobs = SimpleQueue()
        finalize(self, _end, self._jobs, self._threads)

    def do(self, work: Callable[..., T], *args: object) -> asyncio.Future[T]:
        """Begin `work(*args)` as soon as a thread is free; jobs begin in the order in which they came.

        One whose future was cancelled before is not begun.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(work, args, loop, done))
        if len(self._threads) < self._count:
            # A daemon, as one that nobody closes is no reason for the process to live on.
            name = f"{self._name}-{len(self._threads)}" if self._count > 1 else self._name
            thread = Thread(target=_serve, args=(self._jobs,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        return done

    def end(self) -> None:
        """Let the threads end when all is done; nothing may come after."""
        _end(self._jobs, self._threads)

    async def close(self) -> None:
        """The same, and wait for it."""
        loop = asyncio.get_running_loop()
        ended = [loop.create_future() for _ in self._threads]
        for one in ended:
            self._jobs.put(_End(lambda one=one: _tell(loop, one, one.set_result, None)))  # type: ignore[misc]
        self._threads.clear()
        await asyncio.gather(*ended)


def _end(jobs: _Jobs, threads: list[Thread]) -> None:
    for _ in threads:
        jobs.put(_End(lambda: None))
    threads.clear()


def _serve(jobs: _Jobs) -> None:
    """In the thread: one job after the other."""
    while isinstance(job := jobs.get(), _Job):
        _make(*job)
        del job  # else what it holds would live until the next one comes
    job.told()


def _make(
    work: Callable[..., Any],
    args: tuple[object, ...],
    loop: asyncio.AbstractEventLoop,
    done: asyncio.Future[Any],
) -> None:
    if done.cancelled():
        return
    try:
        outcome = work(*args)
    except BaseException as error:  # noqa: BLE001  it is raised where somebody waits
        _tell(loop, done, done.set_exception, error)
    else:
        _tell(loop, done, done.set_result, outcome)


def _tell(
    loop: asyncio.AbstractEventLoop, done: asyncio.Future[Any], tell: Callable[[Any], None], what: object
) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_settle, done, tell, what)


def _settle(done: asyncio.Future[Any], tell: Callable[[Any], None], what: object) -> None:
    if not done.done():  # cancelled
        tell(what)
