"""The tables of the catalog.

In:  a connection inside a transaction to the durable database. Out: entries, changes, numbers. Each function
leaves the list, the log and the numbers in line with each other. Schema: schema/0008_catalog.sql.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from warren.core.cid import Cid
from warren.core.entry import Entry
from warren.protocols.directory.entries import Registered, metadata_from_bytes, metadata_to_bytes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Sequence

    from warren.core.entry import Metadata

LOG_MAX: Final = 20_000
"""Changes that are kept. A super-peer that is further behind gets all anew, which is hardly longer."""
AHEAD_MS_MAX: Final = 86_400_000
"""How far the numbers of the log may be ahead of the clock. Fault: a clock that was wrong for a while, after
which none of them can be told apart from a lie."""
AUDIENCES_KEPT: Final = 128
"""With more audiences than these, those that nothing has are forgotten at the next start. Fault: numbers that
are used up by audiences of shares that have long gone."""
TOLD_MAX: Final = 256
"""Super-peers of which it is known what they were told. Fault: a row for each that was ever met."""
_COLUMNS: Final = "path, kind, size, cid, metadata, audience"
_AT: Final = "SELECT path, kind, size, cid, metadata, audience FROM catalog_entry WHERE path = ?"


class State(NamedTuple):
    """epoch, seq: where the log is. floor: a delta may begin there or later."""

    epoch: int
    seq: int
    floor: int


class Changes(NamedTuple):
    """What changed after some number, up to `to_seq`, as last states.

    looked_to: up to here nothing else changed that is to be told.
    """

    to_seq: int
    looked_to: int
    added: tuple[Registered, ...]
    removed: tuple[str, ...]


def load(db: sqlite3.Connection, now_ms: int) -> tuple[State, dict[str, int]]:
    """The state, begun if there is none or none that can be, and the numbers of audiences by name."""
    db.execute("INSERT OR IGNORE INTO catalog_audience VALUES (0, 'public')")
    # Where names of audiences were lost, nobody may see what had them, whoever gets their numbers next.
    gone = "DELETE FROM catalog_entry WHERE audience NOT IN (SELECT number FROM catalog_audience)"
    if db.execute(gone).rowcount or _forget_unused(db):
        (last,) = db.execute("SELECT ifnull(max(epoch), 0) FROM catalog_state").fetchone()
        begin_epoch(db, max(now_ms, last + 1))
    row = db.execute("SELECT epoch, seq, floor FROM catalog_state").fetchone()
    if row is None or max(row) > now_ms + AHEAD_MS_MAX:
        begin_epoch(db, now_ms)
        row = db.execute("SELECT epoch, seq, floor FROM catalog_state").fetchone()
    audiences = dict(db.execute("SELECT name, number FROM catalog_audience").fetchall())
    return State(*row), audiences


def _forget_unused(db: sqlite3.Connection) -> bool:
    """Where there are many audiences, take their numbers from those that nothing has. Whether any had one:
    the log may tell of them still, so it is to begin anew.
    """
    (count,) = db.execute("SELECT count(*) FROM catalog_audience").fetchone()
    if count <= AUDIENCES_KEPT:
        return False
    used = "SELECT DISTINCT audience FROM catalog_entry"
    unused = f"DELETE FROM catalog_audience WHERE number != 0 AND number NOT IN ({used})"  # noqa: S608
    return db.execute(unused).rowcount > 0


def begin_epoch(db: sqlite3.Connection, epoch: int) -> None:
    """Number anew from the list as it is: whoever was told of earlier numbers needs all of it.

    epoch: milliseconds since 1970, or more than any before.
    """
    db.execute("DELETE FROM catalog_log")
    db.execute("INSERT OR REPLACE INTO catalog_state VALUES (1, ?1, ?1, ?1)", (epoch,))


def state(db: sqlite3.Connection) -> State:
    """Where the log is."""
    return State(*db.execute("SELECT epoch, seq, floor FROM catalog_state").fetchone())


def number_of(db: sqlite3.Connection, audience: str) -> int:
    """The number of an audience; a new one if it has none."""
    db.execute("INSERT OR IGNORE INTO catalog_audience (name) VALUES (?)", (audience,))
    row = db.execute("SELECT number FROM catalog_audience WHERE name = ?", (audience,)).fetchone()
    return int(row[0])


# --- changing -------------------------------------------------------------------------------------------


def put(db: sqlite3.Connection, audience: int, entries: Iterable[Entry], now_ms: int) -> int:
    """Add entries, each in place of the one at its path; return how many were new or another."""
    changed: list[tuple[str, int | None]] = []
    for entry in entries:
        row = _row(entry, audience)
        old = db.execute(_AT, (entry.path,)).fetchone()
        if old == row:
            continue
        db.execute("INSERT OR REPLACE INTO catalog_entry VALUES (?, ?, ?, ?, ?, ?)", row)
        changed.append((entry.path, old[-1] if old is not None else None))
    _log(db, changed, now_ms)
    return len(changed)


def describe(db: sqlite3.Connection, cid: Cid, said_to: Callable[[str], Metadata], now_ms: int) -> int:
    """Something else is said of a content, to each audience its own, wherever it lies; return how many
    entries that changed.
    """
    audiences = db.execute(
        "SELECT number, name FROM catalog_audience WHERE number IN"
        " (SELECT audience FROM catalog_entry WHERE cid = ?)",
        (cid.to_bytes(),),
    ).fetchall()
    rows: list[tuple[str, int | None]] = []
    for number, name in audiences:
        rows += db.execute(
            "UPDATE catalog_entry SET metadata = ?1 WHERE cid = ?2 AND audience = ?3 AND metadata != ?1"
            " RETURNING path, audience",
            (metadata_to_bytes(said_to(name)), cid.to_bytes(), number),
        ).fetchall()
    _log(db, rows, now_ms)
    return len(rows)


def remove(db: sqlite3.Connection, path: str, limit: int, now_ms: int) -> int:
    """Take an entry away and all below it, `limit` at most; return how many that were."""
    gone = _below(db, path, "path, audience", limit).fetchall()
    db.executemany("DELETE FROM catalog_entry WHERE path = ?", [(one,) for one, _ in gone])
    _log(db, gone, now_ms)
    return len(gone)


def _log(db: sqlite3.Connection, changed: Sequence[tuple[str, int | None]], now_ms: int) -> None:
    if not changed:
        return
    (seq,) = db.execute("SELECT seq FROM catalog_state").fetchone()
    first = max(seq + 1, now_ms)
    db.executemany(
        "INSERT INTO catalog_log VALUES (?, ?, ?)",
        [(number, path, was) for number, (path, was) in enumerate(changed, first)],
    )
    db.execute("UPDATE catalog_state SET seq = ?", (first + len(changed) - 1,))
    last = db.execute("SELECT seq FROM catalog_log ORDER BY seq DESC LIMIT 1 OFFSET ?", (LOG_MAX,)).fetchone()
    if last is not None:
        db.execute("DELETE FROM catalog_log WHERE seq <= ?", last)
        db.execute("UPDATE catalog_state SET floor = ?", last)


# --- reading --------------------------------------------------------------------------------------------


def known(db: sqlite3.Connection, share: str) -> dict[str, tuple[str, int, bytes, bytes, int]]:
    """The entries of one share by path, as they are kept."""
    return {path: tuple(rest) for path, *rest in _below(db, share, _COLUMNS)}


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


def count(db: sqlite3.Connection, numbers: Collection[int]) -> int:
    """How many entries these audiences have."""
    query = f"SELECT count(*) FROM catalog_entry WHERE audience IN ({_list(numbers)})"  # noqa: S608
    return int(db.execute(query).fetchone()[0])


def page(db: sqlite3.Connection, after: str, numbers: Collection[int], limit: int) -> list[Registered]:
    """Entries of these audiences behind a path, in the order of paths."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM catalog_entry WHERE path > ?"  # noqa: S608 - integers of our own
        f" AND audience IN ({_list(numbers)}) ORDER BY path LIMIT ?",
        (after, limit),
    )
    return [_registered(row) for row in rows]


