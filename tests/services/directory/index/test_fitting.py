"""Whatever an index finds fits the query in the eyes of everybody else: or honest super-peers would be taken
for liars."""

from __future__ import annotations

import hashlib
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.services.directory.naive_index import peer
from tests.support import run
from warren.core.cid import Cid
from warren.core.entry import Entry, Metadata
from warren.core.errors import InputError
from warren.core.matching import matches
from warren.core.query import Query, terms_of
from warren.core.words import words
from warren.protocols.directory.entries import Registered
from warren.runtime.simulated import World
from warren.services.directory.index.sqlite import SqliteIndex

PIECES = st.sampled_from(
    [
        "Light",
        "house",
        "PDF",
        "Über",
        "ǅ",
        "İ",
        "ﬁn",
        "ß",
        "Łódź",
        "東京",
        "ไทย",
        "한국",
        "x",
        "2",
        "_a",
        "dir",
        "o'b",
    ]
)
TEXTS = st.lists(PIECES, min_size=1, max_size=3).map(" ".join) | st.text(max_size=12)
NAMES = st.lists(TEXTS, max_size=2).map(lambda many: tuple(one for one in many if one))
SUFFIXES = st.sampled_from(["pdf", "PDF", "Pdf", "ǅ", "İ", "dir", "", "tar.gz"])
LONG = "/".join(["a"] * 600)


def entry(path: str, kind: Any = "file", said: Metadata = Metadata()) -> Entry:  # noqa: B008 - it is frozen
    return Entry(path, kind, 5, Cid.raw_sha256(hashlib.sha256(path.encode()).digest()), said)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    folder = draw(TEXTS | st.just(LONG)).replace("\0", "")
    name = draw(TEXTS).replace("/", "") + draw(st.sampled_from(["", "."])) + draw(SUFFIXES)
    said = Metadata(draw(TEXTS), draw(TEXTS), draw(NAMES), draw(NAMES), draw(NAMES))
    return entry(f"{folder}/{name}", draw(st.sampled_from(["file", "dir"])), said)


@st.composite
def queries(draw: st.DrawFn) -> Query | None:
    try:
        return Query(
            terms_of(draw(TEXTS)),
            tuple(draw(st.lists(SUFFIXES, max_size=2))),
            author=draw(st.just("") | TEXTS),
            domain=draw(st.just("") | TEXTS),
        )
    except InputError:
        return None


async def found(entries: list[Entry], query: Query) -> list[Entry]:
    world = World(seed=1)
    index = await SqliteIndex.open(world.runtime("super"), "directory.db")
    try:
        await index.replace(peer(1), 1, 1, [Registered(one) for one in entries])
        return [one.entry for one in (await index.search(query, None)).hits]
    finally:
        await index.close()
        world.close()


@settings(max_examples=60, deadline=None)
@given(entries(), queries())
@example(entry("share/lighthouse.pdf"), Query(terms_of("lighthouse"), ("PDF",)))
@example(entry(f"{LONG}/lighthouse.pdf"), Query(terms_of("lighthouse")))
@example(entry("share/pdf."), Query(terms_of("pdf"), ("", "pdf")))
def test_what_an_index_finds_fits_the_query(one: Entry, query: Query | None) -> None:
    if query is not None:
        assert all(matches(query, each) for each in run(found([one], query)))


def test_kinds_of_files_and_long_folders_are_found_as_they_fit() -> None:
    for one, query in (
        (entry("share/lighthouse.pdf"), Query(terms_of("lighthouse"), ("PDF",))),
        (entry(f"{LONG}/lighthouse.pdf"), Query(terms_of("lighthouse"))),
    ):
        assert run(found([one], query)) == [one]
        assert matches(query, one)


@settings(max_examples=60, deadline=None)
@given(entries())
def test_what_is_said_is_found_by_every_word_of_it(one: Entry) -> None:
    name = one.path.rpartition("/")[2]
    for word in words(name)[:2]:
        query = Query(terms_of(f'"{word}"'))
        assert run(found([one], query)) == [one]
        assert matches(query, one)
