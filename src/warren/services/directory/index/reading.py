"""Searching: from a query to a page of what it finds, in one read transaction.

In:  an open transaction, a query, whom to show what. Out: `Results`. FTS5 gives documents in the order of
their rank and only as many as are taken; what is left out (offline, for others, another size) costs a step,
and steps are bounded. To look a row up costs more than to read all of it: so an entry comes along with what
ranks it, and only metadata and further documents of the same content are read for the page alone.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from warren.core.cid import Cid
from warren.core.entry import Entry
from warren.core.found import Found
from warren.services.directory.index.documents import to_entry
from warren.services.directory.index.interface import COUNTED_MIN, HOLDERS_MAX, PUBLIC, Results
from warren.services.directory.index.matching import Wanted
from warren.services.directory.index.schema import ORDINALS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

    from warren.core.entry import EntryKind
    from warren.core.peer_id import PeerId
    from warren.core.query import Query
    from warren.services.directory.index.interface import Admits
    from warren.services.directory.index.runs import Runs

# Attack: a query that fits a million documents of which its asker may see none.
STEPS_MAX: Final = 20_000
UNFIT_MAX: Final = 50
"""Documents of one registration that were met and may not be shown, after which those that it made with them
are skipped. Attack: twenty thousand entries for nobody that are called as others are, and come first."""
SKIPS_MAX: Final = 400
"""Each costs 0.1 ms."""
HOLDERS_MAX_IN_ALL: Final = 20_000
"""Holders read for one query. Attack: ten thousand identities, all of them offline, or for nobody, that claim
to have what somebody has."""
HOLDERS_READ_MIN: Final = 512
"""Of one document, if so many were read."""
BLOCK: Final = COUNTED_MIN
"""Content ids that are ranked among each other: so many with the fewest words, then the next. So a page comes
out the same whatever was asked for before it."""

AT_ONCE: Final = BLOCK // 3 + 1
"""Rows that are read before any is looked at: SQLite and Python take turns less often at the processor's
caches. Three times as many are a block and the one that says that there are more."""
AT_ONCE_LATER: Final = 8
"""After a skip, which may come again soon. Attack: skips that throw away what was read, each time."""

# Of metadata `typeof` reads no more than whether there are any.
_FOUND: Final = (
    "SELECT d.id, d.registration, d.audience, d.shared, d.cid, d.name, d.rest, d.kind, d.size, d.path,"
    " typeof(d.metadata) = 'null'"
    " FROM term CROSS JOIN document d ON d.id = term.rowid WHERE term MATCH ? AND term.rowid >= ?"
)
_HOLDERS: Final = "SELECT registration, audience FROM holder WHERE document = ? LIMIT ?"
_ENTRIES: Final = (
    "SELECT d.id, d.cid, d.kind, d.size, d.path, d.metadata"
    " FROM json_each(?) one CROSS JOIN document d ON d.id = one.value"
)


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
    runs: Runs

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
    """One content id that was found: who holds which documents of it, and its best score.

    block: of the order in which documents were found. number: of the first one. plain: path, kind and size of
    that, if its entry has nothing else; None: they are to be read.
    """

    __slots__ = ("block", "cid", "holdings", "is_named", "number", "plain", "score")

    def __init__(self, cid: bytes, block: int, number: int, plain: tuple[str, EntryKind, int] | None) -> None:
        self.cid = cid
        self.block = block
        self.number = number
        self.plain = plain
        self.score = 0.0
        self.is_named = False
        """Whether a document of it has all words in name and title."""
        self.holdings: list[tuple[Owner, int]] = []

    def holders(self) -> list[tuple[Owner, int]]:
        """Owners and the documents that they have of it, those who are online first."""
        holdings = self.holdings
        if len(holdings) > 1:
            holdings.sort(key=_is_offline)
            return holdings[:HOLDERS_MAX]
        return holdings


def search(db: sqlite3.Connection, query: Query, view: View) -> Results:
    """See `interface.Index.search`."""
    wanted = Wanted(query)
    if not wanted.expression:
        return Results((), 0, exact=True)
    end = query.after + query.limit
    gathering = _Gathering(db, wanted, view)
    exact = gathering.gather(wanted.expression, blocks=-(-end // BLOCK))
    if not exact and wanted.in_name and gathering.named < end:
        # There are longer names that have all words; what was taken has them elsewhere.
        gathering.gather(wanted.in_name, blocks=1)
    return Results(_page(db, gathering.best(end)[query.after :]), gathering.count, exact)


def _page(db: sqlite3.Connection, contents: Sequence[_Content]) -> list[Found]:
    held = [(content.score, *pair) for content in contents for pair in content.holders()]
    read = Cid.from_bytes
    entries = {one.number: Entry(*one.plain, read(one.cid)) for one in contents if one.plain is not None}
    others = {number for _, _, number in held if number not in entries}
    if others:
        rows = db.execute(_ENTRIES, (json.dumps(list(others)),))
        entries.update((number, to_entry(*row)) for number, *row in rows)
    return [Found(owner.peer, entries[number], score, owner.online) for score, owner, number in held]


class _Gathering:
    """Goes through what FTS5 finds."""

    __slots__ = (
        "_contents",
        "_db",
        "_holders_left",
        "_passed",
        "_unfit",
        "_view",
        "_wanted",
    )

    def __init__(self, db: sqlite3.Connection, wanted: Wanted, view: View) -> None:
        self._db = db
        self._wanted = wanted
        self._view = view
        self._contents: dict[bytes, _Content] = {}
        self._unfit: Counter[int] = Counter()
        """How many documents of each registration were met that may not be shown."""
        self._passed: set[int] = set()
        """Registrations of which no more are looked at."""
        self._holders_left = HOLDERS_MAX_IN_ALL

    @property
    def count(self) -> int:
        return len(self._contents)

    @property
    def named(self) -> int:
        """How many have all words in name and title. Longer names than theirs would not come before them."""
        return sum(one.is_named for one in self._contents.values())

    def best(self, count: int) -> list[_Content]:
        """Ties go by content id: the same on every page and every node."""
        ranked = [(one.block, -one.score, one.cid, one) for one in self._contents.values()]
        ranked.sort()
        return [one for _, _, _, one in ranked[:count]]

    def gather(self, expression: str, blocks: int) -> bool:
        """Take in what fits, up to the bounds. Returns whether that is all."""
        contents, wanted, owner_of = self._contents, self._wanted, self._view.owner_of
        is_filtered, wanted_cid = wanted.is_filtered, wanted.cid
        before = len(contents)
        most = before + blocks * BLOCK
        seen = {number for one in contents.values() for _, number in one.holdings}
        walk = _Walk(self._db, expression)
        for steps, row in enumerate(walk.rows()):
            if steps >= STEPS_MAX:
                return False
            number, registration, audience, shared, cid, name, rest, kind, size, path, is_plain = row
            if number in seen or (is_filtered and not wanted.admits(kind, size, path)):
                continue
            if wanted_cid is not None and cid != wanted_cid:
                continue
            owner = owner_of(registration, audience)
            others = self._others(number, owner) if shared else ()
            if owner is None and not others:
                self._pass_over(registration, number, walk)
                continue
            content = contents.get(cid)
            if content is None:
                count = len(contents)
                if count >= most:
                    return False
                # Attack: a page far behind, and paths of 4 KB on all before it.
                plain = (path, kind, size) if is_plain and count < BLOCK else None
                content = contents[cid] = _Content(cid, (count - before) // BLOCK, number, plain)
            if owner is not None:
                content.holdings.append((owner, number))
            if others:
                content.holdings += [(other, number) for other in others]
            score, is_named = wanted.score(name, rest)
            if score > content.score:  # noqa: PLR1730  max() takes three times as long
                content.score = score
            if is_named:
                content.is_named = True
        return not walk.is_broken_off

    def _pass_over(self, registration: int, number: int, walk: _Walk) -> None:
        """Where a registration had many that may not be shown, go on behind those that it made at once."""
        self._unfit[registration] += 1
        if self._unfit[registration] >= UNFIT_MAX:
            self._passed.add(registration)
            later = self._view.runs.skip(number & ORDINALS, self._passed)
            if later is not None:
                walk.skip_to((number & ~ORDINALS) + later)

    def _others(self, document: int, first: Owner | None) -> Sequence[Owner]:
        """Holders of a document besides the first that may be shown: some of them, if there are many."""
        owner_of = self._view.owner_of
        found = []
        online = int(first is not None and first.online)
        most = max(self._holders_left, HOLDERS_READ_MIN)
        for holder in self._db.execute(_HOLDERS, (document, most)):
            self._holders_left -= 1
            owner = owner_of(*holder)
            if owner is not None:
                found.append(owner)
                online += owner.online
                if online >= HOLDERS_MAX:
                    break
        return found


class _Walk:
    """Rows of `_FOUND`, by number, some of which can be skipped."""

    __slots__ = ("_db", "_expression", "_later", "is_broken_off")

    def __init__(self, db: sqlite3.Connection, expression: str) -> None:
        self._db = db
        self._expression = expression
        self._later = [0]
        self.is_broken_off = False
        """Whether it ended at a bound."""

    def skip_to(self, number: int) -> None:
        """Go on there."""
        self._later.append(number)

    def rows(self) -> Iterator[Sequence[Any]]:
        """One after the other."""
        later, at_once = self._later, AT_ONCE
        for _ in range(SKIPS_MAX):
            if not later:
                return
            cursor = self._db.execute(_FOUND, (self._expression, later.pop()))
            while not later and (some := cursor.fetchmany(at_once)):
                for row in some:
                    yield row
                    if later:
                        break
            cursor.close()  # the next one takes its statement
            at_once = AT_ONCE_LATER
        self.is_broken_off = bool(later)


def _is_offline(pair: tuple[Owner, int]) -> bool:
    return not pair[0].online
