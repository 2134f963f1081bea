"""How transfers go: a bar for each where a person watches, plain lines elsewhere, on stderr.

In:  the lines of `POST /v1/transfers/follow`. Out: how each transfer ended, as the last line says.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from warren.frontends.cli import progress, transfer_lines, units
from warren.frontends.printable import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Document = dict[str, Any]
_NAME_CHARS_MAX = 20
_GIVING = ("active", "stalled")
# A log that collects stderr should not fill with progress; but what a transfer waits for is said at once.
PLAIN_EVERY_S = 2.0


def watch(lines: Iterator[Document], *, quiet: bool) -> list[Document]:
    """Show how they go until the end; return how each stands. quiet: show nothing."""
    if quiet:
        return _items(line for line in lines)
    return _with_bars(lines) if sys.stderr.isatty() else _with_lines(lines)


def _items(lines: Iterator[Document]) -> list[Document]:
    return next((line["items"] for line in lines if line["event"] == "result"), [])


def _with_lines(lines: Iterator[Document]) -> list[Document]:
    shown: dict[int, tuple[float, bool]] = {}

    def show() -> Iterator[Document]:
        for line in lines:
            if line["event"] == "progress":
                now, waits = time.monotonic(), transfer_lines.waits(line)
                since, waited = shown.setdefault(line["number"], (now, False))
                if now - since >= PLAIN_EVERY_S or (waits and not waited):
                    shown[line["number"]] = now, waits
                    click.echo(printable(f"{line['name']}: {_described(line)}"), err=True)
            yield line

    return _items(show())


def _described(one: Document) -> str:
    if one["state"] != "running" or transfer_lines.waits(one):
        return transfer_lines.state(one)
    text = progress.describe(one, 0.0)
    speed = transfer_lines.speed(one)
    count = sum(source["state"] in _GIVING for source in one["sources"])
    return text + (f", {speed} from {units.count(count, 'source')}" if speed else "")


def _with_bars(lines: Iterator[Document]) -> list[Document]:
    tasks: dict[int, TaskID] = {}
    with _bars() as bars:

        def show() -> Iterator[Document]:
            for line in lines:
                if line["event"] == "progress":
                    number = line["number"]
                    if number not in tasks:
                        tasks[number] = bars.add_task("", total=None)
                    _show(bars, tasks[number], line)
                yield line

        return _items(show())


def _show(bars: Progress, task: TaskID, one: Document) -> None:
    state = transfer_lines.state(one)
    count = sum(source["state"] in _GIVING for source in one["sources"])
    parts = [
        state if state != "fetching" else "",
        transfer_lines.speed(one),
        f"{transfer_lines.left(one)} left" if one["left_s"] is not None else "",
        f"{one['done_files']:,}/{one['total_files']:,}" if one["total_files"] > 1 else "",
        units.count(count, "source") if one["state"] == "running" and count else "",
    ]
    bars.update(
        task,
        completed=one["done_bytes"],
        total=one["total_bytes"] or None,
        name=printable(one["name"][-_NAME_CHARS_MAX:]),
        facts=printable("  ".join(part for part in parts if part)),
    )


def _bars() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, Task
    from rich.text import Text

    class Plain(ProgressColumn):
        """A field of the task as it is: names of files may hold what looks like markup."""

        def __init__(self, field: str) -> None:
            super().__init__()
            self._field = field

        def render(self, task: Task) -> Text:
            return Text(str(task.fields.get(self._field, "")), overflow="ellipsis", no_wrap=True)

    return Progress(
        Plain("name"),
        BarColumn(bar_width=14),
        DownloadColumn(),
        Plain("facts"),
        console=Console(stderr=True),
        transient=True,
    )
