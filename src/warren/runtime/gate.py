"""`Gate`: one thread goes on while another is busy outside the interpreter, and waits while it is not.

Two threads of Python take turns at the interpreter: the one that comes back from a call into SQLite gets it
after half a millisecond, and hands it over with the next call. In a batch of thirty milliseconds with twenty
calls that adds up. Where the other one is in no hurry, it can stay away meanwhile.
"""

from __future__ import annotations

from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Gate:
    """Open at first. One thread closes it, any others wait."""

    __slots__ = ("_is_open",)

    def __init__(self) -> None:
        self._is_open = Event()
        self._is_open.set()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Nobody passes meanwhile, but for what is done within `opened`."""
        self._is_open.clear()
        try:
            yield
        finally:
            self._is_open.set()

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Within `closed`: for a call that takes milliseconds without the interpreter."""
        self._is_open.set()
        try:
            yield
        finally:
            self._is_open.clear()

    def wait(self) -> None:
        """Go on as soon as it is open. For threads alone: it blocks."""
        self._is_open.wait()
