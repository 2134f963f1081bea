"""The data folder: one node at a time, a door for its owner alone, no trust in what a killed node left."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.support import environment, holding
from warren.core.errors import NodeNotRunning, ReadOnlyTarget
from warren.frontends.home import Home, write_private

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Any:
    return Home(tmp_path / "home")


def mode(path: Any) -> Any:
    return stat.S_IMODE(path.stat().st_mode)


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Home.find("x").path == tmp_path / "x"
    monkeypatch.setenv("WARREN_HOME", "~/y")
    assert Home.find().path == Home.find("~/y").path
    monkeypatch.delenv("WARREN_HOME")
    assert Home.find().path.name == "warren"


def test_nobody_runs_in_a_folder_that_is_not_there(home: Any) -> None:
    assert home.running_pid() is None
    with pytest.raises(NodeNotRunning) as caught:
        home.door()
    assert caught.value.hint == "start one with: warren up"
    assert not home.path.exists()


def test_the_folder_is_its_owners_alone(home: Any) -> None:
    for _ in range(2):
        home.make()
        assert mode(home.path) == 0o700


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReadOnlyTarget, match="cannot make the data folder") as caught:
        Home(tmp_path / "file" / "x").make()
    assert "--home" in caught.value.hint


def test_the_door_is_open_while_a_node_says_so(home: Any) -> None:
    with holding(home):
        assert home.running_pid() == os.getpid()
        with pytest.raises(NodeNotRunning, match="just starting or stopping"):
            home.door()
        home.open_door("127.0.0.1", 4180, "secret")
        door = home.door()
        assert (door.host, door.port, door.pid, door.token) == ("127.0.0.1", 4180, os.getpid(), "secret")
        assert mode(home.api_file) == mode(home.token_file) == 0o600
        assert "secret" not in home.api_file.read_text()
    home.forget_door()
    assert not home.api_file.exists()
    assert not home.token_file.exists()
    assert home.running_pid() is None


def test_what_a_killed_node_leaves_is_not_trusted(home: Any) -> None:
    code = (
        "import sys; from pathlib import Path; from warren.frontends.home import *\n"
        "from warren.runtime.locks import FileLock\n"
        "home = Home(Path(sys.argv[1])); home.make(); lock = FileLock(home.lock_file)\n"
        "home.open_door('127.0.0.1', 1, 't'); print('open', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, str(home.path)]
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        assert home.door().pid == child.pid
        child.send_signal(signal.SIGKILL)
    assert home.api_file.exists()
    with pytest.raises(NodeNotRunning, match="no node runs"):
        home.door()
    with holding(home):
        assert home.running_pid() == os.getpid()


@pytest.mark.parametrize("said", ["", "{", "[]", "{}", '{"host": "x", "port": "y", "pid": 1}'])
def test_a_door_that_says_nothing_useful(home: Any, said: Any) -> None:
    with holding(home):
        home.api_file.write_text(said)
        with pytest.raises(NodeNotRunning):
            home.door()


def test_a_door_of_another_process_is_not_taken(home: Any) -> None:
    with holding(home):
        home.open_door("127.0.0.1", 1, "t")
        home.api_file.write_text(json.dumps({"host": "127.0.0.1", "port": 1, "pid": 1}))
        with pytest.raises(NodeNotRunning):
            home.door()


def test_numbers_stand_for_the_lines_of_the_last_listing(home: Any) -> None:
    home.make()
    assert home.listed("peers", "1") is None
    home.remember_listing("peers", ["a", "b"])
    home.remember_listing("files", [{"ref": "x"}])
    assert [home.listed("peers", word) for word in ("1", "2", "3", "0", "-1", "a", "", "\u0661")] == [
        "a",
        "b",
        *[None] * 6,
    ]
    assert home.listed("files", "1") == {"ref": "x"}
    home.remember_listing("peers", [])
    assert home.listed("peers", "1") is None


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"peers": 5}'])
def test_a_damaged_listing_is_no_listing(home: Any, kept: Any) -> None:
    home.make()
    home.listing_file.write_text(kept)
    assert home.listed("peers", "1") is None
    home.remember_listing("peers", ["a"])
    assert home.listed("peers", "1") == "a"


def test_a_listing_that_cannot_be_kept_is_no_error(home: Any) -> None:
    home.remember_listing("peers", ["a"])


def test_private_files_are_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    write_private(path, "one")
    assert (path.read_text(), mode(path)) == ("one", 0o600)
    (tmp_path / f".secret.{os.getpid()}").write_text("left by a killed process")
    write_private(path, "two")
    assert path.read_text() == "two"
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        write_private(path, "three")
    assert [one.name for one in tmp_path.iterdir()] == ["secret"]
