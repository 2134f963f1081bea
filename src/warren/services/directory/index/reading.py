"""Searching: from a query to a page of what it finds, in one read transaction.

In:  an open transaction, a query, whom to show what. Out: `Results`. FTS5 gives documents in the order of
their rank and only as many as are taken; what is left out (offline, for others, another size) costs a step,
and steps are bounded. To look a row up costs more than to read all of it: so an entry comes along with what
ranks it, and only metadata and further documents of the same content are read for the page alone.
"""

from __future__ import annotations

import json
from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from warren.core.cid import Cid
from warren.core.entry import Entry
from warren.core.found import Found
from warren.services.directory.index.documents import to_entry
from warren.services.directory.index.interface import COUNTED_MIN, HOLDERS_MAX, PUBLIC, Results
from warren.services.directory.index.matching import Wanted
from warren.services.directory.index.schema import ORDINALS, RANK_SHIFT

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

    from warren.core.entry import EntryKind
    from warren.core.peer_id import PeerId
    from warren.core.query import Query
    from warren.services.directory.index.interface import Admits
    from warren.services.directory.index.runs import Runs

STEPS_MAX: Final = 20_000
"""Of the first walk of a query, and of all others together. Attack: a query that fits a million documents of
which its asker may see none."""
UNFIT_MAX: Final = 50
"""Documents of one registration that were met and may not be shown, after which those that it made with them
are skipped. Attack: twenty thousand entries for nobody that are called as others are, and come first."""
SKIPS_MAX: Final = 400
"""The same. Each costs 0.1 ms."""
HOLDERS_MAX_IN_ALL: Final = 20_000
"""Holders read for one query. Attack: ten thousand identities, all of them offline, or for nobody, that claim
to have what somebody has."""
HOLDERS_READ_MIN: Final = 512
"""Of one document, if so many were read."""
BLOCK: Final = COUNTED_MIN
"""Content ids with the fewest words that are ranked among each other and with what is asked for besides."""
BLOCK_LATER: Final = 200
"""The same of those that follow. So a page comes out the same whatever was asked for before it."""
WHOLE_MAX: Final = 16
"""Content ids with longer names that come into the first block as they have whole words."""

AT_ONCE: Final = BLOCK + 1
"""Rows that are read before any is looked at: SQLite and Python take turns less often at the processor's
caches. So many are a block and the one that says that there are more."""
AT_ONCE_LATER: Final = 8
"""After a skip, which may come again soon. Attack: skips that throw away what was read, each time."""

# Of metadata `typeof` reads no more than whether there are any.
_FOUND: Final = (
    "SELECT d.id, d.registration, d.audience, d.shared, d.cid, d.name, d.rest, d.kind, d.size, d.path,"
    " typeof(d.metadata) = 'null'"
    " FROM term CROSS JOIN document d ON d.id = term.rowid WHERE term MATCH ? AND term.rowid >= ?"
)
_IS_THERE: Final = "SELECT 1 FROM term WHERE term MATCH ? LIMIT 1"
_HOLDERS: Final = "SELECT registration, audience FROM holder WHERE document = ? LIMIT ?"
_ENTRIES: Final = (
    "SELECT d.id, d.cid, d.kind, d.size, d.path, d.metadata"
    " FROM json_each(?) one CROSS JOIN document d ON d.id = one.value"
)


_BY_BLOCK: Final = attrgetter("block")
_BY_SCORE: Final = attrgetter("score")
_BY_CID: Final = attrgetter("cid")


class Owner:
    """Whose a registration is, and whether they are online."""

    __slots__ = ("online", "peer")

    def __init__(self, peer: PeerId) -> None:
        self.peer = peer
        self.online = False


