"""What commands ask and show, against a node that answers at once."""

from __future__ import annotations

import base64
import io
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.frontends.fake_node import ANNA, BEN, CID, ME
from tests.frontends.support import hold_until_progress_is_shown, warren
from warren.core.errors import SourceVanished
from warren.services.files.types import Audience, Share
from warren.services.presence.model import Tally

if TYPE_CHECKING:
    from pathlib import Path

    from tests.frontends.support import RunningApi


@pytest.fixture
def run(api: RunningApi, capfd: pytest.CaptureFixture[str]) -> Any:
    return lambda *words: warren(capfd, api.home.path, *words)


def test_status(run: Any) -> None:
    said = run("status")
    assert said.code == 0
    assert "name       me" in said.out
    assert "up         1 day 2 h, process" in said.out
    assert "peers      2 connected, 1 contact" in said.out
    assert f"listens on /ip4/192.0.2.7/tcp/4101/p2p/{ME}" in said.out
    assert run("status", "--json").json["peer_id"] == str(ME)


def test_id_is_the_id_alone(run: Any) -> None:
    assert run("id").out == f"{ME}\n"
    assert run("id", "--json").json["listen"]


def test_invite(run: Any) -> None:
    said = run("invite", "--uses", "3", "--expires", "2d")
    assert said.out == "warren13\n"
    assert said.err == "good for 3 peers within 2 days; the other side types: warren join CODE\n"
    assert run("invite", "--expires", "soon").code == 2


def test_join_puts_a_broken_code_together(run: Any, api: RunningApi) -> None:
    said = run("join", "warren1", "abc")
    assert said.out == f"anna ({ANNA}) is already your contact\n"
    assert f"warren ls --home {api.home.path} anna" in said.err
    assert run("join", "hello").code == 2


def test_join_reads_a_code_from_stdin(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"warren1abc\n")))
    assert run("join", "-").code == 0


def test_peers_have_numbers(run: Any) -> None:
    said = run("peer", "list")
    rows = [line.split() for line in said.out.splitlines()]
    assert rows[0] == ["#", "NAME", "STATE", "LATENCY", "DOWN", "UP", "SEEN", "PEER", "ID"]
    assert rows[1][:5] == ["1", "anna", "connected", "20.0", "ms"]
    assert rows[1][-2:] == ["now", str(ANNA)]
    assert rows[2][:2] == ["2", "-"]
    assert f"peer id    {BEN}" in run("peer", "show", "2").out
    assert run("ping", "1", "-c", "1", "--json").out.count(str(ANNA)) == 1
    assert run("peer", "show", "3").code == 4


def test_no_peers_yet(run: Any, api: RunningApi) -> None:
    api.call(api.node.contacts.known.clear)
    api.call(api.node.network.connected.clear)
    assert "warren invite" in run("peer", "list").out


def test_peer_show(run: Any) -> None:
    said = run("peer", "show", "anna")
    assert "name       anna" in said.out
    assert "program    js-libp2p/3.3.0" in said.out
    assert "address    /ip4/192.0.2.7/tcp/4101" in said.out
    assert "latency    20.00 ms ± 1.00 ms, measured" in said.out
    assert "download   100.0 Mbit/s (12.5 MB/s), measured" in said.out
    assert "says       region: north" in said.out
    assert "roles      dht" in said.out
    assert run("peer", "show", "nobody").code == 4


def test_peer_show_says_whom_votes_hold_offline(run: Any, api: RunningApi) -> None:
    assert "held offline" not in run("peer", "show", "anna").out
    api.node.presence.held[ANNA] = Tally(3, 5)
    assert "state      connected, held offline by votes (3 of 5)" in run("peer", "show", "anna").out
    found = json.loads(run("peer", "show", "anna", "--json").out)
    assert found["held_offline"] == {"accusers": 3, "online": 5}


def test_an_ambiguous_peer_lists_the_candidates(run: Any) -> None:
    said = run("peer", "show", "12D3")
    assert said.code == 4
    assert said.err.splitlines() == [
        "error: '12D3' fits 2 peers",
        f"  anna ({ANNA})",
        f"  {BEN}",
        "hint: type more",
    ]
    assert json.loads(run("peer", "show", "12D3", "--json").err)["candidates"] == [f"anna ({ANNA})", str(BEN)]


def test_peer_add_and_rm(run: Any) -> None:
    assert "is now your contact" in run("peer", "add", f"/ip4/1.2.3.4/tcp/1/p2p/{BEN}", "--name", "ben").out
    assert run("peer", "rm", "ben").out == f"removed ben (…{str(BEN)[-8:]})\n"


