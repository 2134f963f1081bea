"""peer and metadata commands, against a node that answers at once."""

from __future__ import annotations

import io
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.fake_node import ANNA, BEN
from tests.frontends.fake_peers import stranger
from tests.frontends.support import warren
from warren.frontends.cli.peer_lines import age

if TYPE_CHECKING:
    from pathlib import Path

    from tests.frontends.support import RunningApi


@pytest.fixture
def run(api: RunningApi, capfd: pytest.CaptureFixture[str]) -> Any:
    return lambda *words: warren(capfd, api.home.path, *words)


def test_a_long_listing_says_how_to_see_the_rest(run: Any, api: RunningApi) -> None:
    api.node.peers.strangers = 448
    said = run("peer", "list", "--limit", "30")
    assert len(said.out.splitlines()) == 31
    assert f"and 420 peers more: warren peer list --home {api.home.path} --all" in said.err
    assert "1 imported address not met yet" in said.err
    assert f"peer id    {stranger(27)}" not in run("peer", "show", "1").out
    whole = run("peer", "list", "--all", "--json").json
    assert len({one["peer_id"] for one in whole["items"]}) == whole["total"] == 450
    part = run("peer", "list", "--offset", "400", "--limit", "300", "--json")
    assert len(part.json["items"]) == 50
    assert run("peer", "list", "--sort", "latency", "--limit", "1").err.count("--sort latency --all") == 1
    assert run("peer", "list", "--sort", "size").code == 2
    assert run("peer", "list", "--offset", "450").out == "no more: there are 450 peers\n"


def test_watching_shows_the_list_again(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = iter([None, None])

    def sleep(seconds: float) -> None:
        if next(rounds, 1):
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    said = run("peer", "list", "--watch")
    assert said.code == 130
    assert said.out.count("PEER ID") == 3
    monkeypatch.setattr(time, "sleep", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    assert len(json.loads(run("peer", "list", "--watch", "--json").out)["items"]) == 2


def test_blocking(run: Any) -> None:
    tail = f"anna (…{str(ANNA)[-8:]})"
    assert run("peer", "block", "anna").out == f"{tail} is blocked\n"
    assert run("peer", "block", "anna").out == f"{tail} is already blocked\n"
    assert run("peer", "list").out.splitlines()[1].split()[2] == "blocked"
    assert run("peer", "unblock", "anna").out == f"{tail} is no longer blocked\n"
    assert run("peer", "unblock", "anna").out == f"{tail} is not blocked\n"
    assert run("peer", "block", "nobody").code == 4


def test_naming(run: Any) -> None:
    assert run("peer", "name", "anna", "sister").out == f"{ANNA} is called sister\n"
    said = run("peer", "name", "ben", "b")
    assert (said.code, "no contact" in said.err) == (4, True)


def test_removing_an_imported_address(run: Any) -> None:
    assert run("peer", "rm", "/ip4/192.0.2.7/tcp/4101").out == "removed /ip4/192.0.2.7/tcp/4101\n"
    assert run("peer", "rm", f"{BEN}").code == 0


def test_importing(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "peers.json"
    file.write_text('{"a": 1}')
    said = run("peer", "import", str(file))
    assert said.out == "1 new, 1 to be met at their addresses, 2 left out\n"
    assert said.err.splitlines() == [
        f"{file}:3: it is no JSON",
        f'{file}:4: "ipv4" is missing',
        "... and 3 problems more",
    ]
    assert run("peer", "import", str(file), "--json").json["problem_count"] == 5
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"a": 1, "b": 2}')))
    assert run("peer", "import", "-").out.startswith("2 new")
    file.write_text("hello")
    assert run("peer", "import", str(file)).code == 2
    assert run("peer", "import", str(tmp_path / "none")).code == 4


def test_exporting(run: Any, tmp_path: Path) -> None:
    said = run("peer", "export")
    assert json.loads(said.out)["peers"] == [{"ipv4": "192.0.2.7", "form": "full", "name": "ä"}]
    assert said.err == "left out: 12D3: no IPv4 address, only IPv6\n"
    file = tmp_path / "list.json"
    file.write_text("older")
    said = run("peer", "export", "--form", "classic", "-o", str(file))
    assert said.out == f"wrote 1 entry to {file}\n"
    assert json.loads(file.read_text(encoding="utf-8"))["ip_address"][0]["form"] == "classic"
    assert list(tmp_path.iterdir()) == [file]
    document = run("peer", "export", "--json").json
    assert (document["form"], len(document["list"]["peers"]), len(document["left_out"])) == ("full", 1, 1)
    document = run("peer", "export", "--json", "-o", str(file)).json
    assert (document["entries"], document["path"]) == (1, str(file))
    said = run("peer", "export", "-o", str(tmp_path / "no" / "file"))
    assert said.code == 8
    assert f"cannot write {tmp_path / 'no' / 'file'}: No such file" in said.err


def test_metadata(run: Any) -> None:
    assert run("metadata", "list").out == "nothing is said\n"
    assert run("metadata", "set", "region", "eu north").out == "region: eu north\n"
    assert run("metadata", "list").out == "region:  eu north\n"
    assert run("metadata", "list", "--json").json == {"entries": {"region": "eu north"}}
    assert run("metadata", "list", "anna").out == "region:  north\n"
    assert run("metadata", "rm", "region").out == "removed region\n"
    assert run("metadata", "rm", "region").code == 4


def test_a_damaged_state_is_told(run: Any, api: RunningApi) -> None:
    api.node.damage = "the state was damaged"
    try:
        assert "damage     the state was damaged" in run("status").out
    finally:
        api.node.damage = ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (7200, "2h"), (200_000, "2d"), (-5, "0s")],
)
def test_ages_are_short(seconds: float, text: str) -> None:
    assert age(1000.0, 1000.0 + seconds) == text
    assert age(None, 1.0) == "-"
