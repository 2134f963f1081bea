"""Choosing files of a remote folder: listed, then ticked at the terminal.

In:  a peer and a path there. Out: the paths that were ticked, from the top of the folder; none: all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from warren.core.errors import InputError, LimitReached
from warren.frontends.cli.keys import page
from warren.frontends.cli.ticklist import TickList

if TYPE_CHECKING:
    from warren.frontends.cli.client import Client

# Nobody ticks more; each folder is asked for by itself.
FILES_MAX = 20_000


def choose(client: Client, peer: str, path: str) -> list[str]:
    """Let somebody tick files. Raises `InputError` without a terminal and for what is no folder, `Abort`."""
    with page() as terminal:
        ticks = TickList(files_below(client, peer, path.strip("/")))
        while True:
            terminal.show(ticks.lines(*terminal.size))
            match ticks.press(terminal.key()):
                case "chosen":
                    return ticks.chosen()
                case "left":
                    raise click.Abort


def files_below(client: Client, peer: str, top: str) -> list[tuple[str, int]]:
    """Path, from the top, and size of each file. Raises `InputError`, `LimitReached`."""
    found: list[tuple[str, int]] = []
    folders = [top]
    while folders:
        folder = folders.pop()
        for one in client.get("files", peer=peer, path=folder)["items"]:
            if one["path"] == top:
                raise InputError(f"{top} is a file", hint="leave --choose away")
            if one["kind"] == "dir":
                folders.append(one["path"])
            elif one["kind"] == "file":
                found.append((one["path"][len(top) + 1 :], one["size"]))
        if len(found) + len(folders) > FILES_MAX:
            raise LimitReached(
                "frontends.cli.choosing.FILES_MAX",
                f"{top} has more than {FILES_MAX:,} files to choose from",
                hint="say what is wanted with patterns: --only '*.jpg'",
            )
    if not found:
        raise InputError(f"no file is in {top}", hint="leave --choose away")
    return found