def changes(db: sqlite3.Connection, after: int, numbers: Collection[int], limit: int) -> Changes | None:
    """What changed after a number in what these audiences admit to; None: that is in the log no more.

    Looks at `limit` changes. What is told is the entry as it is now, which may be later than `to_seq`: then
    the change comes again. A path is taken away if it was ever in these audiences, and told in no other case;
    `to_seq` is that of the last change that is told, so it says nothing of the others either.
    """
    now = state(db)
    if not now.floor <= after <= now.seq:
        return None
    rows = db.execute(
        "SELECT seq, path, was FROM catalog_log WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
    ).fetchall()
    last: dict[str, int] = {}
    was_told: set[str] = set()
    for seq, path, was in rows:
        last[path] = seq
        if was in numbers:
            was_told.add(path)
    to_seq = after
    added: list[Registered] = []
    removed: list[str] = []
    for path, seq in last.items():
        row = db.execute(_AT, (path,)).fetchone()
        if row is not None and row[-1] in numbers:
            added.append(_registered(row))
        elif path in was_told:
            removed.append(path)
        else:
            continue
        to_seq = max(to_seq, seq)
    return Changes(to_seq, rows[-1][0] if rows else after, tuple(added), tuple(removed))


# --- who was told ---------------------------------------------------------------------------------------


