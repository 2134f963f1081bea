"""The index: where each chunk and node of what is shared lies. It can be made again from the files.

In: rows from the importer, questions from the library, each as a function over an open transaction. Out:
places of chunks, blocks of nodes, listings. Nothing is handed out of a share that the asker did not name
among those it may see (`visible`).

A share is built under a number that nobody knows; it has a content id once it is complete. What is shared,
and with whom, is not decided here (`shares.py`): `reconcile` brings the two together at the start. What is
hidden, or was never finished, is swept out in small steps, so that no transaction holds up those who read.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from warren.core.cid import Cid
from warren.services.files.dag import pb
from warren.services.files.types import Skipped

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

    from warren.services.files.dag.pb import Block
    from warren.services.files.types import EntryKind, Share

MIGRATIONS: Final = (
    "",  # what version 1 held is made again
    """
    DROP TABLE IF EXISTS share;
    DROP TABLE IF EXISTS entry;
    DROP TABLE IF EXISTS leaf;
    DROP TABLE IF EXISTS node;
    CREATE TABLE share (
        id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again: who may see a number may not see the next
        path BLOB NOT NULL,         -- absolute, as the system writes it
        kind TEXT,                  -- 'file' or 'dir'
        cid BLOB,                   -- NULL: being built
        hidden INTEGER NOT NULL DEFAULT 0,  -- to be swept out
        files INTEGER, bytes INTEGER, skipped TEXT, skipped_count INTEGER, hash_seconds REAL
    );
    CREATE TABLE entry (
        id INTEGER PRIMARY KEY,
        share INTEGER NOT NULL,
        folder TEXT NOT NULL,       -- from the top of the share, '/' between names
        name TEXT NOT NULL,         -- '' for the top itself
        kind TEXT NOT NULL,         -- 'file', 'dir' or 'symlink'
        size INTEGER NOT NULL,      -- content in bytes
        mtime_ns INTEGER NOT NULL,
        cid BLOB NOT NULL,
        total INTEGER NOT NULL,     -- bytes of all its blocks
        trusted INTEGER NOT NULL,   -- the same size and time will mean that it is unchanged
        broken INTEGER NOT NULL DEFAULT 0,  -- it could not be served when it was tried last
        UNIQUE (share, folder, name)
    );
    -- The share stands in the key so that what is in no visible share costs nobody anything, not even time.
    CREATE TABLE leaf (
        digest BLOB NOT NULL, share INTEGER NOT NULL, entry INTEGER NOT NULL,
        start INTEGER NOT NULL,     -- the first of its places in that file
        length INTEGER NOT NULL,
        PRIMARY KEY (digest, share, entry)
    ) WITHOUT ROWID;
    CREATE INDEX leaf_entry ON leaf (entry);
    CREATE TABLE node (
        digest BLOB NOT NULL, share INTEGER NOT NULL, entry INTEGER NOT NULL, block BLOB NOT NULL,
        PRIMARY KEY (digest, share, entry)
    ) WITHOUT ROWID;
    CREATE INDEX node_entry ON node (entry);
    """,
    """
    ALTER TABLE entry ADD COLUMN inode INTEGER NOT NULL DEFAULT 0;  -- of files, and of the top; 0: not known
    CREATE INDEX entry_inode ON entry (share, inode);
    -- A folder that is not trusted is older than what lies in it: its node is to be built again.
    CREATE INDEX entry_stale ON entry (share) WHERE kind = 'dir' AND NOT trusted;
    """,
    """
    CREATE TABLE mount (
        share INTEGER NOT NULL,
        path TEXT NOT NULL,         -- a folder of it where a drive is mounted, or was; '' for the top
        PRIMARY KEY (share, path)
    ) WITHOUT ROWID;
    """,
)

SWEEP_ROWS: Final = 2000
PLACES_MAX: Final = 16
"""Equal files in which a chunk is looked for. Attack: thousands of empty files, asked for again and again."""
CID_PLACES_MAX: Final = 100
"""Equal files that are told of. Fault: thousands of empty files."""


GROWING: Final = 0
"""No entry has this number."""


class EntryRow(NamedTuple):
    """A file, folder or symlink as it is kept, with the chunks (digest, length) and nodes that it owns.

    copied_from: the number of an older entry whose chunks and nodes it has, instead of its own.
    inode: of files and of the top, else 0.
    """

    folder: str
    name: str
    kind: EntryKind
    size: int
    mtime_ns: int
    cid: bytes
    total: int
    trusted: bool
    leaves: Sequence[tuple[bytes, int]] = ()
    blocks: Sequence[Block] = ()
    copied_from: int = 0
    inode: int = 0


class KnownFile(NamedTuple):
    """A file as it was hashed before; `id` is the number of its entry."""

    id: int
    size: int
    mtime_ns: int
    cid: bytes
    total: int


class Place(NamedTuple):
    """Where a chunk lies: in the file `name` of `folder` below `top`.

    That must still have this size and time to be served. Of a fetch `entry` is `GROWING`; then the size says
    nothing, and the time is the newest that the file may have, or 0 while it grows.
    """

    entry: int
    top: str
    folder: str
    name: str
    size: int
    mtime_ns: int
    start: int
    length: int
    broken: bool = False


class ListedEntry(NamedTuple):
    """One line of a listing."""

    name: str
    kind: EntryKind
    size: int
    cid: bytes


# --- building ---------------------------------------------------------------------------------------------


def begin(db: sqlite3.Connection, path: str) -> int:
    """A number for a share to be built."""
    return db.execute("INSERT INTO share (path) VALUES (?)", (os.fsencode(path),)).lastrowid or 0


def add(db: sqlite3.Connection, share: int, rows: Sequence[EntryRow]) -> None:
    """Keep entries with their chunks and nodes."""
    (last,) = db.execute("SELECT ifnull(max(id), 0) FROM entry").fetchone()
    db.executemany(
        "INSERT INTO entry (id, share, folder, name, kind, size, mtime_ns, cid, total, trusted, inode)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(entry, share, *row[:8], row.inode) for entry, row in enumerate(rows, last + 1)],
    )
    leaves: list[tuple[bytes, int, int, int, int]] = []
    nodes: list[tuple[bytes, int, int, bytes]] = []
    for entry, row in enumerate(rows, last + 1):
        start = 0
        for digest, length in row.leaves:
            leaves.append((digest, share, entry, start, length))
            start += length
        nodes += [(block.cid[4:], share, entry, block.data) for block in row.blocks]
        if row.copied_from:
            _copy(db, row.copied_from, share, entry)
    db.executemany("INSERT OR IGNORE INTO leaf VALUES (?, ?, ?, ?, ?)", leaves)
    db.executemany("INSERT OR IGNORE INTO node VALUES (?, ?, ?, ?)", nodes)


def _copy(db: sqlite3.Connection, old: int, share: int, new: int) -> None:
    to_from = (share, new, old)
    db.execute("INSERT INTO leaf SELECT digest, ?, ?, start, length FROM leaf WHERE entry = ?", to_from)
    db.execute("INSERT INTO node SELECT digest, ?, ?, block FROM node WHERE entry = ?", to_from)


def known_files(db: sqlite3.Connection, share: int, folder: str) -> dict[str, KnownFile]:
    """The files of a folder that can be told to be unchanged by their size and time."""
    rows = db.execute(
        "SELECT name, id, size, mtime_ns, cid, total FROM entry"
        " WHERE share = ? AND folder = ? AND kind = 'file' AND trusted AND NOT broken",
        (share, folder),
    )
    return {name: KnownFile(*rest) for name, *rest in rows}


def finish(db: sqlite3.Connection, number: int, share: Share) -> None:
    """Keep what there is to say of a share that is complete."""
    skipped = json.dumps([[one.path, one.reason] for one in share.skipped])
    db.execute(
        "UPDATE share SET kind = ?, cid = ?, files = ?, bytes = ?, skipped = ?, skipped_count = ?,"
        " hash_seconds = ? WHERE id = ?",
        (
            *(share.kind, share.cid.to_bytes(), share.files, share.bytes, skipped, share.skipped_count),
            *(share.hash_seconds, number),
        ),
    )


def hide(db: sqlite3.Connection, numbers: Collection[int]) -> None:
    """Take shares away; `sweep_some` frees their room."""
    db.executemany("UPDATE share SET hidden = 1 WHERE id = ?", [(number,) for number in numbers])


def sweep_some(db: sqlite3.Connection) -> bool:
    """Free some room of what was hidden. Returns whether all of it is free."""
    for (share,) in db.execute("SELECT id FROM share WHERE hidden").fetchall():
        rows = db.execute("SELECT id FROM entry WHERE share = ? LIMIT ?", (share, SWEEP_ROWS)).fetchall()
        if rows:
            for table in ("leaf", "node"):
                db.executemany(f"DELETE FROM {table} WHERE entry = ?", rows)  # noqa: S608 (two fixed names)
            db.executemany("DELETE FROM entry WHERE id = ?", rows)
            return False
        db.execute("DELETE FROM mount WHERE share = ?", (share,))
        db.execute("DELETE FROM share WHERE id = ?", (share,))
    return True


# --- answering --------------------------------------------------------------------------------------------


def check(db: sqlite3.Connection) -> None:
    """Read a little of each table. Raises where this is no index."""
    for table in ("share", "entry", "leaf", "node", "mount"):
        db.execute(f"SELECT * FROM {table} LIMIT 1").fetchall()  # noqa: S608 (five fixed names)


def reconcile(db: sqlite3.Connection, wanted: Iterable[Share]) -> dict[int, Share]:
    """The complete ones among the wanted shares, by their numbers, each in its newest form; hide all others.

    For the start, when nothing is being built: a crash between a decision and what follows from it here
    leaves the one without the other, and one while a share is built leaves that unfinished.
    """
    missing = {os.fsencode(share.path): share for share in wanted}
    found: dict[int, Share] = {}
    hidden: list[int] = []
    rows = db.execute(
        "SELECT id, path, cid, files, bytes, skipped, skipped_count, hash_seconds"
        " FROM share WHERE NOT hidden ORDER BY id DESC"
    ).fetchall()
    for number, path, cid, files, size, skipped, skipped_count, hash_seconds in rows:
        share = missing.pop(path, None) if cid is not None else None
        if share is None:
            hidden.append(number)
            continue
        found[number] = replace(
            share,
            cid=Cid.from_bytes(cid),
            files=files,
            bytes=size,
            skipped=tuple(Skipped(*one) for one in json.loads(skipped)),
            skipped_count=skipped_count,
            hash_seconds=hash_seconds,
            ready=True,
        )
    hide(db, hidden)
    return found


def list_folder(db: sqlite3.Connection, share: int, folder: str, after: str, limit: int) -> list[ListedEntry]:
    """The entries of a folder whose names come after `after`, in the order of their bytes."""
    rows = db.execute(
        "SELECT name, kind, size, cid FROM entry"
        " WHERE share = ? AND folder = ? AND name > ? ORDER BY name LIMIT ?",
        (share, folder, after, limit),
    )
    return [ListedEntry(*row) for row in rows]


def find_entry(db: sqlite3.Connection, share: int, folder: str, name: str) -> ListedEntry | None:
    """One entry of a share, or None."""
    row = db.execute(
        "SELECT name, kind, size, cid FROM entry WHERE share = ? AND folder = ? AND name = ?",
        (share, folder, name),
    ).fetchone()
    return ListedEntry(*row) if row else None


def find_cid(db: sqlite3.Connection, visible: Collection[int], cid: bytes) -> list[tuple[int, str, str]]:
    """Entries with this content id, as (share, folder, name). It looks at every entry."""
    rows = db.execute(
        "SELECT share, folder, name FROM entry"  # noqa: S608 (what is inserted are integers of our own)
        f" WHERE cid = ? AND share IN ({_numbers(visible)}) LIMIT {CID_PLACES_MAX}",
        (cid,),
    )
    return rows.fetchall()


def find_file(
    db: sqlite3.Connection, visible: Collection[int], cid: bytes
) -> list[tuple[str, str, str, int, int]]:
    """Files with this content id, as (top, folder, name, size, mtime_ns)."""
    rows = db.execute(
        "SELECT s.kind, s.path, e.folder, e.name, e.size, e.mtime_ns"  # noqa: S608 (integers of our own)
        " FROM entry e JOIN share s ON s.id = e.share"
        f" WHERE e.cid = ? AND e.kind = 'file' AND e.share IN ({_numbers(visible)}) LIMIT {CID_PLACES_MAX}",
        (cid,),
    )
    places = [_place(0, *row, 0, 0) for row in rows]
    return [(one.top, one.folder, one.name, one.size, one.mtime_ns) for one in places]


def files_ending(
    db: sqlite3.Connection, share: int, ending: str, after: tuple[str, str], limit: int
) -> list[tuple[str, str, bytes]]:
    """Files whose names end so, whatever the case of ASCII letters, as (folder, name, content id).

    They come by folder and name, from behind `after`.
    """
    rows = db.execute(
        "SELECT folder, name, cid FROM entry WHERE share = ? AND (folder, name) > (?, ?)"
        " AND kind = 'file' AND name LIKE '%' || ? ORDER BY folder, name LIMIT ?",
        (share, *after, ending, limit),
    )
    return rows.fetchall()


def find_chunks(
    db: sqlite3.Connection, visible: Collection[int], digests: Sequence[bytes]
) -> list[tuple[Place, ...]]:
    """Where each chunk lies in the shares that are `visible`, the best place first; () where it does not."""
    every = _places_query(visible)
    found: dict[bytes, tuple[Place, ...]] = {}
    for digest in dict.fromkeys(digests):
        places = _places(db, every, digest)
        if len(places) == PLACES_MAX and all(place.broken for place in places):
            places = _places(db, _places_query(visible, "AND NOT e.broken"), digest) or places
        found[digest] = places
    return [found[digest] for digest in digests]


def _places_query(visible: Collection[int], condition: str = "") -> str:
    """What is inserted are integers and words of our own; CROSS JOIN: begin with the digest, always."""
    return (
        "SELECT e.id, s.kind, s.path, e.folder, e.name, e.size, e.mtime_ns, l.start, l.length,"  # noqa: S608
        " e.broken, e.trusted"
        " FROM leaf l CROSS JOIN entry e ON e.id = l.entry CROSS JOIN share s ON s.id = l.share"
        f" WHERE l.digest = ? AND l.share IN ({_numbers(visible)}) {condition} LIMIT {PLACES_MAX}"
    )


def _places(db: sqlite3.Connection, query: str, digest: bytes) -> tuple[Place, ...]:
    rows = db.execute(query, (digest,)).fetchall()
    if len(rows) > 1:
        rows.sort(key=lambda row: (row[-2], -row[-1]))
    return tuple([_place(*row[:-1]) for row in rows])


def _place(entry: int, kind: str, path: bytes, folder: str, name: str, *rest: Any) -> Place:
    top = os.fsdecode(path)
    if kind == "file":
        top, name = os.path.split(top)
    return Place(entry, top, folder, name, *rest)


def read_nodes(
    db: sqlite3.Connection, visible: Collection[int], pending: list[bytes], bytes_max: int
) -> list[bytes | None]:
    """Blocks of the graphs under `pending`, depth first.

    `pending` is a stack of content ids of nodes, the next one last; it is changed to what is still to come.
    Stops once `bytes_max` are reached, and after the first node that is in no visible share: None.
    """
    query = (  # its one inserted part are integers of our own
        f"SELECT block FROM node WHERE digest = ? AND share IN ({_numbers(visible)}) LIMIT 1"  # noqa: S608
    )
    found: list[bytes | None] = []
    size = 0
    while pending and size < bytes_max:
        row = db.execute(query, (pending.pop()[4:],)).fetchone()
        if row is None:
            found.append(None)
            break
        block: bytes = row[0]
        found.append(block)
        size += len(block)
        pending += below(block)
    return found


def below(block: bytes) -> list[bytes]:
    """The content ids of the nodes that a node leads to, the first one last."""
    return [link.cid for link in reversed(pb.decode(block)[0]) if not link.is_raw]


def find_root(db: sqlite3.Connection, visible: Collection[int], cid: bytes) -> list[int]:
    """The shares, of those `visible`, in which all below this content id lies."""
    table = "leaf" if cid.startswith(pb.RAW_CID_PREFIX) else "node"
    rows = db.execute(
        f"SELECT DISTINCT share FROM {table} WHERE digest = ?"  # noqa: S608 (two fixed names, integers)
        f" AND share IN ({_numbers(visible)})",
        (cid[4:],),
    )
    return [share for (share,) in rows]


def mark(
    db: sqlite3.Connection, *, changed: Iterable[int], broken: Iterable[int], sound: Iterable[int]
) -> None:
    """Remember what became of entries when they were served.

    Those that changed are hashed at the next sharing, whatever their size and time say then. Those that are
    broken come last from now on, until they are found sound.
    """
    db.executemany("UPDATE entry SET trusted = 0 WHERE id = ?", [(entry,) for entry in changed])
    db.executemany("UPDATE entry SET broken = 1 WHERE id = ?", [(entry,) for entry in broken])
    db.executemany("UPDATE entry SET broken = 0 WHERE id = ?", [(entry,) for entry in sound])


def _numbers(visible: Collection[int]) -> str:
    return ",".join(map(str, sorted(visible)))
