"""What somebody types at the prompt, as the words of a command line.

In:  a line, the names of all commands. Out: words, the command's name in small letters; [] for an empty line.
Refuses, as `InputError`: quotation marks that are not closed, and commands that are not there.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Collection
from typing import Final

from warren.core.errors import InputError

HELP: Final = "help"
WAIT: Final = "wait"
EXIT: Final = "exit"
OWN: Final = {
    "QUERY WORDS...": "Search; the same as search.",
    "WAIT [SECONDS]": "Keep serving, and show what happens, until a key is pressed.",
    "HELP [COMMAND]": "List the commands, or explain one.",
    "EXIT": "Leave; so does Ctrl-D. Ctrl-C ends only the command that runs.",
}
"""What there is at the prompt alone."""
_MEANT: Final = {"query": "search", "quit": EXIT, "?": HELP}
_HINT: Final = "HELP lists the commands"


def words_of(line: str, known: Collection[str], groups: Collection[str]) -> list[str]:
    """The line as words. known: commands; groups: those of them that have commands of their own."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        what = "ends in a backslash" if "escaped" in str(error) else "has a quotation mark that is not closed"
        raise InputError(f"the line {what}", hint="write \\' for the character itself") from None
    if words and words[0].lower() == "warren":  # as it stands in every example
        del words[0]
    if not words or words[0].startswith("-"):
        if words:
            raise InputError(f"a command comes first, not {words[0]!r}", hint=_HINT)
        return words
    name = command_of(words[0])
    if name == "shell":
        raise InputError("this is the shell already", hint="type a command: " + _HINT)
    if name not in {*known, HELP, WAIT, EXIT}:
        close = difflib.get_close_matches(name, [*known, "query", HELP, WAIT, EXIT], n=1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        raise InputError(f"no command {words[0]!r}{meant}", hint=_HINT)
    if name in groups and len(words) > 1:
        words[1] = words[1].lower()
    return [name, *words[1:]]


def command_of(word: str) -> str:
    """The command that a word means, in any case."""
    return _MEANT.get(word.lower(), word.lower())


def seconds_of(words: list[str]) -> float | None:
    """How long WAIT waits by its words; None: until a key. Raises InputError."""
    try:
        seconds = float(words[0]) if words else None
    except ValueError:
        seconds = -1.0
    if len(words) > 1 or (seconds is not None and not 0 <= seconds < float("inf")):
        raise InputError(f"WAIT takes seconds, not {' '.join(words)!r}", hint="WAIT, or WAIT 10")
    return seconds
