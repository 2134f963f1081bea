"""Bringing a shared folder up to date: look at folders, hash what changed, build anew what lies above.

In:  folders to look at. Out: rows in the index, in small transactions that each leave the share whole, and
what changed, told. Only files whose size or time differ are read, and not those that were merely moved
(inode, size and time are the same). A file that changes while it is read is looked at again later; a large
one is hashed beside all the rest. What lies behind a symlink is never reached (`hashing.py`).

What is gone is let go last, and only while the top is still the folder it was: an unmounted drive empties
nothing (`TopGone`).

Memory: the folders on the way from the top to where the work is, one folder's files, a bounded number of rows
and jobs; names that are gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from warren.services.files import revising
from warren.services.files.comparing import Line
from warren.services.files.dag.build import build_folder
from warren.services.files.hashing import (
    CHANGED,
    INODE_MASK,
    VANISHED,
    DataFolder,
    assemble,
    hash_files,
    hash_span,
    join,
    rules_above,
    scan_folder,
)
from warren.services.files.ignoring import SHARED, BadRules
from warren.services.files.importer import BATCH_BYTES_MAX, BATCH_FILES_MAX, ROWS_MAX, SPAN_BYTES
from warren.services.files.index import EntryRow
from warren.services.files.revising import new_folder, place_of
from warren.services.files.types import SKIPPED_SHOWN_MAX, Progress, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from warren.runtime.seam import Database, Runtime
    from warren.services.files.comparing import Place
    from warren.services.files.hashing import Hashed, Listing, Scanned
    from warren.services.files.ignoring import Rules
    from warren.services.files.pace import Pace
    from warren.services.files.revising import Known, Totals
    from warren.services.files.types import EntryKind, Share
    from warren.services.files.watching import Look

GONE_MAX: Final = 20_000
"""Names kept until the end of a look, so that files that were moved are found under their old ones."""
FLUSH_S: Final = 0.2

Outcome = tuple["Scanned", "Hashed | str"]


class TopGone(OSError):
    """The shared folder is not there, cannot be read, or is not what it was."""


class Owner(Protocol):
    """What an update needs of who owns the share."""

    def changing(self) -> AbstractAsyncContextManager[Share]:
        """Held while what is committed changes and is told. Raises `ContentUnknown`: it is not shared."""
        ...

    async def tell(self, lines: Sequence[Line], gone: Sequence[Place]) -> None:
        """Entries changed and are committed."""
        ...

    async def commit(self, totals: Totals, skipped: Sequence[Skipped], skipped_count: int) -> None:
        """The share as a whole is another one now."""
        ...

    def again(self, folder: str, name: str) -> None:
        """A file changed while it was read."""
        ...

    def ready(self) -> None:
        """A large file is hashed: `Updater.run` will take it in."""
        ...

    def progressed(self) -> None:
        """`Updater.progress` is further."""
        ...


class _Scan(NamedTuple):
    """A folder to list, with the rules that hold above it. is_new: nothing of it is known."""

    folder: str
    rules: Rules
    deep: bool
    busy: frozenset[str] = frozenset()
    is_new: bool = False


class Updater:
    """Updates of one share, one at a time: `run`. number: the share's in the index; top: its folder.

    slots: jobs in threads, shared with other shares.
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
    ) -> None:
        self._runtime = runtime
        self._database = database
        self._pace = pace
        self._slots = slots
        self._number = number
        self._top = top
        self._owner = owner
        self._inode = 0
        self._moved_top = False
        self._todo: list[Look | _Scan | list[Scanned]] = []
        self._running: set[asyncio.Task[list[Outcome]]] = set()
        self._large: dict[str, Scanned] = {}
        self._large_done: list[Outcome] = []
        self._hashing_large: asyncio.Task[None] | None = None
        self._rows: dict[Place, EntryRow] = {}
        self._pending: set[str] = set()
        """The folders that `_rows` lie in."""
        self._gone: dict[Place, EntryKind] = {}
        self._skipped: dict[str, str] = {}
        self._flushed_at = 0.0
        self._revised = False
        self._done_files = self._total_files = self._done_bytes = self._total_bytes = 0
        self._current = ""

    @property
    def has_news(self) -> bool:
        """Whether a large file waits to be taken in."""
        return bool(self._large_done)

    @property
    def progress(self) -> Progress | None:
        """How far hashing is; None where there is none."""
        if self._done_files >= self._total_files:
            return None
        return Progress(
            self._done_bytes, self._total_bytes, self._done_files, self._total_files, self._current, "hashing"
        )

    async def run(self, take: Callable[[], Sequence[Look]], skipped: Sequence[Skipped] = ()) -> None:
        """Look at what `take` gives, asked again and again until there is nothing left; what it gives later
        comes first. skipped: what of the share was left out so far. Raises `TopGone`, `StorageError`.
        """
        self._skipped = {one.path: one.reason for one in skipped}
        before = dict(self._skipped)
        try:
            await self._check_top()
            while True:
                self._todo += reversed(take())
                if self._todo:
                    await self._step(self._todo.pop())
                await self._collect(wait=not self._todo)
                if not (self._todo or self._running or self._large_done):
                    break
                if len(self._rows) >= ROWS_MAX or self._now() > self._flushed_at + FLUSH_S:
                    await self._flush_rows()
            await self._flush_all()
            await self._rebuild(told=before != self._skipped)
        finally:
            self._todo.clear()
            self._rows.clear()
            self._pending.clear()
            self._gone.clear()
            for task in self._running:
                task.cancel()
            self._running.clear()
        if not self._large:
            self._done_files = self._total_files = self._done_bytes = self._total_bytes = 0

    async def close(self) -> None:
        """Stop hashing."""
        if self._hashing_large is not None:
            self._hashing_large.cancel()
            await asyncio.gather(self._hashing_large, return_exceptions=True)

    # --- the top ------------------------------------------------------------------------------------------

    async def _check_top(self) -> None:
        self._inode = await self._stat_top()
        known = await self._database.run(partial(revising.find_top, share=self._number))
        self._moved_top = known is not None and known.inode != self._inode

    async def _stat_top(self) -> int:
        try:
            status = await self._runtime.offload(self._runtime.disk.stat, self._top)
        except OSError as error:
            raise _top_gone(error) from error
        if status.kind != "dir":
            raise TopGone("it is no folder any more")
        return status.inode & INODE_MASK

    # --- looking ------------------------------------------------------------------------------------------

    async def _step(self, item: Look | _Scan | list[Scanned]) -> None:
        if isinstance(item, list):
            await self._submit(item)
        elif isinstance(item, _Scan):
            await self._scan(item)
        else:
            rules = None
            with contextlib.suppress(OSError):  # what cannot be read above is told by the look at that
                rules = await self._runtime.offload(
                    rules_above, self._runtime.disk, self._top, item.folder, SHARED
                )
            if rules is not None:
                await self._scan(_Scan(item.folder, rules, item.deep, item.busy))

    async def _scan(self, scan: _Scan) -> None:
        listing = await self._list(scan)
        if listing is None:
            return
        self._forget_skipped(scan)
        for name, reason in listing.skipped:
            self._skip(join(scan.folder, name), reason)
        known: dict[str, Known] = {}
        is_seen = scan.folder in self._pending  # by another look, just now
        if is_seen:
            await self._flush_rows()
        if is_seen or not scan.is_new:
            ask = partial(revising.known_entries, share=self._number, folder=scan.folder)
            known = await self._database.run(ask)
        if not scan.folder and self._moved_top:
            await self._accept_top(is_empty=not (listing.files or listing.folders), known=known)
        below = [
            part for name in listing.folders if (part := await self._take_folder(scan, listing, name, known))
        ]
        for link, block in listing.symlinks:
            old = known.pop(link.name, None)
            if old is None or old.cid != link.cid:
                await self._clear(scan.folder, link.name, old)
                row = EntryRow(
                    scan.folder,
                    link.name,
                    "symlink",
                    0,
                    0,
                    link.cid,
                    link.size,
                    trusted=True,
                    blocks=(block,),
                )
                self._add(row)
        changed, gone = await self._runtime.offload(_compare, listing.files, known, scan.busy)
        for file, old in changed:
            await self._clear(scan.folder, file.name, old)
        for name, kind in gone:
            self._gone[scan.folder, name] = kind
        self._todo += reversed(below)
        self._queue([file for file, _ in changed])
        if len(self._gone) > GONE_MAX:
            await self._flush_all()

    async def _list(self, scan: _Scan) -> Listing | None:
        try:
            return await self._runtime.offload(
                scan_folder, self._runtime.disk, self._top, scan.folder, scan.rules
            )
        except OSError as error:
            if not scan.folder:
                raise _top_gone(error) from error
            if isinstance(error, FileNotFoundError | NotADirectoryError) or error.errno == errno.ELOOP:
                return None  # the look at the folder above finds that
            is_told = isinstance(error, DataFolder | BadRules)
            self._skip(scan.folder, str(error) if is_told else f"it cannot be read: {error.strerror}")
            if is_told or isinstance(error, PermissionError):
                self._gone[place_of(scan.folder)] = "dir"
            return None

    async def _take_folder(
        self, scan: _Scan, listing: Listing, name: str, known: dict[str, Known]
    ) -> _Scan | None:
        old = known.pop(name, None)
        if (scan.folder, name) in self._gone:
            await self._flush_all()
            old = None
        if old is not None and old.kind == "dir":
            return _Scan(join(scan.folder, name), listing.rules, True) if scan.deep else None
        await self._clear(scan.folder, name, old)
        self._add(new_folder(scan.folder, name))
        return _Scan(join(scan.folder, name), listing.rules, True, is_new=True)

    async def _clear(self, folder: str, name: str, old: Known | None) -> None:
        """Something of another kind takes the place of a folder."""
        self._gone.pop((folder, name), None)
        if old is not None and old.kind == "dir":
            self._gone[folder, name] = "dir"
            await self._flush_all()

    async def _accept_top(self, *, is_empty: bool, known: dict[str, Known]) -> None:
        if is_empty and known:
            raise TopGone("it is empty, and another folder than it was: is the drive mounted?")
        await self._database.run(partial(revising.keep_top, share=self._number, inode=self._inode))
        self._moved_top = False

    # --- what is left out ---------------------------------------------------------------------------------

    def _forget_skipped(self, scan: _Scan) -> None:
        inside = join(scan.folder, "")
        for path in list(self._skipped):
            is_below = path.startswith(inside)
            if (is_below and (scan.deep or place_of(path)[0] == scan.folder)) or path == scan.folder:
                del self._skipped[path]

    def _skip(self, path: str, reason: str) -> None:
        if len(self._skipped) < SKIPPED_SHOWN_MAX:
            self._skipped[path] = reason

    # --- hashing ------------------------------------------------------------------------------------------

    def _queue(self, files: list[Scanned]) -> None:
        batch: list[Scanned] = []
        size = 0
        for file in files:
            if batch and (len(batch) == BATCH_FILES_MAX or size + file.size > BATCH_BYTES_MAX):
                self._todo.append(batch)
                batch, size = [], 0
            batch.append(file)
            size += file.size
        if batch:
            self._todo.append(batch)

    async def _submit(self, files: list[Scanned]) -> None:
        async with self._owner.changing():
            rows = await self._database.run(partial(revising.take_moved, share=self._number, files=files))
            moved = [row for row in rows if row is not None]
            self._revised = self._revised or bool(moved)
            await self._owner.tell(_lines(moved), ())
        small: list[Scanned] = []
        for file, row in zip(files, rows, strict=True):
            if row is not None or self._large.get(file.path) == file:
                continue
            self._total_files += 1
            self._total_bytes += file.size
            if file.size > SPAN_BYTES:
                self._large[file.path] = file
            else:
                small.append(file)
        if small:
            self._running.add(asyncio.create_task(self._hash_small(small)))
        if self._large and (self._hashing_large is None or self._hashing_large.done()):
            self._hashing_large = asyncio.create_task(self._hash_large())
        if len(self._running) >= _JOBS:
            await self._collect(wait=True)

    async def _hash_small(self, files: list[Scanned]) -> list[Outcome]:
        await self._pace.admit(sum(file.size for file in files))
        async with self._slots:
            outcomes = await self._runtime.offload(
                hash_files, self._runtime.disk, self._top, files, self._now_ns()
            )
        return list(zip(files, outcomes, strict=True))

    async def _hash_large(self) -> None:
        while self._large:
            path, file = next(iter(self._large.items()))
            outcome = await self._hash_one_large(file)
            if self._large.get(path) == file:  # else it has changed since, and comes again
                del self._large[path]
                self._large_done.append((file, outcome))
                self._owner.ready()

    async def _hash_one_large(self, file: Scanned) -> Hashed | str:
        leaves: list[tuple[bytes, int]] = []
        for start in range(0, file.size, SPAN_BYTES):
            end = min(file.size, start + SPAN_BYTES)
            await self._pace.admit(end - start)
            async with self._slots:
                part = await self._runtime.offload(hash_span, self._runtime.disk, self._top, file, start, end)
            self._done_bytes += end - start
            self._current = file.path
            self._owner.progressed()
            if isinstance(part, str):
                return part
            leaves += part
        return await self._runtime.offload(assemble, leaves, file, self._now_ns())

    async def _collect(self, *, wait: bool) -> None:
        """Take in what is hashed."""
        if self._running and wait:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        for task in [task for task in self._running if task.done()]:
            self._running.remove(task)
            for file, outcome in task.result():
                self._done_bytes += file.size
                self._take(file, outcome)
        done, self._large_done = self._large_done, []
        for file, outcome in done:
            self._take(file, outcome)
        self._owner.progressed()

    def _take(self, file: Scanned, outcome: Hashed | str) -> None:
        self._done_files += 1
        self._current = file.path
        folder, name = place_of(file.path)
        if outcome == CHANGED:
            self._owner.again(folder, name)
        elif isinstance(outcome, str):
            if outcome != VANISHED:
                self._skip(file.path, outcome)
            self._gone[folder, name] = "file"
        else:
            self._gone.pop((folder, name), None)
            row = EntryRow(
                folder, name, "file", outcome.size, outcome.mtime_ns, outcome.root.cid, outcome.root.size,
                outcome.trusted, outcome.leaves, outcome.blocks, inode=file.inode,
            )  # fmt: skip
            self._add(row)

    def _add(self, row: EntryRow) -> None:
        self._rows[row.folder, row.name] = row
        self._pending.add(row.folder)

    # --- committing ---------------------------------------------------------------------------------------

    async def _flush_rows(self) -> None:
        self._flushed_at = self._now()
        if not self._rows:
            return
        rows = list(self._rows.values())
        self._rows.clear()
        self._pending.clear()
        async with self._owner.changing():
            await self._database.run(partial(revising.revise, share=self._number, rows=rows, gone=()))
            self._revised = True
            await self._owner.tell(_lines(rows), ())

    async def _flush_all(self) -> None:
        """What is gone, too."""
        await self._flush_rows()
        if not self._gone:
            return
        if await self._stat_top() != self._inode:
            raise TopGone("it was replaced while it was looked at")
        gone, self._gone = self._gone, {}
        async with self._owner.changing():
            for place, kind in gone.items():
                while kind == "dir" and not await self._database.run(
                    partial(revising.prune, share=self._number, folder=join(*place))
                ):
                    pass
            left = await self._database.run(
                partial(revising.revise, share=self._number, rows=(), gone=list(gone))
            )
            self._revised = self._revised or bool(left)
            await self._owner.tell((), [place for place in left if gone[place] != "symlink"])

    async def _rebuild(self, *, told: bool) -> None:
        """Build anew the nodes of the folders that changed, and of those above; then the share is another."""
        stale = await self._database.run(partial(revising.find_stale, share=self._number))
        if not (stale or told or self._revised):
            return
        lines: list[Line] = []
        async with self._owner.changing():
            while stale:
                built = await self._database.run(partial(revising.rebuild, share=self._number, stale=stale))
                lines += built.lines
                if built.large is not None:
                    place, links, size = built.large
                    root, blocks = await self._runtime.offload(build_folder, links)
                    keep = partial(
                        revising.keep_folder,
                        share=self._number,
                        place=place,
                        root=root,
                        blocks=blocks,
                        size=size,
                    )
                    lines += await self._database.run(keep)
                if len(lines) > ROWS_MAX and stale:
                    await self._owner.tell(lines, ())
                    lines = []
            skipped = tuple(Skipped(path, reason) for path, reason in self._skipped.items())
            totals = await self._database.run(
                partial(
                    revising.finish, share=self._number, skipped=skipped, skipped_count=len(self._skipped)
                )
            )
            await self._owner.commit(totals, skipped, len(skipped))
            self._revised = False
            await self._owner.tell(lines, ())

    def _now(self) -> float:
        return self._runtime.clock.now()

    def _now_ns(self) -> int:
        return int(self._runtime.clock.wall() * 1e9)


_JOBS: Final = 3
"""Batches under way for one share."""


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


def _lines(rows: Sequence[EntryRow]) -> list[Line]:
    return [Line(row.folder, row.name, row.kind, row.size, row.cid) for row in rows if row.kind != "symlink"]


def _top_gone(error: OSError) -> TopGone:
    is_told = isinstance(error, DataFolder | BadRules)
    return TopGone(str(error) if is_told else f"it cannot be read: {error.strerror or error}")
