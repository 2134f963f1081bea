"""Progress bars: shown where a person watches, silent elsewhere, and always with the result in the end."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from warren.frontends.cli.progress import follow_share

FIRST = {"event": "progress", "phase": "waiting", "share": 0.0, "bytes_per_s": 0, "called": "anna"}
LINES: list[dict[str, Any]] = [
    FIRST,
    {"event": "alive"},
    {"event": "progress", "phase": "upload", "share": 0.25, "bytes_per_s": 1_000_000},
    {"event": "result", "seconds": 4},
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("quiet", [False, True])
def test_a_share_of_the_whole_is_shown_to_who_watches(quiet: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    begun: list[object] = []
    assert follow_share(iter(LINES), begun.append, quiet=quiet) == LINES[-1]
    assert begun == [FIRST]
    assert ("upload" in terminal.getvalue()) is not quiet
    assert ("8.0 Mbit/s" in terminal.getvalue()) is not quiet
    assert ("25%" in terminal.getvalue()) is not quiet


def test_where_nobody_watches_there_is_the_result_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = io.StringIO()
    monkeypatch.setattr(sys, "stderr", silent)
    assert follow_share(iter(LINES), lambda _: None, quiet=False) == LINES[-1]
    assert silent.getvalue() == ""


def test_a_result_without_progress_is_one_too() -> None:
    assert follow_share(iter(LINES[-1:]), lambda _: None, quiet=True) == LINES[-1]
    assert follow_share(iter([]), lambda _: None, quiet=True) == {}
