"""How far a long work is: a bar where a person watches, plain lines elsewhere, on stderr.

In:  the lines of a stream, as `Client.stream` yields them, with `done_bytes`, `total_bytes` and so on.
Out: the document of its result. Progress never mixes with results: those go to stdout.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from warren.frontends.cli import units
from warren.frontends.printable import printable

if TYPE_CHECKING:
    from rich.progress import Progress

# A log that collects stderr should not fill with progress.
PLAIN_EVERY_S = 2.0


def follow(lines: Iterator[dict[str, Any]], *, quiet: bool) -> dict[str, Any]:
    """Show progress until the result comes, and return it. quiet: show nothing."""
    if quiet:
        return _result(lines)
    return _with_bar(lines) if sys.stderr.isatty() else _with_lines(lines)


def follow_share(
    lines: Iterator[dict[str, Any]], begin: Callable[[dict[str, Any]], None], *, quiet: bool
) -> dict[str, Any]:
    """Work that says with what it begins, and then which `share` of it is done. Returns its result."""
    line = next(lines, {})
    if line.get("event") != "progress":
        return line
    begin(line)
    if quiet or not sys.stderr.isatty():
        return _result(lines)
    with _share_bar() as bar:
        task = bar.add_task("waiting", total=1.0, speed="")
        for line in lines:
            if line.get("event") == "result":
                return line
            if line.get("event") == "progress":
                speed = units.bit_rate(line["bytes_per_s"]) if line["bytes_per_s"] else ""
                bar.update(task, description=line["phase"], completed=line["share"], speed=speed)
    return {}


def follow_bytes(blocks: Iterator[tuple[bytes, int]], take: Callable[[bytes], object]) -> None:
    """Hand on blocks as they come, each with the size of the whole. No bar where they go to a terminal."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        for block, _ in blocks:
            take(block)
        return
    with _bar() as bar:
        task = bar.add_task("reading", total=None)
        for block, total in blocks:
            take(block)
            bar.update(task, advance=len(block), total=total)


def describe(progress: dict[str, Any], seconds: float) -> str:
    """One line of plain text about a progress document."""
    done, total = progress.get("done_bytes", 0), progress.get("total_bytes", 0)
    text = f"{progress.get('phase', 'working')}: {units.size(done)}"
    if total:
        text += f" of {units.size(total)} ({done * 100 // total} %)"
    if progress.get("total_files", 0) > 1:
        text += f", {progress.get('done_files', 0):,} of {units.count(progress['total_files'], 'file')}"
    return text + (f", {units.rate(done, seconds)}" if done and seconds > 0 else "")


def _result(lines: Iterator[dict[str, Any]]) -> dict[str, Any]:
    for line in lines:
        if line.get("event") == "result":
            return line
    return {}


def _with_lines(lines: Iterator[dict[str, Any]]) -> dict[str, Any]:
    start = shown = time.monotonic()
    for line in lines:
        if line.get("event") == "result":
            return line
        now = time.monotonic()
        if now - shown >= PLAIN_EVERY_S:
            shown = now
            click.echo(describe(line, now - start), err=True)
    return {}


def _with_bar(lines: Iterator[dict[str, Any]]) -> dict[str, Any]:
    with _bar() as bar:
        task = bar.add_task("starting", total=None)
        for line in lines:
            if line.get("event") == "result":
                return line
            files = (
                f"{line['done_files']:,}/{line['total_files']:,}" if line.get("total_files", 0) > 1 else ""
            )
            bar.update(
                task,
                description=line.get("phase", "working"),
                completed=line.get("done_bytes", 0),
                total=line.get("total_bytes") or None,
                files=files,
                current=str(line.get("current", ""))[-40:],
            )
    return {}


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.text import Text

    class Plain(ProgressColumn):
        """A field of the task as it is: names of files may hold what looks like markup."""

        def __init__(self, field: str) -> None:
            super().__init__()
            self._field = field

        def render(self, task: Task) -> Text:
            text = printable(str(task.fields.get(self._field, "")))
            return Text(text, overflow="ellipsis", no_wrap=True)

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        Plain("files"),
        Plain("current"),
        console=Console(stderr=True),
        transient=True,
    )


def _share_bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    return Progress(
        TextColumn("{task.description:<8}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[speed]}"),
        console=Console(stderr=True),
        transient=True,
    )
