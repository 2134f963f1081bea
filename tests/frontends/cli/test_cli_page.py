"""The examples at the top of the page of the command line do what they say, between two real nodes."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from tests.frontends.cli.machine import LOOPBACK, Machine
from tests.frontends.cli.test_pages import page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

import pytest

# What the friend types; all else is typed by Anna.
BY_BEN = {"join"}
# It has tests of its own.
LEFT_OUT = {"demo"}


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Machine, Machine]]:
    anna, ben = Machine(tmp_path, "anna"), Machine(tmp_path, "ben")
    try:
        yield anna, ben
    finally:
        anna.clear_up()
        ben.clear_up()


def test_the_first_examples(two: tuple[Machine, Machine], tmp_path: Path) -> None:
    anna, ben = two
    block = re.search(r"^```\n(warren demo.*?)^```", page("cli.md"), re.MULTILINE | re.DOTALL)
    assert block
    (tmp_path / "Photos").mkdir()
    (tmp_path / "Photos" / "sea.jpg").write_bytes(b"sea")
    ben.ok("up", "-d", "--name", "ben", *LOOPBACK)
    for name in ("a.txt", "b.txt", "field guide.pdf"):
        (tmp_path / name).write_text(f"this is {name}")
    said = ""
    for line in block[1].splitlines():
        _, *words = shlex.split(line, comments=True)
        if words[0] in LEFT_OUT:
            continue
        words = [said.strip() if "abc..." in word else word.replace("~", str(tmp_path), 1) for word in words]
        said = (ben if words[0] in BY_BEN else anna).ok(*words, *(LOOPBACK if words[0] == "up" else ()))
        if words[0] == "join":
            for name in ("a.txt", "b.txt", "field guide.pdf"):
                ben.ok("share", tmp_path / name)
        if words[0] == "get":
            assert (anna.downloads / "field guide.pdf").read_text() == "this is field guide.pdf"
        if words[0] == "search":
            assert "field guide.pdf  [ben" in said
    assert anna.pid is None
