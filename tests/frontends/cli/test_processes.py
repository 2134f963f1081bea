"""The paths that users take, with real nodes in processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.frontends.cli.machine import LOOPBACK, PROGRAM, machine
from tests.frontends.support import HANGS_S, environment
from tests.support import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.frontends.cli.machine import Machine


@pytest.fixture
def anna(tmp_path: Path) -> Iterator[Machine]:
    yield from machine(tmp_path, "anna")


@pytest.fixture
def ben(tmp_path: Path) -> Iterator[Machine]:
    yield from machine(tmp_path, "ben")


def end(child: subprocess.Popen[str], timeout: float = HANGS_S) -> tuple[str, str]:
    return child.communicate(timeout=timeout)


def test_up_in_the_background_status_and_down(anna: Machine) -> None:
    ready = anna.json("up", "-d", "--name", "anna", *LOOPBACK)
    assert ready["name"] == "anna"
    assert ready["pid"] == anna.pid
    assert anna.json("status")["peer_id"] == ready["peer_id"] == anna.ok("id").strip()
    assert stat.S_IMODE((anna.home / "api.token").stat().st_mode) == 0o600
    assert os.getsid(ready["pid"]) != os.getsid(0)
    second = anna.warren("up", "-d")
    assert second.returncode == 8
    assert f"already runs on {anna.home} (process {ready['pid']})" in second.stderr
    assert f"serves as anna ({ready['peer_id']})" in anna.ok("logs")
    assert anna.ok("down") == f"stopped (process {ready['pid']})\n"
    assert not (anna.home / "api.json").exists()
    assert anna.warren("status").returncode == 3
    assert anna.json("up", "-d", *LOOPBACK)["peer_id"] == ready["peer_id"]
    assert anna.json("status")["name"] == "anna", "the name of the first start is kept"
    anna.ok("down")


def test_a_node_that_cannot_start_in_the_background_says_why(anna: Machine) -> None:
    done = anna.warren("up", "-d", "--name", "anna", "--listen", "/ip4/192.0.2.1/tcp/0")
    assert done.returncode == 2
    assert "cannot listen on /ip4/192.0.2.1/tcp/0" in done.stderr
    assert "Traceback" not in done.stderr
    assert anna.pid is None
    assert anna.warren("up", "--listen", "1.2.3.4:5").returncode == 2
    assert not (anna.home / "config.toml").exists(), "a name is kept by a start that goes well"
    assert anna.json("up", "-d", "--name", "anya", *LOOPBACK)["name"] == "anya"
    assert (anna.home / "config.toml").read_text() == 'name = "anya"\n'


def test_settings_that_are_wrong_at_the_first_start_leave_nothing(anna: Machine) -> None:
    assert anna.warren("up", "--listen", "1.2.3.4:5").returncode == 2
    assert not anna.home.exists()


@pytest.mark.parametrize("detach", [(), ("-d",)])
def test_a_taken_port_ends_with_2_and_leaves_an_older_folder_alone(anna: Machine, detach: tuple[str]) -> None:
    anna.home.mkdir()
    (anna.home / "config.toml").write_text('name = "anna"\n')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = anna.warren("up", *detach, "--listen", f"/ip4/127.0.0.1/tcp/{port}")
        assert done.returncode == 2
        assert done.stderr.count(f"port {port} of 127.0.0.1 is taken by another program") == 1
        assert f"the node did not start: port {port} of 127.0.0.1 is taken" in anna.ok("logs")
        anna.environment["WARREN_API_PORT"] = str(port)
        done = anna.warren("up", *detach, *LOOPBACK)
        assert done.returncode == 2
        assert f"the API cannot listen on 127.0.0.1 port {port}" in done.stderr
    assert (anna.home / "config.toml").exists()


def test_damaged_and_public_keys_end_alike(anna: Machine) -> None:
    anna.home.mkdir()
    key = anna.home / "identity.key"
    key.write_bytes(b"?")
    for mode, word in ((0o600, "damaged"), (0o644, "other users")):
        key.chmod(mode)
        done = anna.warren("up", *LOOPBACK)
        assert done.returncode == 8
        assert word in done.stderr
    assert key.exists()


def test_ctrl_c_ends_with_130(anna: Machine) -> None:
    child = anna.start()
    child.send_signal(signal.SIGINT)
    out, err = end(child)
    assert (child.returncode, out, err) == (130, "", "")
    assert anna.pid is None


def test_sigterm_ends_with_0(anna: Machine) -> None:
    child = anna.start()
    child.send_signal(signal.SIGTERM)
    out, err = end(child)
    assert (child.returncode, out, err) == (0, "", "")
    assert not (anna.home / "api.json").exists()


def test_after_kill_9_the_next_start_is_clean(anna: Machine) -> None:
    child = anna.start()
    child.kill()
    end(child)
    assert (anna.home / "api.json").exists()
    done = anna.warren("status")
    assert (done.returncode, done.stderr) == (
        3,
        f"error: no node runs on {anna.home}\nhint: start one with: warren up\n",
    )
    child = anna.start()
    assert anna.json("status")["pid"] == child.pid
    child.terminate()
    end(child)


def test_a_node_that_hangs_is_told_by_signal(anna: Machine) -> None:
    child = anna.start()
    child.send_signal(signal.SIGSTOP)
    unreachable = {"host": "127.0.0.1", "port": 1, "pid": child.pid}
    (anna.home / "api.json").write_text(json.dumps(unreachable))
    done = anna.warren("down", "--timeout", "0.2")
    assert done.returncode == 6
    assert f"kill -9 {child.pid}" in done.stderr
    child.send_signal(signal.SIGCONT)
    end(child)
    assert child.returncode == 0


def test_invite_and_join(anna: Machine, ben: Machine) -> None:
    first, second = anna.start(), ben.start()
    code = anna.ok("invite").strip()
    assert "anna (" in ben.ok("join", code)
    for one, other in ((anna, "ben"), (ben, "anna")):
        (peer,) = one.json("peer", "list")["items"]
        assert (peer["name"], peer["contact"], peer["connected"]) == (other, True, True)
    assert ben.ok("ping", "1", "-c", "2", "-i", "0").count(" ms") == 5
    assert anna.warren("join", code).returncode == 2
    third = ben.warren("join", code[:-1])
    assert third.returncode == 2
    assert "missing" in third.stderr
    ben.ok("peer", "rm", "anna")
    assert ben.warren("join", code).returncode in {0, 5}
    for child in (first, second):
        child.terminate()
        end(child)
        assert child.returncode == 0


def test_logs_follow_until_ctrl_c(anna: Machine) -> None:
    child = anna.start()
    words = [*PROGRAM, "logs", "-f", "-n", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=anna.environment) as following:
        assert following.stdout is not None
        assert "serves as anna" in following.stdout.readline()
        child.terminate()
        end(child)
        assert "stopped" in following.stdout.readline()
        following.send_signal(signal.SIGINT)
        following.wait(HANGS_S)
    assert following.returncode == 130


@contextlib.contextmanager
def asking(anna: Machine) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`up` on a terminal, at its question for a name, and the end of the terminal that somebody types at."""
    reader, writer = pty.openpty()
    child = subprocess.Popen(
        [*PROGRAM, "up", *LOOPBACK],
        stdin=writer,
        stdout=writer,
        stderr=subprocess.PIPE,
        env=anna.environment,
        start_new_session=True,
    )
    os.close(writer)
    try:
        assert child.stderr is not None
        said = b""
        while b"]: " not in said:
            said += os.read(child.stderr.fileno(), 1000)
        assert b"What should your contacts see you as?" in said
        yield child, reader
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            child.communicate(timeout=HANGS_S)
        os.close(reader)


