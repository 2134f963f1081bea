"""The tree that grows in the hidden folder, and what an earlier attempt left of it.

In:  paths below the top ('' for the top itself), all of them safe names. Out: folders and what lies where.
What has another kind than the walk wants is replaced; what it did not name is removed in the end. Raises
`OSError`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from warren.services.files.hashing import join
from warren.services.files.names import NameRules, safe_join

if TYPE_CHECKING:
    from warren.runtime.seam import Disk, Kind, Stat


class Content:
    """See the module's header. `top` is where it lies. resumed: whether an earlier attempt left something."""

    __slots__ = ("_disk", "_named", "resumed", "rules", "top")

    def __init__(self, disk: Disk, top: str) -> None:
        self._disk = disk
        self._named: set[int] = set()  # hashes of the paths that the walk named, kept where there is more
        self.top = top
        self.resumed = False
        self.rules = NameRules()

    def local(self, path: str) -> str:
        """Where `path` lies."""
        return safe_join(self.top, path.split("/")) if path else self.top

    def look(self, path: str) -> Stat | None:
        """What a path of this disk is; None where nothing is."""
        try:
            return self._disk.stat(path)
        except FileNotFoundError:
            return None

    def clear_way(self, path: str, wanted: Kind) -> Stat | None:
        """What an earlier attempt left at `path`, if it is of the kind wanted; what is of another is
        removed.
        """
        if not self.resumed:
            return None
        self._named.add(self._hash(path))
        local = self.local(path)
        found = self.look(local)
        if found is None or found.kind == wanted:
            return found
        self._remove(local, found.kind)
        return None

    def make_folder(self, path: str) -> None:
        """Make a folder, whose parents were made before."""
        self.clear_way(path, "dir")
        self._disk.make_dirs(self.local(path))

    def remove_strays(self) -> None:
        """Remove what an earlier attempt left and the walk did not name."""
        found = self.look(self.top) if self.resumed else None
        waiting = [""] if found is not None and found.kind == "dir" else []
        while waiting:
            folder = waiting.pop()
            for entry in self._disk.scan(os.path.join(self.top, folder)):
                path = join(folder, entry.name)
                if self._hash(path) not in self._named:
                    self._remove(os.path.join(self.top, path), entry.kind)
                elif entry.kind == "dir":
                    waiting.append(path)

    def _hash(self, path: str) -> int:
        return hash(self.rules.key(path))

    def _remove(self, local: str, kind: Kind) -> None:
        if kind == "dir":
            self._disk.remove_tree(local)
        else:
            self._disk.remove(local)
