"""Codes: they come back as they were however they are typed, and typing errors are found without a guess."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import InputError, InvalidCode
from warren.protocols.send.code import CHANNEL_MAX, CHANNEL_MIN, SendCode
from warren.protocols.send.wordlist import WORDS

CODE = SendCode(4071, ("guitar", "cross"))
CODES = st.builds(
    SendCode,
    st.integers(CHANNEL_MIN, CHANNEL_MAX),
    st.lists(st.sampled_from(WORDS), min_size=2, max_size=6).map(tuple),
)


def refusal(text: str) -> InvalidCode:
    with pytest.raises(InvalidCode) as caught:
        SendCode.parse(text)
    assert caught.value.hint
    return caught.value


@given(CODES)
def test_a_code_comes_back_as_it_was(code: SendCode) -> None:
    assert SendCode.parse(str(code)) == code
    assert SendCode.parse(str(code).upper()) == code
    assert SendCode.parse("  " + str(code).replace("-", " ") + "\n") == code


@given(CODES)
def test_four_letters_of_each_word_are_enough(code: SendCode) -> None:
    short = "-".join([str(code.channel), *(word[:4] for word in code.words)])
    assert SendCode.parse(short) == code


def test_no_two_words_begin_alike() -> None:
    assert len(WORDS) == len({word[:4] for word in WORDS}) == 2048
    assert list(WORDS) == sorted(WORDS)


def test_a_code_is_drawn_evenly_from_all_that_there_are() -> None:
    drawn = iter([3071, WORDS.index("guitar"), WORDS.index("cross")])
    bounds = []

    def below(count: int) -> int:
        bounds.append(count)
        return next(drawn)

    assert SendCode.make(below) == CODE
    assert bounds == [9000, 2048, 2048]
    assert SendCode.make(lambda _: 0, 3) == SendCode(1000, ("abandon",) * 3)
    assert SendCode.make(lambda n: n - 1) == SendCode(9999, ("zoo", "zoo"))


@pytest.mark.parametrize("words", [-1, 1, 7])
def test_too_few_words_are_no_secret_and_too_many_no_help(words: int) -> None:
    with pytest.raises(InputError, match="2 to 6 words"):
        SendCode.make(lambda _: 0, words)


def test_the_words_do_not_show_in_logs() -> None:
    assert "guitar" not in repr(CODE)
    assert CODE.password == b"4071-guitar-cross"


@pytest.mark.parametrize(
    "text", ["", "-", "hello", "guitar-cross", "4071", "\u0664\u0660\u0667\u0661-guitar-cross"]
)
def test_other_text_is_refused(text: str) -> None:
    assert "not the code of a send" in str(refusal(text))
    assert "4071-guitar-cross" in refusal(text).hint


def test_what_is_wrong_is_named() -> None:
    assert "1000 to 9999" in str(refusal("7-guitar-cross"))
    assert "1000 to 9999" in str(refusal("10000-guitar-cross"))
    assert "not 1" in str(refusal("4071-guitar"))
    assert "not 7" in str(refusal("4071" + "-guitar" * 7))
    assert "too long" in str(refusal("4071-guitar-" + "x" * 200))


def test_a_typing_error_is_found_and_its_word_suggested() -> None:
    error = refusal("4071-gitar-cross")
    assert "'gitar' does not occur" in str(error)
    assert "guitar" in error.hint
    assert "again" in refusal("4071-qqqqqq-cross").hint
    assert "'gui' does not occur" in str(refusal("4071-gui-cross"))  # three letters fit several
    assert "'zzzz' does not occur" in str(refusal("4071-zzzz-cross"))  # behind the last word
    assert "'guitars' does not occur" in str(refusal("4071-guitars-cross"))


@given(st.text(max_size=80))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    for candidate in (text, "4071-" + text):
        with contextlib.suppress(InvalidCode):
            code = SendCode.parse(candidate)
            assert SendCode.parse(str(code)) == code
