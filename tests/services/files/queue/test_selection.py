from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import InputError
from warren.services.files.queue.selection import CHARS_MAX, PATHS_MAX, PATTERNS_MAX, Selection

FILES = ("a.jpg", "notes.txt", "raw/b.jpg", "raw/deep/c.jpg", "top/a.txt", "x/top/b")


def wanted(*patterns: str, paths: tuple[str, ...] = ()) -> list[str]:
    selection = Selection(patterns, paths)
    return [path for path in FILES if selection.wants(path)]


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        ((), list(FILES)),
        (("*.jpg",), ["a.jpg", "raw/b.jpg", "raw/deep/c.jpg"]),
        (("/*.jpg",), ["a.jpg"]),
        (("*.jpg", "!raw/"), ["a.jpg"]),
        (("!raw/",), ["a.jpg", "notes.txt", "top/a.txt", "x/top/b"]),
        (("!raw/", "raw/deep/"), ["a.jpg", "notes.txt", "raw/deep/c.jpg", "top/a.txt", "x/top/b"]),
        (("/top/",), ["top/a.txt"]),
        (("top/",), ["top/a.txt", "x/top/b"]),
        (("raw/**/c.*",), ["raw/deep/c.jpg"]),
        (("[an]*",), ["a.jpg", "notes.txt", "top/a.txt"]),
    ],
)
def test_patterns_are_those_of_gitignore(patterns: tuple[str, ...], found: list[str]) -> None:
    assert wanted(*patterns) == found


def test_ticked_folders_have_all_that_is_in_them() -> None:
    assert wanted(paths=("raw", "top/a.txt")) == ["raw/b.jpg", "raw/deep/c.jpg", "top/a.txt"]
    assert wanted(paths=("raw/deep/",)) == ["raw/deep/c.jpg"]
    assert wanted("*.txt", paths=("raw", "top")) == ["top/a.txt"]


@pytest.mark.parametrize("pattern", ["[a", "[[:none:]]", "a\nb", "a\0b", "# a comment", ""])
def test_what_cannot_be_understood_is_refused(pattern: str) -> None:
    with pytest.raises(InputError, match="cannot be understood"):
        Selection((pattern,))


def test_bounds() -> None:
    for patterns, paths in (
        (("a",) * (PATTERNS_MAX + 1), ()),
        ((), ("a",) * (PATHS_MAX + 1)),
        ((), ("a" * CHARS_MAX, "b")),
    ):
        with pytest.raises(InputError):
            Selection(patterns, paths)
    assert not Selection()
    assert Selection(("*",))


@given(st.lists(st.text("ab/*!?[]\\ #", min_size=1), max_size=4), st.text("ab/", min_size=1))
def test_any_pattern_is_refused_or_decides(patterns: list[str], path: str) -> None:
    try:
        selection = Selection(tuple(patterns))
    except InputError:
        return
    assert selection.wants(path) in {True, False}


@given(
    st.lists(st.text("ab/", min_size=1), max_size=4),
    st.text("ab/", min_size=1).map(lambda path: path.strip("/")),
)
def test_a_path_is_ticked_with_itself_or_a_folder_above(paths: list[str], path: str) -> None:
    ticked = {one.strip("/") for one in paths}
    parts = path.split("/")
    above = {"/".join(parts[:end]) for end in range(1, len(parts) + 1)} if path else set[str]()
    assert Selection((), tuple(paths)).wants(path) == (not ticked or bool(above & ticked))
