"""Copies that others can have when the origin is gone, with real nodes in processes of their own."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.frontends.cli.machine import machine
from tests.frontends.support import HANGS_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.frontends.cli.machine import Machine


@pytest.fixture
def three(tmp_path: Path) -> Iterator[tuple[Machine, Machine, Machine]]:
    anna, ben, cara = (machine(tmp_path, name) for name in ("anna", "ben", "cara"))
    yield next(anna), next(ben), next(cara)
    for one in (anna, ben, cara):
        next(one, None)


def copies(one: Machine) -> list[tuple[str, str, str]]:
    """Its copies, once there are some: that is not long after the fetch."""
    until = time.monotonic() + HANGS_S
    while not (found := [each for each in one.json("ls")["items"] if each["replica"]]):
        assert time.monotonic() < until
    return [(each["cid"], each["audience"], each["state"]) for each in found]


def test_what_was_fetched_is_had_from_there_when_the_origin_is_gone(
    three: tuple[Machine, Machine, Machine], tmp_path: Path
) -> None:
    anna, ben, cara = three
    for one in three:
        one.start()
    for other in (ben, cara):
        other.ok("join", anna.ok("invite", "--name", other.name).strip())
    cara.ok("join", ben.ok("invite", "--name", "cara").strip())
    photos = tmp_path / "Photos"
    (photos / "2024").mkdir(parents=True)
    (photos / "2024" / "sea.jpg").write_bytes(os.urandom(2_500_000))
    (photos / "notes.txt").write_text("hello\n")
    private = anna.ok("share", photos).strip()
    (tmp_path / "map.txt").write_text("for everybody\n")
    public = anna.ok("share", tmp_path / "map.txt", "--to", "public").strip()

    ben.ok("get", "anna/Photos")
    assert copies(ben) == [(private, "origin:anna", "watched")]
    assert "those anna lets" in ben.ok("ls")
    ben.ok("get", "anna/map.txt", "--no-keep")
    assert len(ben.json("ls")["items"]) == 1
    cara.ok("get", "anna/map.txt")
    assert copies(cara) == [(public, "public", "watched")]
    cara.ok("get", "anna/Photos", "-o", tmp_path / "first")  # and so it has a ticket
    cara.ok("unshare", private)

    anna.ok("down")
    again = cara.json("get", private, "-o", tmp_path / "again")
    assert [one["peer_id"] for one in again["sources"] if one["bytes_fetched"]] == [ben.json("id")["peer_id"]]
    for name in ("2024/sea.jpg", "notes.txt"):
        assert (Path(again["path"]) / name).read_bytes() == (photos / name).read_bytes()
    assert ben.json("get", public, "-o", tmp_path / "map")["files"] == 1

    (ben.downloads / "Photos" / "mine.txt").write_text("my own words\n")
    until = time.monotonic() + HANGS_S
    while "a copy that changed" not in ben.ok("ls"):
        assert time.monotonic() < until
    assert ben.ok("unshare", "Photos") == "no longer shared: Photos\n"
