"""Small things that tests share: running a coroutine, asking for a part that may be missing here, threads."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable
    from threading import Thread

T = TypeVar("T")


def run(coro: Coroutine[object, object, T], *, timeout_s: float = 30.0) -> T:
    """Run `coro` on a fresh loop; raises TimeoutError after `timeout_s` real seconds."""

    async def bounded() -> T:
        async with asyncio.timeout(timeout_s):
            return await coro

    return asyncio.run(bounded())


def require(present: object, what: str) -> None:
    """Skip the test with the reason when `present` is falsy; fail it instead where CI promised the part."""
    if present:
        return
    reason = f"needs {what}"
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, which CI must have")
    pytest.skip(reason)


def wait_ended(threads: Iterable[Thread]) -> None:
    """Wait until these end; fail for one that does not."""
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive(), f"{thread.name} goes on"


async def keep_cancelling(task: asyncio.Future[Any]) -> None:
    """Cancel what may outlast it, once in each of some turns of the loop."""
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
