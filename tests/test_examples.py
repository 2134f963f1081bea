"""Every program in examples/ runs as its header says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "src"),
        "HOME": str(tmp_path),
        "PYTHONUNBUFFERED": "1",
    }


def command(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments]


def output(name: str, environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        command(name, *arguments), env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


def test_none_is_forgotten_here() -> None:
    tested = {"requests.py", "chat_room.py", "rumour.py", "share_folder.py"}
    assert {one.name for one in EXAMPLES.glob("*.py")} == tested


def test_requests(environment: dict[str, str]) -> None:
    assert output("requests.py", environment).startswith("IS ANYBODY THERE? (")


def test_rumour_tells_the_same_story_for_the_same_seed(environment: dict[str, str]) -> None:
    told = output("rumour.py", environment, "7")
    assert told.startswith("half of 50 had heard it after ")
    assert output("rumour.py", {**environment, "PYTHONHASHSEED": "99"}, "7") == told


def test_share_folder(environment: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "Letters"
    folder.mkdir()
    (folder / "one.txt").write_text("dear")
    (folder / "link").symlink_to("/etc/passwd")
    told = output("share_folder.py", environment, str(folder), str(tmp_path / "got")).splitlines()
    assert told[0].startswith("left out link: ")
    assert told[1].startswith("1 files, 4 bytes, bafy")
    assert told[2] == str(tmp_path / "got" / "Letters")
    assert (tmp_path / "got" / "Letters" / "one.txt").read_text() == "dear"


@pytest.fixture
def room(environment: dict[str, str]) -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        with process:  # closes its pipes
            pass


def test_chat_room(environment: dict[str, str], room: list[subprocess.Popen[str]]) -> None:
    def enter(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command("chat_room.py", *arguments),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        room.append(process)
        return process

    def line(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

    host = enter()
    guest = enter(line(host))
    assert line(guest).startswith("you are in the room of ")
    assert line(host).endswith(" comes in")
    assert guest.stdin is not None
    guest.stdin.write("good evening\n")
    guest.stdin.flush()
    assert line(host).endswith(": good evening")
    guest.stdin.close()
    assert guest.wait(30) == 0
    assert guest.stderr is not None
    assert guest.stderr.read() == ""