def test_the_first_start_asks_for_a_name_where_somebody_can_answer(anna: Machine) -> None:
    with asking(anna) as (_, reader):
        os.write(reader, b"Anna A.\n")
        seen = b""
        while b"is up" not in seen:
            assert select.select([reader], [], [], HANGS_S)[0]
            seen += os.read(reader, 1000)
        assert b"Anna A. is up" in seen
        assert (anna.home / "config.toml").read_text() == 'name = "Anna A."\n'


def test_ctrl_d_at_the_question_for_a_name_leaves_nothing(anna: Machine) -> None:
    with asking(anna) as (child, reader):
        os.write(reader, b"\x04")
        _, rest = child.communicate(timeout=HANGS_S)
    assert child.returncode == 130
    assert b"interrupted" in rest
    assert b"Traceback" not in rest
    assert not anna.home.exists()


@pytest.mark.parametrize(("answer", "code"), [(b"Anna A.\n", 8), (b"\x04", 130)])
def test_a_start_that_still_asks_for_a_name_takes_nothing_from_one_that_runs(
    anna: Machine, answer: bytes, code: int
) -> None:
    with asking(anna) as (child, reader):
        ready = anna.json("up", "-d", "--name", "anna", *LOOPBACK)
        os.write(reader, answer)
        child.communicate(timeout=HANGS_S)
    assert child.returncode == code
    assert anna.json("status")["peer_id"] == ready["peer_id"]
    anna.ok("down")
    again = anna.json("up", "-d", *LOOPBACK)
    assert (again["peer_id"], again["name"]) == (ready["peer_id"], "anna")
    anna.ok("down")


