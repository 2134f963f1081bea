"""Keys of a terminal, one by one, and a page of it to show lines on.

In:  what somebody types at stdin. Out: names of keys: letters are themselves, the others are called `up`,
`enter`, `escape` and so on. The page is on stderr, so that stdout stays for results; what stood on the
terminal before is there again at the end. Refuses, as `InputError`, what is no terminal.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import sys
from collections.abc import Iterator, Sequence

from warren.core.errors import InputError

_READ_BYTES = 1 << 12
# What follows an escape character comes with it; somebody who types is slower.
_SEQUENCE_S = 0.05
_SEQUENCES = {
    "[A": "up", "OA": "up", "[B": "down", "OB": "down", "[5~": "pageup", "[6~": "pagedown",
    "[H": "home", "OH": "home", "[1~": "home", "[F": "end", "OF": "end", "[4~": "end",
}  # fmt: skip
_NAMES = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace", "\x04": "q"}
_ESCAPE = "\x1b"


class Page:
    """A terminal that is ours for a while."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._rest = ""

    def key(self) -> str:
        """The next key; `q` where there is nobody who types any more."""
        if not self._rest:
            self._rest = os.read(self._fd, _READ_BYTES).decode(errors="replace") or "\x04"
        if self._rest == _ESCAPE and select.select([self._fd], [], [], _SEQUENCE_S)[0]:
            self._rest += os.read(self._fd, _READ_BYTES).decode(errors="replace")
        if self._rest.startswith(_ESCAPE):
            for sequence, name in _SEQUENCES.items():
                if self._rest.startswith(sequence, 1):
                    self._rest = self._rest[1 + len(sequence) :]
                    return name
        first, self._rest = self._rest[0], self._rest[1:]
        return "escape" if first == _ESCAPE else _NAMES.get(first, first)

    def show(self, lines: Sequence[str]) -> None:
        """Show these and nothing else."""
        sys.stderr.write("\x1b[H" + "\r\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J")
        sys.stderr.flush()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        found = shutil.get_terminal_size()
        return found.columns, found.lines


@contextlib.contextmanager
def page() -> Iterator[Page]:
    """Take the terminal. Raises `InputError` where there is none that tells single keys."""
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError(
            "to choose, somebody must sit at a terminal",
            hint="say what is wanted with patterns: --only '*.jpg'",
        )
    try:
        import termios
        import tty
    except ImportError:
        hint = "say what is wanted with patterns: --only '*.jpg'"
        raise InputError("this system's terminals do not tell single keys", hint=hint) from None
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd)
        sys.stderr.write("\x1b[?1049h\x1b[?25l")
        yield Page(fd)
    finally:
        sys.stderr.write("\x1b[?25h\x1b[?1049l")
        sys.stderr.flush()
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
