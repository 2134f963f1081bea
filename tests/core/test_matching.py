"""What a query asks for, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from warren.core.cid import Cid
from warren.core.entry import Entry, Metadata
from warren.core.matching import matches
from warren.core.query import Query, terms_of

SAID = Metadata(
    "Étude", "of rivers", ("Ada Lovelace",), ("earth science",), ("blue", "map"), licence="CC0-1.0"
)
FILE = Entry("Maps/old_map.PDF", "file", 500, Cid.raw_sha256(bytes(32)), SAID)
FOLDER = Entry("Maps", "dir", 500, Cid.raw_sha256(bytes(32)))


@pytest.mark.parametrize(
    ("words", "filters", "found"),
    [
        ("old map", {}, True),
        ("ol ma riv", {}, True),
        ("etude lovel blue cc0", {}, True),
        ('"ol"', {}, False),
        ('"old map"', {}, True),
        ("old new", {}, False),
        ("old", {"suffixes": ("pdf", "txt")}, True),
        ("old", {"suffixes": ("txt",)}, False),
        ("old", {"suffixes": ("dir",)}, False),
        ("", {"suffixes": ("pdf",)}, True),
        ("old", {"size_min": 500, "size_max": 500}, True),
        ("old", {"size_min": 501}, False),
        ("old", {"size_max": 499}, False),
        ("old", {"author": "love ada"}, True),
        ("old", {"author": "earth"}, False),
        ("old", {"domain": "SCI"}, True),
        ("old", {"domain": "ada"}, False),
    ],
)
def test_words_and_filters(words: str, filters: dict[str, Any], found: bool) -> None:
    assert matches(Query(terms_of(words), **filters), FILE) == found


def test_one_content_is_asked_for_by_its_id() -> None:
    assert matches(Query(cid=FILE.cid), FILE)
    assert matches(Query(terms_of("old"), cid=FILE.cid), FILE)
    assert not matches(Query(terms_of("elsewhere"), cid=FILE.cid), FILE)
    assert not matches(Query(terms_of("old"), cid=Cid.raw_sha256(b"x" * 32)), FILE)


def test_folders_are_asked_for_by_their_kind() -> None:
    assert matches(Query(terms_of("map"), ("dir",)), FOLDER)
    assert not matches(Query(terms_of("map"), ("pdf",)), FOLDER)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("東京都庁舎.pdf", "京都"),
        ("年度报告2024.pdf", "报告"),
        ("ภาษาไทย.txt", "ไทย"),
        ("データベース.txt", "ベース"),
        ("Łódź.txt", "lodz"),
        ("smørrebrød.txt", "smorre"),
    ],
)
def test_a_search_may_begin_where_no_space_is_and_need_no_foreign_keys(name: str, words: str) -> None:
    assert matches(Query(terms_of(words)), FILE._replace(path=f"Maps/{name}"))
