r"""Sets of characters in patterns of gitignore, as `[a-z]`, `[!x]` and `[[:digit:]]`, spelled out. Pure.

In:  a pattern, in the syntax of git's wildmatch (https://git-scm.com/docs/gitignore, fnmatch(3), and
wildmatch.c for what they leave open). Out: the same with sets of which pathspec, which copies them into a
regular expression as they stand, makes what git does: classes, escapes and reversed ranges are gone, and
nothing in a set means something to Python alone. `finish` does the rest in that expression.

Refuses a set without an end, a class that nobody knows, and a `/` in a set: it would match nothing.
"""

from __future__ import annotations

import string
from typing import Final

_MARK: Final = "\0"
"""Stands in every set, so that none is empty and none begins with what is special there; no name has it."""
_SPECIAL: Final = "[!^"
_PRINTED: Final = frozenset(map(chr, range(0x20, 0x7F))) - {"/"}
_CLASSES: Final = {
    "alnum": frozenset(string.ascii_letters + string.digits),
    "alpha": frozenset(string.ascii_letters),
    "blank": frozenset(" \t"),
    "cntrl": frozenset(map(chr, (*range(1, 0x20), 0x7F))),
    "digit": frozenset(string.digits),
    "graph": _PRINTED - {" "},
    "lower": frozenset(string.ascii_lowercase),
    "print": _PRINTED,
    "punct": frozenset(string.punctuation) - {"/"},
    "space": frozenset(" \t\r\n"),
    "upper": frozenset(string.ascii_uppercase),
    "xdigit": frozenset(string.hexdigits),
}


def spell_out(pattern: str) -> str:
    """The pattern with its sets spelled out. Raises `ValueError`."""
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        if pattern[at] == "\\":
            parts.append(pattern[at : at + 2])
            at += 2
        elif pattern[at] == "[":
            try:
                text, at = _read_set(pattern, at + 1)
            except IndexError:
                raise ValueError(f"{pattern!r} has a [ and no ] to it") from None
            parts.append(text)
        else:
            parts.append(pattern[at])
            at += 1
    return "".join(parts)


def finish(regex: str) -> str:
    """The regular expression of a pattern that was spelled out, where no set matches what parts folders."""
    return regex.replace(2 * _MARK, f"{_MARK}/")


def _read_set(pattern: str, at: int) -> tuple[str, int]:
    """A set whose content begins there, and where it ends. Raises `IndexError` if it does not."""
    is_negated = pattern[at] in "!^"
    at += is_negated
    chars: set[str] = set()
    ranges: list[str] = []
    before = ""  # what a range may begin with
    is_first = True
    while is_first or pattern[at] != "]":
        is_first = False
        if pattern[at] == "-" and before and pattern[at + 1] != "]":
            at += 1 + (pattern[at + 1] == "\\")
            _add_range(before, pattern[at], chars, ranges)
            before = ""
        elif (end := _class_end(pattern, at)) is not None:
            name = pattern[at + 2 : end - 1]
            if name not in _CLASSES:
                raise ValueError(f"{pattern!r} has the class [:{name}:], which there is not")
            chars |= _CLASSES[name]
            at, before = end, ""
        else:
            at += pattern[at] == "\\"
            before = pattern[at]
            chars.add(before)
        at += 1
    if "/" in chars:
        raise ValueError(f"{pattern!r} has a / between [ and ]")
    return _written(chars, ranges, is_negated=is_negated), at + 1


def _class_end(pattern: str, at: int) -> int | None:
    """Where the `]` of a class is that begins there; None where none does."""
    if not pattern.startswith("[:", at):
        return None
    end = pattern.find("]", at + 2)
    return end if end > at + 2 and pattern[end - 1] == ":" else None


def _add_range(first: str, last: str, chars: set[str], ranges: list[str]) -> None:
    """ASCII by its characters, what comes behind as a range: nothing in that is special."""
    chars.update(map(chr, range(ord(first), min(ord(last), 0x7F) + 1)))
    chars.discard("/")
    if last > "\x7f" and first <= last:
        ranges.append(f"{max(first, chr(0x80))}-{last}")


def _written(chars: set[str], ranges: list[str], *, is_negated: bool) -> str:
    plain = sorted(chars.difference(_SPECIAL, "]-"))
    special = [char for char in _SPECIAL if char in chars]
    marks = _MARK * (1 + is_negated)
    end = "-" if "-" in chars else ""
    return "".join(("[", "!" * is_negated, "]" * ("]" in chars), marks, *plain, *ranges, *special, end, "]"))
