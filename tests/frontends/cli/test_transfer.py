"""get and transfer, against a node whose queue is real and whose fetches come at once."""

from __future__ import annotations

import json
import subprocess
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.cli.machine import PROGRAM, Machine
from tests.frontends.cli.test_shell import at_terminal
from tests.frontends.fake_node import ANNA, BEN, CID
from tests.frontends.support import HANGS_S, warren
from warren.core.errors import ConnectionFailed, ContentUnknown, DiskFull
from warren.frontends.cli.client import Client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.frontends.support import RunningApi

NAMED = f"anna (…{str(ANNA)[-8:]})"


@pytest.fixture
def run(api: RunningApi, capfd: pytest.CaptureFixture[str]) -> Any:
    return lambda *words: warren(capfd, api.home.path, *words)


@pytest.fixture
def held(run: Any, api: RunningApi) -> Any:
    """`run`, with transfers 1 and 2 under way."""
    api.call(api.node.hold.clear)
    for name in ("a", "b"):
        assert run("get", f"anna/{name}", "-d").code == 0
    api.wait(lambda: len(api.node.fetched) == 2)
    return run


def let_go(api: RunningApi) -> None:
    api.call(api.node.hold.set)


def test_several_are_fetched_by_one_command(run: Any, api: RunningApi, tmp_path: Path) -> None:
    said = run("get", "anna/a", "anna/b", "-o", tmp_path)
    assert said.out.splitlines() == [str(tmp_path / "a"), str(tmp_path / "b")]
    document = run("get", "anna/c", "anna/d", "-o", tmp_path, "--json").json
    assert [one["path"] for one in document["items"]] == [str(tmp_path / "c"), str(tmp_path / "d")]
    assert [one["number"] for one in document["items"]] == [3, 4]
    assert len(api.node.fetched) == 4


def test_what_fails_does_not_keep_the_others(run: Any, api: RunningApi, tmp_path: Path) -> None:
    api.node.without_content = {str(BEN): ContentUnknown("it has no such thing", hint="look again")}
    said = run("get", "anna/a", "nobody/x", "ben/b", "-o", tmp_path)
    assert (said.code, said.out) == (4, f"{tmp_path / 'a'}\n")
    assert "error: no peer goes by 'nobody'" in said.err
    assert "error: it has no such thing" in said.err
    assert run("get", "ben/b").code == 4
    assert "hint: look again" in run("get", "ben/b").err


def test_how_it_is_fetched_is_passed_on(run: Any, api: RunningApi) -> None:
    words = [
        "--only",
        "*.jpg",
        "--only",
        "!raw/",
        "--priority",
        "7",
        "--cap",
        "5M",
        "--between",
        "22:00-06:00",
    ]
    assert run("get", "anna/a", *words, "--no-keep", "-d").code == 0
    (_, _, how) = api.node.asked_to_get[-1]
    assert (how["patterns"], how["priority"], how["cap_bytes_per_s"]) == (["*.jpg", "!raw/"], 7, 5_000_000)
    assert (how["between"], how["keep"], how["paths"]) == ("22:00-06:00", False, [])
    shown = run("transfer", "show", "1")
    for line in (
        "only        *.jpg, !raw/",
        "priority    7",
        "at most     5.0 MB/s",
        "runs        22:00-06:00",
    ):
        assert line in shown.out
    assert "shared      no" in shown.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--only", "["), "the pattern '[' cannot be understood"),
        (("--between", "soon"), "'soon' is no span of a day"),
        (("--priority", "10"), "10 is not in the range 0<=x<=9"),
        (("--cap", "fast"), "'fast' is no size"),
        (("-o", "-", "-d"), "-o - writes one file, at once"),
        (("-o", "-", "--only", "*"), "-o - writes one file, at once"),
        (("--choose",), "somebody must sit at a terminal"),
    ],
)
def test_what_cannot_be_meant(run: Any, words: Any, message: str) -> None:
    said = run("get", "anna/Photos", *words)
    assert (said.code, said.out) == (2, "")
    assert message in said.err


