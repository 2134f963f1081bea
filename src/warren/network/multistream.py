"""multistream-select 1.0 as two pure machines: one proposes, one answers.

In: bytes in any chunking.  Out: bytes to send (`take_output`), and in the end `selected`.
`receive` says how many bytes it used: what follows belongs to the agreed protocol.
Refuses: lines over 1 KiB, a first line other than the version, more than `PROPOSALS_MAX` proposals.
Spec: https://github.com/multiformats/multistream-select
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from warren.core import varint
from warren.core.errors import ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VERSION_LINE: Final = b"\x13/multistream/1.0.0\n"
_VERSION: Final = VERSION_LINE[1:-1]
NOT_AVAILABLE: Final = b"\x03na\n"
LINE_BYTES_MAX: Final = 1024
"""Stops a peer from making us hold an endless protocol name."""
PROPOSALS_MAX: Final = 16
"""Stops a peer from keeping us busy with names that we refuse."""
REFUSAL_COST: Final = 8
"""What a proposal that we refuse counts as, in frames without data. Stops a peer from keeping us busy with
stream after stream of such names."""


@lru_cache(maxsize=512)
def encode_line(protocol: str) -> bytes:
    """One protocol id as it goes over the wire: varint length, text, newline."""
    text = protocol.encode() + b"\n"
    return varint.encode(len(text)) + text


class _Lines:
    """Cuts bytes into lines; holds at most one incomplete line.

    The first line is compared byte by byte as it comes: what speaks another protocol is known at its first
    byte, and not when a line of the length that this byte happens to mean would be complete.
    """

    __slots__ = ("_held", "_version_left")

    def __init__(self) -> None:
        self._held = b""
        self._version_left = VERSION_LINE

    def next(self, data: memoryview, pos: int) -> tuple[bytes | None, int]:
        """The next whole line from `pos` on and the position after it; None when more bytes are needed."""
        if self._version_left:
            return self._next_of_version(data, pos)
        held = len(self._held)
        buf = self._held + bytes(data[pos : pos + LINE_BYTES_MAX + 2 - held])
        head = varint.decode(buf)
        if head is None:
            self._held = buf
            return None, len(data)
        size, start = head
        if not 1 <= size <= LINE_BYTES_MAX:
            raise ProtocolViolation(
                f"multistream: a line of {size} bytes (1 to {LINE_BYTES_MAX} are allowed)"
            )
        end = start + size
        if len(buf) < end:
            self._held = buf
            return None, len(data)
        self._held = b""
        if buf[end - 1] != 0x0A:
            raise ProtocolViolation("multistream: a line does not end in a newline")
        return buf[start : end - 1], pos + end - held

    def _next_of_version(self, data: memoryview, pos: int) -> tuple[bytes | None, int]:
        wanted = self._version_left[: len(data) - pos]
        if data[pos : pos + len(wanted)] != wanted:
            raise ProtocolViolation("multistream: the peer does not speak /multistream/1.0.0")
        self._version_left = self._version_left[len(wanted) :]
        return None if self._version_left else _VERSION, pos + len(wanted)


class Proposer:
    """The side that opened: offers protocols in order of preference until one is accepted.

    The first offer goes out together with the version line; with a single protocol the caller may send
    its own data right behind them and save a round trip.
    """

    __slots__ = ("_greeted", "_lines", "_offers", "_output", "protocols", "refusals", "selected")

    def __init__(self, protocols: Sequence[str]) -> None:
        self.protocols = protocols
        self._offers = list(protocols)
        self._lines = _Lines()
        self.refusals = 0
        self._greeted = False
        self._output = VERSION_LINE + encode_line(self._offers[0])
        self.selected: str | None = None

    @property
    def refused(self) -> bool:
        """True when the other side speaks none of the protocols."""
        return not self._offers

    def take_output(self) -> bytes:
        """What is to be sent now; empty when there is nothing."""
        out, self._output = self._output, b""
        return out

    def receive(self, data: memoryview) -> int:
        """Feed bytes; return how many were used. Raises `ProtocolViolation`."""
        pos = 0
        while pos < len(data) and self.selected is None and self._offers:
            line, pos = self._lines.next(data, pos)
            if line is not None:
                self._on_line(line)
        return pos

    def _on_line(self, line: bytes) -> None:
        if not self._greeted:
            self._greeted = True
        elif line == NOT_AVAILABLE[1:-1]:
            del self._offers[0]
            self.refusals += 1
            if self._offers:
                self._output += encode_line(self._offers[0])
        elif line.decode("utf-8", "replace") == self._offers[0]:
            self.selected = self._offers[0]
        else:
            raise ProtocolViolation("multistream: the peer answered with a protocol that was not offered")


class Responder:
    """The side that was opened to: takes the first offer that `supports` accepts, refuses the others."""

    __slots__ = ("_greeted", "_lines", "_output", "_supports", "refusals", "selected")

    def __init__(self, supports: Callable[[str], bool]) -> None:
        self._supports = supports
        self._lines = _Lines()
        self._greeted = False
        self.refusals = 0
        self._output = b""
        self.selected: str | None = None

    def take_output(self) -> bytes:
        """What is to be sent now; empty when there is nothing."""
        out, self._output = self._output, b""
        return out

    def receive(self, data: memoryview) -> int:
        """Feed bytes; return how many were used. Raises `ProtocolViolation`."""
        pos = 0
        while pos < len(data) and self.selected is None:
            line, pos = self._lines.next(data, pos)
            if line is not None:
                self._on_line(line)
        return pos

    def _on_line(self, line: bytes) -> None:
        if not self._greeted:
            self._greeted = True
            self._output += VERSION_LINE
            return
        try:
            protocol = line.decode()
        except UnicodeDecodeError:
            protocol = ""
        if protocol and self._supports(protocol):
            self.selected = protocol
            self._output += encode_line(protocol)
            return
        self.refusals += 1
        if self.refusals > PROPOSALS_MAX:
            raise ProtocolViolation(f"multistream: more than {PROPOSALS_MAX} proposals that nobody speaks")
        self._output += NOT_AVAILABLE
