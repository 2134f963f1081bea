from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.entry import TITLE_CHARS_MAX, Metadata
from warren.core.errors import InputError
from warren.services.resources.said import Said, from_json, to_json

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = st.lists(TEXTS.filter(bool), max_size=3).map(tuple)
MAYBE = (st.none() | TEXTS, st.none() | TEXTS, st.none() | NAMES, st.none() | NAMES, st.none() | NAMES)
SAID = st.builds(Said, *MAYBE, st.none() | TEXTS)
METADATA = st.builds(Metadata, TEXTS, TEXTS, NAMES, NAMES, NAMES, TEXTS)


def test_what_was_said_wins_field_by_field() -> None:
    taken = Metadata("From the file", authors=("Anna",), tags=("fruit",))
    said = Said(title=" Mine ", tags=())
    assert said.over(taken) == Metadata("Mine", authors=("Anna",))
    assert said.names == ("title", "tags")
    assert Said().over(taken) == taken
    assert not Said()
    assert Said(title="")  # that it is empty was said


def test_what_is_newer_wins() -> None:
    assert Said("a", tags=("x",)).changed(Said("b", licence="MIT")) == Said("b", tags=("x",), licence="MIT")
    assert Said("a").changed(Said(title="")) == Said("")


def test_names_stand_once_and_are_trimmed() -> None:
    assert Said(authors=(" Anna ", "", "Anna", "Ben", " ")).authors == ("Anna", "Ben")


def test_too_much_is_refused() -> None:
    with pytest.raises(InputError, match="title"):
        Said(title="x" * (TITLE_CHARS_MAX + 1))


@pytest.mark.parametrize("said", [{"authors": "Anna"}, {"title": ["a"]}])
def test_lists_are_lists_and_texts_are_texts(said: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="cannot be"):
        Said(**said)


@given(SAID)
def test_it_comes_back_from_the_database(said: Said) -> None:
    assert Said.from_json(said.to_json()) == said


@given(METADATA)
def test_metadata_comes_back_from_the_database(metadata: Metadata) -> None:
    assert from_json(to_json(metadata)) == metadata
