"""What a caller asked for within a time, as an error that says what took too long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from warren.core.errors import RequestTimeout

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


async def within(timeout_s: float | None, work: Awaitable[T], doing: str, whom: object) -> T:
    """Await `work` for at most `timeout_s` seconds; None for as long as it takes. Raises `RequestTimeout`."""
    if timeout_s is None:
        return await work
    try:
        async with asyncio.timeout(timeout_s):
            return await work
    except TimeoutError as error:
        raise RequestTimeout(f"{doing} {whom} took longer than {timeout_s:g} s") from error
