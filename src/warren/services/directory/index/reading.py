"""Searching: from a query to a page of what it finds, in one read transaction.

In:  an open transaction, a query, whom to show what. Out: `Results`. FTS5 gives documents in the order of
their rank and only as many as are taken; what is left out (offline, for others, another size) costs a step,
and steps are bounded.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from warren.core.found import Found
from warren.services.directory.index.documents import to_entry
from warren.services.directory.index.interface import HOLDERS_MAX, PUBLIC, TOTAL_MAX, Results
from warren.services.directory.index.matching import Wanted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from warren.core.entry import Entry
    from warren.core.peer_id import PeerId
    from warren.core.query import Query
    from warren.services.directory.index.interface import Admits

# Attack: a query that fits a million documents of which its asker may see none.
STEPS_MAX: Final = 20_000
# Attack: a file that ten thousand identities claim to have, all of them offline.
HOLDERS_READ_MAX: Final = 512

_DOCUMENTS: Final = (
    "SELECT d.id, d.registration, d.audience, d.shared, d.cid, d.kind, d.size, d.path, d.name, d.rest,"
    " d.metadata"
    " FROM term CROSS JOIN document d ON d.id = term.rowid WHERE term MATCH ?"
)
_HOLDERS: Final = "SELECT registration, audience FROM holder WHERE document = ? LIMIT ?"


class Owner:
    """Whose a registration is, and whether they are online."""

    __slots__ = ("online", "peer")

    def __init__(self, peer: PeerId) -> None:
        self.peer = peer
        self.online = False


class View(NamedTuple):
    """What one search may show. owners: of the registrations that count, by number."""

    owners: Mapping[int, Owner]
    admits: Admits | None
    asker: PeerId | None
    online: bool

    def owner_of(self, registration: int, audience: int) -> Owner | None:
        """The holder, if it may be shown."""
        owner = self.owners.get(registration)
        if owner is None or (self.online and not owner.online):
            return None
        if audience == PUBLIC:
            return owner
        if self.asker is None or self.admits is None:
            return None
        return owner if self.admits(owner.peer, audience, self.asker) else None


class _Content:
    """One content id that was found: rows of its documents with their holders, and its best score."""

    __slots__ = ("cid", "holdings", "score")

    def __init__(self, cid: bytes) -> None:
        self.cid = cid
        self.score = 0.0
        self.holdings: list[tuple[Any, list[Owner]]] = []

    @property
    def place(self) -> tuple[float, bytes]:
        """Ties go by content id: the same on every page and every node."""
        return -self.score, self.cid

    def hits(self) -> list[Found]:
        """Its entries, those of online owners first."""
        pairs = [(owner, row) for row, owners in self.holdings for owner in owners]
        if len(pairs) > 1:
            pairs.sort(key=_is_offline)
        made: dict[int, Entry] = {}
        hits = []
        for owner, row in pairs[:HOLDERS_MAX]:
            entry = made.get(row[0])
            if entry is None:
                entry = made[row[0]] = _entry(row)
            hits.append(Found(owner.peer, entry, self.score, owner.online))
        return hits


def search(db: sqlite3.Connection, query: Query, view: View) -> Results:
    """See `interface.Index.search`."""
    wanted = Wanted(query)
    if not wanted.expression:
        return Results((), 0, exact=True)
    gathering = _Gathering(db, wanted, view)
    exact = gathering.gather(wanted.expression)
    if not exact and wanted.in_name and gathering.named < query.after + query.limit:
        # There are longer names that have all words; what was taken has them elsewhere.
        gathering.gather(wanted.in_name)
    contents = gathering.best(query.after + query.limit)
    page = [found for content in contents[query.after :] for found in content.hits()]
    return Results(page, gathering.count, exact)


class _Gathering:
    """Goes through what FTS5 finds."""

    __slots__ = ("_contents", "_db", "_seen", "_view", "_wanted")

    def __init__(self, db: sqlite3.Connection, wanted: Wanted, view: View) -> None:
        self._db = db
        self._wanted = wanted
        self._view = view
        self._seen: set[int] = set()
        self._contents: dict[bytes, _Content] = {}

    @property
    def count(self) -> int:
        return len(self._contents)

    @property
    def named(self) -> int:
        """How many have all words in name and title. Longer names than theirs would not come before them."""
        is_in = self._wanted.is_in_name
        return sum(any(is_in(row[8]) for row, _ in one.holdings) for one in self._contents.values())

    def best(self, count: int) -> list[_Content]:
        return sorted(self._contents.values(), key=attrgetter("place"))[:count]

    def gather(self, expression: str) -> bool:
        """Take in what fits, up to the bounds. Returns whether that is all."""
        wanted, contents, seen = self._wanted, self._contents, self._seen
        most = len(contents) + TOTAL_MAX
        for steps, row in enumerate(self._db.execute(_DOCUMENTS, (expression,))):
            if steps >= STEPS_MAX:
                return False
            number, _, _, _, cid, kind, size, path, name, rest, _ = row
            if number in seen or not wanted.admits(kind, size, path):
                continue
            owners = self._owners(*row[:4])
            if not owners:
                continue
            content = contents.get(cid)
            if content is None:
                if len(contents) >= most:
                    return False
                content = contents[cid] = _Content(cid)
            seen.add(number)
            content.holdings.append((row, owners))
            content.score = max(content.score, wanted.score(name, rest))
        return True

    def _owners(self, document: int, registration: int, audience: int, shared: int) -> list[Owner]:
        """The holders of a document that may be shown: some of them, if there are many."""
        owner_of = self._view.owner_of
        first = owner_of(registration, audience)
        found = [first] if first is not None else []
        if not shared:
            return found
        online = sum(owner.online for owner in found)
        for holder in self._db.execute(_HOLDERS, (document, HOLDERS_READ_MAX)):
            owner = owner_of(*holder)
            if owner is not None:
                found.append(owner)
                online += owner.online
                if online >= HOLDERS_MAX:
                    break
        return found


def _entry(row: Sequence[Any]) -> Entry:
    return to_entry(row[4], row[5], row[6], row[7], row[10])


def _is_offline(pair: tuple[Owner, Any]) -> bool:
    return not pair[0].online
