"""logs: the end of the node's log, and what comes after it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import click

from warren.core.errors import NotFound
from warren.frontends.cli.base import Command, Session

_LOOK_EVERY_S = 0.2
_BLOCK_BYTES = 64 * 1024


@click.command(
    cls=Command,
    needs_node=False,
    examples=["warren logs", "warren logs -n 200", "warren logs -f"],
    exits=(4,),
)
@click.option(
    "-n",
    "--lines",
    default=50,
    show_default=True,
    metavar="N",
    type=click.IntRange(0, 1_000_000),
    help="Lines from the end.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines until Ctrl-C.")
@click.pass_obj
def logs(session: Session, lines: int, follow: bool) -> None:
    """Show what the node wrote to its log; also after it has stopped.

    With --json, one document a line.
    """
    path = session.home.log_file
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise NotFound(f"there is no log at {path} yet", hint="start a node with: warren up") from None
    with file:
        for line in _tail(file, lines):
            _show(session, line)
    if follow:
        for line in following(path, _pause):
            _show(session, line)


def _show(session: Session, line: str) -> None:
    session.show({"line": line}, [line])


def _tail(file: IO[bytes], count: int) -> list[str]:
    """The last lines, read backwards in blocks: a log of megabytes need not be read whole."""
    position = file.seek(0, os.SEEK_END)
    data = b""
    while position > 0 and data.count(b"\n") <= count:
        step = min(_BLOCK_BYTES, position)
        position -= step
        file.seek(position)
        data = file.read(step) + data
    return data.decode(errors="replace").splitlines()[-count:] if count else []


def following(path: Path, goes_on: Callable[[], bool]) -> Iterator[str]:
    """New lines as they come. When the log is rotated or begins anew, goes on with the new file.

    Files offer nothing to wait on that is the same on every system, so it looks now and then. goes_on: called
    when there is nothing new; takes a moment, and says whether to look again.
    """
    file = path.open("rb")
    try:
        file.seek(0, os.SEEK_END)
        rest = b""
        while True:
            if data := file.read(_BLOCK_BYTES):
                *whole, rest = (rest + data).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
            elif _replaced(path, file):
                file.close()
                file = path.open("rb")
            elif not goes_on():
                return
    finally:
        file.close()


def _pause() -> bool:
    time.sleep(_LOOK_EVERY_S)
    return True


def _replaced(path: Path, file: IO[bytes]) -> bool:
    try:
        now = path.stat()
    except FileNotFoundError:
        return False
    before = os.fstat(file.fileno())
    return now.st_ino != before.st_ino or now.st_size < file.tell()
