"""Changes to the index: several in one transaction.

In:  an open transaction, the numbers of the documents that are known by their keys, and changes. Out: these
in the tables once `finish` was called, and what becomes of those numbers when the transaction is committed.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from warren.services.directory.index.documents import content_word
from warren.services.directory.index.interface import Gap, Position, Stale
from warren.services.directory.index.runs import Runs
from warren.services.directory.index.schema import CURRENT, FILLING, ORDINALS, RANK_SHIFT, RETIRED, VACANT

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from warren.runtime.gate import Gate
    from warren.services.directory.index.documents import Document, Put

SWEEP_ROWS: Final = 500
MERGE_PAGES: Final = 100
"""Pages of 4 KB that one step of merging writes: some milliseconds, for which others wait."""
_INSERT_DOCUMENT: Final = (
    "INSERT INTO document"
    " (id, registration, audience, shared, key, cid, kind, size, path, name, rest, metadata)"
)
_ROWS: Final = (1000, 100)
"""Rows of one statement, as many as there are: while it runs, other threads do. After each row of an
`executemany` this thread would wait for them, milliseconds where they are busy."""
_ROWS_LONG: Final = (100,)
"""Of those that are long: Python's module keeps a statement, with what was in its rows, for the next time."""
_LONG_CHARS: Final = 1 << 20
"""Of the documents of a batch, from which on its rows are long."""


def merge_some(db: sqlite3.Connection) -> bool:
    """Write some segments of the full-text index into one. Returns whether there was something to do.

    https://www.sqlite.org/fts5.html#the_merge_command says how to tell.
    """
    before = db.total_changes
    db.execute("INSERT INTO term (term, rank) VALUES ('merge', ?)", (MERGE_PAGES,))
    return db.total_changes - before >= 2


class Registration(NamedTuple):
    """What one owner has registered. `owner` is the binary peer id."""

    id: int
    owner: bytes
    position: Position
    size: int


class Known:
    """The numbers of all documents, by their keys, the next one, and who made them. Changes with each
    committed batch.

    In memory, as keys are random: an index of them on the disk would write a page for every entry.
    """

    __slots__ = ("by_key", "next", "runs")

    def __init__(self, db: sqlite3.Connection) -> None:
        self.by_key: dict[int, int] = dict(db.execute("SELECT key, id FROM document"))
        self.next = max((number & ORDINALS for number in self.by_key.values()), default=0) + 1
        self.runs = Runs(db.execute("SELECT start, registration FROM run ORDER BY start"))


def clear_up(db: sqlite3.Connection) -> list[Registration]:
    """Retire what was being filled when the last process ended; return what counts."""
    db.execute("UPDATE registration SET state = ? WHERE state = ?", (RETIRED, FILLING))
    rows = db.execute(
        "SELECT id, owner, epoch, seq, size FROM registration WHERE state = ?", (CURRENT,)
    ).fetchall()
    return [Registration(row[0], row[1], Position(row[2], row[3]), row[4]) for row in rows]


