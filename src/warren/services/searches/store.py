"""The tables of standing searches.

In:  a connection inside a transaction to the durable database. Out: saved searches and their matches.
Schema: schema/0009_searches.sql. A row that cannot be read is left out: the others still work.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import TYPE_CHECKING

from warren.core.cid import Cid
from warren.core.errors import WarrenError
from warren.core.peer_id import PeerId
from warren.core.query import Query, Term
from warren.services.searches.model import Match, SavedSearch

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

_log = logging.getLogger(__name__)


def load(db: sqlite3.Connection) -> list[SavedSearch]:
    """All that are saved, by name."""
    rows = db.execute("SELECT name, query, fetch, saved_at FROM saved_search ORDER BY name").fetchall()
    found = []
    for name, query, fetch, saved_at in rows:
        try:
            found.append(SavedSearch(name, _query(query), bool(fetch), saved_at))
        except (ValueError, TypeError, KeyError, WarrenError):
            _log.warning("the saved search %r cannot be read", name)
    return found


def save(db: sqlite3.Connection, one: SavedSearch) -> None:
    """Add one, of a new name."""
    fields = dataclasses.asdict(dataclasses.replace(one.query, cid=None))
    fields["cid"] = str(one.query.cid) if one.query.cid is not None else None
    query = json.dumps(fields)
    db.execute("INSERT INTO saved_search VALUES (?, ?, ?, ?)", (one.name, query, one.fetch, one.saved_at))


def forget(db: sqlite3.Connection, name: str) -> None:
    """Remove one, with what it found."""
    db.execute("DELETE FROM saved_search_match WHERE search = ?", (name,))
    db.execute("DELETE FROM saved_search WHERE name = ?", (name,))


def add(db: sqlite3.Connection, search: str, matches: Sequence[Match], most: int) -> None:
    """Keep what was found; of each search the newest `most`. What is known already gets its holders anew."""
    for one in matches:
        holders = b"".join(bytes([len(raw)]) + raw for raw in (peer.to_bytes() for peer in one.holders))
        db.execute(
            "INSERT INTO saved_search_match (search, cid, name, kind, size, title, holders, found_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (search, cid) DO UPDATE SET holders = excluded.holders",
            (search, one.cid.to_bytes(), one.name, one.kind, one.size, one.title, holders, one.found_at),
        )
    db.execute(
        "DELETE FROM saved_search_match WHERE search = ?1 AND number <="
        " (SELECT number FROM saved_search_match WHERE search = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
        (search, most),
    )


def set_fetched(db: sqlite3.Connection, search: str, cid: Cid) -> None:
    """Say that it was fetched."""
    db.execute(
        "UPDATE saved_search_match SET fetched = 1 WHERE search = ? AND cid = ?", (search, cid.to_bytes())
    )


def matches(db: sqlite3.Connection, search: str) -> list[Match]:
    """What a search found, in that order."""
    rows = db.execute(
        "SELECT cid, name, kind, size, title, holders, found_at, fetched FROM saved_search_match"
        " WHERE search = ? ORDER BY number",
        (search,),
    ).fetchall()
    return [
        Match(
            Cid.from_bytes(cid),
            name,
            kind,
            size,
            title,
            _holders(holders),
            found_at=found_at,
            fetched=bool(fetched),
        )
        for cid, name, kind, size, title, holders, found_at, fetched in rows
    ]


def _query(text: str) -> Query:
    fields = json.loads(text)
    terms = tuple(Term(one["word"], one["whole"]) for one in fields.pop("terms"))
    cid = fields.pop("cid", None)
    return Query(
        terms=terms,
        suffixes=tuple(fields.pop("suffixes")),
        cid=Cid.parse(cid) if cid else None,
        **fields,
    )


def _holders(raw: bytes) -> tuple[PeerId, ...]:
    found, at = [], 0
    while at < len(raw):
        found.append(PeerId(raw[at + 1 : at + 1 + raw[at]]))
        at += 1 + raw[at]
    return tuple(found)
