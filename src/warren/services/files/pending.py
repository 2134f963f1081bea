"""What an update found, until it is committed: what is new, and what is gone.

In:  rows, and places that are empty now. Out: the index, in small transactions that each leave the share
whole, and what changed, told. What is gone is let go last, and only while the top is still the folder it was
and the drives in it are there.

Memory: a bounded number of rows, and of names that changed or are gone.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from warren.services.files import revising
from warren.services.files.comparing import Line
from warren.services.files.dag.build import build_folder
from warren.services.files.hashing import join
from warren.services.files.importer import ROWS_MAX
from warren.services.files.revising import place_of
from warren.services.files.types import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from warren.runtime.seam import Database, Runtime
    from warren.services.files.comparing import Place
    from warren.services.files.ground import Ground
    from warren.services.files.hashing import Scanned
    from warren.services.files.index import EntryRow
    from warren.services.files.revising import Changed, Totals
    from warren.services.files.types import EntryKind, Share

GONE_MAX: Final = 20_000
"""Names kept until the end of a look, so that files that were moved are found under their old ones; and those
that changed, so that large folders are not built as a whole."""
FLUSH_S: Final = 0.2


class Owner(Protocol):
    """What committing needs of who owns the share."""

    def changing(self) -> AbstractAsyncContextManager[Share]:
        """Held while what is committed changes and is told. Raises `ContentUnknown`: it is not shared."""
        ...

    async def tell(self, lines: Sequence[Line], gone: Sequence[Place]) -> None:
        """Entries changed and are committed."""
        ...

    async def commit(self, totals: Totals, skipped: Sequence[Skipped], skipped_count: int) -> None:
        """The share as a whole is another one now."""
        ...


class Pending:
    """Of one share, for one update at a time."""

    def __init__(
        self, runtime: Runtime, database: Database, number: int, ground: Ground, owner: Owner
    ) -> None:
        self._runtime = runtime
        self._database = database
        self._number = number
        self._ground = ground
        self._owner = owner
        self._rows: dict[Place, EntryRow] = {}
        self._folders: set[str] = set()
        """Those that `_rows` lie in."""
        self._gone: dict[Place, EntryKind] = {}
        self._changed: Changed | None = None
        """What was committed since folders were built; None: something before."""
        self._changed_count = 0
        self._flushed_at = 0.0
        self._revised = False

    async def begin(self) -> None:
        """Begin an update. What a crash left half done is not known by name."""
        if self._changed is None:
            stale = await self._database.run(partial(revising.find_stale, share=self._number))
            self._changed = {join(*place): None for place in stale}

    # --- what was found -----------------------------------------------------------------------------------

    def add(self, row: EntryRow) -> None:
        """Something is new, or another."""
        self._gone.pop((row.folder, row.name), None)
        self._rows[row.folder, row.name] = row
        self._folders.add(row.folder)

    def let_go(self, place: Place, kind: EntryKind) -> None:
        """Nothing is there that can be shared."""
        self._gone[place] = kind

    def keep(self, folder: str, names: Sequence[str]) -> None:
        """These are there, whatever an earlier look said."""
        if self._gone:
            for name in names:
                self._gone.pop((folder, name), None)

    def is_gone(self, place: Place) -> bool:
        """Whether it is to be let go."""
        return place in self._gone

    def touches(self, folder: str) -> bool:
        """Whether something in the folder is new and not committed."""
        return folder in self._folders

    def row(self, place: Place) -> EntryRow | None:
        """What is new there and not committed."""
        return self._rows.get(place)

    def clear(self) -> None:
        """Forget it all."""
        self._rows.clear()
        self._folders.clear()
        self._gone.clear()

    # --- committing ---------------------------------------------------------------------------------------

    async def take_moved(self, files: Sequence[Scanned]) -> list[Scanned]:
        """Commit those of the files that are known under another name. Returns the others."""
        async with self._owner.changing():
            self._note(place_of(file.path) for file in files)
            rows = await self._database.run(partial(revising.take_moved, share=self._number, files=files))
            moved = [row for row in rows if row is not None]
            self._revised = self._revised or bool(moved)
            await self._owner.tell(_lines(moved), ())
        return [file for file, row in zip(files, rows, strict=True) if row is None]

    async def flush_some(self) -> None:
        """What is new, if that is much or old; what is gone, if that is much."""
        if len(self._rows) >= ROWS_MAX or self._runtime.clock.now() > self._flushed_at + FLUSH_S:
            await self.flush_rows()
        if len(self._gone) > GONE_MAX:
            await self.flush()

    async def flush_rows(self) -> None:
        """What is new."""
        self._flushed_at = self._runtime.clock.now()
        if not self._rows:
            return
        rows = list(self._rows.values())
        self._rows.clear()
        self._folders.clear()
        async with self._owner.changing():
            self._note((row.folder, row.name) for row in rows)
            await self._database.run(partial(revising.revise, share=self._number, rows=rows, gone=()))
            self._revised = True
            await self._owner.tell(_lines(rows), ())

    async def flush(self) -> None:
        """What is gone, too. Raises `TopGone`."""
        await self.flush_rows()
        if not self._gone:
            return
        await self._ground.refuse_swap()
        lost = await self._ground.just_went()
        gone, self._gone = self._gone, {}
        gone = {place: kind for place, kind in gone.items() if not _is_within(place, lost)}
        async with self._owner.changing():
            self._note(gone)
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

    async def rebuild(self, skipped: Mapping[str, str], *, told: bool) -> None:
        """Build anew the nodes of the folders that changed, and of those above; then the share is another.

        skipped: what was left out, by path with the reason; told: that is something else now.
        """
        stale = await self._database.run(partial(revising.find_stale, share=self._number))
        if not (stale or told or self._revised):
            return
        lines: list[Line] = []
        async with self._owner.changing():
            while stale:
                built = await self._database.run(
                    partial(revising.rebuild, share=self._number, stale=stale, changed=self._changed)
                )
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
            left_out = tuple(Skipped(path, reason) for path, reason in skipped.items())
            totals = await self._database.run(
                partial(revising.finish, share=self._number, skipped=left_out, skipped_count=len(left_out))
            )
            self._changed, self._changed_count = {}, 0
            await self._owner.commit(totals, left_out, len(left_out))
            self._revised = False
            await self._owner.tell(lines, ())

    def _note(self, places: Iterable[Place]) -> None:
        """These are committed."""
        for place in places:
            if self._changed is None:
                return
            revising.note_changed(self._changed, *place)
            self._changed_count += 1
            if self._changed_count > GONE_MAX:
                self._changed = None


def _lines(rows: Sequence[EntryRow]) -> list[Line]:
    return [Line(row.folder, row.name, row.kind, row.size, row.cid) for row in rows if row.kind != "symlink"]


def _is_within(place: Place, folders: set[str]) -> bool:
    path = join(*place)
    return any(f"{path}/".startswith(f"{folder}/" if folder else "") for folder in folders)
