"""Small things that tests share: running a coroutine, and asking for a part that may be missing here."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Coroutine

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