def test_detached_it_returns_at_once(run: Any, api: RunningApi) -> None:
    api.call(api.node.hold.clear)
    said = run("get", "anna/a", "--detach")
    assert (said.code, said.out) == (0, "1\n")
    assert f"a is transfer 1; see: warren transfer show --home {api.home.path} 1" in said.err
    assert run("get", "anna/b", "-d", "--json").json["number"] == 2
    let_go(api)
    assert run("transfer", "show", "1", "-f").code == 0
    assert "state       done" in run("transfer", "show", "1").out


def test_list_shows_both_directions(held: Any, api: RunningApi) -> None:
    up = SimpleNamespace(peer=BEN, name="sea.mkv", bytes_sent=3_000_000, bytes_per_s=2e6, state="sending")
    late = SimpleNamespace(peer=ANNA, name="sea.mkv", bytes_sent=0, bytes_per_s=0.0, state="waiting")
    api.node.transfers.uploads = lambda: (up, late)
    rows = [line.split("  ") for line in held("transfer", "list").out.splitlines()]
    rows = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert rows[0] == ["#", "WHAT", "STATE", "DONE", "SIZE", "SPEED", "LEFT", "FROM"]
    assert rows[1] == ["1", "a", "fetching", "10 %", "10 B", "5 B/s", "1.8 s", NAMED]
    assert rows[3][:5] == ["-", "sea.mkv", "sending", "-", "3.0 MB"]
    assert rows[3][-1] == f"to {BEN}"
    assert rows[4][2] == "waits for its turn"
    document = held("transfer", "list", "--json").json
    assert [one["number"] for one in document["items"]] == [1, 2]
    assert document["uploads"][0]["bytes_per_s"] == 2_000_000


def test_an_empty_list_says_what_to_do(run: Any) -> None:
    assert "nothing is fetched" in run("transfer", "list").out


def test_a_long_list_is_cut_where_it_is_over(run: Any, tmp_path: Path) -> None:
    run("get", *(f"anna/{number}" for number in range(12)), "-o", tmp_path)
    said = run("transfer", "list")
    assert len(said.out.splitlines()) == 11
    assert "and 2 more that ended: warren transfer list --home" in said.err
    assert len(run("transfer", "list", "--all").out.splitlines()) == 13


def test_show_tells_all(held: Any, api: RunningApi) -> None:
    said = held("transfer", "show", "1").out
    for line in (
        "number      1",
        "what        a",
        f"asked for   {ANNA}/a",
        "content id  not known yet",
        "state       fetching",
        "done        1 B of 10 B (10 %)",
        "left        1.8 s",
        f"goes into   {api.node.config.download_dir}",
        f"from        {NAMED}",
    ):
        assert line in said
    head, row = said.splitlines()[-2:]
    assert head.split() == ["SOURCE", "STATE", "SHARE", "CAME", "SPEED", "NOTE"]
    assert row.split()[2:] == ["active", "100", "%", "10", "B", "5", "B/s"]
    missing = held("transfer", "show", "9")
    assert (missing.code, "there is no transfer 9" in missing.err) == (4, True)


def test_pause_resume_and_cancel(held: Any, api: RunningApi) -> None:
    assert held("transfer", "pause", "1", "2").out == "1: a paused\n2: b paused\n"
    assert sorted(api.node.cancelled) == ["a", "b"]
    assert "paused" in held("transfer", "list").out
    assert held("transfer", "pause", "all").err == "there is none\n"
    assert held("transfer", "resume", "1", "--json").json["state"] == "queued"
    said = held("transfer", "cancel", "2")
    assert said.err == "removing what was fetched of b: 1 B\n"
    assert said.out == "2: b is cancelled\n"
    let_go(api)
    assert held("transfer", "show", "1", "-f").code == 0
    assert held("transfer", "pause", "1").code == 2
    assert held("transfer", "cancel", "all").err == "there is none\n"
    assert held("transfer", "cancel", "1").out == "1: a is no longer listed\n"
    assert held("transfer", "list", "--json").json["items"] == []


