"""Locks by name: there is one as long as somebody has or wants it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

K = TypeVar("K")


class Locks(Generic[K]):
    """Who holds the lock of a name goes first, the others in the order in which they came."""

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        self._locks: dict[K, tuple[asyncio.Lock, list[None]]] = {}

    @asynccontextmanager
    async def hold(self, name: K) -> AsyncIterator[None]:
        """Hold the lock of a name."""
        lock, users = self._locks.setdefault(name, (asyncio.Lock(), []))
        users.append(None)
        try:
            async with lock:
                yield
        finally:
            users.pop()
            if not users:
                del self._locks[name]
