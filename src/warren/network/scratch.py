"""Buffers that all sockets of a network share, because each is used only within one synchronous call.

An idle socket owns no buffer.  A socket whose link is a stream of another socket (a relayed connection) must
use another set than that socket does: one set per nesting level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
