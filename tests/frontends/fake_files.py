"""Files that are read at a fake node: what a test put there, as far as it lets them come."""

from __future__ import annotations

from typing import Any

from warren.core.errors import SourceVanished

CONTENT = b"content\n"


class FakeReading:
    """Gives `step` bytes at once; from `node.breaks_at` on there is nothing more to be had."""

    def __init__(self, node: Any, data: bytes) -> None:
        self._node, self._data = node, data
        self.size = len(data)
        self.is_open = True
        self.asked: list[tuple[int, int]] = []

    async def read(self, offset: int, length: int) -> bytes:
        assert self.is_open
        self.asked.append((offset, length))
        if offset >= self._node.breaks_at:
            raise SourceVanished("it is gone")
        if offset >= self._node.holds_at:
            await self._node.hold.wait()
        return self._data[offset : offset + min(length, self._node.step)]

    def close(self) -> None:
        assert self.is_open
        self.is_open = False
