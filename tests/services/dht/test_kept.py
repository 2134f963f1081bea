from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.keys import PrivateKey
from warren.protocols.kad.store import KeptProvider, KeptRecord
from warren.services.dht import kept
from warren.services.dht.kept import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

ANNA, BERT = (PrivateKey.from_seed(name * 32).peer_id for name in (b"a", b"b"))
KEYS = st.binary(max_size=3)
TIMES = st.floats(0, 10)
RECORDS = st.builds(
    KeptRecord,
    st.binary(max_size=3),
    TIMES,
    st.sampled_from([ANNA, BERT, None]),
    st.sampled_from(["", "net"]),
)
PROVIDERS = st.builds(KeptProvider, TIMES, st.sampled_from([None, "", "net"]))


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(opened()) as made:
        yield made


def opened() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:")
    for script in kept.MIGRATIONS:
        made.executescript(script)
    return made


def all_records(db: sqlite3.Connection, limit: int) -> list[tuple[bytes, KeptRecord]]:
    found, place = [], Place()
    while True:
        page, after = kept.read_records(db, place, limit)
        found += page
        if after is None:
            return found
        place = after


def all_providers(db: sqlite3.Connection, limit: int) -> list[tuple[bytes, object, KeptProvider]]:
    found: list[tuple[bytes, object, KeptProvider]] = []
    place = Place()
    while True:
        page, after = kept.read_providers(db, place, limit)
        found += page
        if after is None:
            return found
        place = after


@given(st.lists(st.tuples(KEYS, RECORDS | st.none()), max_size=20), st.integers(1, 5))
def test_records_come_back_oldest_first_in_pages(
    rows: list[tuple[bytes, KeptRecord | None]], limit: int
) -> None:
    with closing(opened()) as db:
        for row in rows:
            kept.write_records(db, [row])
        last = {key: one for key, one in dict(rows).items() if one is not None}
        found = all_records(db, limit)
        assert dict(found) == last
        assert len(found) == len(last)
        times = [one.time_received for _, one in found]
        assert times == sorted(times)


@given(
    st.lists(st.tuples(KEYS, st.sampled_from([ANNA, BERT]), PROVIDERS | st.none()), max_size=20),
    st.integers(1, 5),
)
def test_providers_come_back_oldest_first_in_pages(
    rows: list[tuple[bytes, object, KeptProvider | None]], limit: int
) -> None:
    with closing(opened()) as db:
        kept.write_providers(db, rows)  # type: ignore[arg-type]
        last = {(key, peer): one for key, peer, one in rows}
        found = all_providers(db, limit)
        assert {(key, peer): one for key, peer, one in found} == {
            pair: one for pair, one in last.items() if one is not None
        }
        times = [one.time_received for *_, one in found]
        assert times == sorted(times)


def test_another_kind_of_database_is_told_apart(db: sqlite3.Connection) -> None:
    kept.check(db)
    db.execute("DROP TABLE provider")
    with pytest.raises(sqlite3.DatabaseError):
        kept.check(db)
