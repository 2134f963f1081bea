"""resource, group, and what share says, against a node that answers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.fake_node import ANNA, BEN, CID
from tests.frontends.support import warren

if TYPE_CHECKING:
    from pathlib import Path

    from tests.frontends.support import RunningApi


@pytest.fixture
def run(
    api: RunningApi, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Any:
    monkeypatch.chdir(tmp_path)
    api.home.remember_listing("resources", [])
    return lambda *words: warren(capfd, api.home.path, *words)


def test_edit_show_and_clear(run: Any) -> None:
    said = run("resource", "edit", "papers/a.pdf", "--title", "Mine", "--tag", "x", "--tag", "y")
    assert said.code == 0
    width = len(f"{BEN} says")
    assert [(line[:width].rstrip(), line[width + 2 :]) for line in said.out.splitlines()] == [
        ("title", "Mine"),
        ("authors", "Anna"),
        ("tags", "x; y"),
        ("by hand", "title, tags"),
        ("shared as", "papers/a.pdf"),
        ("content id", str(CID)),
        (f"{BEN} says", "title: What Ben says"),
    ]
    shown = run("resource", "show", "papers/a.pdf", "--json").json
    assert (shown["metadata"]["title"], shown["by_hand"]) == ("Mine", ["title", "tags"])
    assert "From the file" in run("resource", "clear", "papers/a.pdf").out


def test_where_one_says_nothing_that_is_said_and_what_others_say(run: Any) -> None:
    lines = [line.split(maxsplit=2) for line in run("resource", "show", "papers/a.txt").out.splitlines()]
    assert lines == [
        ["you", "say", "nothing"],
        ["shared", "as", "papers/a.txt"],
        ["content", "id", str(CID)],
        [str(BEN), "says", "title: What Ben says"],
    ]


def test_empty_text_says_that_a_field_is_empty(run: Any) -> None:
    found = run("resource", "edit", "a.pdf", "--title", "", "--author", "", "--json").json
    assert (found["metadata"]["title"], found["metadata"]["authors"]) == ("", [])
    assert found["by_hand"] == ["title", "authors"]


def test_a_listing_has_numbers(run: Any) -> None:
    assert "warren resource edit" in run("resource", "list").out
    run("resource", "edit", "papers/a.pdf", "--title", "t" * 80, "--author", "Anna")
    said = run("resource", "list")
    assert said.out.splitlines()[0].split() == ["#", "TITLE", "AUTHORS", "SHARED", "AS"]
    assert said.out.splitlines()[1].split() == ["1", "t" * 59 + "…", "Anna", "papers/a.pdf"]
    assert run("resource", "show", "1", "--json").json["paths"] == [str(CID)]


def test_a_number_of_ls_is_ones_own_share_or_none_of_ones_own(run: Any, api: RunningApi) -> None:
    api.home.remember_listing("files", [{"share": "Photos"}, {"ref": f"{ANNA}/Photos"}])
    assert run("resource", "show", "1", "--json").json["paths"] == ["Photos"]
    said = run("resource", "edit", "2", "--title", "x")
    assert said.code == 4
    assert "not yours" in said.err


def test_a_peer_is_asked_for_what_it_shares(run: Any, api: RunningApi) -> None:
    said = run("resource", "show", "anna/papers/none")
    assert "title: of papers/none" in said.out
    assert said.out.splitlines()[0].split() == ["you", "say", "nothing"]
    api.home.remember_listing("files", [{"ref": f"{ANNA}/none"}])
    assert "title: of none" in run("resource", "show", "1").out
    for ref in ("anna/silent", "nobody/none", "none"):
        assert run("resource", "show", ref).code == 4


def test_a_local_path_is_made_absolute(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    assert run("resource", "show", "a.txt", "--json").json["paths"] == [str(tmp_path / "a.txt")]
    assert run("resource", "show", "b.txt", "--json").json["paths"] == ["b.txt"]


def test_mistakes_are_told(run: Any) -> None:
    said = run("resource", "edit", "a.pdf")
    assert said.code == 2
    assert "say something" in said.err
    assert run("resource", "show", "papers/none").code == 4
    assert run("resource", "edit", "a.pdf", "--title", "x" * 301).code == 2


def test_share_says_what_it_is(run: Any, api: RunningApi, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    words = (
        "--title",
        "Mine",
        "--author",
        "Anna",
        "--author",
        "Ben",
        "--domain",
        "botany",
        "--licence",
        "MIT",
    )
    assert run("share", tmp_path / "a", *words).code == 0
    assert api.node.resources.said["a"].names == ("title", "authors", "domains", "licence")
    assert api.node.resources.said["a"].authors == ("Anna", "Ben")
    assert run("share", tmp_path / "a").code == 0
    assert not api.node.resources.said["a"]


def test_groups(run: Any, tmp_path: Path) -> None:
    assert "warren group add" in run("group", "list").out
    said = run("group", "add", "family", "anna")
    assert said.out.splitlines() == ["group    family", "members  anna", "shares   nothing"]
    (tmp_path / "a").mkdir()
    shared = run("share", tmp_path / "a", "--audience", "group:family")
    assert shared.code == 0
    assert "with group:family" in shared.err
    assert run("group", "list").out.splitlines() == [
        "GROUP   MEMBERS   SHARES",
        "family  1 member  a",
    ]
    assert run("group", "show", "family", "--json").json["shares"] == ["a"]
    assert "nobody" in run("group", "rm", "family", "anna").out
    said = run("group", "rm", "family")
    assert (said.out, said.err) == ("removed family\n", "seen by nobody now: a\n")
    assert run("group", "show", "family").code == 4
    assert run("group", "add", "family", "ben").code == 4


@pytest.mark.parametrize("to", ["group:family,anna", "anna,group:family", "contacts,anna"])
def test_an_audience_that_stands_alone_mixes_with_none(run: Any, tmp_path: Path, to: str) -> None:
    said = run("share", tmp_path, "--to", to)
    assert said.code == 2
    assert "group:NAME" in said.err
