"""Where the lines of the shell come from: somebody at a terminal, or a pipe.

In:  stdin. Out: lines, and whether a key was pressed. A terminal has history and completion where Python has
`readline`; history is a file in the data folder that only its owner can read, without invitation codes.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import click

PROMPT = "warren> "
_HISTORY_LINES = 1000
_READ_BYTES = 1 << 16
# Codes are secrets: whoever reads one becomes a contact.
_SECRET = ("join", "warren join")


class Lines(Protocol):
    """Somebody who types, or a file."""

    def read(self) -> str | None:
        """The next line; None at the end."""

    def pressed(self, seconds: float) -> bool:
        """Wait so long for a key. A pipe: whether there is more to read, or it has ended."""

    def watching(self) -> contextlib.AbstractContextManager[None]:
        """While keys are waited for."""


class Piped:
    """Lines of a file or pipe."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._rest = b""

    def read(self) -> str | None:
        while b"\n" not in self._rest:
            data = os.read(self._fd, _READ_BYTES)
            if not data:
                last, self._rest = self._rest, b""
                return last.decode(errors="replace") if last else None
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        return line.decode(errors="replace")

    def pressed(self, seconds: float) -> bool:
        return bool(self._rest) or bool(select.select([self._fd], [], [], seconds)[0])

    def watching(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


class Terminal:
    """Somebody who types."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self) -> str | None:
        try:
            line = input(PROMPT)
        except EOFError:
            click.echo()
            return None
        except KeyboardInterrupt:
            click.echo()
            return ""
        _remember(line)
        return line

    def pressed(self, seconds: float) -> bool:
        if not select.select([self._fd], [], [], seconds)[0]:
            return False
        os.read(self._fd, _READ_BYTES)  # keys like arrows are several bytes
        return True

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Each key counts at once, and is not shown. Where the system has no such mode, Enter is a key."""
        try:
            import termios
            import tty
        except ImportError:
            yield
            return
        before = termios.tcgetattr(self._fd)
        try:
            tty.setcbreak(self._fd)
            yield
        finally:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, before)


@contextlib.contextmanager
def lines(history: Path, complete: Callable[[list[str], str], list[str]]) -> Iterator[Lines]:
    """The lines of stdin. complete: from the words before and the half-typed one to what that may become."""
    if sys.stdin is None:  # it was closed: there is nothing to read
        with Path(os.devnull).open("rb") as nothing:
            yield Piped(nothing.fileno())
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield Piped(sys.stdin.fileno())
        return
    with _history(history, complete):
        yield Terminal(sys.stdin.fileno())


@contextlib.contextmanager
def _history(file: Path, complete: Callable[[list[str], str], list[str]]) -> Iterator[None]:
    try:
        import readline
    except ImportError:
        yield
        return
    offered: list[str] = []

    def completer(text: str, state: int) -> str | None:
        if state == 0:
            offered[:] = complete(readline.get_line_buffer()[: readline.get_begidx()].split(), text)
        return offered[state] if state < len(offered) else None

    is_libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if is_libedit else "tab: complete")
    readline.set_completer_delims(" \t\n")
    readline.set_completer(completer)
    readline.set_auto_history(False)
    readline.set_history_length(_HISTORY_LINES)
    with contextlib.suppress(OSError):
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
        readline.read_history_file(file)
    try:
        yield
    finally:
        readline.set_completer(None)
        with contextlib.suppress(OSError):
            readline.write_history_file(file)


def _remember(line: str) -> None:
    if line.strip() and not line.strip().lower().startswith(_SECRET):
        with contextlib.suppress(ImportError):
            import readline

            readline.add_history(line)
