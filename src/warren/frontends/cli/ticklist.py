"""A list of files to tick, as a pure machine: keys in, lines out.

In:  the files of a folder with their sizes; keys by name. Out: the lines to show; at the end what is ticked,
whole folders as such. Everything is ticked at first.

    up, down, pageup, pagedown, home, end   move
    space                                   tick, or not; of a folder all that is shown in it
    a, n                                    all that is shown, nothing of it
    /                                       type a filter; enter keeps it, escape drops it
    enter                                   done; q leaves without a choice
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from warren.frontends.cli import units
from warren.frontends.printable import printable

End: TypeAlias = Literal["chosen", "left"]
_FRAME_LINES: Final = 2
_HELP: Final = "space ticks  a all  n none  / filter  enter fetches  q leaves"


@dataclass(frozen=True, slots=True)
class Row:
    """A file, or a folder with all that is in it. path: '/' between names. files: their numbers."""

    path: str
    is_folder: bool
    files: tuple[int, ...]
    size: int


class TickList:
    """See the module's header. files: path and size of each."""

    def __init__(self, files: Sequence[tuple[str, int]]) -> None:
        self._files = sorted(files)
        self._rows = _rows(self._files)
        self._ticked = set(range(len(self._files)))
        self._filter = ""
        self._is_typing = False
        self._at = 0
        self._top = 0
        self._note = ""

    def press(self, key: str) -> End | None:
        """What a key does; how it ended, if it did. Letters are themselves."""
        self._note = ""
        if self._is_typing:
            self._type(key)
            return None
        shown = self._shown()
        match key:
            case "up" | "down" | "pageup" | "pagedown" | "home" | "end":
                self._move(key, len(shown))
            case " " if shown:
                self._toggle(shown[self._at].files)
            case "a":
                self._ticked |= {number for row in shown for number in row.files}
            case "n":
                self._ticked -= {number for row in shown for number in row.files}
            case "/":
                self._is_typing = True
            case "escape":
                self._set_filter("")
            case "enter":
                if self._ticked:
                    return "chosen"
                self._note = "nothing is ticked"
            case "q":
                return "left"
        return None

    def chosen(self) -> list[str]:
        """The paths that are ticked; folders where all in them is. Nothing: everything is."""
        if len(self._ticked) == len(self._files):
            return []
        found: list[str] = []
        whole = ""
        for row in self._rows:
            if whole and row.path.startswith(whole):
                continue
            if self._ticked.issuperset(row.files):
                found.append(row.path)
                whole = f"{row.path}/" if row.is_folder else ""
        return found

    def lines(self, width: int, height: int) -> list[str]:
        """What to show in a window of so many columns and lines."""
        shown = self._shown()
        room = max(height - _FRAME_LINES, 1)
        self._top = max(min(self._top, self._at), self._at - room + 1, 0)
        body = [
            self._line(row, is_here=at == self._at)
            for at, row in enumerate(shown[self._top : self._top + room], self._top)
        ]
        if not shown:
            body = [f"  nothing fits {self._filter!r}"]
        size = sum(self._files[number][1] for number in self._ticked)
        head = f"{len(self._ticked):,} of {units.count(len(self._files), 'file')} ticked, {units.size(size)}"
        foot = f"/{self._filter}_" if self._is_typing else self._note or _HELP
        if self._filter and not self._is_typing:
            head += f"; shown: {self._filter}"
        return [printable(line)[:width] for line in (head, *body, foot)]

    def _line(self, row: Row, *, is_here: bool) -> str:
        count = sum(number in self._ticked for number in row.files)
        mark = "x" if count == len(row.files) else "-" if count else " "
        depth = row.path.count("/") if not self._filter else 0
        name = row.path.rpartition("/")[2] if not self._filter else row.path
        return (
            f"{'>' if is_here else ' '} [{mark}] {units.size(row.size):>9}  "
            f"{'  ' * depth}{name}{'/' if row.is_folder else ''}"
        )

    def _shown(self) -> list[Row]:
        if not self._filter:
            return self._rows
        text = self._filter.lower()
        return [row for row in self._rows if not row.is_folder and text in row.path.lower()]

    def _type(self, key: str) -> None:
        match key:
            case "enter":
                self._is_typing = False
            case "escape":
                self._is_typing = False
                self._set_filter("")
            case "backspace":
                self._set_filter(self._filter[:-1])
            case _ if len(key) == 1:
                self._set_filter(self._filter + key)

    def _set_filter(self, text: str) -> None:
        self._filter = text
        self._at = self._top = 0

    def _move(self, key: str, count: int) -> None:
        steps = {"up": -1, "down": 1, "pageup": -10, "pagedown": 10, "home": -count, "end": count}
        self._at = max(min(self._at + steps[key], count - 1), 0)

    def _toggle(self, files: tuple[int, ...]) -> None:
        if self._ticked.issuperset(files):
            self._ticked.difference_update(files)
        else:
            self._ticked.update(files)


def _rows(files: Sequence[tuple[str, int]]) -> list[Row]:
    """Files, each after the folders that it lies in."""
    within: dict[tuple[str, ...], list[int]] = {}
    for number, (path, _) in enumerate(files):
        names = tuple(path.split("/"))
        for end in range(1, len(names)):
            within.setdefault(names[:end], []).append(number)
    folders = {
        names: Row(
            "/".join(names), is_folder=True, files=tuple(numbers), size=sum(files[n][1] for n in numbers)
        )
        for names, numbers in within.items()
    }
    lone = {
        tuple(path.split("/")): Row(path, is_folder=False, files=(number,), size=size)
        for number, (path, size) in enumerate(files)
    }
    return [row for _, row in sorted((folders | lone).items())]
