"""`warren shell`: lines from a pipe and from a terminal; with a node that answers at once, and a real one."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.cli.machine import PROGRAM, Machine, machine
from tests.frontends.fake_node import ANNA, ME
from tests.frontends.support import HANGS_S, Said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.frontends.support import RunningApi


@pytest.fixture
def typed(api: RunningApi) -> Callable[..., Said]:
    """Run the shell with such lines in a pipe."""

    def run(*lines: str, options: tuple[str, ...] = ()) -> Said:
        done = subprocess.run(
            [*PROGRAM, "shell", "--home", str(api.home.path), *options],
            input="".join(f"{line}\n" for line in lines),
            capture_output=True,
            text=True,
            env=Machine(api.home.path, "x").environment,
            timeout=HANGS_S,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return Said(done.returncode, done.stdout, done.stderr)

    return run


def test_commands_in_any_case(typed: Any) -> None:
    said = typed("ID", "Peer SHOW anna", "", "warren id")
    assert said.code == 0
    assert said.out.splitlines()[0] == said.out.splitlines()[-1] == str(ME)
    assert str(ANNA) in said.out
    assert said.err.startswith("this is the node me; HELP lists the commands, EXIT leaves\n")


def test_query_then_get_by_number(typed: Any, api: RunningApi, tmp_path: Path) -> None:
    said = typed("QUERY old map", f"GET 1 -o {tmp_path}", "EXIT", "status")
    assert said.code == 0
    assert "  1     1.2 MB  pdf    old map.pdf  [anna]" in said.out
    assert said.out.endswith(f"{tmp_path / 'old map.pdf'}\n")
    assert api.node.asked_for[-1][0] == "old map"


def test_what_is_wrong_is_said_and_the_next_line_is_read(typed: Any) -> None:
    said = typed("statsu", "get", "query sailor's", "GET 999", "shell", "id")
    assert (said.code, said.out) == (0, f"{ME}\n")
    for text in (
        "no command 'statsu'; did you mean 'status'?\nhint: HELP lists the commands",
        "Missing argument 'REF...'",
        "the line has a quotation mark that is not closed",
        "the last listing has no line 999",
        "this is the shell already",
    ):
        assert f"error: {text}" in said.err
    assert "hint: list again with: ls PEER, or search WORDS\n" in said.err, "as it is typed here"
    assert typed("id", "get nobody/x").code == 4, "a pipe's shell ends as the last command did"


def test_help(typed: Any) -> None:
    said = typed("HELP", "help QUERY", "? peer", "HELP wait", "help nonsense")
    assert said.out.count("QUERY WORDS...") == 2
    assert "Usage: warren search" in said.out
    assert "Usage: warren peer" in said.out
    assert "no command 'nonsense'" in said.err


def test_as_json(typed: Any) -> None:
    said = typed("id", "nonsense", options=("--json",))
    assert json.loads(said.out)["peer_id"] == str(ME)
    assert json.loads(said.err)["error"] == "InputError"


def test_wait_shows_what_is_logged(typed: Any, api: RunningApi) -> None:
    assert typed("WAIT x").code == 2
    api.home.log_file.touch()
    said = typed("WAIT 0", "WAIT", "id")
    assert said.out == f"{ME}\n"
    assert "waiting; press a key to go on" in said.err


# --- a terminal ---------------------------------------------------------------------------------------------


# Ctrl-C is a signal only where the terminal belongs to who reads it.
AT_ITS_OWN_TERMINAL = """
import os, sys
os.close(os.open(os.ttyname(0), os.O_RDWR))
os.execv(sys.argv[1], sys.argv[1:])
"""


class Typist:
    """Somebody at a terminal with the shell."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self._reader, writer = pty.openpty()
        self.child = subprocess.Popen(
            [sys.executable, "-c", AT_ITS_OWN_TERMINAL, *PROGRAM, "shell", "--home", str(home)],
            stdin=writer,
            stdout=writer,
            stderr=writer,
            env={**environment, "TERM": "dumb"},
            start_new_session=True,
        )
        os.close(writer)
        self._seen = ""

    def expect(self, text: str) -> None:
        """Read until the text comes; forget all up to its end."""
        until = time.monotonic() + HANGS_S
        while text not in self._seen:
            assert time.monotonic() < until, self._seen
            assert select.select([self._reader], [], [], HANGS_S)[0], self._seen
            self._seen += os.read(self._reader, 10_000).decode()
        self._seen = self._seen.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self._reader, text.encode())

    def insist(self, key: str, text: str) -> None:
        """Type a key, and again each second, until the text comes.

        A Ctrl-C that comes right between reading one key and waiting for the next is noticed by Python's
        `input` only with what comes then.
        """
        for _ in range(int(HANGS_S)):
            self.type(key)
            if text in self._seen or select.select([self._reader], [], [], 1)[0]:
                break
        self.expect(text)

    def close(self) -> None:
        """End it, telling it again each second: see `insist`."""
        until = time.monotonic() + HANGS_S
        while self.child.poll() is None:
            assert time.monotonic() < until, "the shell does not end"
            self.child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(1)
        os.close(self._reader)