class Batch:
    """Changes in one transaction. Each method leaves things as they were if it raises `Gap` or `Stale`."""

    __slots__ = (
        "_db",
        "_gate",
        "_holders",
        "_known",
        "_new",
        "_next",
        "_numbers",
        "_runs",
        "_vacant",
    )

    def __init__(self, db: sqlite3.Connection, known: Known, gate: Gate) -> None:
        self._db = db
        self._known = known
        self._gate = gate
        self._next = known.next
        self._new: dict[int, Document] = {}
        """Documents that are not in the tables yet."""
        self._holders: dict[int, dict[int, int]] = {}
        """Of each of these the registrations that have it, with their audiences."""
        self._numbers: dict[int, int] = {}
        """Of the new ones, by their keys."""
        self._runs: list[tuple[int, int]] = []
        self._vacant: set[int] = set()
        """Documents in the tables that lost their last holder."""

    # --- registrations ------------------------------------------------------------------------------------

    def begin(self, owner: bytes, position: Position) -> int:
        """A number for a registration to be filled. Raises `Stale`."""
        current = self._current(owner)
        if current is not None and position < current.position:
            raise Stale(current.position)
        cursor = self._db.execute(
            "INSERT INTO registration (owner, epoch, seq, size, state) VALUES (?, ?, ?, 0, ?)",
            (owner, *position, FILLING),
        )
        return cursor.lastrowid or 0

    def publish(self, number: int) -> Registration:
        """Let a filled one take the place of its owner's other one."""
        row = self._db.execute(
            "SELECT owner, epoch, seq, size FROM registration WHERE id = ?", (number,)
        ).fetchone()
        owner, epoch, seq, size = row
        old = self._current(owner)
        if old is not None:
            self.retire(old.id)
        self._db.execute("UPDATE registration SET state = ? WHERE id = ?", (CURRENT, number))
        return Registration(number, owner, Position(epoch, seq), size)

    def apply(
        self,
        owner: bytes,
        epoch: int,
        from_seq: int,
        to_seq: int,
        puts: Sequence[Put],
        removed: Iterable[int],
    ) -> Registration:
        """See `interface.Index.apply`."""
        current = self._current(owner)
        position = current.position if current else None
        if current is None or position is None or position.epoch != epoch or from_seq > position.seq:
            raise Gap(position)
        if to_seq <= position.seq:
            return current
        gone = self._remove(current.id, removed)
        size = current.size + self._put(current.id, puts) - gone
        self._db.execute("UPDATE registration SET seq = ?, size = ? WHERE id = ?", (to_seq, size, current.id))
        return current._replace(position=Position(epoch, to_seq), size=size)

    def fill(self, number: int, puts: Sequence[Put]) -> None:
        """Put entries into a registration that is being filled."""
        more = self._put(number, puts)
        self._db.execute("UPDATE registration SET size = size + ? WHERE id = ?", (more, number))

    def retire(self, number: int) -> None:
        """Take a registration away; `sweep` frees its room."""
        self._db.execute("UPDATE registration SET state = ? WHERE id = ?", (RETIRED, number))

    def forget(self, owner: bytes) -> None:
        """Retire what an owner has registered."""
        current = self._current(owner)
        if current is not None:
            self.retire(current.id)

    def sweep(self, abandoned: Iterable[int] = ()) -> bool:
        """Free some room of what was retired. Returns whether all of it is free.

        abandoned: registrations that are retired, too, unless they count by now.
        """
        self._db.executemany(
            "UPDATE registration SET state = ? WHERE id = ? AND state = ?",
            [(RETIRED, number, FILLING) for number in abandoned],
        )
        row = self._db.execute("SELECT id FROM registration WHERE state = ? LIMIT 1", (RETIRED,)).fetchone()
        if row is None:
            return True
        (number,) = row
        slots = self._db.execute(
            "SELECT path FROM slot WHERE registration = ? LIMIT ?", (number, SWEEP_ROWS)
        ).fetchall()
        self._remove(number, [path for (path,) in slots])
        if len(slots) < SWEEP_ROWS:
            self._db.execute("DELETE FROM registration WHERE id = ?", (number,))
        return False

    def _current(self, owner: bytes) -> Registration | None:
        row = self._db.execute(
            "SELECT id, epoch, seq, size FROM registration WHERE owner = ? AND state = ?", (owner, CURRENT)
        ).fetchone()
        return Registration(row[0], owner, Position(row[1], row[2]), row[3]) if row else None

    # --- entries ------------------------------------------------------------------------------------------

    def _put(self, registration: int, puts: Sequence[Put]) -> int:
        """Put entries in; returns how many paths are new."""
        last = {put[0]: put for put in puts}
        old = self._slots(registration, last)
        slots, first = [], self._next
        numbers, known, holders = self._numbers, self._known.by_key, self._holders
        for path, document, audience in last.values():
            key = document.key
            number = numbers.get(key) or known.get(key)
            before = old.get(path) if old else None
            if number is None:
                number = self._add(document)
                holders[number] = {registration: audience}
            elif before == (number, audience):
                continue
            else:
                self._hold(number, registration, audience)
            if before is not None and before[0] != number:
                self._unhold(before[0], registration)
            slots.append((registration, path, number, audience))
        if self._next != first:
            self._runs.append((first, registration))
        slots.sort()
        self._insert_rows("INSERT OR REPLACE INTO slot", slots)
        return len(last) - len(old)

    def _remove(self, registration: int, paths: Iterable[int]) -> int:
        """Take entries out; returns how many there were."""
        old = self._slots(registration, paths)
        for document, _ in old.values():
            self._unhold(document, registration)
        self._db.executemany(
            "DELETE FROM slot WHERE registration = ? AND path = ?", [(registration, path) for path in old]
        )
        return len(old)

    def _slots(self, registration: int, paths: Iterable[int]) -> dict[int, tuple[int, int]]:
        """(document, audience) of those paths that the registration has."""
        execute = self._db.execute
        query = "SELECT document, audience FROM slot WHERE registration = ? AND path = ?"
        if execute("SELECT 1 FROM slot WHERE registration = ? LIMIT 1", (registration,)).fetchone() is None:
            return {}
        found = ((path, execute(query, (registration, path)).fetchone()) for path in paths)
        return {path: row for path, row in found if row is not None}

    # --- documents and their holders ----------------------------------------------------------------------

    def _add(self, document: Document) -> int:
        number = document.rank << RANK_SHIFT | self._next
        self._next += 1
        self._numbers[document.key] = number
        self._new[number] = document
        return number

    def _hold(self, document: int, registration: int, audience: int) -> None:
        new = self._holders.get(document)
        if new is not None:
            new[registration] = audience
            return
        execute = self._db.execute
        (first,) = execute("SELECT registration FROM document WHERE id = ?", (document,)).fetchone()
        if first in (registration, VACANT):
            execute(
                "UPDATE document SET registration = ?, audience = ? WHERE id = ?",
                (registration, audience, document),
            )
            self._vacant.discard(document)
            return
        execute("INSERT OR REPLACE INTO holder VALUES (?, ?, ?)", (document, registration, audience))
        execute("UPDATE document SET shared = 1 WHERE id = ? AND NOT shared", (document,))

    def _unhold(self, document: int, registration: int) -> None:
        new = self._holders.get(document)
        if new is not None:
            new.pop(registration, None)
            return
        execute = self._db.execute
        row = execute("SELECT registration, shared FROM document WHERE id = ?", (document,)).fetchone()
        if row is None:  # one of two documents whose keys somebody made equal
            return
        first, shared = row
        if first != registration:
            execute("DELETE FROM holder WHERE document = ? AND registration = ?", (document, registration))
            return
        other = (
            shared
            and execute(
                "SELECT registration, audience FROM holder WHERE document = ? LIMIT 1", (document,)
            ).fetchone()
        )
        execute(
            "UPDATE document SET registration = ?, audience = ? WHERE id = ?",
            (*(other or (VACANT, 0)), document),
        )
        if other:
            execute("DELETE FROM holder WHERE document = ? AND registration = ?", (document, other[0]))
        else:
            self._vacant.add(document)

    # --- the end ------------------------------------------------------------------------------------------

    def finish(self) -> _Changes:
        """Write what was gathered. Returns what `commit` wants once the transaction is committed."""
        gone = [key for number in sorted(self._vacant) if (key := self._delete(number)) is not None]
        self._insert_rows("INSERT OR REPLACE INTO run", self._runs)
        return _Changes(self._insert(), gone, self._next, self._runs)

    def _delete(self, number: int) -> int | None:
        key, cid, name, rest = self._db.execute(
            "SELECT key, cid, name, rest FROM document WHERE id = ?", (number,)
        ).fetchone()
        self._db.execute(
            "INSERT INTO term (term, rowid, name, rest) VALUES ('delete', ?, ?, ?)",
            (number, name, rest + content_word(cid)),
        )
        self._db.execute("DELETE FROM document WHERE id = ?", (number,))
        found: int = key
        return found

    def _insert(self) -> dict[int, int]:
        """Put the new ones into the tables; returns their numbers by their keys."""
        numbers: dict[int, int] = {}
        documents, others, terms = [], [], []
        for number in sorted(self._new):
            document, holders = self._new[number], self._holders[number]
            if not holders:
                continue
            (first, audience), *more = holders.items()
            documents.append((number, first, audience, bool(more), *document))
            terms.append((number, document.name, document.rest + content_word(document.cid)))
            numbers[document.key] = number
            others += [(number, *holder) for holder in more]
        is_long = sum(document.chars for document in self._new.values()) >= _LONG_CHARS
        at_once = _ROWS_LONG if is_long else _ROWS
        self._insert_rows(_INSERT_DOCUMENT, documents, at_once)
        self._insert_rows("INSERT INTO holder", others)
        # In the order of their numbers: FTS5 writes out what it has gathered when one is not above the last.
        self._insert_rows("INSERT INTO term (rowid, name, rest)", terms, at_once)
        return numbers

    def _insert_rows(
        self, head: str, rows: Sequence[tuple[Any, ...]], at_once: Sequence[int] = _ROWS
    ) -> None:
        """Insert rows. head: all of the statement but the values."""
        if not rows:
            return
        columns, at = len(rows[0]), 0
        for count in at_once:
            while len(rows) - at >= count:
                values = list(chain.from_iterable(rows[at : at + count]))
                with self._gate.opened():
                    self._db.execute(_insertion(head, columns, count), values)
                at += count
        self._db.executemany(_insertion(head, columns, 1), rows[at:])


@lru_cache(maxsize=32)
def _insertion(head: str, columns: int, rows: int) -> str:
    one = f"({', '.join('?' * columns)})"
    return f"{head} VALUES {', '.join([one] * rows)}"


class _Changes(NamedTuple):
    """What a committed batch changes of `Known`."""

    added: Mapping[int, int]
    removed: Sequence[int]
    next: int
    runs: Sequence[tuple[int, int]]

    def commit(self, known: Known) -> None:
        known.by_key.update(self.added)
        for key in self.removed:
            known.by_key.pop(key, None)
        known.next = self.next
        known.runs.extend(self.runs)
