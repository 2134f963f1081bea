"""How this program was called, so that what people are told to type works when they type it.

In:  text that names commands in their plain form (`stop it with: warren down`), from here or from the node.
Out: the same as it has to be typed here: `stop it with: python3 run.py down --home /tmp/anna`; at the prompt
of the shell, `stop it with: down`.

run.py says in an environment variable by which words it was called; a data folder counts only where it was
given by flag: a variable is still there at the next command.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from contextvars import ContextVar

from warren.frontends.home import PROGRAM_VARIABLE

_WORDS = (
    "up|down|status|logs|id|invite|join|ping|speedtest|share|unshare|ls|get|send|receive|search|shell"
    "|discover"
)
_GROUPS = (
    "peer (?:list|show|add|rm|import|export|block|unblock|name)"
    "|group (?:list|show|add|rm)|resource (?:list|show|edit|clear)"
    "|transfer (?:list|show|pause|resume|cancel|retry|priority|limit)"
    "|metadata (?:list|set|rm)|config (?:show|check)"
    "|dht (?:put|get|list|rm|provide|find-providers|find-peer|status)"
)
# A text may come from a program that was called like this one: then its commands have the folder already.
_COMMAND = re.compile(rf"\bwarren ((?:{_GROUPS}|{_WORDS})\b)(?! --home)")
# These ask no data folder.
_PROGRAM = re.compile(r"\bwarren (?=(?:demo|completion|COMMAND)\b|--)")

_at_prompt: ContextVar[bool] = ContextVar("at_prompt", default=False)


@contextlib.contextmanager
def at_prompt() -> Iterator[None]:
    """Commands are typed at the prompt of `warren shell`, which knows the program and the data folder."""
    before = _at_prompt.set(True)
    try:
        yield
    finally:
        _at_prompt.reset(before)


def program() -> str:
    """What stands before a command: `warren`, or `python3 run.py`."""
    return os.environ.get(PROGRAM_VARIABLE) or "warren"


def as_called(text: str, home: str | None = None) -> str:
    """The text with each command as it has to be typed. home: the data folder, if it was given by flag."""
    if _at_prompt.get():
        text = text.replace(f"{program()} ", "warren ")  # as Click names it
        return _PROGRAM.sub("", _COMMAND.sub(r"\1", text.replace("warren --help", "help")))
    folder = f" --home {shlex.quote(home)}" if home else ""
    text = _COMMAND.sub(lambda found: f"{program()} {found[1]}{folder}", text)
    return _PROGRAM.sub(lambda _: f"{program()} ", text)


def given_home(words: Sequence[str]) -> str | None:
    """The data folder in a command line, also in one that could not be parsed."""
    for at, word in enumerate(words):
        if word == "--home" and at + 1 < len(words):
            return words[at + 1]
        if word.startswith("--home="):
            return word.partition("=")[2]
    return None
