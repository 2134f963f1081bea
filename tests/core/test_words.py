"""Words: one form, bounded, and the same however a text is put together."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.words import _FORMS, _FORMS_MAX, WORD_CHARS_MAX, WORDS_MAX, fold, is_alone, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Annual Report_2024.PDF", ["annual", "report", "2024", "pdf"]),
        ("Über die Straße", ["uber", "die", "strasse"]),
        ("naïve cafe\u0301", ["naive", "cafe"]),
        ("日本語 - テキスト2024", ["日", "本", "語", "テ", "キ", "ス", "ト", "2024"]),
        ("年度报告.pdf", ["年", "度", "报", "告", "pdf"]),
        ("ภาษาไทย", ["ภ", "า", "ษ", "า", "ไ", "ท", "ย"]),
        ("ガ ｶﾞ が", ["カ", "カ", "か"]),
        ("한국어", [unicodedata.normalize("NFKD", "한국어")]),
        ("किताब", ["कतब"]),
        ("Łódź smørrebrød Đà Nẵng", ["lodz", "smorrebrod", "da", "nang"]),
        ("Œuvre Æsop Þór Ħal ISPARTA \u0131sparta", ["oeuvre", "aesop", "thor", "hal", "isparta", "isparta"]),
        ("", []),
        ("_.-\0", []),
    ],
)
def test_words_lose_case_and_accents(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.one_of(st.text(), st.text(st.sampled_from("aß东か한กကកक्Łœ\u0301 _\U00020000"))))
def test_words_are_words_of_themselves(text: str) -> None:
    for word in words(text):
        assert words(word) == [word]


def test_long_words_and_long_texts_are_cut() -> None:
    assert words("a" * 100) == ["a" * WORD_CHARS_MAX]
    assert words("a " * (WORDS_MAX + 5)) == ["a"] * WORDS_MAX
    long = "\ufb03" * 15  # one character that becomes three
    assert [len(word) for word in words(long)] == [WORD_CHARS_MAX]


def test_what_is_a_word_by_itself() -> None:
    assert [is_alone(word) for word in ("東", "ท", "東京", "a", "ab", "")] == [True, True, *[False] * 4]


def test_a_text_of_all_characters_takes_bounded_room() -> None:
    every = "".join(map(chr, range(0x20000)))
    once = fold(every)
    assert fold(every) == once
    assert len(_FORMS) <= _FORMS_MAX
