"""Words: one form, bounded, and the same however a text is put together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.words import WORD_CHARS_MAX, WORDS_MAX, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Annual Report_2024.PDF", ["annual", "report", "2024", "pdf"]),
        ("Über die Straße", ["uber", "die", "strasse"]),
        ("naïve cafe\u0301", ["naive", "cafe"]),
        ("日本語 - テキスト", ["日本語", "テキスト"]),
        ("", []),
        ("_.-\0", []),
    ],
)
def test_words_lose_case_and_accents(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text())
def test_words_are_words_of_themselves(text: str) -> None:
    for word in words(text):
        assert words(word) == [word]


def test_long_words_and_long_texts_are_cut() -> None:
    assert words("a" * 100) == ["a" * WORD_CHARS_MAX]
    assert words("a " * (WORDS_MAX + 5)) == ["a"] * WORDS_MAX
    long = "\u3300" * 15  # one character that becomes four
    assert [len(word) for word in words(long)] == [WORD_CHARS_MAX]
