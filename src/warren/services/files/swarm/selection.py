"""Fetching a part of a tree: of the steps of a walk, those for what is selected. Pure.

In: steps, in the order of the walk; a rule that says of a file, by its path at its source, whether it is
wanted. Out: the steps for what is, and folders only where something wanted lies in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.services.files.walk import MakeFile, MakeFolder, MakeSymlink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warren.services.files.walk import Step


class Selection:
    """count, bytes: of the files selected so far; found: whether anything was, symlinks too.

    What is the whole root is always wanted.
    """

    def __init__(self, select: Callable[[str], bool]) -> None:
        self._select = select
        self._made: set[str] = set()
        self._last: MakeFile | None = None
        self._last_wanted = False
        self.found = False
        self.count = 0
        self.bytes = 0

    def of(self, step: Step) -> Iterator[Step]:
        """What to do for this step."""
        match step:
            case MakeFolder():
                return
            case MakeSymlink(path, source):
                if not source or self._select(source):
                    self.found = True
                    yield from self._folders(path)
                    yield step
            case MakeFile():
                if self._wants(step):
                    yield from self._folders(step.file.path)
                    yield step

    def _wants(self, step: MakeFile) -> bool:
        """Whether its file is selected; the parts of a file come one after the other."""
        file = step.file
        if self._last is None or self._last.file is not file:
            self._last, self._last_wanted = step, not file.source or self._select(file.source)
            if self._last_wanted:
                self.found = True
                self.count += 1
                self.bytes += max(0, file.size)
        return self._last_wanted

    def _folders(self, path: str) -> Iterator[MakeFolder]:
        """Those above it that were not made yet."""
        if not path:
            return
        names = path.split("/")[:-1]
        for count in range(len(names) + 1):
            folder = "/".join(names[:count])
            if folder not in self._made:
                self._made.add(folder)
                yield MakeFolder(folder)
