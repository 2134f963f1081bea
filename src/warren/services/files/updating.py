"""Bringing a shared folder up to date: look at folders, or at names in them, and take in what is another.

In:  what to look at. Out: rows in the index (`pending.py`), and what changed, told. A look that names what
changed costs what that costs, whatever lies beside it. Only files whose size or time differ are read
(`rehashing.py`), and not those that were merely moved (inode, size and time are the same). A file that
changes while it is read is looked at again later, and so is what cannot be read for a fault of the system.
What lies behind a symlink is never reached (`hashing.py`), and an unmounted drive empties nothing
(`ground.py`).

Memory: the folders on the way from the top to where the work is, one folder's files; what is pending.
"""

from __future__ import annotations

import errno
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from warren.services.files import pending, rehashing, revising
from warren.services.files.ground import ABSENT, Ground, TopGone, names_in, top_gone
from warren.services.files.hashing import (
    CHANGED,
    DATA_FOLDER_NAMES,
    VANISHED,
    DataFolder,
    Passing,
    is_passing,
    join,
    readable,
    rules_above,
    scan_folder,
)
from warren.services.files.holders.frozen import Frozen
from warren.services.files.ignoring import SHARED, BadRules
from warren.services.files.index import EntryRow
from warren.services.files.pending import Pending
from warren.services.files.rehashing import Rehashing, batches
from warren.services.files.revising import new_folder, place_of
from warren.services.files.types import SKIPPED_SHOWN_MAX
from warren.services.files.watching import Look

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from warren.runtime.seam import Database, Runtime
    from warren.services.files.hashing import Hashed, Listing, Scanned
    from warren.services.files.ignoring import Rules
    from warren.services.files.pace import Pace
    from warren.services.files.revising import Known
    from warren.services.files.types import EntryKind, Progress, Skipped


class Owner(pending.Owner, rehashing.Listener, Protocol):
    """What an update needs of who owns the share."""

    def again(self, folder: str, name: str) -> None:
        """A file changed while it was read, or could not be; name '': that is all of a folder."""
        ...


class _Scan(NamedTuple):
    """A folder to list, with the rules that hold above it; names: these in it alone. is_new: nothing of it is
    known.
    """

    folder: str
    rules: Rules
    deep: bool
    busy: frozenset[str] = frozenset()
    names: frozenset[str] | None = None
    is_new: bool = False


