"""A page of hits is put together while others come and go."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from warren.core.cid import Cid
from warren.core.peer_id import PeerId
from warren.services.directory.index.interface import HOLDERS_MAX
from warren.services.directory.index.reading import Owner, _Content, _page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CID = Cid.raw_sha256(sha256(b"content").digest()).to_bytes()


class Watched:
    """A connection to documents that all hold `CID`. asked: their numbers, as often as they were read."""

    def __init__(self, db: sqlite3.Connection, numbers: Sequence[int], meanwhile: Callable[[], None]) -> None:
        db.execute("CREATE TABLE document (id INTEGER PRIMARY KEY, cid, kind, size, path, metadata)")
        rows = ((number, CID, "file", 1, f"S/{number}", None) for number in numbers)
        db.executemany("INSERT INTO document VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._db = db
        self._meanwhile = meanwhile
        self.asked: list[int] = []

    def execute(self, sql: str, args: tuple[str]) -> sqlite3.Cursor:
        self.asked += json.loads(args[0])
        self._meanwhile()
        return self._db.execute(sql, args)


def owners(count: int) -> list[Owner]:
    return [Owner(PeerId(b"\x12\x20" + sha256(b"%d" % number).digest())) for number in range(count)]


def page(
    numbers: Sequence[int], contents: list[_Content], meanwhile: Callable[[], None]
) -> tuple[Any, list[int]]:
    with closing(sqlite3.connect(":memory:")) as db:
        watched = Watched(db, numbers, meanwhile)
        return _page(watched, contents), watched.asked  # type: ignore[arg-type]


def test_who_comes_and_goes_while_a_page_is_read_changes_no_more_than_what_it_says() -> None:
    have = owners(HOLDERS_MAX + 2)
    for owner in have[:HOLDERS_MAX]:
        owner.online = True
    numbers = range(100, 100 + len(have))
    holdings = list(zip(have, numbers, strict=True))

    def meanwhile() -> None:
        have[5].online, have[-1].online = False, True

    found, _ = page(numbers, [_Content(CID, 0, 100, ("S/100", "file", 1), holdings, 1.0)], meanwhile)
    assert [hit.entry.path for hit in found] == [f"S/{number}" for number in numbers[:HOLDERS_MAX]]
    assert [hit.online for hit in found].count(False) == 1


def test_a_document_of_many_holders_is_read_once() -> None:
    have = owners(HOLDERS_MAX)
    contents = [
        _Content(CID, 0, number, None, [(owner, number) for owner in have], 1.0) for number in (1, 2, 3)
    ]
    found, asked = page([1, 2, 3], contents, lambda: None)
    assert len(found) == 3 * HOLDERS_MAX
    assert asked == [1, 2, 3]