AS_NOBODY = """
import difflib, os, sys
import warren.frontends.cli.commands.up, warren.frontends.cli.main, warren.frontends.settings
os.setgid(65534)
os.setuid(65534)
"""


def as_nobody(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run some Python as another user of this computer, who may not reach what is imported before."""
    return subprocess.run(
        [sys.executable, "-c", AS_NOBODY + script, *words],
        capture_output=True,
        text=True,
        env=environment(HOME="/nonexistent"),
        timeout=30,
        check=False,
    )


@pytest.fixture
def in_the_open() -> Iterator[Machine]:
    """A machine whose folders everybody may enter."""
    require(hasattr(os, "geteuid") and os.geteuid() == 0, "root, to become another user")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield from machine(Path(folder), "anna")


def test_another_user_gets_neither_the_token_nor_the_key(in_the_open: Machine) -> None:
    home = in_the_open.home
    in_the_open.start()
    home.chmod(0o755)  # even where its owner opened the folder
    (home / "open").write_text("all may read this")
    script = "print(open(sys.argv[1]).read())"
    assert as_nobody(script, str(home / "open")).stdout == "all may read this\n"
    for name in ("api.token", "api.json", "identity.key", "node.lock", "config.toml", "logs/warren.log"):
        assert (home / name).exists()
        assert "PermissionError" in as_nobody(script, str(home / name)).stderr, name


def test_a_data_folder_that_cannot_be_written(in_the_open: Machine) -> None:
    in_the_open.home.mkdir(mode=0o755)
    script = "sys.exit(warren.frontends.cli.main.run(sys.argv[1:]))"
    done = as_nobody(script, "up", "--home", str(in_the_open.home), *LOOPBACK)
    assert done.returncode == 8, done.stderr
    assert f"cannot make the data folder {in_the_open.home}: Permission denied" in done.stderr
    assert "--home" in done.stderr
    assert "Traceback" not in done.stderr


def joined(anna: Machine, ben: Machine) -> None:
    anna.start()
    ben.start()
    ben.ok("join", anna.ok("invite").strip())


def test_share_ls_get_unshare(anna: Machine, ben: Machine, tmp_path: Path) -> None:
    joined(anna, ben)
    photos = tmp_path / "Photos"
    (photos / "2024").mkdir(parents=True)
    (photos / "2024" / "sea.jpg").write_bytes(os.urandom(2_500_000))
    (photos / "notes.txt").write_text("hello\n")
    cid = anna.ok("share", photos).strip()
    assert cid.startswith("bafy")
    assert anna.json("ls")["items"][0]["cid"] == cid
    listed = ben.ok("ls", "anna").splitlines()
    assert listed[1].split() == ["1", "2.5", "MB", "Photos/"]
    assert ben.ok("ls", "1").splitlines()[1].split()[-1] == "2024/"
    assert [one["name"] for one in ben.json("ls", "anna/Photos/2024")["items"]] == ["sea.jpg"]
    assert ben.ok("get", "1").strip() == str(ben.downloads / "sea.jpg")
    whole = ben.json("get", "anna/Photos", "-o", tmp_path / "out")
    assert whole["path"] == str(tmp_path / "out" / "Photos")
    for name in ("2024/sea.jpg", "notes.txt"):
        assert (tmp_path / "out" / "Photos" / name).read_bytes() == (photos / name).read_bytes()
    assert ben.ok("get", "anna/Photos/notes.txt", "-o", "-") == "hello\n"
    by_cid = ben.json("get", cid, "--from", "anna", "-o", tmp_path / "again")
    assert (by_cid["cid"], by_cid["files"]) == (cid, 2)
    assert "stdout" in ben.warren("get", "anna/Photos", "-o", "-").stderr
    assert ben.warren("get", "anna/nothing").returncode == 4
    assert anna.ok("unshare", "Photos") == "no longer shared: Photos\n"
    assert ben.json("ls", "anna") == {"items": [], "total": 0, "offset": 0}
    assert ben.warren("get", "anna/Photos", "-o", tmp_path / "late").returncode == 4


def test_what_changes_in_a_folder_shows_up_elsewhere(anna: Machine, ben: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    joined(anna, ben)
    first = anna.json("share", folder)
    assert first["state"] == "watched"

    def shown_to_ben(until: str) -> float:
        """Seconds until a listing that Ben asks for holds this."""
        begun = time.monotonic()
        while until not in ben.ok("ls", "anna/docs"):
            assert time.monotonic() < begun + HANGS_S
        return time.monotonic() - begun

    (folder / "new.txt").write_text("new")
    assert shown_to_ben("new.txt") < 10
    (folder / "new.txt").rename(folder / "renamed.txt")
    shown_to_ben("renamed.txt")
    assert "new.txt" not in ben.ok("ls", "anna/docs")
    assert "up to date" in anna.ok("share")

    assert anna.json("share", "--pause") == {"paused": True}
    (folder / ".warrenignore").write_text("old.*\n")
    assert "paused" in anna.ok("ls")
    assert "old.txt" in ben.ok("ls", "anna/docs")
    anna.ok("share", "--resume")
    begun = time.monotonic()
    while "old.txt" in ben.ok("ls", "anna/docs"):
        assert time.monotonic() < begun + HANGS_S
    assert anna.json("share")["items"][0]["cid"] != first["cid"]


def test_an_audience_is_kept(anna: Machine, ben: Machine, tmp_path: Path) -> None:
    joined(anna, ben)
    secret = tmp_path / "secret.txt"
    secret.write_text("for ben")
    anna.ok("share", secret, "--to", "ben", "--name", "for ben.txt")
    assert [one["name"] for one in ben.json("ls", "anna")["items"]] == ["for ben.txt"]
    anna.ok("peer", "rm", "ben")
    assert anna.warren("share", secret, "--to", "nobody").returncode == 4


def test_ctrl_c_during_get_leaves_nothing_half_named(anna: Machine, ben: Machine, tmp_path: Path) -> None:
    joined(anna, ben)
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        for _ in range(64):
            file.write(os.urandom(1 << 20) * 8)
    anna.ok("share", large)
    words = [*PROGRAM, "get", "anna/large.bin"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, env=ben.environment) as getting:
        while not list(ben.home.rglob("*large*")) and not list(ben.downloads.rglob("*")):
            assert getting.poll() is None
            time.sleep(0.005)
        getting.send_signal(signal.SIGINT)
        getting.communicate(timeout=HANGS_S)
    assert getting.returncode == 130
    assert not (ben.downloads / "large.bin").exists()
    done = ben.json("get", "anna/large.bin")
    assert (ben.downloads / "large.bin").stat().st_size == done["bytes"] == 512 << 20


def test_a_transfer_outlives_pause_restart_and_kill_9(anna: Machine, ben: Machine, tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(24 << 20))
    joined(anna, ben)
    anna.ok("share", large)

    def until(state: str, done_bytes: int = 0) -> dict[str, object]:
        begun = time.monotonic()
        while True:
            one: dict[str, object] = ben.json("transfer", "show", number)
            done = one["done_bytes"]
            assert isinstance(done, int)
            if one["state"] == state and done >= done_bytes:
                return one
            assert time.monotonic() < begun + HANGS_S, one

    number = ben.ok("get", "anna/large.bin", "-d", "--cap", "3M").strip()
    until("running", 2 << 20)
    paused = ben.json("transfer", "pause", number)
    assert (paused["state"], paused["cause"]) == ("paused", "user")
    ben.ok("down")
    child = ben.start()
    assert until("paused")["number"] == int(number)
    ben.ok("transfer", "resume", number)
    until("running", 4 << 20)
    child.kill()
    end(child)
    ben.start()
    ben.ok("transfer", "limit", number, "--down", "none")
    done = until("done")
    assert done["path"] == str(ben.downloads / "large.bin")
    assert (ben.downloads / "large.bin").read_bytes() == large.read_bytes()
    assert f"{number}  large.bin  done" in ben.ok("transfer", "list")
    assert f"transfer {number} is done: large.bin" in ben.ok("logs")


def test_parts_of_a_folder_by_pattern(anna: Machine, ben: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "Photos"
    (folder / "raw").mkdir(parents=True)
    for name in ("a.jpg", "notes.txt", "raw/b.jpg"):
        (folder / name).write_text(name)
    joined(anna, ben)
    cid = anna.ok("share", folder).strip()
    got = Path(ben.ok("get", "anna/Photos", "--only", "*.jpg", "--only", "!raw/").strip())
    assert sorted(one.name for one in got.rglob("*")) == ["a.jpg"]
    whole = Path(ben.ok("get", cid, "-o", tmp_path / "whole").strip())
    assert len(list(whole.rglob("*.*"))) == 3, "a content id needs no peer"


def test_a_shared_data_folder_is_still_held(anna: Machine) -> None:
    """Command line and library hold one lock, which reading its file does not free."""
    child = anna.start()
    anna.warren("share", anna.home)
    script = (
        "import asyncio, sys; from pathlib import Path; from warren import Config, Node\n"
        "asyncio.run(Node(Config(home=Path(sys.argv[1]), listen=())).start())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(anna.home)],
        capture_output=True,
        text=True,
        env=anna.environment,
        timeout=30,
        check=False,
    )
    assert f"StorageError: a node already runs on {anna.home} (process {child.pid})" in done.stderr
    assert anna.pid == child.pid
