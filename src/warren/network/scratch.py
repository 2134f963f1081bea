"""Buffers that all sockets of an event loop share, because each is used only within one synchronous call.

An idle socket owns no buffer, and of a thousand nodes in one process none does.  A socket whose link is a
stream of another socket (a relayed connection) must use another set than that socket does: one set per
nesting level.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from warren.network.security import MESSAGE_BYTES_MAX

if TYPE_CHECKING:
    from warren.network.socket import Socket

SEALED_BYTES: Final = 4 * MESSAGE_BYTES_MAX
"""Handed to the operating system in one call."""


class Scratch:
    """One set of shared buffers."""

    __slots__ = ("opened", "outgoing", "owner", "read_bytes", "receive", "sealed", "used")

    def __init__(self, read_bytes: int) -> None:
        self.read_bytes = read_bytes
        """Read from the operating system in one call, at most."""
        self.receive = memoryview(bytearray(MESSAGE_BYTES_MAX + read_bytes))
        self.opened = memoryview(bytearray(MESSAGE_BYTES_MAX))
        self.outgoing = memoryview(bytearray(MESSAGE_BYTES_MAX))
        self.sealed = memoryview(bytearray(SEALED_BYTES))
        self.used = 0
        """Bytes of `sealed` that wait to be written by `owner`."""
        self.owner: Socket | None = None

    def renew_sealed(self) -> None:
        """The link kept the buffer: leave it to the link and take a fresh one."""
        self.sealed = memoryview(bytearray(SEALED_BYTES))


_SETS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, Scratch]]] = WeakKeyDictionary()


def shared_scratch(read_bytes: int) -> Scratch:
    """The set of the running loop for links that belong to no other socket; `read_bytes` as in `Scratch`."""
    sets = _SETS.setdefault(asyncio.get_running_loop(), {})
    if read_bytes not in sets:
        sets[read_bytes] = Scratch(read_bytes)
    return sets[read_bytes]
