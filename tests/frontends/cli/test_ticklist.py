from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.frontends.cli.ticklist import TickList
from warren.services.files.queue.selection import Selection

FILES = [("raw/deep/c.jpg", 3), ("notes.txt", 1), ("raw/b.jpg", 2), ("a.jpg", 4)]


def pressed(*keys: str) -> TickList:
    ticks = TickList(FILES)
    for key in keys:
        assert ticks.press(key) is None
    return ticks


def test_folders_come_before_what_is_in_them() -> None:
    assert pressed().lines(60, 20) == [
        "4 of 4 files ticked, 10 B",
        "> [x]       4 B  a.jpg",
        "  [x]       1 B  notes.txt",
        "  [x]       5 B  raw/",
        "  [x]       2 B    b.jpg",
        "  [x]       3 B    deep/",
        "  [x]       3 B      c.jpg",
        "space ticks  a all  n none  / filter  enter fetches  q leave",
    ]


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        ((), []),
        ((" ",), ["notes.txt", "raw"]),
        (("n", "down", " "), ["notes.txt"]),
        (("n", "down", "down", " "), ["raw"]),
        (("down", "down", "down", " "), ["a.jpg", "notes.txt", "raw/deep"]),
        (("end", " "), ["a.jpg", "notes.txt", "raw/b.jpg"]),
        (("end", "pageup", "up", " "), ["notes.txt", "raw"]),
        (("pagedown", "home", " ", " "), []),
        (("n", "a"), []),
        (("n", "/", "j", "p", "g", "enter", "a"), ["a.jpg", "raw"]),
        (("/", "x", "backspace", "b", ".", "enter", "n"), ["a.jpg", "notes.txt", "raw/deep"]),
        (("/", "C", ".", "j", "enter", " ", "escape"), ["a.jpg", "notes.txt", "raw/b.jpg"]),
        (("/", "z", "z", "enter", " ", "down"), []),
        (("/", "z", "up", "escape", " "), ["notes.txt", "raw"]),
        (("x",), []),
    ],
)
def test_keys(keys: tuple[str, ...], chosen: list[str]) -> None:
    ticks = pressed(*keys)
    assert ticks.chosen() == chosen
    assert ticks.press("enter") == "chosen"


def test_leaving_and_choosing_nothing() -> None:
    assert pressed().press("q") == "left"
    ticks = pressed("n")
    assert ticks.press("enter") is None
    assert ticks.lines(60, 20)[-1] == "nothing is ticked"
    assert "0 of 4 files" in ticks.lines(60, 20)[0]


def test_what_is_shown_while_a_filter_is_typed() -> None:
    ticks = pressed(" ", "/", "j")
    assert ticks.lines(60, 20) == [
        "3 of 4 files ticked, 6 B",
        "> [ ]       4 B  a.jpg",
        "  [x]       2 B  raw/b.jpg",
        "  [x]       3 B  raw/deep/c.jpg",
        "/j_",
    ]
    ticks.press("z")
    assert ticks.lines(60, 20)[1] == "  nothing fits 'jz'"
    ticks.press("enter")
    assert ticks.lines(60, 20)[0].endswith("shown: jz")


def test_part_of_a_folder_has_a_mark_of_its_own() -> None:
    assert "  [-]       5 B  raw/" in pressed("end", " ").lines(60, 20)


def test_the_window_follows() -> None:
    ticks = TickList([(f"{number:03}", 1) for number in range(100)])
    for key, first in (("down", "000"), ("end", "098"), ("up", "098"), ("up", "097"), ("home", "000")):
        ticks.press(key)
        lines = ticks.lines(40, 4)
        assert (len(lines), lines[1].split()[-1]) == (4, first)
        assert any(line.startswith(">") for line in lines[1:-1])


def test_names_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in "".join(TickList([("\x1b[2J", 1)]).lines(40, 9))


names = st.text("ab", min_size=1, max_size=2)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
keys = st.sampled_from(
    ["up", "down", "pagedown", "home", "end", " ", "a", "n", "/", "b", "enter", "escape", "backspace"]
)


@given(st.sets(paths, min_size=1, max_size=12), st.lists(keys, max_size=30))
def test_what_is_chosen_is_what_is_ticked(found: set[str], typed: list[str]) -> None:
    files = {path for path in found if not any(other.startswith(f"{path}/") for other in found)}
    ticks = TickList([(path, 1) for path in sorted(files)])
    for key in typed:
        ticks.press(key)
        lines = ticks.lines(30, 8)
        assert len(lines) <= 8
    ticks.press("escape")
    ticks.press("escape")
    marked = {line.split("]")[0][-1] for line in ticks.lines(80, 100)[1:-1]}
    if marked == {" "}:
        assert ticks.press("enter") is None
        return
    selection = Selection((), tuple(ticks.chosen()))
    count = int(ticks.lines(80, 100)[0].split()[0])
    assert sum(selection.wants(path) for path in files) == count
