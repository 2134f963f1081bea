"""From files on the disk to their graph: scan, hash in threads, build folders from the leaves up.

In: a path, and what is known of it from before. Out: rows for the index in batches, and the root. Left out
silently: what the rules say (`ignoring.py`). Left out and reported: data folders of nodes, symlinks that lead
out of the tree, what is no regular file, unreadable files, files that change while they are read, names that
are not UTF-8.

Memory: the folders on the way from the top to where the work is and a bounded number of jobs; not the tree.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar

from warren.core.errors import NotFound, StorageError
from warren.services.files.dag.build import build_folder
from warren.services.files.dag.pb import Link
from warren.services.files.hashing import (
    INODE_MASK,
    DataFolder,
    Scanned,
    assemble,
    hash_files,
    hash_span,
    join,
    scan_folder,
)
from warren.services.files.ignoring import SHARED, BadRules
from warren.services.files.index import EntryRow
from warren.services.files.types import SKIPPED_SHOWN_MAX, Progress, Skipped

if TYPE_CHECKING:
    from warren.runtime.seam import Runtime
    from warren.services.files.hashing import (
        Hashed,
        Listing,
    )
    from warren.services.files.ignoring import Rules
    from warren.services.files.index import KnownFile
    from warren.services.files.types import Phase

BATCH_FILES_MAX: Final = 256
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024
SPAN_BYTES: Final = 16 * 1024 * 1024
"""A larger file is hashed in parts of this size, several at once. A multiple of the size of a chunk."""
ROWS_MAX: Final = 1000
PROGRESS_EVERY_S: Final = 0.1
INLINE_LINKS_MAX: Final = 200
"""A folder of more entries is built in a thread, so that the loop is not held."""

T = TypeVar("T")
Keep = Callable[[Sequence[EntryRow]], Awaitable[None]]
Known = Callable[[str], Awaitable["dict[str, KnownFile]"]]


class Imported(NamedTuple):
    """What became of a tree: its root, and what it holds."""

    root: Link
    kind: Literal["file", "dir"]
    files: int
    bytes: int
    skipped: tuple[Skipped, ...]
    skipped_count: int
    seconds: float


class _Folder:
    """A folder that is being built; `open` counts what it still waits for."""

    __slots__ = ("links", "name", "open", "parent", "path", "rules", "size")

    def __init__(self, parent: _Folder | None, name: str, rules: Rules) -> None:
        self.parent = parent
        self.name = name
        self.rules = rules
        self.path: str = join(parent.path, name) if parent else ""
        self.links: list[Link] = []
        self.open = 1  # its own listing
        self.size = 0


class _LargeFile:
    """A file that is hashed in parts."""

    __slots__ = ("file", "folder", "leaves", "reason")

    def __init__(self, folder: _Folder | None, file: Scanned) -> None:
        self.folder = folder
        self.file = file
        self.leaves: list[tuple[bytes, int]] = []
        self.reason = ""


class Importer:
    """One pass over one tree: make it, `run` it once.

    jobs: threads to keep busy. keep: takes rows for the index. known: what is known of the files of a folder,
    by name. report: takes progress. rules: what is left out.
    """

    def __init__(
        self,
        runtime: Runtime,
        jobs: int,
        *,
        keep: Keep | None = None,
        known: Known | None = None,
        report: Callable[[Progress], None] | None = None,
        rules: Rules = SHARED,
    ) -> None:
        self._runtime = runtime
        self._jobs = jobs
        self._keep = keep
        self._known = known
        self._report = report
        self._rules = rules
        self._top = ""
        self._inode = 0
        self._root: Link | None = None
        # What runs in threads, oldest first, with what to do with its outcome; outcomes are taken in order.
        self._running: deque[tuple[asyncio.Task[Any], Callable[[Any], Awaitable[None]]]] = deque()
        self._batch: list[tuple[_Folder | None, Scanned]] = []
        self._batch_bytes = 0
        self._rows: list[EntryRow] = []
        self._skipped: list[Skipped] = []
        self._skipped_count = 0
        self._files = self._bytes = 0
        self._total_files = self._total_bytes = 0
        self._reported_at = 0.0

    async def run(self, path: str) -> Imported:
        """Import the file or folder at `path`, an absolute path without symlinks in it.

        Raises `NotFound`, `StorageError` where the top cannot be read, and what `keep` and `known` raise.
        """
        begun = self._runtime.clock.now()
        self._top = path
        try:
            status = await self._runtime.offload(self._runtime.disk.stat, path)
        except OSError as error:
            raise NotFound(f"cannot read {path}: {error.strerror}", hint="check the path") from error
        if status.kind not in {"file", "dir"}:
            raise NotFound(f"{path} is neither a file nor a folder")
        self._inode = status.inode & INODE_MASK
        try:
            if status.kind == "dir":
                await self._import_folders()
            else:
                self._total_files, self._total_bytes = 1, status.size
                self._top, name = os.path.split(path)
                inode = status.inode & INODE_MASK
                await self._hash(None, Scanned(name, "", status.size, status.mtime_ns, inode))
            await self._settle_all()
        finally:
            for task, _ in self._running:
                task.cancel()
        await self._flush_rows()
        if self._root is None:
            reason = self._skipped[0].reason if self._skipped else "it is empty"
            raise StorageError(f"{path} cannot be shared: {reason}")
        return Imported(
            root=self._root,
            kind="dir" if status.kind == "dir" else "file",
            files=self._files,
            bytes=self._bytes,
            skipped=tuple(self._skipped),
            skipped_count=self._skipped_count,
            seconds=self._runtime.clock.now() - begun,
        )

    # --- scanning -----------------------------------------------------------------------------------------

    async def _import_folders(self) -> None:
        if self._report is not None:
            await self._measure()
        waiting = [_Folder(None, "", self._rules)]
        while waiting:
            folder = waiting.pop()
            listing = await self._scan(folder)
            if listing is None:
                await self._close(folder.parent)
                continue
            folders = [_Folder(folder, name, listing.rules) for name in listing.folders]
            waiting += reversed(folders)
            folder.open += len(folders) + len(listing.files)
            for link, block in listing.symlinks:
                folder.links.append(link)
                row = EntryRow(
                    folder.path,
                    link.name,
                    "symlink",
                    0,
                    0,
                    link.cid,
                    link.size,
                    trusted=True,
                    blocks=(block,),
                )
                await self._add_row(row)
            known = await self._known(folder.path) if self._known and listing.files else {}
            for file in listing.files:
                await self._take(folder, file, known.get(file.name))
            await self._close(folder)

    async def _scan(self, folder: _Folder) -> Listing | None:
        try:
            listing = await self._runtime.offload(
                scan_folder, self._runtime.disk, self._top, folder.path, folder.rules
            )
        except (DataFolder, BadRules) as error:
            self._skip(folder.path, str(error))
            return None
        except OSError as error:
            self._skip(folder.path, f"it cannot be read: {error.strerror}")
            return None
        for name, reason in listing.skipped:
            self._skip(join(folder.path, name), reason)
        return listing

    async def _measure(self) -> None:
        """Count what there is, so that progress has a total."""
        waiting = [("", self._rules)]
        while waiting:
            folder, rules = waiting.pop()
            try:
                listing = await self._runtime.offload(
                    scan_folder, self._runtime.disk, self._top, folder, rules
                )
            except OSError:
                continue  # the second scan reports it
            waiting += [(join(folder, name), listing.rules) for name in listing.folders]
            self._total_files += len(listing.files)
            self._total_bytes += sum(file.size for file in listing.files)
            self._tell("listing", folder)

    async def _take(self, folder: _Folder, file: Scanned, known: KnownFile | None) -> None:
        if known is None or (known.size, known.mtime_ns) != (file.size, file.mtime_ns):
            await self._hash(folder, file)
            return
        row = EntryRow(
            folder.path, file.name, "file", file.size, file.mtime_ns, known.cid, known.total,
            trusted=True, copied_from=known.id, inode=file.inode,
        )  # fmt: skip
        await self._add_file(folder, row)

    # --- hashing ------------------------------------------------------------------------------------------

    async def _hash(self, folder: _Folder | None, file: Scanned) -> None:
        if file.size > SPAN_BYTES:
            await self._hash_large(_LargeFile(folder, file))
            return
        self._batch.append((folder, file))
        self._batch_bytes += file.size
        if len(self._batch) >= BATCH_FILES_MAX or self._batch_bytes >= BATCH_BYTES_MAX:
            await self._submit_batch()

    async def _submit_batch(self) -> None:
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        files = [file for _, file in batch]

        async def take(outcomes: list[Hashed | str]) -> None:
            for (folder, file), outcome in zip(batch, outcomes, strict=True):
                await self._take_outcome(folder, file, outcome)

        await self._submit(take, hash_files, self._runtime.disk, self._top, files, self._now_ns())

    async def _hash_large(self, large: _LargeFile) -> None:
        file = large.file
        for start in range(0, file.size, SPAN_BYTES):
            end = min(file.size, start + SPAN_BYTES)

            async def take(outcome: list[tuple[bytes, int]] | str, end: int = end) -> None:
                if isinstance(outcome, str):
                    large.reason = outcome
                else:
                    large.leaves += outcome
                if end == file.size:
                    await self._finish_large(large)
                else:
                    self._tell("hashing", file.path, extra=end)

            await self._submit(take, hash_span, self._runtime.disk, self._top, file, start, end)

    async def _finish_large(self, large: _LargeFile) -> None:
        outcome: Hashed | str = large.reason
        if not large.reason:
            outcome = await self._runtime.offload(assemble, large.leaves, large.file, self._now_ns())
        await self._take_outcome(large.folder, large.file, outcome)

    async def _take_outcome(self, folder: _Folder | None, file: Scanned, outcome: Hashed | str) -> None:
        if isinstance(outcome, str):
            self._skip(file.path, outcome)
            await self._close(folder)
            return
        row = EntryRow(
            folder.path if folder else "", file.name, "file", outcome.size, outcome.mtime_ns,
            outcome.root.cid, outcome.root.size, outcome.trusted, outcome.leaves, outcome.blocks,
            inode=file.inode,
        )  # fmt: skip
        await self._add_file(folder, row)

    # --- building -----------------------------------------------------------------------------------------

    async def _add_file(self, folder: _Folder | None, row: EntryRow) -> None:
        self._files += 1
        self._bytes += row.size
        await self._add_row(row)
        link = Link(row.cid, row.name, row.total)
        if folder is None:
            self._root = link
        else:
            folder.links.append(link)
            folder.size += row.size
        self._tell("hashing", join(row.folder, row.name))
        await self._close(folder)

    async def _close(self, folder: _Folder | None) -> None:
        """One thing less that `folder` waits for; after the last, build it, and what that completes."""
        while folder is not None:
            folder.open -= 1
            if folder.open:
                return
            if len(folder.links) > INLINE_LINKS_MAX:
                root, blocks = await self._runtime.offload(build_folder, folder.links)
            else:
                root, blocks = build_folder(folder.links)
            parent = folder.parent
            place = parent.path if parent else ""
            await self._add_row(
                EntryRow(
                    place,
                    folder.name,
                    "dir",
                    folder.size,
                    0,
                    root.cid,
                    root.size,
                    trusted=True,
                    blocks=blocks,
                    inode=0 if parent else self._inode,
                )
            )
            if parent is None:
                self._root = root
            else:
                parent.links.append(root._replace(name=folder.name))
                parent.size += folder.size
            folder = parent

    async def _add_row(self, row: EntryRow) -> None:
        self._rows.append(row)
        if len(self._rows) >= ROWS_MAX:
            await self._flush_rows()

    async def _flush_rows(self) -> None:
        rows, self._rows = self._rows, []
        if self._keep is not None and rows:
            await self._keep(rows)

    # --- threads ------------------------------------------------------------------------------------------

    async def _submit(
        self, take: Callable[[T], Awaitable[None]], job: Callable[..., T], *args: object
    ) -> None:
        if len(self._running) >= self._jobs:
            await self._settle()
        self._running.append((asyncio.create_task(self._runtime.offload(job, *args)), take))

    async def _settle(self) -> None:
        task, take = self._running[0]
        outcome = await task
        self._running.popleft()
        await take(outcome)

    async def _settle_all(self) -> None:
        if self._batch:
            await self._submit_batch()
        while self._running:
            await self._settle()

    # --- telling ------------------------------------------------------------------------------------------

    def _skip(self, path: str, reason: str) -> None:
        self._skipped_count += 1
        if len(self._skipped) < SKIPPED_SHOWN_MAX:
            self._skipped.append(Skipped(path, reason))

    def _tell(self, phase: Phase, current: str, *, extra: int = 0) -> None:
        """Report progress, seldom. `extra` are bytes done of a file that is not complete."""
        now = self._runtime.clock.now()
        if self._report is None or now < self._reported_at + PROGRESS_EVERY_S:
            return
        self._reported_at = now
        done = self._bytes + extra
        self._report(
            Progress(done, max(done, self._total_bytes), self._files, self._total_files, current, phase)
        )

    def _now_ns(self) -> int:
        return int(self._runtime.clock.wall() * 1e9)