def told(db: sqlite3.Connection, peer: bytes) -> bytes | None:
    """What was noted of the last snapshot that a super-peer got."""
    row = db.execute("SELECT scope FROM catalog_told WHERE peer = ?", (peer,)).fetchone()
    return row[0] if row is not None else None


def tell(db: sqlite3.Connection, peer: bytes, scope: bytes | None) -> None:
    """A super-peer has got a snapshot of this scope, which says how far, too; None: what it has is of
    none.
    """
    if scope is None:
        db.execute("DELETE FROM catalog_told WHERE peer = ?", (peer,))
        return
    (last,) = db.execute("SELECT ifnull(max(at), 0) FROM catalog_told").fetchone()
    db.execute("INSERT OR REPLACE INTO catalog_told VALUES (?, ?, ?)", (peer, scope, last + 1))
    db.execute("DELETE FROM catalog_told WHERE at <= ?", (last + 1 - TOLD_MAX,))


# --- rows -----------------------------------------------------------------------------------------------


def differs(entry: Entry, audience: int, old: tuple[str, int, bytes, bytes, int] | None) -> bool:
    """Whether an entry is another than what `known` says."""
    return old is None or _row(entry, audience)[1:] != old


def _row(entry: Entry, audience: int) -> tuple[str, str, int, bytes, bytes, int]:
    return (
        *(entry.path, entry.kind, entry.size, entry.cid.to_bytes()),
        *(metadata_to_bytes(entry.metadata), audience),
    )


def _registered(row: Sequence[Any]) -> Registered:
    path, kind, size, cid, metadata, audience = row
    return Registered(Entry(path, kind, size, Cid.from_bytes(cid), metadata_from_bytes(metadata)), audience)


def _below(db: sqlite3.Connection, path: str, columns: str, limit: int = -1) -> sqlite3.Cursor:
    """What is at a path, and all whose paths begin with it and '/', behind which '0' comes next."""
    return db.execute(
        f"SELECT {columns} FROM catalog_entry"  # noqa: S608 - columns of our own
        " WHERE path = ?1 OR (path >= ?1 || '/' AND path < ?1 || '0') LIMIT ?2",
        (path, limit),
    )


def _list(numbers: Collection[int]) -> str:
    return ",".join(str(int(one)) for one in numbers)
