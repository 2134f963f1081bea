from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from warren.core.cid import DAG_PB, Cid
from warren.core.errors import LimitReached
from warren.core.multihash import sha2_256
from warren.runtime.migrations import numbered_scripts
from warren.services.dht import published
from warren.services.dht.published import OwnRecord, Provided

if TYPE_CHECKING:
    from collections.abc import Iterator

HASH = sha2_256(b"content")
CID = Cid.raw_sha256(HASH[2:])


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as made:
        for script in numbered_scripts("warren.services.dht"):
            made.executescript(script)
        yield made


def test_the_script_has_its_number_among_all_of_the_state() -> None:
    from warren.parts import OWNERS_OF_STATE

    assert "warren.services.dht" in OWNERS_OF_STATE
    ours = numbered_scripts("warren.services.dht")
    assert len(ours) == 1
    assert ours[0] in numbered_scripts(*OWNERS_OF_STATE)


def test_records_are_kept_marked_and_dropped(db: sqlite3.Connection) -> None:
    published.keep_record(db, b"\xff key", b"one")
    published.mark_put(db, b"\xff key", b"one", 5.0)
    assert published.load_records(db) == [OwnRecord(b"\xff key", b"one", 5.0)]
    published.keep_record(db, b"\xff key", b"two")
    published.mark_put(db, b"\xff key", b"one", 6.0)  # that was the one before
    assert published.load_records(db) == [OwnRecord(b"\xff key", b"two", None)]
    assert published.drop_record(db, b"\xff key")
    assert not published.drop_record(db, b"\xff key")
    assert published.load_records(db) == []


def test_provided_content_is_kept_as_it_was_given_last(db: sqlite3.Connection) -> None:
    published.keep_provided(db, HASH, CID)
    published.mark_provided(db, HASH, 5.0)
    again = Cid(0, DAG_PB, HASH)
    published.keep_provided(db, HASH, again)
    assert published.load_provided(db) == [Provided(HASH, again, 5.0)]
    assert published.drop_provided(db, HASH)
    assert not published.drop_provided(db, HASH)


def test_sequences_rise_whatever_the_clock_says_and_outlive_the_record(db: sqlite3.Connection) -> None:
    assert published.next_sequence(db, b"n", 1000) == 1000
    assert published.next_sequence(db, b"n", 1000) == 1001
    assert published.next_sequence(db, b"n", 5) == 1002
    assert published.next_sequence(db, b"other", 5) == 5
    published.keep_record(db, b"n", b"v")
    published.drop_record(db, b"n")
    assert published.next_sequence(db, b"n", 5) == 1003


def test_there_is_a_bound_and_replacing_is_always_possible(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "PUBLISHED_MAX", 2)
    published.keep_record(db, b"1", b"v")
    published.keep_provided(db, HASH, CID)
    published.keep_record(db, b"1", b"w")
    published.keep_provided(db, HASH, CID)
    with pytest.raises(LimitReached) as caught:
        published.keep_record(db, b"2", b"v")
    assert caught.value.limit == "published_max"
    assert "warren dht rm" in caught.value.hint
    with pytest.raises(LimitReached):
        published.keep_provided(db, sha2_256(b"2"), CID)
