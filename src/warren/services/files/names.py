"""Names from afar on this disk: the one place that decides what a foreign name becomes here.

In: names of entries as a graph has them. Out: names that this file system holds, each once in its folder, and
paths that stay below their top. A name that is fine here stays as it is, so that what was fetched has the
content id of what was shared; any other is changed in a way that depends on nothing but the names, and the
change is reported. Never out: separators, NUL, characters that control a terminal or the direction of text,
`.`, `..`, and where the disk is Windows' what Windows reserves.

https://learn.microsoft.com/windows/win32/fileio/naming-a-file
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME_BYTES_MAX: Final = 255
TOP_NAME_BYTES_MAX: Final = 240
"""Leaves room for ` (2)`."""
EXTENSION_BYTES_MAX: Final = 16

_STEERING: Final = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
"""What steers a terminal, breaks a line, or turns the direction of text, so that a name reads as another."""
_UNSAFE: Final = re.compile(f"[{_STEERING}/]")
_NO_NAMES: Final = frozenset({"", ".", ".."})
_UNSAFE_ON_WINDOWS: Final = re.compile(rf'[{_STEERING}/\\<>:"|?*]')
_RESERVED_ON_WINDOWS: Final = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(\.|$)", re.IGNORECASE
)

NOT_ALLOWED: Final = "its name is not allowed here"
TOO_LONG: Final = "its name is too long"
TAKEN: Final = "another entry has the same name here"


@dataclass(frozen=True, slots=True)
class NameRules:
    """What the disk at hand cannot hold: what Windows refuses, and names that differ by case alone."""

    windows: bool = os.name == "nt"
    case_insensitive: bool = False

    def key(self, name: str) -> str:
        """What two names have in common when they are the same name here."""
        if not self.case_insensitive:
            return name
        return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def safe_name(name: str, rules: NameRules) -> tuple[str, str]:
    """What `name` becomes, and why (empty when it stays)."""
    safe = (_UNSAFE_ON_WINDOWS if rules.windows else _UNSAFE).sub("_", name)
    if rules.windows:
        kept = safe.rstrip(". ")
        safe = kept + "_" * (len(safe) - len(kept))
        if _RESERVED_ON_WINDOWS.match(safe):
            safe = f"_{safe}"
    if safe in {"", ".", ".."}:
        safe = "_"
    if len(safe.encode()) > NAME_BYTES_MAX:
        return _marked(safe, name, NAME_BYTES_MAX), TOO_LONG
    return safe, NOT_ALLOWED if safe != name else ""


def safe_top_name(name: str, rules: NameRules) -> tuple[str, str]:
    """The same for what lands in the user's download folder: no hidden name either."""
    safe, reason = safe_name(name, rules)
    visible = re.sub(r"^\.+", "_", safe)
    if visible != safe:
        safe, reason = visible, NOT_ALLOWED
    if len(safe.encode()) > TOP_NAME_BYTES_MAX:
        return _marked(safe, name, TOP_NAME_BYTES_MAX), TOO_LONG
    return safe, reason


def numbered(name: str, number: int) -> str:
    """`name`, or `name (2)` and so on, the number before the extension."""
    if number == 1:
        return name
    stem, extension = _split(name)
    return f"{stem} ({number}){extension}"


def safe_join(top: str, parts: Sequence[str]) -> str:
    """The path of `parts` below `top`. Raises `MisuseError` for a part that did not come from `safe_name`."""
    for part in parts:
        check_name(part)
    return os.path.join(top, *parts)


def check_name(name: str) -> None:
    """Raise `MisuseError` for a name that did not come from `safe_name`."""
    if name in _NO_NAMES or _UNSAFE.search(name) or os.sep in name or (os.altsep and os.altsep in name):
        raise MisuseError(f"{name!r} is no safe name")


class FolderNames:
    """The names given away in one folder.

    Of entries whose names are the same here (by case, by Unicode form, or after a change) the first in the
    graph's order keeps its name; each other gets `~` and a hash of its own name before its extension.
    """

    __slots__ = ("_rules", "_taken")

    def __init__(self, rules: NameRules) -> None:
        self._rules = rules
        self._taken: set[str] = set()

    def claim(self, name: str) -> tuple[str, str]:
        """What the entry `name` is called here, and why (empty when it keeps its name)."""
        safe, reason = safe_name(name, self._rules)
        if self._take(safe):
            return safe, reason
        number = 0
        while True:
            number += 1
            marked = _marked(safe, f"{name}\0{number}" if number > 1 else name, NAME_BYTES_MAX)
            if self._take(marked):
                return marked, TAKEN

    def _take(self, name: str) -> bool:
        key = self._rules.key(name)
        if key in self._taken:
            return False
        self._taken.add(key)
        return True


def _marked(safe: str, original: str, bytes_max: int) -> str:
    """`safe` with a mark that tells it from others, cut to `bytes_max`."""
    stem, extension = _split(safe)
    if len(extension.encode()) > EXTENSION_BYTES_MAX:
        stem, extension = safe, ""
    mark = "~" + hashlib.sha256(original.encode()).hexdigest()[:8]
    room = bytes_max - len((mark + extension).encode())
    return stem.encode()[:room].decode(errors="ignore") + mark + extension


def _split(name: str) -> tuple[str, str]:
    return os.path.splitext(name)
