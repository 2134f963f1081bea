"""For whom the user's words are: those whom the place admits for which they were said.

In:  a connection inside a transaction, words with their scopes. Out: what was said of a content id, in all or
to an audience. The same bytes may lie in a public share and in one for the family (an empty file does as a
rule); what is said of the one in the family's is no business of others.

Audiences are known here by their text alone. Schema: schema/0010_said_for.sql.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.cid import Cid
from warren.services.resources.said import Said

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    Covers = Callable[[str, str], bool]
    """Whether the first audience admits all whom the second one does."""

PUBLIC: Final = "public"


class Scope(NamedTuple):
    """Where something was said. share: the path on the disk of the share, empty for a content wherever it
    lies. audience: whom that admits.
    """

    share: bytes
    audience: str


EVERYWHERE: Final = Scope(b"", PUBLIC)


class Scoped(NamedTuple):
    """What was said for a place."""

    scope: Scope
    said: Said


def covers_plainly(outer: str, inner: str) -> bool:
    """What can be told of audiences whose meaning nobody knows."""
    return outer in (PUBLIC, inner)


def all_said(db: sqlite3.Connection, cid: Cid) -> list[Scoped]:
    """All that was said of a content, what was said last comes last."""
    rows = db.execute(
        "SELECT share, audience, said FROM resource_said WHERE cid = ? ORDER BY number", (cid.to_bytes(),)
    )
    return [Scoped(Scope(share, audience), Said.from_json(said)) for share, audience, said in rows]


def said_of(db: sqlite3.Connection, cid: Cid) -> Said:
    """The same as one, for the user who said it."""
    return _together(one.said for one in all_said(db, cid))


def said_to(db: sqlite3.Connection, cid: Cid, audience: str, covers: Covers) -> Said:
    """What of it may be said where the audience sees it."""
    every = all_said(db, cid)
    return _together(one.said for one in every if covers(one.scope.audience, audience))


def keep(db: sqlite3.Connection, cid: Cid, one: Scoped) -> bool:
    """Keep what was said last for a place, in place of what was said before; whether that is another."""
    key = cid.to_bytes()
    old = dict(all_said(db, cid)).get(one.scope)
    if old == one.said:
        return False
    (last,) = db.execute("SELECT ifnull(max(number), 0) FROM resource_said WHERE cid = ?", (key,)).fetchone()
    db.execute(
        "INSERT OR REPLACE INTO resource_said VALUES (?, ?, ?, ?, ?)",
        (key, *one.scope, last + 1, one.said.to_json()),
    )
    return True


def forget(db: sqlite3.Connection, cid: Cid) -> bool:
    """Forget all that was said of it; whether there was anything."""
    return db.execute("DELETE FROM resource_said WHERE cid = ?", (cid.to_bytes(),)).rowcount > 0


def admit(db: sqlite3.Connection, scope: Scope) -> list[Cid]:
    """A share has this audience now; return of what something else may be said to whom."""
    rows = db.execute(
        "UPDATE resource_said SET audience = ?2 WHERE share = ?1 AND audience != ?2 RETURNING cid", scope
    ).fetchall()
    return [Cid.from_bytes(cid) for (cid,) in rows]


def _together(every: Iterable[Said]) -> Said:
    whole = Said()
    for one in every:
        whole = whole.changed(one)
    return whole