def test_ping(run: Any) -> None:
    said = run("ping", "anna", "-c", "2", "-i", "0")
    assert said.out.splitlines() == [
        "1: 0.50 ms",
        "2: 0.50 ms",
        f"anna (…{str(ANNA)[-8:]}): min 0.50 ms, median 0.50 ms, max 0.50 ms",
    ]
    documents = [
        json.loads(line) for line in run("ping", "anna", "-c", "2", "-i", "0", "--json").out.splitlines()
    ]
    assert [one["event"] for one in documents] == ["progress", "progress", "result"]


def test_ls_tells_copies_from_shares_of_ones_own(run: Any, api: RunningApi, tmp_path: Path) -> None:
    kept = api.node.kept
    copy = Share("map", tmp_path / "my map", CID, Audience("origin", (ANNA,)), "file", 1, 10, replica=True)
    kept += [copy, replace(copy, name="changed", audience=Audience("public"), state="changed")]
    _, first, second = run("ls").out.splitlines()
    assert "those anna lets" in first
    assert "a copy, up to date" in first
    assert "a copy that changed, for nobody now; to share it: warren share" in second
    assert f"'{tmp_path / 'my map'}'" in second
    assert [one["replica"] for one in run("ls", "--json").json["items"]] == [True, True]


def test_speedtest(run: Any) -> None:
    said = run("speedtest", "anna", "--seconds", "1")
    assert said.out.splitlines() == [
        "download   2,400.0 Mbit/s (300.0 MB/s)",
        "upload     1,600.0 Mbit/s (200.0 MB/s)",
        "round trip 1.00 ms, the least of five",
    ]
    assert f"measuring to and from anna (…{str(ANNA)[-8:]}) for 1.0 s" in said.err


