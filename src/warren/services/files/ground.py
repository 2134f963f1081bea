"""Whether a share is where it was: its top folder, and the drives that are mounted in it.

In:  what the disk says of the top and of the folders where drives are mounted (`mounts.py`). Out: whether
what lies there now is what is shared, or what an unmounted drive left behind. Nothing is taken for gone
before that is known.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from warren.services.files import mounts, revising
from warren.services.files.hashing import INODE_MASK, DataFolder, is_passing, scan_folder
from warren.services.files.ignoring import BadRules

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable

    from warren.runtime.seam import Database, Runtime
    from warren.services.files.hashing import Listing
    from warren.services.files.revising import Known

ABSENT: Final = "the drive that was mounted here is not there; what it holds is kept as it was known"
_AS_IT_IS: Final = "to share what is there now, share it again"


class TopGone(OSError):
    """The shared folder is not there, cannot be read, or is not what it was."""


def top_gone(error: OSError) -> OSError:
    """What to raise where the top cannot be read: `TopGone`, unless that will pass."""
    if is_passing(error):
        return error
    is_told = isinstance(error, DataFolder | BadRules)
    return TopGone(str(error) if is_told else f"it cannot be read: {error.strerror or error}")


class Ground:
    """Of the share of that number, at `top`. `check` it before each update.

    is_moved: the top is not the folder that it was; `doubt` says whether that matters. mounts: folders where
    drives are mounted, or were; mounted: those of them where one is.
    """

    def __init__(self, runtime: Runtime, database: Database, number: int, top: str) -> None:
        self._runtime = runtime
        self._database = database
        self._number = number
        self._top = top
        self._inode = 0
        self.is_moved = False
        self.mounts: set[str] = set()
        self.mounted: set[str] = set()

    async def check(self) -> None:
        """Look at the top and at the drives. Raises `TopGone`, `OSError` for what will pass."""
        self._inode = await self._stat_top()
        number = self._number

        def read(db: sqlite3.Connection) -> tuple[Known | None, set[str]]:
            return revising.find_top(db, number), mounts.load(db, number)

        known, self.mounts = await self._database.run(read)
        self.mounted = set(await self._look({"", *self.mounts}))
        await self.note_mounts(self.mounted & {""})
        lost_top = "" in self.mounts and "" not in self.mounted
        self.is_moved = known is not None and (known.inode != self._inode or lost_top)

    async def is_another(self) -> bool:
        """Whether a drive came or went since `check`."""
        return bool(self.mounts) and set(await self._look(self.mounts)) != self.mounted

    async def is_back(self) -> bool:
        """Whether a share that was missing may be looked at again."""
        try:
            await self.check()
            if not self.is_moved:
                return True
            listing = await self._runtime.offload(scan_folder, self._runtime.disk, self._top, "")
        except OSError:
            return False
        ask = partial(revising.known_entries, share=self._number, folder="")
        return not self.doubt(listing, await self._database.run(ask))

    def doubt(self, listing: Listing, known: Collection[str]) -> str:
        """Why a top that is moved is not taken for what is shared; empty where it is. known: names."""
        names = names_in(listing)
        if known and not names:
            return f"it is empty, and another folder than it was: is the drive mounted? {_AS_IT_IS}"
        if "" in self.mounts - self.mounted and not names.issuperset(known):
            return f"the drive that was mounted there is not; {_AS_IT_IS}"
        return ""

    async def accept(self) -> None:
        """The top is what is shared, and has been looked at."""
        await self._database.run(partial(revising.keep_top, share=self._number, inode=self._inode))
        if "" not in self.mounted:
            await self.forget_mount("")
        self.is_moved = False

    async def refuse_swap(self) -> None:
        """Raise `TopGone` if the top is no longer the folder that it was at `check`."""
        if await self._stat_top() != self._inode:
            raise TopGone("it was replaced while it was looked at")

    # --- drives -------------------------------------------------------------------------------------------

    def absent(self, folder: str) -> str | None:
        """The topmost folder at or above this one, below the top, whose drive is not there; or None."""
        lost = [path for path in self.mounts - self.mounted if path and f"{folder}/".startswith(f"{path}/")]
        return min(lost, key=len, default=None)

    async def note_mounts(self, paths: Collection[str]) -> None:
        """Drives are mounted there."""
        if not self.mounts.issuperset(paths):
            await self._database.run(partial(mounts.keep, share=self._number, paths=paths))
            self.mounts.update(paths)
            self.mounted.update(paths)

    async def forget_mount(self, path: str) -> None:
        """Whatever is there now counts as what is shared."""
        await self._database.run(partial(mounts.drop, share=self._number, path=path))
        self.mounts.discard(path)

    async def just_went(self) -> set[str]:
        """Those of the drives that were there at `check` and are not any more."""
        return self.mounted.difference(await self._look(self.mounted)) if self.mounted else set()

    async def _look(self, paths: Iterable[str]) -> list[str]:
        return await self._runtime.offload(self._mounted_among, sorted(paths))

    def _mounted_among(self, paths: Iterable[str]) -> list[str]:
        found = []
        for path in paths:
            try:
                if mounts.is_mounted(self._runtime.disk, self._top, path):
                    found.append(path)
            except OSError as error:
                if is_passing(error):
                    raise
        return found

    async def _stat_top(self) -> int:
        try:
            status = await self._runtime.offload(self._runtime.disk.stat, self._top)
        except OSError as error:
            raise top_gone(error) from error
        if status.kind != "dir":
            raise TopGone("it is no folder any more")
        return status.inode & INODE_MASK


def names_in(listing: Listing) -> set[str]:
    """All that is there and not left out without a word."""
    names = {file.name for file in listing.files} | {link.name for link, _ in listing.symlinks}
    return names.union(listing.folders, (name for name, _ in listing.skipped))
