"""Changing what the index holds of a share, so that it stays whole at every step.

In:  a connection inside a transaction, what is new and what is gone. Out: what became of it. A folder whose
entries change is marked, with all above it, in the same transaction: its node is older than what lies in it.
`rebuild` makes those nodes anew, from the deepest up; until then, and after a crash, they stay marked. Of a
large folder it makes only what leads to the names that changed, where those are known (`dag/patch.py`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.services.files import index
from warren.services.files.comparing import Line
from warren.services.files.dag.build import FOLDER_BYTES_MAX, build_folder
from warren.services.files.dag.patch import NotSharded, patch_folder
from warren.services.files.dag.pb import Link
from warren.services.files.index import EntryRow

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

    from warren.services.files.comparing import Place
    from warren.services.files.dag.pb import Block
    from warren.services.files.hashing import Scanned
    from warren.services.files.types import EntryKind, Skipped

LINK_BYTES_MIN: Final = 44
"""What a link takes in a node beside its name, at least (`pb.encoded_size`)."""
CHANGED_MAX: Final = 1000
"""Names that changed in one folder; where it is more, it is quicker built as a whole."""
REBUILT_LINKS_MAX: Final = 2000
"""Links put into nodes in one transaction; a folder of more is built outside of it."""


Changed = dict[str, set[str] | None]
"""Names that changed in folders, by their path; None: nobody knows which. The others did not change."""


class Known(NamedTuple):
    """What is known of an entry; `id` is its number. sound: size and time tell whether it is unchanged."""

    id: int
    kind: EntryKind
    size: int
    mtime_ns: int
    cid: bytes
    total: int
    sound: bool
    inode: int


class Rebuilt(NamedTuple):
    """What `rebuild` did. lines: the folders that changed. large: one that is to be built outside, with its
    links and the size of what lies in it.
    """

    lines: list[Line]
    large: tuple[Place, list[Link], int] | None
    done: bool


class Totals(NamedTuple):
    """What a share is now."""

    cid: bytes
    files: int
    bytes: int


def known_entries(
    db: sqlite3.Connection, share: int, folder: str, names: Iterable[str] | None = None
) -> dict[str, Known]:
    """What is known of these names in a folder, of all if there are none given, by name."""
    every = (
        "SELECT name, id, kind, size, mtime_ns, cid, total, trusted AND NOT broken, inode FROM entry"
        " WHERE share = ? AND folder = ?"
    )
    if names is None:
        rows = db.execute(f"{every} AND name != ''", (share, folder)).fetchall()
    else:
        found = (db.execute(f"{every} AND name = ?", (share, folder, name)).fetchone() for name in names)
        rows = [row for row in found if row is not None]
    return {name: Known(*rest) for name, *rest in rows}


def find_top(db: sqlite3.Connection, share: int) -> Known | None:
    """What is known of the top."""
    row = db.execute(
        "SELECT id, kind, size, mtime_ns, cid, total, trusted AND NOT broken, inode FROM entry"
        " WHERE share = ? AND folder = '' AND name = ''",
        (share,),
    ).fetchone()
    return Known(*row) if row else None


def keep_top(db: sqlite3.Connection, share: int, inode: int) -> None:
    """The top is another folder now."""
    db.execute("UPDATE entry SET inode = ? WHERE share = ? AND folder = '' AND name = ''", (inode, share))


def take_moved(db: sqlite3.Connection, share: int, files: Sequence[Scanned]) -> list[EntryRow | None]:
    """Take in those of these files that were known under another name: by inode, size and time they are the
    same, so they are not read again. For each the row that was kept, or None.
    """
    found = [_moved(db, share, file) for file in files]
    revise(db, share, [row for row in found if row is not None], ())
    return found


def _moved(db: sqlite3.Connection, share: int, file: Scanned) -> EntryRow | None:
    if not file.inode:
        return None
    row = db.execute(
        "SELECT id, cid, total FROM entry WHERE share = ? AND inode = ? AND size = ? AND mtime_ns = ?"
        " AND kind = 'file' AND trusted AND NOT broken LIMIT 1",
        (share, file.inode, file.size, file.mtime_ns),
    ).fetchone()
    if row is None:
        return None
    number, cid, total = row
    return EntryRow(
        *place_of(file.path), "file", file.size, file.mtime_ns, cid, total,
        trusted=True, copied_from=number, inode=file.inode,
    )  # fmt: skip


def revise(
    db: sqlite3.Connection, share: int, rows: Sequence[EntryRow], gone: Collection[Place]
) -> list[Place]:
    """Take in what is new, in place of what had the same place, and let go what is gone; folders that go are
    empty (`prune`). Returns the places that are gone.
    """
    # What is replaced is set aside first: something new may be a copy of it, under another name.
    ids = [_set_aside(db, share, (row.folder, row.name)) for row in rows]
    index.add(db, share, rows)
    left = [(place, number) for place in gone if (number := _set_aside(db, share, place))]
    files = sum(row.kind == "file" for row in rows)
    files -= _remove(db, [number for number in ids if number] + [number for _, number in left])
    db.execute("UPDATE share SET files = files + ? WHERE id = ?", (files, share))
    _mark(db, share, {row.folder for row in rows} | {folder for folder, _ in gone})
    return [place for place, _ in left]


def prune(db: sqlite3.Connection, share: int, folder: str) -> bool:
    """Let go some of what lies below a folder. Returns whether nothing is left."""
    rows = db.execute(
        "SELECT id, folder FROM entry WHERE share = ?1 AND folder = ?2 UNION ALL"
        " SELECT id, folder FROM entry WHERE share = ?1 AND folder > ?2 || '/' AND folder < ?2 || '0'"
        " LIMIT ?3",
        (share, folder, index.SWEEP_ROWS),
    ).fetchall()
    files = _remove(db, [number for number, _ in rows])
    db.execute("UPDATE share SET files = files - ? WHERE id = ?", (files, share))
    _mark(db, share, {folder})
    return len(rows) < index.SWEEP_ROWS


def _set_aside(db: sqlite3.Connection, share: int, place: Place) -> int:
    row = db.execute("SELECT id FROM entry WHERE share = ? AND folder = ? AND name = ?", (share, *place))
    found: tuple[int] | None = row.fetchone()
    if found is None:
        return 0
    db.execute("UPDATE entry SET share = -id WHERE id = ?", found)
    return found[0]


def _remove(db: sqlite3.Connection, ids: Sequence[int]) -> int:
    """Returns how many of them were files."""
    files = 0
    for number in ids:
        files += db.execute(
            "SELECT count(*) FROM entry WHERE id = ? AND kind = 'file'", (number,)
        ).fetchone()[0]
        for table in ("leaf", "node"):
            db.execute(f"DELETE FROM {table} WHERE entry = ?", (number,))  # noqa: S608 (two fixed names)
        db.execute("DELETE FROM entry WHERE id = ?", (number,))
    return files


def _mark(db: sqlite3.Connection, share: int, folders: Iterable[str]) -> None:
    """These folders, and all above them, are older than what lies in them."""
    stale: set[str] = set()
    for folder in folders:
        while folder not in stale:
            stale.add(folder)
            folder = folder.rpartition("/")[0]
    db.executemany(
        "UPDATE entry SET trusted = 0 WHERE share = ? AND folder = ? AND name = ? AND kind = 'dir'",
        [(share, *place_of(folder)) for folder in sorted(stale)],
    )


def place_of(path: str) -> Place:
    """The folder and the name of a path."""
    folder, _, name = path.rpartition("/")
    return folder, name


def note_changed(changed: Changed, folder: str, name: str) -> None:
    """Something changed there."""
    names = changed.setdefault(folder, set())
    if names is not None:
        names.add(name)
        if len(names) > CHANGED_MAX:
            changed[folder] = None


def rebuild(
    db: sqlite3.Connection, share: int, stale: list[Place], changed: Changed | None = None
) -> Rebuilt:
    """Build folders anew, the last of `stale` first, which must be the deepest; takes them from there.

    changed: what changed since they were built; the folders in others are added to it.
    """
    lines: list[Line] = []
    room = REBUILT_LINKS_MAX
    while stale:
        place = stale[-1]
        path = "/".join(filter(None, place))
        if changed is not None and place[1]:
            note_changed(changed, *place)
        names = changed.get(path, set()) if changed is not None else None
        if names is not None and (patched := _patch(db, share, place, names)) is not None:
            stale.pop()
            lines += patched
            continue
        links, size = _links(db, share, path, room + 1)
        if len(links) > room:
            if room < REBUILT_LINKS_MAX:
                break
            stale.pop()
            return Rebuilt(lines, (place, *_links(db, share, path, -1)), done=False)
        stale.pop()
        room -= len(links)
        lines += keep_folder(db, share, place, *build_folder(links), size)
    return Rebuilt(lines, None, done=not stale)


def _patch(db: sqlite3.Connection, share: int, place: Place, names: Collection[str]) -> list[Line] | None:
    """A large folder built anew where these names lie in it. None: it has to be built as a whole."""
    path = "/".join(filter(None, place))
    bytes_least, size = db.execute(
        "SELECT ifnull(sum(? + length(CAST(name AS BLOB))), 0), sum(size) FROM entry"
        " WHERE share = ? AND folder = ? AND name != ''",
        (LINK_BYTES_MIN, share, path),
    ).fetchone()
    found = db.execute(
        "SELECT id, cid FROM entry WHERE share = ? AND folder = ? AND name = ? AND kind = 'dir'",
        (share, *place),
    ).fetchone()
    if found is None or bytes_least <= FOLDER_BYTES_MAX:
        return None
    number, root = found

    def read(cid: bytes) -> bytes:
        block: tuple[bytes] | None = db.execute(
            "SELECT block FROM node WHERE digest = ? AND share = ? AND entry = ?", (cid[4:], share, number)
        ).fetchone()
        if block is None:
            raise KeyError(cid)
        return block[0]

    links: dict[str, Link | None] = dict.fromkeys(names)
    for name, known in known_entries(db, share, path, names).items():
        links[name] = Link(known.cid, name, known.total)
    try:
        patched = patch_folder(root, read, links)
    except (NotSharded, KeyError):
        return None
    db.executemany(
        "DELETE FROM node WHERE digest = ? AND share = ? AND entry = ?",
        [(cid[4:], share, number) for cid in patched.dropped],
    )
    return _keep_root(db, share, place, patched.root, patched.blocks, size)


def find_stale(db: sqlite3.Connection, share: int) -> list[Place]:
    """The folders to `rebuild`, the deepest last."""
    rows = db.execute(
        "SELECT folder, name FROM entry WHERE share = ? AND kind = 'dir' AND NOT trusted", (share,)
    )
    return sorted(rows, key=lambda place: (bool(place[1]), place[0].count("/") + bool(place[0])))


def _links(db: sqlite3.Connection, share: int, folder: str, limit: int) -> tuple[list[Link], int]:
    rows = db.execute(
        "SELECT name, cid, total, size FROM entry WHERE share = ? AND folder = ? AND name != '' LIMIT ?",
        (share, folder, limit),
    ).fetchall()
    return [Link(cid, name, total) for name, cid, total, _ in rows], sum(row[3] for row in rows)


def keep_folder(
    db: sqlite3.Connection, share: int, place: Place, root: Link, blocks: Sequence[Block], size: int
) -> list[Line]:
    """Keep the node of a folder that was built anew. Returns its line if it is another one now."""
    db.execute(
        "DELETE FROM node WHERE entry = (SELECT id FROM entry WHERE share = ? AND folder = ? AND name = ?"
        " AND kind = 'dir')",
        (share, *place),
    )
    return _keep_root(db, share, place, root, blocks, size)


def _keep_root(
    db: sqlite3.Connection, share: int, place: Place, root: Link, blocks: Sequence[Block], size: int
) -> list[Line]:
    row = db.execute(
        "SELECT id, cid, size FROM entry WHERE share = ? AND folder = ? AND name = ? AND kind = 'dir'",
        (share, *place),
    ).fetchone()
    if row is None:
        return []
    number, cid, old_size = row
    db.execute(
        "UPDATE entry SET cid = ?, total = ?, size = ?, trusted = 1 WHERE id = ?",
        (root.cid, root.size, size, number),
    )
    db.executemany(
        "INSERT OR IGNORE INTO node VALUES (?, ?, ?, ?)",
        [(block.cid[4:], share, number, block.data) for block in blocks],
    )
    return [] if (cid, old_size) == (root.cid, size) else [Line(*place, "dir", size, root.cid)]


def finish(db: sqlite3.Connection, share: int, skipped: Sequence[Skipped], skipped_count: int) -> Totals:
    """Keep what the top is now for what the share is."""
    told = json.dumps([[one.path, one.reason] for one in skipped])
    db.execute(
        "UPDATE share SET (cid, bytes) = (SELECT cid, size FROM entry WHERE share = ?1 AND folder = '' AND"
        " name = ''), skipped = ?2, skipped_count = ?3 WHERE id = ?1",
        (share, told, skipped_count),
    )
    return Totals(*db.execute("SELECT cid, files, bytes FROM share WHERE id = ?", (share,)).fetchone())


def new_folder(folder: str, name: str) -> EntryRow:
    """A folder of which nothing is known yet: empty, and marked."""
    root, blocks = build_folder([])
    return EntryRow(folder, name, "dir", 0, 0, root.cid, root.size, trusted=False, blocks=blocks)
