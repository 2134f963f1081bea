"""What of a folder is wanted: patterns, and paths that were ticked. Pure.

In:  patterns in the syntax of gitignore (https://git-scm.com/docs/gitignore), of which the last one that fits
a file decides, `!` saying that it is not wanted; paths of files, or of folders with all that is in them.
Out: whether the file at a path is wanted. Where there are both, it must be wanted by both. What no pattern
fits is wanted only if the first one says what is not.

Refuses patterns that cannot be understood, and more than a bound of either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from pathspec import GitIgnoreSpec

from warren.core.errors import InputError
from warren.services.files import charsets

PATTERNS_MAX: Final = 100
"""Fault: each file of a folder is held against each."""
PATHS_MAX: Final = 20_000
CHARS_MAX: Final = 500_000
"""Of all of them together: they are kept with the transfer."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Nothing in either: all is wanted. paths: '/' between names, from the top of what is fetched."""

    patterns: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    _rules: tuple[tuple[re.Pattern[str], bool], ...] = field(init=False, repr=False, compare=False)
    _ticked: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.patterns) > PATTERNS_MAX or len(self.paths) > PATHS_MAX:
            hint = "tick whole folders, or say with patterns what is wanted (--only)"
            raise InputError(
                f"a selection has at most {PATTERNS_MAX} patterns and {PATHS_MAX:,} paths", hint=hint
            )
        if sum(map(len, self.patterns)) + sum(map(len, self.paths)) > CHARS_MAX:
            raise InputError("the selection is too long", hint="tick whole folders, or use patterns (--only)")
        object.__setattr__(self, "_rules", tuple(_rules(self.patterns)))
        object.__setattr__(self, "_ticked", frozenset(path.strip("/") for path in self.paths))

    def __bool__(self) -> bool:
        return bool(self.patterns or self.paths)

    def wants(self, path: str) -> bool:
        """Whether the file at `path` is wanted."""
        return self._fits(path) and self._is_ticked(path)

    def _fits(self, path: str) -> bool:
        if not self._rules:
            return True
        first_says = self._rules[-1][1]
        return next((wanted for regex, wanted in self._rules if regex.search(path)), not first_says)

    def _is_ticked(self, path: str) -> bool:
        if not self._ticked:
            return True
        while path:
            if path in self._ticked:
                return True
            path = path.rpartition("/")[0]
        return False


def _rules(patterns: tuple[str, ...]) -> list[tuple[re.Pattern[str], bool]]:
    """The patterns as regular expressions, with what they say of what fits; the last one first."""
    found = []
    for pattern in patterns:
        try:
            if "\n" in pattern or "\0" in pattern:
                raise ValueError("it has more than one line")
            (one,) = GitIgnoreSpec.from_lines([charsets.spell_out(pattern)], backend="simple").patterns
            if one.regex is None or one.include is None:
                raise ValueError("it says nothing")
            found.append((re.compile(charsets.finish(one.regex.pattern), one.regex.flags), one.include))
        except (ValueError, re.error) as error:
            hint = "patterns are those of gitignore: *.jpg, /top.txt, folder/, !not-this"
            raise InputError(f"the pattern {pattern!r} cannot be understood: {error}", hint=hint) from None
    return found[::-1]