def test_what_failed_is_tried_again(run: Any, api: RunningApi, tmp_path: Path) -> None:
    api.node.without_content = {str(ANNA): ContentUnknown("not yet")}
    assert run("get", "anna/a", "-o", tmp_path).code == 4
    assert "reason      not yet" in run("transfer", "show", "1").out
    api.node.without_content = {}
    assert run("transfer", "retry", "all").out == "1: a is tried again\n"
    run("transfer", "show", "1", "-f")
    assert (tmp_path / "a").exists()
    assert run("transfer", "retry", "1").code == 2


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (
            ConnectionFailed("nobody is there"),
            "it stays in the queue, and goes on when somebody comes who has it",
        ),
        (DiskFull("no room"), "it goes on by itself when there is room"),
    ],
)
def test_what_goes_on_later_says_so(run: Any, api: RunningApi, error: Any, hint: str) -> None:
    api.node.without_content = {str(ANNA): error}
    said = run("get", "anna/a")
    assert said.code == error.exit_code
    assert str(error) in said.err
    assert f"hint: {hint}; see: warren transfer show --home {api.home.path} 1" in said.err


def test_what_is_stopped_elsewhere_says_so(api: RunningApi) -> None:
    for verb, message in (("pause", "transfer 1 was paused"), ("cancel", "transfer 1 was cancelled")):
        with getting(api) as child:
            if verb == "pause":
                api.client.post("transfers", "1", "pause")
            else:
                api.client.delete("transfers", "1")
            _, err = child.communicate(timeout=HANGS_S)
        assert (child.returncode, message in err) == (1, True), err


