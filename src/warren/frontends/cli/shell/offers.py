"""What Tab offers at the prompt: what the completion of `warren` does, and the prompt's own words.

In:  the words before, the half-typed one. Out: what it may become.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from click.shell_completion import ShellComplete

from warren.frontends.cli.shell.lines import OWN, command_of

_OWN = tuple(one.split()[0].lower() for one in OWN)
_VARIABLE = "_WARREN_COMPLETE"


def offered(root: click.Command, before: Sequence[str], words: list[str], text: str) -> list[str]:
    """before: what stands before the words of each command, such as --home DIR."""
    words = [command_of(words[0]), *words[1:]] if words else []
    if words[:1] == ["help"]:
        words = words[1:]
    elif not words:
        text = text.lower()
    try:
        found = ShellComplete(root, {}, "warren", _VARIABLE).get_completions([*before, *words], text)
    except click.ClickException:  # there is no such command
        found = []
    own = [one for one in _OWN if one.startswith(text)] if not words else []
    names = [one.value for one in found if one.type == "plain"]
    if any(one.type in {"file", "dir"} for one in found):
        names += _paths(text)
    return sorted({*own, *names})


def _paths(text: str) -> list[str]:
    """Files and folders that begin so; a folder ends in a slash."""
    folder, slash, start = text.rpartition("/")
    place = Path(folder + slash or ".").expanduser()
    try:
        found = [one for one in place.iterdir() if one.name.startswith(start)]
        return [f"{folder}{slash}{one.name}{'/' if one.is_dir() else ''}" for one in found]
    except (OSError, RuntimeError):  # not there, not ours, or ~nobody
        return []
