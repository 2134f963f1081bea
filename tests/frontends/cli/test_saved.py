"""Standing searches from the command line, between real nodes."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.cli.machine import LOOPBACK, Machine
from tests.frontends.support import HANGS_S, warren

if TYPE_CHECKING:
    from pathlib import Path

    from tests.frontends.support import RunningApi


def test_what_comes_later_is_found_and_fetched(tmp_path: Path) -> None:
    with ExitStack() as stack:
        anna, ben = machines = [Machine(tmp_path, name) for name in ("anna", "ben")]
        for one in machines:
            stack.callback(one.clear_up)
        ben.ok("up", "-d", "--name", "ben", *LOOPBACK)
        assert "nothing is saved" in ben.ok("search", "--saved")
        said = ben.ok("search", "--save", "maps", "old", "map", "--type", "pdf", "--min-size", "3", "--fetch")
        assert said == "saved maps: old map --type pdf --min-size 3\n"
        assert ben.ok("search", "--saved", "maps") == "nothing so far\n"
        ben.ok("down")
        anna.ok("up", "-d", "--name", "anna", *LOOPBACK)
        (tmp_path / "old map.pdf").write_bytes(b"here be dragons")
        anna.ok("share", tmp_path / "old map.pdf")
        ben.ok("up", "-d", *LOOPBACK)
        ben.ok("join", anna.ok("invite").strip())
        until = time.monotonic() + HANGS_S
        while not (found := ben.json("search", "--saved", "maps")["items"]) or not found[0]["fetched"]:
            assert time.monotonic() < until, found
        assert (ben.downloads / "old map.pdf").read_bytes() == b"here be dragons"
        head, line = ben.ok("search", "--saved", "maps").splitlines()
        assert head.split() == ["#", "SIZE", "KIND", "NAME", "AT", "FOUND"]
        assert line.startswith("1  15 B  pdf   old map.pdf  anna  ")
        assert line.endswith("  fetched")
        assert "saved search maps: found old map.pdf at anna" in ben.ok("logs")
        assert ben.ok("get", "1", "-o", tmp_path / "again").strip() == str(tmp_path / "again" / "old map.pdf")
        assert ben.ok("search", "--saved").splitlines()[1].split()[:3] == ["maps", "1", "yes"]
        for name, text in (("maps", "already"), (" ", "has 1 to 100 characters")):
            refused = ben.warren("search", "--save", name, "x")
            assert (refused.returncode, text in refused.stderr) == (2, True), refused.stderr
        assert ben.ok("search", "--forget", "maps") == "no longer saved: maps\n"
        gone = ben.warren("search", "--saved", "maps")
        assert (gone.returncode, "no search is saved as 'maps'" in gone.stderr) == (4, True)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--save", "a", "--forget", "b"), "--save and --forget exclude each other"),
        (("x", "--fetch"), "--fetch goes with --save NAME"),
        (("--forget", "a", "b"), "--forget takes one name and no words, not 'b'"),
        (("--saved", "a", "b"), "--saved takes one name and no words, not 'b'"),
        (("--save", "maps"), "the search has no word in it"),
    ],
)
def test_what_makes_no_sense_is_refused_with_2(
    api: RunningApi, capfd: pytest.CaptureFixture[str], words: Any, text: str
) -> None:
    said = warren(capfd, api.home.path, "search", *words)
    assert (said.code, said.out) == (2, "")
    assert text in said.err
