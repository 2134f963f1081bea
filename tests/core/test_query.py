from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.cid import Cid
from warren.core.entry import NAMES_MAX, Entry, Metadata
from warren.core.errors import InputError
from warren.core.query import LIMIT_MAX, QUERY_CHARS_MAX, QUERY_WORDS_MAX, Query, Term, terms_of
from warren.core.words import WORD_CHARS_MAX, WORDS_MAX, words

CID = Cid.parse("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy")


def test_words_lose_case_and_accents_and_part_at_everything_else() -> None:
    assert words("Über-Résumé_2024 (final).PDF") == ["uber", "resume", "2024", "final", "pdf"]
    assert words("…—!") == []
    assert words("ﬁn") == ["fin"], "ligatures are taken apart"


def test_words_are_bounded() -> None:
    assert words("x" * 1000) == ["x" * WORD_CHARS_MAX]
    assert len(words("a " * 1000)) == WORDS_MAX


@given(st.text())
def test_words_of_words_are_themselves(text: str) -> None:
    assert words(" ".join(words(text))) == words(text)


def test_terms_are_prefixes_unless_they_are_quoted() -> None:
    assert terms_of('Annual "Report 2024" annual') == (
        Term("annual"),
        Term("report", whole=True),
        Term("2024", whole=True),
    )


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"terms": tuple(Term(str(n)) for n in range(QUERY_WORDS_MAX + 1))},
        {"author": "x" * (QUERY_CHARS_MAX + 1)},
        {"terms": (Term("a"),), "limit": 0},
        {"terms": (Term("a"),), "limit": LIMIT_MAX + 1},
        {"terms": (Term("a"),), "after": -1},
        {"terms": (Term("a"),), "size_min": 2, "size_max": 1},
    ],
)
def test_what_asks_for_nothing_or_too_much_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Query(**asked)


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(InputError):
        terms_of("a" * (QUERY_CHARS_MAX + 1))


@pytest.mark.parametrize(
    ("path", "suffix"),
    [("docs/Report.PDF", "pdf"), ("docs/.profile", ""), ("docs/README", ""), ("a.b/c", "")],
)
def test_an_entry_tells_its_name_and_what_kind_of_file_that_says_it_is(path: str, suffix: str) -> None:
    entry = Entry(path, "file", 1, CID)
    assert entry.name == path.rsplit("/", maxsplit=1)[-1]
    assert entry.suffix == suffix
    assert Entry(path, "dir", 1, CID).suffix == ""


@pytest.mark.parametrize(
    "said",
    [{"title": "x" * 301}, {"tags": ("x",) * (NAMES_MAX + 1)}, {"authors": ("",)}, {"domains": ("x" * 121,)}],
)
def test_metadata_are_bounded(said: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Metadata(**said)


def test_metadata_that_say_nothing_are_false() -> None:
    assert not Metadata()
    assert Metadata(tags=("x",))


def test_of_a_text_without_spaces_no_more_is_asked_for_than_a_query_holds() -> None:
    ideographs = "".join(map(chr, range(0x4E00, 0x4E00 + 2 * QUERY_WORDS_MAX)))
    terms = terms_of(f"report {ideographs} 2024")
    assert Query(terms).terms == terms
    assert [term.word for term in terms] == ["report", *ideographs[: QUERY_WORDS_MAX - 2], "2024"]
    assert len(terms_of(" ".join(f"w{number}" for number in range(20)))) == 20  # those are refused