def getting(api: RunningApi, *words: str) -> Any:
    """`get anna/a` in a process of its own, once it is under way."""
    api.call(api.node.hold.clear)
    before = len(api.node.fetched)
    child = subprocess.Popen(
        [*PROGRAM, "get", "anna/a", *words, "--home", str(api.home.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=Machine(api.home.path, "x").environment,
    )
    api.wait(lambda: len(api.node.fetched) > before)
    return child


def state_of(api: RunningApi) -> str:
    one = api.client.get("transfers", "1")
    return f"{one['state']}/{one['cause']}"


def pressed_at(event: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is pressed when such a line was read."""
    real = Client.stream

    def stream(self: Client, *words: Any, **query: Any) -> Any:
        for line in real(self, *words, **query):
            if line["event"] == event and (event != "progress" or line["done_bytes"]):
                raise KeyboardInterrupt
            yield line

    monkeypatch.setattr(Client, "stream", stream)


def test_ctrl_c_pauses_it_and_says_how_to_go_on(
    run: Any, api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.call(api.node.hold.clear)
    pressed_at("progress", monkeypatch)
    said = run("get", "anna/a")
    how = f"warren transfer resume --home {api.home.path} 1"
    assert (said.code, said.out) == (130, "")
    assert said.err == f"paused a at 10 %; go on with: {how}\n\ninterrupted\n"
    assert state_of(api) == "paused/user"


def test_ctrl_c_at_the_very_beginning_pauses_it_too(
    run: Any, api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.call(api.node.hold.clear)
    pressed_at("added", monkeypatch)
    said = run("get", "anna/a")
    assert (said.code, said.out) == (130, "")
    assert f"is paused; see: warren transfer list --home {api.home.path}\n" in said.err
    api.wait(lambda: state_of(api) == "paused/user")


def test_a_terminal_that_is_closed_pauses_it_too(api: RunningApi) -> None:
    with getting(api) as child:
        child.kill()
    api.wait(lambda: state_of(api) == "paused/user")


def test_priority_and_limits(held: Any) -> None:
    assert held("transfer", "priority", "1", "2", "9").out == "1: a has priority 9\n2: b has priority 9\n"
    assert held("transfer", "priority", "1", "10").code == 2
    said = held("transfer", "limit", "1", "--down", "5M", "--between", "0:00-23:59").out
    assert said == "1: a has at most 5.0 MB/s, runs 00:00-23:59\n"
    said = held("transfer", "limit", "all", "--down", "none", "--between", "always").out
    assert said.splitlines()[0] == "1: a has no cap, runs at any hour"
    assert held("transfer", "limit").out == "no limits\n"
    assert (
        held("transfer", "limit", "--down", "5M", "--up", "1M/s").out
        == "down 5.0 MB/s at most, up 1.0 MB/s at most\n"
    )
    assert held("transfer", "limit", "--json").json == {
        "down_bytes_per_s": 5_000_000,
        "up_bytes_per_s": 1_000_000,
    }
    assert "all together: down 5.0 MB/s at most" in held("transfer", "list").err
    assert held("transfer", "limit", "--down", "default", "--up", "none").out == "no limits\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("pause", "x"), 2, "'x' is no number of a transfer"),
        (("pause", "1", "all"), 2, "all means all of them"),
        (("cancel", "7"), 4, "there is no transfer 7"),
        (("limit", "1"), 2, "of one transfer there are --down and --between"),
        (("limit", "1", "--up", "1M"), 2, "of one transfer there are --down and --between"),
        (("limit", "--between", "always"), 2, "--between is of transfers"),
        (("limit", "--down", "fast"), 2, "'fast' is no size"),
    ],
)
def test_what_cannot_be_done_is_said(run: Any, words: Any, code: int, message: str) -> None:
    said = run("transfer", *words)
    assert (said.code, said.out) == (code, "")
    assert message in said.err


def test_one_that_cannot_does_not_keep_the_others(held: Any, api: RunningApi) -> None:
    api.call(lambda: None)
    held("transfer", "cancel", "1")
    let_go(api)
    held("transfer", "show", "2", "-f")
    said = held("transfer", "pause", "2", "2")
    assert (said.code, "transfer 2 is done" in said.err) == (2, True)
    assert json.loads(held("transfer", "pause", "2", "--json").err)["error"] == "InputError"


def test_outside_its_hours_it_is_left_to_the_queue(run: Any, api: RunningApi) -> None:
    from datetime import datetime, timedelta

    then = datetime.now() + timedelta(hours=2)  # noqa: DTZ005  as people write it
    hours = f"{then:%H:%M}-{then + timedelta(hours=1):%H:%M}"
    said = run("get", "anna/a", "--between", hours)
    assert (said.code, said.out) == (0, "")
    assert f"a runs {hours}; see: warren transfer show --home {api.home.path} 1" in said.err
    assert f"its hours begin at {hours[:5]}" in run("transfer", "show", "1").out


# --- choosing -----------------------------------------------------------------------------------------------


def listed(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    from warren.services.files.types import FileEntry

    entries = {
        "Photos": [("Photos/raw", "dir", 0), ("Photos/a.jpg", "file", 4), ("Photos/link", "symlink", 0)],
        "Photos/raw": [("Photos/raw/b.jpg", "file", 2), ("Photos/raw/c.txt", "file", 3)],
        "file": [("file", "file", 1)],
        "empty": [],
    }

    async def list_files(_: Any = None, path: str = "") -> Any:
        return [
            FileEntry(where.rpartition("/")[2], where, kind, size, CID)  # type: ignore[arg-type]
            for where, kind, size in entries[path]
        ]

    monkeypatch.setattr(api.node, "list_files", list_files)


@pytest.mark.parametrize(
    ("keys", "paths"), [("\r", []), (" \x1b[B\x1b[B \r", ["raw/c.txt"]), ("n/.txt\ra\r", ["raw/c.txt"])]
)
def test_files_are_ticked_at_the_terminal(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch, keys: str, paths: list[str]
) -> None:
    listed(api, monkeypatch)
    with at_terminal(api.home.path, Machine(api.home.path, "x").environment) as typist:
        typist.expect("warren> ")
        typist.type("GET anna/Photos --choose\n")
        typist.expect("3 of 3 files ticked, 9 B")
        typist.expect("raw/")
        typist.expect("q leaves")
        typist.type(keys)
        typist.expect(str(api.node.config.download_dir / "Photos"))
    assert api.node.asked_to_get[-1][2]["paths"] == paths


def test_leaving_the_choice_fetches_nothing(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(api, monkeypatch)
    with at_terminal(api.home.path, Machine(api.home.path, "x").environment) as typist:
        for ref, key, said in (
            ("anna/Photos", "q", "interrupted"),
            ("anna/Photos", "\x03", "interrupted"),
            ("anna/file", "", "file is a file"),
            ("anna/empty", "", "no file is in empty"),
        ):
            typist.expect("warren> ")
            typist.type(f"GET {ref} --choose\n")
            if key:
                typist.expect("q leaves")
                typist.type(key)
            typist.expect(said)
    assert api.node.asked_to_get == []