Holding: TypeAlias = tuple[Owner, int]
"""Who holds a document, and its number."""


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

    __slots__ = ("block", "cid", "holdings", "number", "plain", "score")

    def __init__(
        self,
        cid: bytes,
        block: int,
        number: int,
        plain: tuple[str, EntryKind, int] | None,
        holdings: list[Holding],
        score: float,
    ) -> None:
        self.cid = cid
        self.block = block
        self.number = number
        self.plain = plain
        self.holdings = holdings
        self.score = score

    def entry(self) -> Entry | None:
        """That of the first document, if it was read along."""
        if self.plain is None:
            return None
        path, kind, size = self.plain
        return Entry(path, kind, size, Cid.from_bytes(self.cid))

    def holders(self) -> list[Holding]:
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
    after = gathering.gather(wanted.expression, BLOCK)
    if after is not None:
        gathering.gather_better(after)
        blocks = -((gathering.count - end) // BLOCK_LATER)
        if blocks > 0:
            after = gathering.gather(wanted.expression, blocks * BLOCK_LATER, after, block=1)
    hits = _page(db, gathering.best(end)[query.after :])
    return Results(hits, gathering.count, exact=after is None)


def _page(db: sqlite3.Connection, contents: Sequence[_Content]) -> list[Found]:
    held = [(one.score, one.holders()) for one in contents]  # once: who is online may change meanwhile
    entries = {one.number: entry for one in contents if (entry := one.entry()) is not None}
    others = {number for _, holders in held for _, number in holders if number not in entries}
    if others:
        rows = db.execute(_ENTRIES, (json.dumps(list(others)),))
        entries.update((number, to_entry(*row)) for number, *row in rows)
    return [
        Found(owner.peer, entries[number], score, owner.online)
        for score, holders in held
        for owner, number in holders
    ]


class _Gathering:
    """Goes through what FTS5 finds."""

    __slots__ = (
        "_contents",
        "_db",
        "_holders_left",
        "_passed",
        "_unfit",
        "_view",
        "_walk",
        "_wanted",
    )

    def __init__(self, db: sqlite3.Connection, wanted: Wanted, view: View) -> None:
        self._db = db
        self._wanted = wanted
        self._view = view
        self._walk = _Walk(db)
        self._contents: dict[bytes, _Content] = {}
        self._unfit: Counter[int] = Counter()
        """How many documents of each registration were met that may not be shown."""
        self._passed: set[int] = set()
        """Registrations of which no more are looked at."""
        self._holders_left = HOLDERS_MAX_IN_ALL

    @property
    def count(self) -> int:
        return len(self._contents)

    def best(self, count: int) -> list[_Content]:
        """Ties go by content id: the same on every page and every node."""
        contents = sorted(self._contents.values(), key=_BY_CID)
        contents.sort(key=_BY_SCORE, reverse=True)
        contents.sort(key=_BY_BLOCK)
        return contents[:count]

    def gather_better(self, after: int) -> None:
        """Take in what comes later and fits better than something in the first block, where there may be
        such. after: the document where that ended.

        Longer names that have all words count for more than names that do not, and those that have words as
        they were asked for than some shorter ones.
        """
        wanted, rank = self._wanted, after >> RANK_SHIFT
        full = len(self._contents) >= BLOCK
        least = min(one.score for one in self._contents.values()) if full else 0.0
        if least < wanted.score_max(rank, 0) and self.gather(wanted.in_name(), BLOCK, after) is None:
            return
        wholes: list[str] = []
        for left, word in zip(range(len(wanted.beginnings), 0, -1), wanted.beginnings, strict=True):
            if least >= wanted.score_max(rank, len(wholes) + left):
                return
            if self._is_there(word):
                wholes.append(word)
        if wholes and least < wanted.score_max(rank, len(wholes)):
            self.gather(wanted.in_name(wholes), WHOLE_MAX, after)

    def _is_there(self, word: str) -> bool:
        """Whether any name has a word."""
        return self._db.execute(_IS_THERE, (f'name : "{word}"',)).fetchone() is not None

    def gather(self, expression: str, most: int, start: int = 0, *, block: int = 0) -> int | None:
        """Take in what fits, from a document on, up to the bounds and so many contents, in blocks of
        `BLOCK_LATER` from that one on. Returns the document where it ended; None: that is all.
        """
        contents, wanted, owner_of = self._contents, self._wanted, self._view.owner_of
        is_filtered, wanted_cid, score = wanted.is_filtered, wanted.cid, wanted.score
        before, first = len(contents), block
        seen = {document for one in contents.values() for _, document in one.holdings}
        number: int
        for row in self._walk.rows(expression, start, min(most + 1, AT_ONCE)):
            number, registration, audience, shared, cid, name, rest, kind, size, path, is_plain = row
            if number in seen or (is_filtered and not wanted.admits(kind, size, path)):
                continue
            if wanted_cid is not None and cid != wanted_cid:
                continue
            owner = owner_of(registration, audience)
            holdings = [(owner, number)] if owner is not None else []
            if shared:
                holdings += self._others(number, owner)
            if not holdings:
                self._pass_over(registration, number)
                continue
            content = contents.get(cid)
            if content is None:
                count = len(contents)
                if count - before >= most:
                    return number
                block = first + (count - before) // BLOCK_LATER
                # Attack: a page far behind, and paths of 4 KB on all before it.
                plain = (path, kind, size) if is_plain and count < BLOCK_LATER else None
                contents[cid] = _Content(cid, block, number, plain, holdings, score(name, rest))
                continue
            content.holdings += holdings
            if content.block == block:  # else it has its place on a page before this
                content.score = max(content.score, score(name, rest))
        return self._walk.later

    def _pass_over(self, registration: int, number: int) -> None:
        """Where a registration had many that may not be shown, go on behind those that it made at once."""
        self._unfit[registration] += 1
        if self._unfit[registration] >= UNFIT_MAX:
            self._passed.add(registration)
            later = self._view.runs.skip(number & ORDINALS, self._passed)
            if later is not None:
                self._walk.skip_to((number & ~ORDINALS) + later)

    def _others(self, document: int, first: Owner | None) -> list[Holding]:
        """Holders of a document besides the first that may be shown: some of them, if there are many."""
        owner_of = self._view.owner_of
        found = []
        online = int(first is not None and first.online)
        most = max(self._holders_left, HOLDERS_READ_MIN)
        for holder in self._db.execute(_HOLDERS, (document, most)):
            self._holders_left -= 1
            owner = owner_of(*holder)
            if owner is not None:
                found.append((owner, document))
                online += owner.online
                if online >= HOLDERS_MAX:
                    break
        return found


class _Walk:
    """Rows of `_FOUND`, by number, some of which can be skipped; of one expression after the other."""

    __slots__ = ("_db", "_later", "_skips_left", "_steps_left")

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._later: list[int] = []
        self._steps_left = 2 * STEPS_MAX
        self._skips_left = 2 * SKIPS_MAX

    @property
    def later(self) -> int | None:
        """Where the last ones can go on, as they ended at a bound."""
        return self._later[-1] if self._later else None

    def skip_to(self, number: int) -> None:
        """Go on there."""
        self._later.append(number)

    def rows(self, expression: str, start: int, at_once: int) -> Iterator[Sequence[Any]]:
        """One after the other, from a document on. at_once: so many are read before any is looked at."""
        later = self._later = [start]
        steps = min(STEPS_MAX, self._steps_left)
        for _ in range(min(SKIPS_MAX, self._skips_left)):
            if not later or steps <= 0:
                return
            cursor = self._db.execute(_FOUND, (expression, later.pop()))
            while not later and (some := cursor.fetchmany(at_once)):
                steps -= len(some)
                self._steps_left -= len(some)
                for row in some:
                    yield row
                    if later:
                        break
                if steps <= 0 and not later:
                    later.append(some[-1][0] + 1)
            cursor.close()  # the next one takes its statement
            self._skips_left -= 1
            at_once = AT_ONCE_LATER


def _is_offline(pair: tuple[Owner, int]) -> bool:
    return not pair[0].online
