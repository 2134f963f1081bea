"""What the set-up says: its progress, and what failed, in words and as an exit code.

In:  the output of pip and venv. Out: lines on standard error; `SetupFailed`. Standard library only.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO


class SetupFailed(Exception):
    """The environment cannot be made; says what to do and with which exit code to end."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Progress:
    """One line on standard error that grows while pip works; two plain lines where that is no terminal."""

    def __init__(self, title: str, total: int) -> None:
        self._title = title
        self._total = total
        self._live = sys.stderr.isatty()
        self._seen = 0
        self._show("")

    def follow(self, lines: IO[str]) -> Iterator[str]:
        """Pass the lines of pip's output on, showing each package as it comes."""
        for line in lines:
            words = line.split()
            if words[:1] == ["Collecting"] and len(words) > 1:
                self._seen += 1
                self._show(f"{self._seen}/{self._total} {words[1].partition('==')[0]}")
            elif line.startswith("Installing collected"):
                self._show("installing")
            yield line

    def end(self, word: str) -> None:
        if self._live:
            self._show(word)
            sys.stderr.write("\n")

    def _show(self, text: str) -> None:
        if self._live:
            sys.stderr.write(f"\r\x1b[K{self._title}: {text}")
        elif not text:
            sys.stderr.write(f"{self._title} ({self._total} packages)\n")
        sys.stderr.flush()


# What pip says -> what it means, in words and as exit code. The first that matches wins.
DIAGNOSES: tuple[tuple[tuple[str, ...], str, int], ...] = (
    (
        ("No space left on device", "[Errno 28]", "Disk quota exceeded"),
        "The disk is full. Free some space and run it again.",
        8,
    ),
    (
        ("Read-only file system", "Permission denied"),
        "The checkout cannot be written. Copy it to a folder of your own and run it there.",
        8,
    ),
    (
        ("DO NOT MATCH THE HASHES",),
        "A downloaded package is not the one that was locked; nothing of it was installed.",
        7,
    ),
    (
        (
            "NewConnectionError",
            "NameResolutionError",
            "name resolution",
            "Network is unreachable",
            "Connection refused",
            "timed out",
            "ProxyError",
            "SSLError",
            "connection broken",
        ),
        "The packages could not be downloaded. Check the network (or pip's settings) and run it again.",
        6,
    ),
    (
        ("No matching distribution found", "Could not find a version"),
        "No ready-made package exists for this Python or platform. Try Python 3.11, 3.12 or 3.13.",
        3,
    ),
)


def explain(output: str) -> SetupFailed:
    """Turn what pip or venv printed into words, an exit code, and pip's own last lines."""
    lines = output.strip().splitlines()
    first = next((at for at, line in enumerate(lines) if line.startswith("ERROR")), max(0, len(lines) - 4))
    last = "\n".join("  " + line.strip() for line in lines[first : first + 6])
    for signs, meaning, code in DIAGNOSES:
        if any(sign in output for sign in signs):
            return SetupFailed(f"{meaning}\n{last}", code)
    return SetupFailed(f"The environment could not be made:\n{last}", 1)


def say(text: str) -> None:
    """Tell the person at the terminal; standard output belongs to the command."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
