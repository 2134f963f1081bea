from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import InputError
from warren.frontends.cli.shell.lines import seconds_of, words_of

KNOWN = ("search", "get", "peer", "shell", "status")
GROUPS = ("peer",)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("   ", []),
        ("STATUS", ["status"]),
        ("Query Old MAP --type pdf", ["search", "Old", "MAP", "--type", "pdf"]),
        ('query \'"sea"\' "two words"', ["search", '"sea"', "two words"]),
        ("GET 3 -o ~/Desktop", ["get", "3", "-o", "~/Desktop"]),
        ("PEER List --All", ["peer", "list", "--All"]),
        ("peer", ["peer"]),
        ("Exit", ["exit"]),
        ("quit", ["exit"]),
        ("? Query", ["help", "Query"]),
        ("WAIT 3", ["wait", "3"]),
        ("warren status", ["status"]),
        ("warren", []),
    ],
)
def test_lines_become_words(line: str, words: list[str]) -> None:
    assert words_of(line, KNOWN, GROUPS) == words


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("query sailor's", "a quotation mark that is not closed"),
        ("get x\\", "ends in a backslash"),
        ("statsu", "no command 'statsu'; did you mean 'status'?"),
        ("QUERRY x", "no command 'QUERRY'; did you mean 'query'?"),
        ("xyzzy", "no command 'xyzzy'"),
        ("--json status", "a command comes first, not '--json'"),
        ("shell", "this is the shell already"),
    ],
)
def test_what_is_wrong_is_said(line: str, text: str) -> None:
    with pytest.raises(InputError, match=r".") as caught:
        words_of(line, KNOWN, GROUPS)
    assert text in str(caught.value)
    assert caught.value.hint


@given(st.text())
def test_any_line_gives_words_or_an_input_error(line: str) -> None:
    with contextlib.suppress(InputError):
        words = words_of(line, KNOWN, GROUPS)
        assert not words or words[0] in {*KNOWN, "help", "wait", "exit"}


def test_seconds() -> None:
    assert seconds_of([]) is None
    assert seconds_of(["0.5"]) == 0.5
    for words in (["x"], ["-1"], ["1", "2"], ["nan"], ["inf"]):
        with pytest.raises(InputError, match="WAIT takes seconds, not"):
            seconds_of(words)
