"""Waiting that a cancel cannot cut short: a thread cannot be stopped, so who gave it work stays to its end.

In: tasks, or a call for a thread. Out: nothing before they ended, and then the cancel that came meanwhile, if
one did. So what a thread works on is never taken away from under it, and no second one begins beside it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine

    from warren.runtime.seam import Runtime

T = TypeVar("T")


async def settle(tasks: Collection[asyncio.Task[T]]) -> None:
    """Wait until all of these ended, well or not. A cancel is raised once they did."""
    cancelled: asyncio.CancelledError | None = None
    while pending := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def finish(work: Coroutine[object, object, T]) -> T:
    """Run `work` to its end, also where this call is cancelled: then the cancel is raised, and it is done.

    What `work` raises is raised; after a cancel its outcome is lost.
    """
    task = asyncio.create_task(work)
    try:
        await settle([task])
    except asyncio.CancelledError:
        if not task.cancelled():
            task.exception()  # seen, so that asyncio does not complain of it
        raise
    return task.result()


async def run_out(runtime: Runtime, call: Callable[..., T], *arguments: object) -> T:
    """`finish` for `runtime.offload`: also a cancelled call returns only when its thread is done."""
    return await finish(runtime.offload(call, *arguments))
