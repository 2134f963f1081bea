"""The tables of the catalog.

In:  a connection inside a transaction to the durable database. Out: entries, changes, numbers. Each function
leaves the list, the log and the numbers in line with each other. Schema: schema/0008_catalog.sql.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.cid import Cid
from warren.core.entry import Entry
from warren.protocols.directory.entries import Registered, metadata_from_bytes, metadata_to_bytes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

LOG_MAX: Final = 20_000
"""Changes that are kept. A super-peer that is further behind gets all anew, which is hardly longer."""
TOLD_MAX: Final = 256
"""Super-peers of which it is known what they were told. Fault: a row for each that was ever met."""
_COLUMNS: Final = "path, kind, size, cid, metadata, audience"


class State(NamedTuple):
    """epoch, seq: where the log is. floor: a delta may begin there or later."""

    epoch: int
    seq: int
    floor: int


class Changes(NamedTuple):
    """What changed after some number, up to `to_seq`, as last states."""

    to_seq: int
    added: tuple[Registered, ...]
    removed: tuple[str, ...]


def load(db: sqlite3.Connection, now_ms: int) -> tuple[State, dict[str, int]]:
    """The state, begun if there is none, and the numbers of audiences by name."""
    db.execute("INSERT OR IGNORE INTO catalog_audience VALUES (0, 'public')")
    row = db.execute("SELECT epoch, seq, floor FROM catalog_state").fetchone()
    if row is None:
        begin_epoch(db, now_ms)
        row = db.execute("SELECT epoch, seq, floor FROM catalog_state").fetchone()
    audiences = dict(db.execute("SELECT name, number FROM catalog_audience").fetchall())
    return State(*row), audiences


def begin_epoch(db: sqlite3.Connection, epoch: int) -> None:
    """Number anew from the list as it is: whoever was told of earlier numbers needs all of it."""
    db.execute("DELETE FROM catalog_log")
    (count,) = db.execute("SELECT count(*) FROM catalog_entry").fetchone()
    db.execute("INSERT OR REPLACE INTO catalog_state VALUES (1, ?, ?, ?)", (epoch, count, count))


def state(db: sqlite3.Connection) -> State:
    return State(*db.execute("SELECT epoch, seq, floor FROM catalog_state").fetchone())


def number_of(db: sqlite3.Connection, audience: str) -> int:
    """The number of an audience; a new one if it has none."""
    db.execute("INSERT OR IGNORE INTO catalog_audience (name) VALUES (?)", (audience,))
    row = db.execute("SELECT number FROM catalog_audience WHERE name = ?", (audience,)).fetchone()
    return int(row[0])


# --- changing ------------------------------------------------------------------------------------------------


def put(db: sqlite3.Connection, audience: int, entries: Iterable[Entry]) -> int:
    """Add entries, each in place of the one at its path; return how many were new or another."""
    changed: list[tuple[str, int | None]] = []
    for entry in entries:
        row = _row(entry, audience)
        old = db.execute(f"SELECT {_COLUMNS} FROM catalog_entry WHERE path = ?", (entry.path,)).fetchone()
        if old == row:
            continue
        db.execute("INSERT OR REPLACE INTO catalog_entry VALUES (?, ?, ?, ?, ?, ?)", row)
        changed.append((entry.path, old[-1] if old is not None else None))
    _log(db, changed)
    return len(changed)


def remove(db: sqlite3.Connection, paths: Iterable[str]) -> int:
    """Take entries away; return how many there were."""
    changed: list[tuple[str, int | None]] = []
    for path in paths:
        old = db.execute(
            "DELETE FROM catalog_entry WHERE path = ? RETURNING audience", (path,)
        ).fetchone()
        if old is not None:
            changed.append((path, old[0]))
    _log(db, changed)
    return len(changed)


def _log(db: sqlite3.Connection, changed: Sequence[tuple[str, int | None]]) -> None:
    if not changed:
        return
    (seq,) = db.execute("SELECT seq FROM catalog_state").fetchone()
    db.executemany(
        "INSERT INTO catalog_log VALUES (?, ?, ?)",
        [(number, path, was) for number, (path, was) in enumerate(changed, seq + 1)],
    )
    last = seq + len(changed)
    db.execute("UPDATE catalog_state SET seq = ?, floor = max(floor, ?)", (last, last - LOG_MAX))
    db.execute("DELETE FROM catalog_log WHERE seq <= ?", (last - LOG_MAX,))


# --- reading -------------------------------------------------------------------------------------------------


def known(db: sqlite3.Connection, share: str) -> dict[str, tuple[str, int, bytes, bytes, int]]:
    """The entries of one share by path, as they are kept."""
    return {path: tuple(rest) for path, *rest in _of_share(db, share, _COLUMNS)}  # type: ignore[misc]


def paths_of(db: sqlite3.Connection, share: str, limit: int) -> list[str]:
    """Some paths of one share."""
    return [path for (path,) in _of_share(db, share, "path", limit)]


def shares(db: sqlite3.Connection) -> set[str]:
    """The shares of which there are entries."""
    found: set[str] = set()
    after = ""
    while True:
        row = db.execute(
            "SELECT path FROM catalog_entry WHERE path >= ? ORDER BY path LIMIT 1", (after,)
        ).fetchone()
        if row is None:
            return found
        share = row[0].partition("/")[0]
        found.add(share)
        # What comes behind `share/...`; names in between, as `share.txt` is, are met on their way.
        after = row[0] + "\0" if row[0] == share else share + "0"


def page(db: sqlite3.Connection, after: str, numbers: Collection[int], limit: int) -> list[Registered]:
    """Entries of these audiences behind a path, in the order of paths."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM catalog_entry WHERE path > ?"  # noqa: S608 - integers of our own
        f" AND audience IN ({_list(numbers)}) ORDER BY path LIMIT ?",
        (after, limit),
    )
    return [_registered(row) for row in rows]