@contextlib.contextmanager
def at_terminal(home: Path, environment: dict[str, str]) -> Iterator[Typist]:
    typist = Typist(home, environment)
    try:
        yield typist
    finally:
        typist.close()


def test_at_a_terminal(api: RunningApi) -> None:
    api.home.log_file.touch()
    with at_terminal(api.home.path, Machine(api.home.path, "x").environment) as typist:
        typist.expect("warren> ")
        typist.type("xyz")
        typist.expect("xyz")
        typist.insist("\x03", "warren> ")  # forgets the line, and whatever else was typed by then
        typist.type("ID\n")
        typist.expect(str(ME))
        typist.expect("warren> ")
        api.call(api.node.hold.clear)
        typist.type("query old\n")
        typist.expect("Mine/")
        typist.type("\x03")
        typist.expect("interrupted")
        typist.expect("warren> ")
        typist.type("WAIT\n")
        typist.expect("press a key")
        with api.home.log_file.open("a") as log:
            log.write("anna is connected\n")
        typist.expect("anna is connected")
        typist.type("x")
        typist.expect("warren> ")
        typist.type("WAIT\n")
        typist.expect("press a key")
        typist.type("\x03")
        typist.expect("interrupted")
        typist.expect("warren> ")
        typist.type("join warren1secret\n")
        typist.expect("anna")
        typist.expect("warren> ")
        typist.type("\x04")
        assert typist.child.wait(HANGS_S) == 0
    history = api.home.path / "shell_history"
    assert history.stat().st_mode & 0o777 == 0o600
    assert "query old" in history.read_text()
    assert "warren1" not in history.read_text()


# --- a real node --------------------------------------------------------------------------------------------


@pytest.fixture
def anna(tmp_path: Path) -> Iterator[Machine]:
    for one in machine(tmp_path, "anna"):
        one.environment["WARREN_LISTEN"] = "/ip4/127.0.0.1/tcp/0"
        yield one


def test_a_node_that_it_starts_ends_with_it(anna: Machine, tmp_path: Path) -> None:
    (tmp_path / "sea.txt").write_text("sea\n")
    done = subprocess.run(
        [*PROGRAM, "shell"],
        input=f"SHARE {tmp_path / 'sea.txt'}\nQUERY sea\nLS\nWAIT 0\n",
        capture_output=True,
        text=True,
        env=anna.environment,
        timeout=HANGS_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "is up, and ends with this shell" in done.stderr
    assert "sea.txt  [you]" in done.stdout
    assert anna.pid is None
    ready = anna.json("up", "-d")
    done = subprocess.run(
        [*PROGRAM, "shell"],
        input="ID\n",
        capture_output=True,
        text=True,
        env=anna.environment,
        timeout=HANGS_S,
        check=False,
    )
    assert done.stdout == ready["peer_id"] + "\n"
    assert anna.pid == ready["pid"], "one that ran before runs on"


def test_a_node_that_it_started_ends_when_the_shell_is_told_to(anna: Machine) -> None:
    words = [*PROGRAM, "shell"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=anna.environment
    ) as running:
        assert running.stderr is not None
        assert "is up, and ends with this shell" in running.stderr.readline()
        assert anna.pid is not None
        running.send_signal(signal.SIGTERM)
        _, err = running.communicate(timeout=HANGS_S)
    assert running.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in err
    assert anna.pid is None


def test_without_stdin_it_ends(anna: Machine) -> None:
    words = ["sh", "-c", 'exec "$0" "$@" <&-', *PROGRAM, "shell"]
    done = subprocess.run(words, capture_output=True, text=True, env=anna.environment, check=False)
    assert done.returncode == 0, done.stderr
    assert anna.pid is None


def test_a_node_that_cannot_start_is_told(anna: Machine) -> None:
    anna.environment["WARREN_LISTEN"] = "/ip4/192.0.2.1/tcp/0"
    done = anna.warren("shell")
    assert done.returncode == 2
    assert "cannot listen on" in done.stderr
    assert "Traceback" not in done.stderr
