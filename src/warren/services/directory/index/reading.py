"""Searching: from a query to a page of what it finds, in one read transaction.

In:  an open transaction, a query, whom to show what. Out: `Results`. FTS5 gives documents in the order of
their rank and only as many as are taken; what is left out (offline, for others, another size) costs a step,
and steps are bounded. What is needed to rank them is read first, the rest for those on the page alone.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from warren.core.found import Found
from warren.services.directory.index.documents import to_entry
from warren.services.directory.index.interface import COUNTED_MIN, HOLDERS_MAX, PUBLIC, Results
from warren.services.directory.index.matching import Wanted
from warren.services.directory.index.schema import ORDINALS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

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

_RANKED: Final = "d.id, d.registration, d.audience, d.shared, d.cid, d.name, d.rest"
_FILTERED: Final = f"{_RANKED}, d.kind, d.size, d.path"
_FROM: Final = " FROM term CROSS JOIN document d ON d.id = term.rowid WHERE term MATCH ? AND term.rowid >= ?"
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
    """One content id that was found: its documents with their holders, and its best score.

    block: of the order in which documents were found.
    """

    __slots__ = ("block", "cid", "holdings", "score")

    def __init__(self, cid: bytes, block: int) -> None:
        self.cid = cid
        self.block = block
        self.score = 0.0
        self.holdings: list[tuple[int, Sequence[Owner]]] = []

    def holders(self) -> list[tuple[Owner, int]]:
        """Owners and the documents that they have of it, those who are online first."""
        pairs = [(owner, number) for number, owners in self.holdings for owner in owners]
        if len(pairs) > 1:
            pairs.sort(key=_is_offline)
        return pairs[:HOLDERS_MAX]


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
    rows = db.execute(_ENTRIES, (json.dumps(list({number for _, _, number in held})),))
    entries = {number: to_entry(*row) for number, *row in rows}
    return [Found(owner.peer, entries[number], score, owner.online) for score, owner, number in held]


class _Gathering:
    """Goes through what FTS5 finds."""

    __slots__ = (
        "_contents",
        "_db",
        "_holders_left",
        "_named",
        "_passed",
        "_seen",
        "_unfit",
        "_view",
        "_wanted",
    )

    def __init__(self, db: sqlite3.Connection, wanted: Wanted, view: View) -> None:
        self._db = db
        self._wanted = wanted
        self._view = view
        self._seen: set[int] = set()
        self._contents: dict[bytes, _Content] = {}
        self._named: set[bytes] = set()
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
        return len(self._named)

    def best(self, count: int) -> list[_Content]:
        """Ties go by content id: the same on every page and every node."""
        ranked = [(one.block, -one.score, one.cid, one) for one in self._contents.values()]
        ranked.sort()
        return [one for _, _, _, one in ranked[:count]]

    def gather(self, expression: str, blocks: int) -> bool:
        """Take in what fits, up to the bounds. Returns whether that is all."""
        contents, seen, named = self._contents, self._seen, self._named
        wanted, owners_of = self._wanted, self._owners
        is_filtered, wanted_cid = wanted.is_filtered, wanted.cid
        before = len(contents)
        most = before + blocks * BLOCK
        walk = _Walk(self._db, _FILTERED if is_filtered else _RANKED, expression)
        for steps, row in enumerate(walk.rows()):
            if steps >= STEPS_MAX:
                return False
            number, registration, audience, shared, cid, name, rest = row[:7]
            if number in seen or (is_filtered and not wanted.admits(*row[7:])):
                continue
            if wanted_cid is not None and cid != wanted_cid:
                continue
            owners = owners_of(number, registration, audience, shared)
            if not owners:
                self._pass_over(registration, number, walk)
                continue
            content = contents.get(cid)
            if content is None:
                if len(contents) >= most:
                    return False
                content = contents[cid] = _Content(cid, (len(contents) - before) // BLOCK)
            seen.add(number)
            content.holdings.append((number, owners))
            score, is_named = wanted.score(name, rest)
            if score > content.score:  # noqa: PLR1730  max() takes three times as long
                content.score = score
            if is_named:
                named.add(cid)
        return not walk.is_broken_off

    def _pass_over(self, registration: int, number: int, walk: _Walk) -> None:
        """Where a registration had many that may not be shown, go on behind those that it made at once."""
        self._unfit[registration] += 1
        if self._unfit[registration] >= UNFIT_MAX:
            self._passed.add(registration)
            later = self._view.runs.skip(number & ORDINALS, self._passed)
            if later is not None:
                walk.skip_to((number & ~ORDINALS) + later)

    def _owners(self, document: int, registration: int, audience: int, shared: int) -> Sequence[Owner]:
        """The holders of a document that may be shown: some of them, if there are many."""
        owner_of = self._view.owner_of
        first = owner_of(registration, audience)
        found = [first] if first is not None else []
        if not shared:
            return found
        online = sum(owner.online for owner in found)
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
    """Rows of what FTS5 finds, by number, some of which can be skipped."""

    __slots__ = ("_db", "_expression", "_later", "_query", "is_broken_off")

    def __init__(self, db: sqlite3.Connection, columns: str, expression: str) -> None:
        self._db = db
        self._query = f"SELECT {columns}{_FROM}"
        self._expression = expression
        self._later = [0]
        self.is_broken_off = False
        """Whether it ended at a bound."""

    def skip_to(self, number: int) -> None:
        """Go on there."""
        self._later.append(number)

    def rows(self) -> Iterator[Sequence[Any]]:
        """One after the other, each with the columns."""
        later = self._later
        for _ in range(SKIPS_MAX):
            if not later:
                return
            for row in self._db.execute(self._query, (self._expression, later.pop())):
                yield row
                if later:
                    break
        self.is_broken_off = bool(later)


def _is_offline(pair: tuple[Owner, int]) -> bool:
    return not pair[0].online