def changes(db: sqlite3.Connection, after: int, numbers: Collection[int], limit: int) -> Changes | None:
    """What changed after a number in what these audiences admit; None: that is in the log no more.

    Looks at `limit` changes. What is told is the entry as it is now, which may be later than `to_seq`: then
    the change comes again. A path is taken away if it was ever in these audiences, and told in no other case.
    """
    now = state(db)
    if not now.floor <= after <= now.seq:
        return None
    rows = db.execute(
        "SELECT seq, path, was FROM catalog_log WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
    ).fetchall()
    had: dict[str, bool] = {}
    for _, path, was in rows:
        had[path] = had.get(path, False) or was in numbers
    added: list[Registered] = []
    removed: list[str] = []
    for path, was_told in had.items():
        row = db.execute(f"SELECT {_COLUMNS} FROM catalog_entry WHERE path = ?", (path,)).fetchone()
        if row is not None and row[-1] in numbers:
            added.append(_registered(row))
        elif was_told:
            removed.append(path)
    return Changes(rows[-1][0] if rows else after, tuple(added), tuple(removed))


def count(db: sqlite3.Connection, numbers: Collection[int]) -> int:
    """How many entries these audiences admit to."""
    query = f"SELECT count(*) FROM catalog_entry WHERE audience IN ({_list(numbers)})"  # noqa: S608
    return int(db.execute(query).fetchone()[0])


# --- who was told --------------------------------------------------------------------------------------------


def told(db: sqlite3.Connection, peer: bytes) -> bytes | None:
    """The scope of the last snapshot that a super-peer got."""
    row = db.execute("SELECT scope FROM catalog_told WHERE peer = ?", (peer,)).fetchone()
    return row[0] if row is not None else None


def tell(db: sqlite3.Connection, peer: bytes, scope: bytes) -> None:
    """A super-peer gets a snapshot of this scope."""
    (last,) = db.execute("SELECT ifnull(max(at), 0) FROM catalog_told").fetchone()
    db.execute("INSERT OR REPLACE INTO catalog_told VALUES (?, ?, ?)", (peer, scope, last + 1))
    db.execute(
        "DELETE FROM catalog_told WHERE peer NOT IN"
        " (SELECT peer FROM catalog_told ORDER BY at DESC LIMIT ?)",
        (TOLD_MAX,),
    )


# --- rows ----------------------------------------------------------------------------------------------------


def differs(entry: Entry, audience: int, old: tuple[str, int, bytes, bytes, int] | None) -> bool:
    """Whether an entry is another than what `known` says."""
    return old is None or _row(entry, audience)[1:] != old


def _row(entry: Entry, audience: int) -> tuple[str, str, int, bytes, bytes, int]:
    return (
        *(entry.path, entry.kind, entry.size, entry.cid.to_bytes()),
        *(metadata_to_bytes(entry.metadata), audience),
    )


def _registered(row: Sequence[object]) -> Registered:
    path, kind, size, cid, metadata, audience = row
    entry = Entry(path, kind, size, Cid.from_bytes(cid), metadata_from_bytes(metadata))  # type: ignore[arg-type]
    return Registered(entry, audience)  # type: ignore[arg-type]


def _of_share(db: sqlite3.Connection, share: str, columns: str, limit: int = -1) -> sqlite3.Cursor:
    """The share itself, and all whose paths begin with it and '/', behind which '0' comes next."""
    return db.execute(
        f"SELECT {columns} FROM catalog_entry"  # noqa: S608 - columns of our own
        " WHERE path = ?1 OR (path >= ?1 || '/' AND path < ?1 || '0') LIMIT ?2",
        (share, limit),
    )


def _list(numbers: Collection[int]) -> str:
    return ",".join(str(int(one)) for one in numbers)