class Updater:
    """Updates of one share, one at a time: `run`. number: the share's in the index; top: its folder.

    slots: jobs in threads, shared with other shares. frozen: nothing is taken in; `run` raises `NotTheSame`
    for the first thing that is another (`holders/frozen.py`).
    """

    def __init__(
        self,
        runtime: Runtime,
        database: Database,
        pace: Pace,
        slots: asyncio.Semaphore,
        number: int,
        top: str,
        owner: Owner,
        *,
        frozen: bool = False,
    ) -> None:
        self._runtime = runtime
        self._database = database
        self._number = number
        self._top = top
        self._owner = owner
        self.ground = Ground(runtime, database, number, top)
        self._pending = (Frozen if frozen else Pending)(runtime, database, number, self.ground, owner)
        self._hashing = Rehashing(runtime, pace, slots, top, owner)
        self._todo: list[Look | _Scan | list[Scanned]] = []
        self._judged: set[str] = set()
        """Folders whose drives are found not to be there by this update."""
        self._skipped: dict[str, str] = {}

    @property
    def has_news(self) -> bool:
        """Whether a large file waits to be taken in."""
        return self._hashing.has_news

    @property
    def progress(self) -> Progress | None:
        """How far hashing is; None where there is none."""
        return self._hashing.progress

    async def run(self, take: Callable[[], Sequence[Look]], skipped: Sequence[Skipped] = ()) -> None:
        """Look at what `take` gives, asked again and again until there is nothing left; what it gives later
        comes first. skipped: what of the share was left out so far. Raises `TopGone`, `StorageError`, and
        `OSError` for a fault of the system at the top.
        """
        self._skipped = {one.path: one.reason for one in skipped}
        before = dict(self._skipped)
        try:
            await self.ground.check()
            await self._pending.begin()
            while True:
                self._todo += reversed(take())
                if self._todo:
                    await self._step(self._todo.pop())
                await self._collect(wait=not self._todo)
                if not self._todo and self._hashing.is_idle:
                    break
                await self._pending.flush_some()
            await self._pending.flush()
            await self._pending.rebuild(self._skipped, told=before != self._skipped)
        finally:
            self._todo.clear()
            self._judged.clear()
            self._pending.clear()
            self._hashing.give_up()

    async def close(self) -> None:
        """Stop hashing."""
        await self._hashing.close()

    # --- looking ------------------------------------------------------------------------------------------

    async def _step(self, item: Look | _Scan | list[Scanned]) -> None:
        if isinstance(item, list):
            await self._submit(item)
        elif isinstance(item, _Scan):
            await self._scan(item)
        elif item.folder and not await self._holds(item.folder):
            # Whether it is to be shared is for the look at the folder above to say.
            above, name = place_of(item.folder)
            self._todo.append(Look(above, names=frozenset((name,))))
        else:
            await self._look(item)

    async def _holds(self, folder: str) -> bool:
        """Whether a folder is known."""
        place = place_of(folder)
        row = self._pending.row(place)
        if row is not None or self._pending.is_gone(place):
            return row is not None and row.kind == "dir"
        known = await self._known(place[0], {place[1]})
        return bool(known) and known[place[1]].kind == "dir"

    async def _known(self, folder: str, names: frozenset[str] | set[str] | None = None) -> dict[str, Known]:
        if names is not None:  # another name than these is in no index
            names = {name for name in names if readable(name) == name}
        ask = partial(revising.known_entries, share=self._number, folder=folder, names=names)
        return await self._database.run(ask)

    async def _look(self, look: Look) -> None:
        try:
            rules = await self._runtime.offload(
                rules_above, self._runtime.disk, self._top, look.folder, SHARED
            )
        except OSError as error:  # what cannot be read above is told by the look at that
            if is_passing(error):
                self._owner.again(look.folder, "")
            return
        if rules is not None:
            names = look.names
            if look.deep or (names is not None and not names.isdisjoint(DATA_FOLDER_NAMES)):
                names = None
            await self._scan(_Scan(look.folder, rules, look.deep, look.busy, names))

    async def _scan(self, scan: _Scan) -> None:
        away = self.ground.absent(scan.folder)
        if away is not None and away != scan.folder:
            if away not in self._judged:
                self._todo.append(Look(away, deep=True))
            return
        if away is not None or (self.ground.is_moved and not scan.folder):
            scan = scan._replace(names=None, deep=True)
        listing = await self._list(scan)
        if listing is None:
            return
        is_seen = self._pending.touches(scan.folder)  # by another look, just now
        if is_seen:
            await self._pending.flush_rows()
        is_new = scan.is_new and not await self._holds(scan.folder)
        known: dict[str, Known] = {}
        if is_seen or not is_new:
            known = await self._known(scan.folder, scan.names)
        if scan.names is not None and self._bends(scan, listing, known):
            self._todo.append(scan._replace(names=None))
            return
        self._forget_skipped(scan, listing)
        if away is not None and not await self._accept_without_drive(scan.folder, listing, known):
            return
        if not scan.folder and self.ground.is_moved:
            await self._accept_top(listing, known)
        if is_new:
            self._pending.add(new_folder(*place_of(scan.folder)))
        await self._take_listing(scan, listing, known)

    async def _list(self, scan: _Scan) -> Listing | None:
        try:
            return await self._runtime.offload(
                scan_folder, self._runtime.disk, self._top, scan.folder, scan.rules, scan.names
            )
        except OSError as error:
            if not scan.folder:
                raise top_gone(error) from error
            if isinstance(error, FileNotFoundError | NotADirectoryError) or error.errno == errno.ELOOP:
                return None  # the look at the folder above finds that
            is_told = isinstance(error, DataFolder | BadRules)
            self._skip(scan.folder, str(error) if is_told else f"it cannot be read: {error.strerror}")
            if is_passing(error):
                self._owner.again(scan.folder, "")
            elif is_told or isinstance(error, PermissionError):
                self._pending.let_go(place_of(scan.folder), "dir")
            return None

    def _bends(self, scan: _Scan, listing: Listing, known: dict[str, Known]) -> bool:
        """Whether a symlink is among these names: those beside it may lead elsewhere now, through it."""
        return (
            bool(listing.symlinks or listing.skipped)
            or any(old.kind == "symlink" for old in known.values())
            or any(join(scan.folder, readable(name)) in self._skipped for name in scan.names or ())
        )

    async def _take_listing(self, scan: _Scan, listing: Listing, known: dict[str, Known]) -> None:
        """Take in what of a folder is not what is known of it."""
        folder = scan.folder
        for name, reason in listing.skipped:
            self._skip(join(folder, name), reason)
            if isinstance(reason, Passing):
                known.pop(name, None)
                self._owner.again(folder, name)
        below = [
            part for name in listing.folders if (part := await self._take_folder(scan, listing, name, known))
        ]
        self._pending.keep(folder, [file.name for file in listing.files])
        self._pending.keep(folder, [link.name for link, _ in listing.symlinks])
        for link, block in listing.symlinks:
            old = known.pop(link.name, None)
            if old is None or old.cid != link.cid:
                await self._clear(folder, link.name, old, "symlink")
                self._pending.add(
                    EntryRow(
                        folder, link.name, "symlink", 0, 0, link.cid, link.size,
                        trusted=True, blocks=(block,),
                    )
                )  # fmt: skip
        changed, gone = await self._runtime.offload(_compare, listing.files, known, scan.busy)
        for file, old in changed:
            await self._clear(folder, file.name, old, "file")
        self._let_go(scan, listing, gone)
        self._todo += reversed(below)
        self._todo += batches([file for file, _ in changed])

    async def _take_folder(
        self, scan: _Scan, listing: Listing, name: str, known: dict[str, Known]
    ) -> _Scan | None:
        path = join(scan.folder, name)
        old = known.pop(name, None)
        if self._pending.is_gone((scan.folder, name)):
            await self._pending.flush()
            old = None
        is_mount = name in listing.mounts
        is_another = is_mount != (path in self.ground.mounts)
        if is_mount:
            await self.ground.note_mounts({path})
        if old is not None and old.kind == "dir":
            return _Scan(path, listing.rules, True) if scan.deep or is_another else None
        return _Scan(path, listing.rules, True, is_new=True)

    def _let_go(self, scan: _Scan, listing: Listing, gone: Sequence[tuple[str, EntryKind]]) -> None:
        for name, kind in gone:
            path = join(scan.folder, name)
            if path in self.ground.mounts:
                self._skip(path, ABSENT)
            else:
                self._pending.let_go((scan.folder, name), kind)
                self._hashing.forget(path)
        files = {file.name for file in listing.files}
        if scan.names is None:
            self._hashing.forget_all_but(scan.folder, files)
        for name in (scan.names or frozenset()) - files:
            self._hashing.forget(join(scan.folder, name))

    async def _clear(self, folder: str, name: str, old: Known | None, kind: EntryKind) -> None:
        """Let go first what something of another kind takes the place of: a folder with all below it, and
        what a symlink replaces, of which nobody is told.
        """
        if old is not None and old.kind not in (kind, "symlink"):
            self._hashing.forget(join(folder, name))
            self._pending.let_go((folder, name), old.kind)
            await self._pending.flush()

    async def _accept_top(self, listing: Listing, known: dict[str, Known]) -> None:
        if doubt := self.ground.doubt(listing, known):
            raise TopGone(doubt)
        await self.ground.accept()

    async def _accept_without_drive(self, folder: str, listing: Listing, known: dict[str, Known]) -> bool:
        """Whether all that the drive held lies there without it: then it was copied."""
        if names_in(listing).issuperset(known):
            await self.ground.forget_mount(folder)
            return True
        self._judged.add(folder)
        self._skip(folder, ABSENT)
        return False

    # --- what is left out ---------------------------------------------------------------------------------

    def _forget_skipped(self, scan: _Scan, listing: Listing) -> None:
        inside = join(scan.folder, "")
        names = None if scan.names is None else {readable(name) for name in scan.names}
        for path in list(self._skipped):
            is_below = path.startswith(inside)
            name, _, rest = path[len(inside) :].partition("/")
            if names is not None:
                is_over = is_below and name in names and not (rest and name in listing.folders)
            else:
                is_over = path == scan.folder or (is_below and (scan.deep or not rest))
            if is_over:
                del self._skipped[path]

    def _skip(self, path: str, reason: str) -> None:
        if len(self._skipped) < SKIPPED_SHOWN_MAX:
            self._skipped[path] = str(reason)

    # --- hashing ------------------------------------------------------------------------------------------

    async def _submit(self, files: list[Scanned]) -> None:
        self._hashing.begin(await self._pending.take_moved(files))
        if self._hashing.is_full:
            await self._collect(wait=True)

    async def _collect(self, *, wait: bool) -> None:
        for file, outcome in await self._hashing.collect(wait=wait):
            self._take(file, outcome)

    def _take(self, file: Scanned, outcome: Hashed | str) -> None:
        folder, name = place_of(file.path)
        if outcome == CHANGED:
            self._owner.again(folder, name)
        elif isinstance(outcome, Passing):
            self._skip(file.path, outcome)
            self._owner.again(folder, name)
        elif isinstance(outcome, str):
            if outcome != VANISHED:
                self._skip(file.path, outcome)
            self._pending.let_go((folder, name), "file")
        else:
            self._pending.add(
                EntryRow(
                    folder, name, "file", outcome.size, outcome.mtime_ns, outcome.root.cid, outcome.root.size,
                    outcome.trusted, outcome.leaves, outcome.blocks, inode=file.inode,
                )
            )  # fmt: skip


def _compare(
    files: Sequence[Scanned], known: dict[str, Known], busy: frozenset[str]
) -> tuple[list[tuple[Scanned, Known | None]], list[tuple[str, EntryKind]]]:
    """The files that are not what is known of them, with that; and what of the known is gone."""
    changed = []
    for file in files:
        old = known.pop(file.name, None)
        if file.name not in busy and not _is_same(file, old):
            changed.append((file, old))
    return changed, [(name, old.kind) for name, old in known.items()]


def _is_same(file: Scanned, old: Known | None) -> bool:
    return (
        old is not None
        and old.kind == "file"
        and old.sound
        and (old.size, old.mtime_ns) == (file.size, file.mtime_ns)
    )
