"""The entries of shares page by page, and how two versions of a share differ.

In: a connection to the index inside a transaction, the place in the order of paths where the last page ended.
Out: one page. Symlinks are left out: they are no content of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from warren.core.cid import Cid
from warren.services.files.types import FileEntry

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from warren.services.files.types import EntryKind, Share


class Line(NamedTuple):
    """An entry: its folder ('/' between names, from the top of the share) and its name, '' for the top."""

    folder: str
    name: str
    kind: EntryKind
    size: int
    cid: bytes


Place = tuple[str, str]
START: Place = ("", "")
"""Before everything but the top itself, whose name is this; see `page`."""


def path_of(share: Share, folder: str, name: str) -> str:
    """The path of an entry as listings show it."""
    return "/".join(part for part in (share.name, folder, name) if part)


def entry_of(share: Share, line: Line) -> FileEntry:
    """What is told of a line."""
    return FileEntry(
        line.name or share.name,
        path_of(share, line.folder, line.name),
        line.kind,
        line.size,
        Cid.from_bytes(line.cid),
    )


def page(db: sqlite3.Connection, share: int, after: Place | None, limit: int) -> list[Line]:
    """The entries of a share that come after a place; None: from the top on."""
    rows = db.execute(
        f"SELECT folder, name, kind, size, cid FROM entry WHERE share = ? AND {_beyond(after)}"  # noqa: S608
        " AND kind != 'symlink' ORDER BY folder, name LIMIT ?",
        (share, *(after or START), limit),
    )
    return [Line(*row) for row in rows]


def appeared(db: sqlite3.Connection, new: int, old: int, after: Place | None, limit: int) -> list[Line]:
    """The entries that `new` has and `old` has not, or has otherwise."""
    rows = db.execute(
        "SELECT n.folder, n.name, n.kind, n.size, n.cid FROM entry n LEFT JOIN entry o"  # noqa: S608
        " ON o.share = ? AND o.folder = n.folder AND o.name = n.name AND o.kind = n.kind AND o.cid = n.cid"
        f" WHERE n.share = ? AND {_beyond(after, 'n.')} AND n.kind != 'symlink' AND o.id IS NULL"
        " ORDER BY n.folder, n.name LIMIT ?",
        (old, new, *(after or START), limit),
    )
    return [Line(*row) for row in rows]


def vanished(db: sqlite3.Connection, new: int, old: int, after: Place | None, limit: int) -> Sequence[Place]:
    """The places where `old` has an entry and `new` has none, or another kind of one."""
    return db.execute(
        "SELECT o.folder, o.name FROM entry o LEFT JOIN entry n"  # noqa: S608
        " ON n.share = ? AND n.folder = o.folder AND n.name = o.name AND n.kind = o.kind"
        f" WHERE o.share = ? AND {_beyond(after, 'o.')} AND o.kind != 'symlink' AND n.id IS NULL"
        " ORDER BY o.folder, o.name LIMIT ?",
        (new, old, *(after or START), limit),
    ).fetchall()


def _beyond(after: Place | None, prefix: str = "") -> str:
    sign = ">=" if after is None else ">"
    return f"({prefix}folder, {prefix}name) {sign} (?, ?)"
