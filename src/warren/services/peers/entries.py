"""The entries of a list in a JSON file, each with its line; what cannot be read is reported. Pure.

In:  the bytes of a file that holds an object with a list under one of some names: `{"peers": [{...}, ...]}`.
Out: which name it was, the entries, and problems. Anything that people and their programs do to such files is
put up with: a byte order mark, UTF-16, CRLF, missing and superfluous commas, several such objects one after
another, a file that was cut short. An entry that is no JSON costs itself alone: reading goes on where the
next one seems to begin. Refuses, with InputError, a file without such a list.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from warren.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Where the next entry may begin, behind one that cannot be read.
_BOUNDARY: Final = re.compile(r"\}\s*,\s*(?=\{)|\n[ \t]*(?=\{)")
_BLANK: Final = re.compile(r"[\s,]*")
_NO_TEXT: Final = re.compile("[\ud800-\udfff]")
# Fault: another kind of file altogether. Whoever reads the report has seen enough.
PROBLEMS_MAX: Final = 1000


class Problem(NamedTuple):
    """What is wrong in a line (from 1)."""

    line: int
    text: str


@dataclass(slots=True)
class Found:
    """What a file holds.

    entries: pairs of line and value. lost: how many could not be read, or not be used. problem_count: also of
    those beyond PROBLEMS_MAX.
    """

    name: str
    entries: list[tuple[int, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    lost: int = 0

    def lose(self, line: int, text: str) -> None:
        """Note a problem that costs an entry."""
        self.lost += 1
        self.report(line, text)

    def report(self, line: int, text: str) -> None:
        """Note a problem."""
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(Problem(line, text))


def read(data: bytes, names: Sequence[str]) -> Found:
    """The entries of the list under the first of `names` that the file has. Raises InputError."""
    text = _decoded(data)
    head = re.compile(rf'"({"|".join(map(re.escape, names))})"\s*:\s*\[')
    start = head.search(text)
    if start is None:
        raise InputError(
            f"this is no list of peers: it has no {' or '.join(repr(name) for name in names)}",
            hint="warren peer export writes one",
        )
    found = Found(start[1])
    lines = _Lines(text)
    while start is not None:
        end = _read_list(text, start.end(), lines, found)
        start = head.search(text, end)
        if start is not None and start[1] != found.name:
            found.report(
                lines.of(start.start()), f"a list {start[1]!r} in a file of {found.name!r}: left out"
            )
            break
    return found


class _Lines:
    """The lines of growing positions."""

    __slots__ = ("_line", "_pos", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._pos = 0
        self._line = 1

    def of(self, pos: int) -> int:
        self._line += self._text.count("\n", self._pos, pos)
        self._pos = pos
        return self._line


def _read_list(text: str, pos: int, lines: _Lines, found: Found) -> int:
    """Read from behind the opening bracket on; return where the list ends."""
    while True:
        blank = _BLANK.match(text, pos)
        pos = blank.end() if blank else pos
        if pos >= len(text):
            found.report(lines.of(pos), "the file ends within the list: it was cut short")
            return pos
        if text[pos] == "]":
            return pos + 1
        line = lines.of(pos)
        try:
            value, end = _entry(text, pos)
        except (ValueError, RecursionError) as error:
            found.lose(line, _explained(error))
        else:
            found.entries.append((line, value))
            pos = end
            continue
        following = _BOUNDARY.search(text, pos + 1)
        if following is None:
            return len(text)
        pos = following.end()


def _entry(text: str, pos: int) -> tuple[Any, int]:
    """The entry at `pos`, and where it ends. Raises ValueError, RecursionError."""
    value, end = _DECODER.raw_decode(text, pos)
    if not _is_whole(text, end):
        raise ValueError("something follows the entry that is none")
    if _NO_TEXT.search(text, pos, end):
        raise ValueError("there are bytes in it that are not UTF-8")
    return value, end


def _is_whole(text: str, end: int) -> bool:
    """Whether what follows an entry ends it; a missing comma is put up with."""
    blank = _BLANK.match(text, end)
    following = blank.end() if blank else end
    return following >= len(text) or text[following] in "]{" or "," in text[end:following]


def _explained(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"it is no JSON: {error.msg} (column {error.colno})"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return f"it is no JSON: {error}"


def _decoded(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", "replace")
    else:
        text = data.decode("utf-8-sig", "surrogateescape")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is given twice")
    return fields


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number)