def test_share_ls_unshare(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "Photos"
    folder.mkdir()
    said = run("share", folder, "--to", "anna")
    assert said.out == f"{CID}\n"
    assert "shared Photos: 2 files, 10 B, with anna" in said.err
    assert "left out: link (leads out of the share)" in said.err
    listed = run("ls")
    assert listed.out.splitlines()[1].split()[:5] == ["1", "Photos", "10", "B", "2"]
    assert str(CID) not in listed.out
    assert str(CID) in run("ls", "-l").out
    assert run("get", "1").code == 4
    assert run("unshare", "1").out == "no longer shared: Photos\n"
    assert "nothing is shared yet" in run("ls").out
    assert run("unshare", "Photos").code == 4


def test_share_of_nothing(run: Any, tmp_path: Path) -> None:
    said = run("share", tmp_path / "none")
    assert said.code == 2
    assert "does not exist" in said.err


def test_ls_of_a_peer_gives_numbers_to_get(run: Any, tmp_path: Path) -> None:
    said = run("ls", "anna")
    assert [line.split() for line in said.out.splitlines()[1:]] == [
        ["1", "2.5", "MB", "Photos/"],
        ["2", "12", "B", "notes.txt"],
    ]
    got = run("get", "2", "-o", tmp_path / "out")
    assert got.out == f"{tmp_path / 'out' / 'notes.txt'}\n"
    assert "1 file, 8 B" in got.err
    assert "verified" in got.err


def test_ls_shows_a_page_whose_numbers_are_those_of_the_whole(run: Any, api: RunningApi) -> None:
    said = run("ls", "anna/many", "--limit", "2", "--offset", "3")
    assert [line.split()[0] for line in said.out.splitlines()] == ["#", "4", "5"]
    assert said.err == (
        f"and 996 entries more: warren ls --home {api.home.path} anna/many --limit 2 --offset 5\n"
    )
    assert api.home.listed("files", "1001")["ref"].endswith("/many/f1000")
    page = run("ls", "anna/many", "--limit", "2", "--offset", "1000", "--json").json
    assert ([one["name"] for one in page["items"]], page["total"], page["offset"]) == (["f1000"], 1001, 1000)
    beyond = run("ls", "anna/many", "--offset", "2000")
    assert (beyond.code, beyond.out, beyond.err) == (0, "", "no more: there are 1,001 entries\n")
    assert run("ls", "anna/many", "--limit", "0").code == 2


def test_ls_goes_into_a_folder_by_its_number(
    run: Any, api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("ls", "anna")
    asked: list[object] = []
    real = api.node.list_files

    async def note(peer: Any = None, path: Any = "") -> Any:
        asked.append((peer, path))
        return await real(peer, path)

    monkeypatch.setattr(api.node, "list_files", note)
    assert run("ls", "1").code == 0
    assert asked == [(ANNA, "Photos")]


def test_ones_own_entries_have_numbers_too(
    run: Any, api: RunningApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Photos").mkdir()
    run("share", tmp_path / "Photos")
    asked: list[object] = []
    real = api.node.list_files

    async def note(peer: Any = None, path: Any = "") -> Any:
        asked.append((peer, path))
        return await real(peer, path)

    monkeypatch.setattr(api.node, "list_files", note)
    assert run("ls", "Photos").code == 0
    listed = api.home.listed("files", "1")
    assert run("ls", "1").code == 0
    assert asked == [(None, "Photos"), (None, listed["share"])]
    run("ls", "Photos")
    assert "it is on this disk already" in run("get", "1").err


def test_get_to_stdout_reads_the_file_as_it_comes(run: Any, api: RunningApi) -> None:
    said = run("get", "anna/notes.txt", "-o", "-")
    assert (said.out, said.err) == ("content\n", "")
    assert run("get", "notes.txt", "--from", "anna", "-o", "-").out == "content\n"
    assert run("get", str(CID), "-o", "-").out == "content\n"
    assert run("get", str(CID), "--from", "anna", "-o", "-").out == "content\n"
    assert api.node.opened == [
        (CID, None, [ANNA]),
        (CID, ANNA, [ANNA]),
        (CID, None, []),
        (CID, ANNA, [ANNA]),
    ]
    api.wait(lambda: not any(reading.is_open for reading in api.node.readings))
    assert run("transfer", "list", "--json").json["items"] == []
    assert run("get", "anna/notes.txt", "-o", "-", "--json").code == 2


def test_an_address_for_a_player_reads_the_file_and_nothing_else(run: Any, api: RunningApi) -> None:
    for words, known in (
        (("anna/notes.txt",), (None, [ANNA])),
        (("notes.txt", "--from", "anna"), (ANNA, [ANNA])),
        ((str(CID),), (None, [])),
    ):
        said = run("get", *words, "--url")
        assert (said.code, said.err) == (0, "")
        url = urlsplit(said.out.strip())
        assert (url.hostname, url.port, url.path) == ("127.0.0.1", api.port, f"/v1/files/{CID}")
        assert api.home.door().token not in said.out
        assert parse_qs(url.query).get("name", []) == (["notes.txt"] if words[0] != str(CID) else [])
        shown = "Basic " + base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
        response, raw = api.request("GET", f"{url.path}?{url.query}", headers={"Authorization": shown})
        assert (response.status, raw) == (200, b"content\n")
        assert api.node.opened[-1] == (CID, *known)
        assert api.request("GET", "/v1/status", headers={"Authorization": shown})[0].status == 401
    made = run("get", "anna/notes.txt", "--url", "--json").json
    assert made["expires_at"] - time.time() == pytest.approx(86_400, abs=60)
    assert run("transfer", "list", "--json").json["items"] == []


@pytest.mark.parametrize("more", [("-o", "-"), ("-o", "x"), ("-d",), ("--only", "*"), ("anna/more",)])
def test_an_address_is_of_one_file_alone(run: Any, more: Any) -> None:
    said = run("get", "anna/notes.txt", "--url", *more)
    assert said.code == 2
    assert said.out == ""


def test_get_that_fails_names_who_served_what(run: Any) -> None:
    said = run("get", "anna/bad")
    assert said.code == 7
    assert f"peer anna (…{str(ANNA)[-8:]}) served bad data" in said.err
    assert str(CID) in said.err


def test_get_in_json(run: Any, tmp_path: Path) -> None:
    said = run("get", "anna/a", "-o", tmp_path, "--json")
    assert said.json["path"] == str(tmp_path / "a")
    assert said.err == ""


def test_get_shows_progress_as_lines_where_nobody_watches(
    run: Any, api: RunningApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warren.frontends.cli.following.PLAIN_EVERY_S", 0)
    hold_until_progress_is_shown(api, monkeypatch)
    said = run("get", "anna/a", "-o", tmp_path)
    assert "fetching: 1 B of 10 B (10 %)" in said.err
    assert said.out == f"{tmp_path / 'a'}\n"


def test_get_shows_a_bar_to_who_watches(
    run: Any, api: RunningApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    hold_until_progress_is_shown(api, monkeypatch)
    said = run("get", "anna/a", "-o", tmp_path)
    assert said.code == 0
    assert said.out == f"{tmp_path / 'a'}\n"


def test_logs(run: Any, api: RunningApi) -> None:
    assert run("logs").code == 4
    api.home.log_file.write_text("".join(f"line {i}\n" for i in range(30_000)))
    assert run("logs", "-n", "2").out == "line 29998\nline 29999\n"
    assert run("logs", "-n", "20000").out.startswith("line 10000\n")
    assert run("logs", "-n", "0").out == ""
    assert run("logs", "-n", "1", "--json").json == {"line": "line 29999"}
    api.home.log_file.unlink()


def test_down_waits_for_the_end(run: Any, api: RunningApi) -> None:
    said = run("down", "--timeout", "0.1")
    assert api.stopped.is_set()
    assert said.code == 6
    assert "still runs after" in said.err


def test_config_show_and_check(run: Any, api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    file = api.home.path / "config.toml"
    file.write_text('name = "anna"\n')
    monkeypatch.setenv("WARREN_API_PORT", "5")
    said = run("config", "show")
    assert 'name          "anna"' in said.out
    assert f"file {file}:1" in said.out
    assert "env WARREN_API_PORT" in said.out
    assert "more are at their default" in said.err
    assert "network.inbound_max" in run("config", "show", "network").out
    assert run("config", "show", "--json").json["name"] == {"value": "anna", "from": f"file {file}:1"}
    assert run("config", "show", "nothing").code == 2
    assert run("config", "check").out == f"{file}: fine\n"
    assert run("config", "check", "--json").json["ok"]
    file.write_text("nam = 1\nlisten = 2\n")
    said = run("config", "check")
    assert said.code == 2
    assert f'{file}:1: unknown key "nam"\n    did you mean "name"?\n' in said.out
    assert "2 things are wrong" in said.err
    assert run("config", "check", "--json").json["problems"][0]["hint"] == 'did you mean "name"?'
    assert run("config", "show").code == 2
    file.unlink()
    monkeypatch.setenv("WARREN_NAM", "x")
    said = run("config", "check")
    assert said.code == 0
    assert "WARREN_NAM: no setting goes by this name; did you mean WARREN_NAME?" in said.err


def test_a_folder_is_not_written_to_stdout_nor_fetched_for_it(run: Any, api: RunningApi) -> None:
    for words in (("anna/Photos",), ("Photos", "--from", "anna")):
        said = run("get", *words, "-o", "-")
        assert said.code == 2
        assert "only a file can be written to stdout" in said.err
    assert api.node.fetched == api.node.opened == []


def test_what_cannot_be_read_for_stdout(run: Any, api: RunningApi) -> None:
    api.node.without_content = {str(ANNA): SourceVanished("it is gone")}
    said = run("get", "anna/notes.txt", "-o", "-")
    assert (said.code, said.out) == (8, "")
    assert "it is gone" in said.err
    api.node.without_content = {}
    api.node.step, api.node.breaks_at = 4, 4
    said = run("get", "anna/notes.txt", "-o", "-")
    assert (said.code, said.out) == (6, "cont")
    assert "the file broke off" in said.err
    assert "warren logs" in said.err


def test_output_that_is_a_file(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = run("get", "anna/a", "-o", tmp_path / "file")
    assert said.code == 2
    assert f"-o names the folder to put it into, for instance {tmp_path}" in said.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("get", "99"), 4, "the last listing has no line 99"),
        (("peer", "show", "7"), 4, "the last peer list has no line 7"),
        (("ls", "7"), 4, "has no line 7"),
        (("share", "/", "--to", ""), 2, "--to '' names nobody; give contacts, or public, or peers"),
        (("share", "/", "--to", "contacts,ben"), 2, "--to 'contacts,ben' mixes peers with an audience"),
        (("invite", "--expires", "9000d"), 2, "9000d is too long: 366 days at most"),
        (("up", "--name", ""), 2, "hint: choose another, for instance Anna"),
        (("ls", "nobody"), 4, "no peer goes by 'nobody'"),
    ],
)
def test_what_cannot_be_meant_is_said_in_the_words_of_the_command(
    run: Any, words: Any, code: int, message: str
) -> None:
    said = run(*words)
    assert (said.code, said.out) == (code, "")
    assert message in said.err
    assert "hint: " in said.err
    assert "`" not in said.err


def test_ones_own_shares_by_name_and_by_ones_own_name_and_id(
    run: Any, api: RunningApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "Photos"
    folder.mkdir()
    run("share", folder)
    asked: list[object] = []
    real = api.node.list_files

    async def note(peer: Any = None, path: Any = "") -> Any:
        asked.append((peer, path))
        return await real(peer, path)

    monkeypatch.setattr(api.node, "list_files", note)
    for target in ("Photos", "me/Photos", f"{ME}/Photos"):
        assert "notes.txt" in run("ls", target).out
    assert asked == [(None, "Photos")] * 3
    assert "Photos" in run("ls", "me").out
