"""Sets of characters in patterns, as git reads them (`test_ignoring.py` asks git itself)."""

from __future__ import annotations

import string
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.services.files.ignoring import SHARED, BadRules


def left_out(pattern: str) -> str:
    """The ASCII characters that, as a name, are left out by this pattern and no built-in one."""
    rules = SHARED.within("", pattern.encode())
    return "".join(
        char for char in string.printable if char != "." and rules.ignores("", char, is_folder=False)
    )


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[[:digit:]]", string.digits),
        ("[[:upper:]_]", f"{string.ascii_uppercase}_"),
        ("[[:alpha:][:digit:]]", f"{string.digits}{string.ascii_letters}"),
        ("[c-a]", "c"),
        ("[a-c\\-]", "abc-"),
        ("[a-]", "a-"),
        ("[]a]", "a]"),
        ("[[]", "["),
        ("[[!^]", "![^"),
        ("[a\\]b]", "ab]"),
        ("[&&~~||]", "&|~"),
        ("[[:a]", ":[a"),
        ("\\[a", ""),
        ("[Å-ÿa]", "a"),
    ],
)
def test_what_a_set_stands_for(pattern: str, expected: str) -> None:
    assert sorted(left_out(pattern)) == sorted(expected)


def test_no_set_stands_for_what_parts_folders() -> None:
    rules = SHARED.within("", b"a/x[!b]y\na/x[[:punct:]]z\n")
    assert rules.ignores("a", "xcy", is_folder=False)
    assert rules.ignores("a", "x.z", is_folder=False)
    assert not rules.ignores("a/x", "y", is_folder=False)
    assert not rules.ignores("a/x", "z", is_folder=False)


@given(st.text(st.sampled_from("[]!^-\\:az&/é"), max_size=12))
def test_whatever_is_written_is_followed_or_refused(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            SHARED.within("", f"{text}\n[{text}]".encode())
        except BadRules:
            return
