"""`warren search`, and `warren get` of a hit: against a node that answers at once, and between real nodes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.cli.machine import LOOPBACK, PROGRAM, Machine
from tests.frontends.fake_node import ANNA, BEN, CID, STRANGER
from tests.frontends.support import HANGS_S, warren
from warren.frontends.cli import hits

if TYPE_CHECKING:
    from pathlib import Path

    from tests.frontends.support import RunningApi

FIRST = '  1     1.2 MB  pdf    old map.pdf  [anna]  "A map"'


@pytest.fixture
def run(api: RunningApi, capfd: pytest.CaptureFixture[str]) -> Any:
    return lambda *words: warren(capfd, api.home.path, *words)


def test_hits_are_lines_with_what_matters(run: Any) -> None:
    said = run("search", "old", "map")
    assert said.code == 0
    assert said.out.splitlines() == [
        FIRST,
        f"  2     1.2 MB  dir    no\\x1btes/  [offline: …{str(STRANGER)[-8:]}, …{str(BEN)[-8:]}]",
        "  3     1.2 MB  dir    Mine/  [you]",
        f'  1     1.2 MB  pdf    old map.pdf  [anna, …{str(BEN)[-8:]}]  "A map"',
    ]
    assert said.err == "more was learnt of these:\n3 hits; asked 2 of about 3\n"


def test_filters_go_to_the_node(run: Any, api: RunningApi) -> None:
    words = ("search", "sea", "shell", "--type", "pdf,epub", "--type", "dir", "--min-size", "1M")
    more = ("--max-size", "2.5 GB", "--author", "hooker", "--domain", "botany", "--online", "--ttl", "2")
    assert run(*words, *more).code == 0
    assert api.node.asked_for == [
        (
            "sea shell",
            {
                "suffixes": ["pdf", "epub", "dir"],
                "size_min": 1_000_000,
                "size_max": 2_500_000_000,
                "author": "hooker",
                "domain": "botany",
                "online": True,
                "ttl": 2,
            },
        )
    ]


@pytest.mark.parametrize(
    ("limit", "text"),
    [("3", "; there may be more, --limit shows up to 500"), ("4", ""), ("50", "")],
)
def test_a_list_that_is_full_says_so(run: Any, limit: str, text: str) -> None:
    assert run("search", "old", "--limit", limit).err.endswith(f"3 hits; asked 2 of about 3{text}\n")


def test_nothing_ends_with_4(run: Any) -> None:
    said = run("search", "nothing")
    assert (said.code, said.out) == (4, "")
    assert said.err.startswith("0 hits; asked 2 of about 3\nerror: nothing was found\nhint: try fewer")


def test_who_did_not_answer_and_the_end_of_time_are_told(run: Any) -> None:
    assert f"{BEN} did not answer: the line broke\n3 hits; asked 2 of" in run("search", "broken").err
    assert "; the 10 s were over, --seconds waits longer\n" in run("search", "slow").err


def test_as_json_each_line_is_a_document(run: Any) -> None:
    said = run("search", "old", "--json")
    *found, end = [json.loads(line) for line in said.out.splitlines()]
    assert [one["number"] for one in found if one["event"] == "hit"] == [1, 2, 3, 1]
    assert (end["event"], end["hits"], end["asked"], end["about"]) == ("result", 3, 2, 3)
    assert said.err == ""
    assert run("search", "nothing", "--json").err.startswith('{"error": "NotFound"')


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "the search has no word in it"),
        (("...",), "the search has no word in it"),
        (("x", "--min-size", "big"), "'big' is no size; write for instance 500k"),
        (("x", "--limit", "0"), "0 is not in the range 1<=x<=500"),
        (("x", "--seconds", "0"), "0.0 is not in the range"),
        (("x", "--ttl", "-1"), "-1 is not in the range"),
        (("x" * 501,), "500"),
    ],
)
def test_what_makes_no_sense_is_refused_with_2(run: Any, words: tuple[str, ...], text: str) -> None:
    said = run("search", *words)
    assert (said.code, said.out) == (2, "")
    assert text in said.err
    assert "hint: " in said.err


def test_a_hit_is_fetched_from_the_quickest_who_is_there(run: Any, api: RunningApi, tmp_path: Path) -> None:
    run("search", "old")
    done = run("get", "1", "-o", tmp_path)
    assert (done.code, done.out) == (0, f"{tmp_path / 'old map.pdf'}\n")
    ((ref, _, how),) = api.node.asked_to_get
    assert (ref, how["name"], how["from_peer"]) == (str(CID), "old map.pdf", None)
    assert set(how["holders"]) == {str(ANNA), str(BEN)}, "both are connected, and equally near"
    assert run("get", "1", "--from", "anna", "-o", tmp_path / "again").code == 0
    how = api.node.asked_to_get[-1][2]
    assert (how["holders"], how["from_peer"]) == ([], "anna")


def test_who_is_connected_comes_before_who_is_not(run: Any, api: RunningApi, tmp_path: Path) -> None:
    run("search", "old")
    api.node.network.connected = [BEN]
    run("get", "1", "-o", tmp_path)
    assert api.node.asked_to_get[-1][2]["holders"] == [str(BEN), str(ANNA)]


def test_a_hit_to_stdout(run: Any) -> None:
    run("search", "old")
    assert run("get", "1", "-o", "-").out == "content\n"
    assert "only a file can be written to stdout" in run("get", "2", "-o", "-").err


def test_ones_own_hit_is_here_already(run: Any) -> None:
    run("search", "old")
    assert run("get", "3").code == 4
    assert "is your own share" in run("get", "3").err
    assert "no line 4" in run("get", "4").err


def test_a_number_of_a_hit_is_never_a_peer(run: Any) -> None:
    run("peer", "list")
    run("search", "old")
    said = run("ls", "4")
    assert (said.code, said.out) == (4, "")
    assert "the last listing has no line 4" in said.err
    run("peer", "list")
    assert "the last peer list has no line 99" in run("ls", "99").err
    assert run("ls", "1").code == 0, "a peer, as peers were listed last"


def test_a_listing_takes_the_numbers_over(run: Any, api: RunningApi) -> None:
    run("search", "old")
    assert run("ls", "1").code == 0
    run("search", "old")
    run("ls", "anna")
    run("get", "1")
    assert api.node.asked_to_get[-1][0] == f"{ANNA}/Photos"


def test_ctrl_c_ends_the_search_and_keeps_its_numbers(api: RunningApi) -> None:
    api.call(api.node.hold.clear)
    words = [*PROGRAM, "search", "old", "--home", str(api.home.path)]
    environment = Machine(api.home.path, "x").environment
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as running:
        assert running.stdout is not None
        first, *_ = [running.stdout.readline() for _ in range(3)]
        assert first == FIRST + "\n"
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=HANGS_S)
    assert (running.returncode, out, err) == (130, "", "\ninterrupted\n")
    assert api.node.search_ended.wait(HANGS_S)
    assert api.home.listed("files", "1")["cid"] == str(CID)


def test_on_a_terminal_what_nobody_has_there_is_grey(api: RunningApi) -> None:
    for plain, code in ((False, b"\x1b[2m  2"), (True, b"  2")):
        reader, writer = pty.openpty()
        environment = Machine(api.home.path, "x").environment | {"TERM": "dumb" if plain else "xterm"}
        environment.pop("NO_COLOR", None)
        subprocess.run(
            [*PROGRAM, "search", "old", "--home", str(api.home.path)],
            stdout=writer,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=HANGS_S,
            check=True,
        )
        os.close(writer)
        lines = os.read(reader, 10_000).split(b"\r\n")
        os.close(reader)
        assert lines[1].startswith(code)
        assert lines[0].startswith(b"  1")


def test_a_long_title_is_cut_and_many_holders_are_counted() -> None:
    some = [
        {"peer_id": "x" * 52, "called": "", "name": f"p{i}", "own": False, "paths": ["a"], "online": True}
        for i in range(30)
    ]
    one = {"number": 7, "size": 5, "kind": "file", "name": "a", "title": "t" * 200, "online": True}
    text = hits.line({**one, "holders": some})
    assert text.endswith('  5 B  file   a  [p0, p1, p2 and 27 more]  "' + "t" * 77 + '..."')
    entry = hits.kept({**one, "cid": "c", "holders": some})
    assert entry is not None
    assert len(entry["holders"]) == hits.KEPT_HOLDERS_MAX


# --- real nodes ---------------------------------------------------------------------------------------------


def test_search_and_get_between_processes(tmp_path: Path) -> None:
    folder = tmp_path / "Maps"
    folder.mkdir()
    (folder / "old map.pdf").write_bytes(b"here be dragons")
    with ExitStack() as stack:
        anna, ben = machines = [Machine(tmp_path, name) for name in ("anna", "ben")]
        for one in machines:
            stack.callback(one.clear_up)
            one.environment["WARREN_FILES_NO_SOURCE_S"] = "1"
            one.ok("up", "-d", "--name", one.name, *LOOPBACK)
        ben.ok("join", anna.ok("invite").strip())
        anna.ok("share", folder)
        said = ben.warren("search", "old", "map", "--type", "pdf")
        assert said.returncode == 0, said.stderr
        assert said.stdout == "  1       15 B  pdf    old map.pdf  [anna]\n"
        assert "1 hit; asked 2 of about 2" in said.stderr
        got = ben.ok("get", "1").strip()
        assert got == str(ben.downloads / "old map.pdf")
        assert (ben.downloads / "old map.pdf").read_bytes() == b"here be dragons"
        assert ben.warren("search", "old", "--max-size", "3").returncode == 4
        anna.ok("unshare", "Maps")
        again = ben.warren("get", "1", "-o", tmp_path / "late")
        assert again.returncode == 4, again.stderr
        assert "Traceback" not in again.stderr
        assert ben.warren("search", "dragon").returncode == 4
