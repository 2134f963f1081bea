"""What send and receive ask and show, against a node that answers at once; and between real ones."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.cli.machine import LOOPBACK, PROGRAM, Machine
from tests.frontends.fake_sending import ANNA, STRANGER
from tests.frontends.support import HANGS_S, warren
from warren.frontends.cli import qr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.frontends.support import RunningApi


@pytest.fixture
def run(api: RunningApi, capfd: pytest.CaptureFixture[str]) -> Any:
    return lambda *words: warren(capfd, api.home.path, *words)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("Photos", "guessed", "late", "gone"):
        (tmp_path / name).mkdir()
    return tmp_path / "Photos"


def test_send_prints_the_code_alone_and_tells_who_comes(run: Any, photos: Path) -> None:
    said = run("send", photos, "--once")
    assert said.code == 0
    assert said.out == "4071-guitar-cross\n"
    anna, sam = f"anna (…{str(ANNA)[-8:]})", f"Sam\\x1b, {STRANGER},"
    assert said.err.splitlines() == [
        "left out: link (leads out of it)",
        "sending Photos (2 files, 10.0 MB); on the other side:",
        "",
        "    warren receive 4071-guitar-cross",
        "",
        f"{sam} has the code",
        f"{anna} has the code",
        f"{anna} fetches it",
        f"{sam} does not want it",
        f"{sam} could not fetch it all",
        f"{anna} went away",
        "wrong guesses: 2 of 20",
        f"{anna} has it all",
        "no longer sent: 1 receiver has it; 2 wrong guesses",
    ]


def test_send_with_json_has_a_document_for_each_change(run: Any, photos: Path) -> None:
    said = run("send", photos, "--json", "--words", "3", "--for", "1h")
    documents = [json.loads(line) for line in said.out.splitlines()]
    assert documents[0]["code"] == "4071-guitar-cross"
    assert documents[-1]["event"] == "result"
    assert said.err == ""


def test_a_code_that_is_withdrawn_is_an_error_that_says_so(run: Any, photos: Path) -> None:
    said = run("send", photos.parent / "guessed")
    assert said.code == 6
    assert "wrong guesses: 1 of 20\nwrong guesses: 20 of 20\n" in said.err
    assert "error: the code was withdrawn after 20 wrong guesses" in said.err
    assert "--words 3" in said.err


def test_a_send_that_nobody_came_to_is_an_error(run: Any, photos: Path) -> None:
    said = run("send", photos.parent / "late", "--for", "1s")
    assert said.code == 6
    assert "no longer sent: nobody has it" in said.err
    assert run("send", photos.parent / "gone").code == 4
    assert run("send", photos / "none").code == 2


def test_receive_asks_whether_it_is_wanted(
    run: Any, api: RunningApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Keyboard("y\n"))
    said = run("receive", "4071", "guitar", "cross", "-o", tmp_path)
    assert said.code == 0
    assert said.out == f"{tmp_path / 'Photos'}\n"
    assert f"anna (…{str(ANNA)[-8:]}) sends 132 files, 110.0 MB:\n  Photos/  10.0 MB\n  a.txt" in said.err
    assert "  and 1 more\nFetch it? [Y/n]: " in said.err
    assert "left out: x (leads out)\nrenamed: a:b to a_b (a colon)" in said.err
    for typed, code in (("n\n", 0), ("", 130)):
        monkeypatch.setattr("sys.stdin", Keyboard(typed))
        said = run("receive", "4071-zoo-cross")
        assert (said.code, said.out) == (code, "")
        assert f"{STRANGER}, who calls itself Anna A., sends" in said.err
    assert api.node.cancelled == ["offer 1", "offer 1"]


def test_receive_without_anybody_to_ask_wants_yes(run: Any, tmp_path: Path) -> None:
    said = run("receive", "4071-guitar-cross")
    assert said.code == 2
    assert "add --yes" in said.err
    assert run("receive", "4071-guitar-cross", "--json").code == 2
    said = run("receive", "4071-guitar-cross", "--yes", "--json", "-o", tmp_path, "--from", "anna")
    assert said.json["items"][0]["path"] == str(tmp_path / "Photos")
    assert said.err == ""


def test_receive_that_fails_says_why(run: Any, tmp_path: Path) -> None:
    said = run("receive", "4071-wrong-wrong", "--yes")
    assert said.code == 5
    assert "somebody answers under 4071 and does not prove the code\nerror: the sender says" in said.err
    said = run("receive", "hello", "--yes")
    assert (said.code, "a code looks like 4071-guitar-cross" in said.err) == (2, True)
    (tmp_path / "file").touch()
    assert run("receive", "4071-guitar-cross", "--yes", "-o", tmp_path / "file").code == 2
    assert run("receive", "4071-guitar-cross", "--yes", "-o", tmp_path / "full").code == 8


def test_receive_reads_the_code_from_stdin(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("4071-guitar-cross\n"))
    assert run("receive", "-", "--yes").code == 0


def test_the_qr_code_holds_the_code_and_is_small() -> None:
    lines = list(qr.lines_of("4071-GUITAR-CROSS"))
    rows = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    assert len({len(row) for row in rows}) == 1
    assert len(rows[0]) <= 29
    assert len(rows) <= 15
    assert set("".join(rows)) == set(" ▀▄█")
    assert all(line.startswith("\x1b[30;107m") for line in lines)
    longest = "9999" + "-CROSSWORD" * 6
    assert max(len(row) for row in qr.lines_of(longest)) < 60


# --- real nodes -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Machine]]:
    """Anna and Ben, both connected to Cleo and no contacts of each other."""
    folder = tmp_path_factory.mktemp("three")
    machines = [Machine(folder, name) for name in ("anna", "ben", "cleo")]
    try:
        for one in machines:
            one.ok("up", "-d", "--name", one.name, *LOOPBACK)
        code = machines[2].ok("invite", "--uses", "2").strip()
        for one in machines[:2]:
            one.ok("join", code)
        yield machines
    finally:
        for one in machines:
            one.clear_up()


def sending(machine: Machine, *words: object) -> tuple[subprocess.Popen[str], str]:
    """A send under way, and its code."""
    child = subprocess.Popen(
        [*PROGRAM, "send", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=machine.environment,
    )
    assert child.stdout is not None
    return child, child.stdout.readline().strip()


def test_two_strangers_receive_a_folder_by_one_code(three: list[Machine], tmp_path: Path) -> None:
    anna, ben, cleo = three
    folder = tmp_path / "Photos"
    folder.mkdir()
    (folder / "sea.jpg").write_bytes(os.urandom(3_000_000))
    (folder / "note.txt").write_text("hello")
    child, code = sending(ben, folder)
    with child:
        channel = code.partition("-")[0]
        wrong = anna.warren("receive", f"{channel}-zoo-zoo", "--yes")
        assert (wrong.returncode, "the code is wrong" in wrong.stderr) == (5, True)
        getting = [
            subprocess.Popen(
                [*PROGRAM, "receive", code, "--yes"], env=one.environment, stdout=subprocess.PIPE
            )
            for one in (anna, cleo)
        ]
        for one, receiving in zip((anna, cleo), getting, strict=True):
            out, _ = receiving.communicate(timeout=HANGS_S)
            assert receiving.returncode == 0
            path = Path(out.decode().strip())
            assert path == one.downloads / "Photos"
            assert (path / "sea.jpg").read_bytes() == (folder / "sea.jpg").read_bytes()
            assert (path / "note.txt").read_text() == "hello"
        assert child.stderr is not None
        said = ""
        while said.count("has it all") < 2:
            said += child.stderr.readline()
        child.send_signal(signal.SIGINT)
        said += child.communicate(timeout=HANGS_S)[1]
    assert child.returncode == 0
    assert "wrong guesses: 1 of 20" in said
    assert f"anna, {anna.ok('id').strip()}, has the code" in said
    assert "no longer sent: 2 receivers have it; 1 wrong guess" in said
    assert ben.json("ls")["items"] == []
    assert [one["name"] for one in anna.json("peer", "list")["items"] if one["contact"]] == ["cleo"]


def test_a_send_that_is_interrupted_before_anybody_came_was_in_vain(
    three: list[Machine], tmp_path: Path
) -> None:
    file = tmp_path / "note.txt"
    file.write_text("hello")
    child, code = sending(three[1], file, "--words", "4")
    assert len(code.split("-")) == 5
    with child:
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=HANGS_S)
    assert child.returncode == 130
    assert "no longer sent: nobody has it" in said


def test_who_interrupts_receiving_is_told_how_it_goes_on_and_send_says_how_far_it_was(
    three: list[Machine], tmp_path: Path
) -> None:
    file = tmp_path / "film.bin"
    file.write_bytes(os.urandom(9_000_000))
    three[1].ok("transfer", "limit", "--up", "1M")
    child, code = sending(three[1], file)
    source = three[1].json("status")["listen"][0]
    words = [*PROGRAM, "receive", code, "--yes", "--from", source]
    with child, subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=three[2].environment) as other:
        assert other.stderr is not None
        assert child.stderr is not None
        begin = "".join(_until(other.stderr, "fetching: "))
        shown = list(_until(child.stderr, " has "))
        shown += _until(child.stderr, " %)")
        other.send_signal(signal.SIGINT)
        assert "while it is sent, the same command goes on" in begin + other.stderr.read()
        assert other.wait(HANGS_S) == 130
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=HANGS_S)
    three[1].ok("transfer", "limit", "--up", "none")
    assert re.search(r"[a-zA-Z0-9]{8}.?,? has [0-9.]+ MB \([0-9]+ %\)", shown[-1]), shown[-1]


def _until(lines: Iterable[str], text: str) -> Iterator[str]:
    for line in lines:
        yield line
        if text in line:
            return


def test_receive_asks_in_a_terminal_and_send_shows_a_qr_code_there(
    three: list[Machine], tmp_path: Path
) -> None:
    anna, ben, _ = three
    file = tmp_path / "note.txt"
    file.write_text("hello")
    reader, writer = pty.openpty()
    child = subprocess.Popen(
        [*PROGRAM, "send", str(file), "--once"], stdout=subprocess.PIPE, stderr=writer, env=ben.environment
    )
    assert child.stdout is not None
    code = child.stdout.readline().decode().strip()
    receiving = subprocess.Popen(
        [*PROGRAM, "receive", code], stdin=writer, stdout=subprocess.PIPE, stderr=writer, env=anna.environment
    )
    os.close(writer)
    said = b""
    while b"[Y/n]" not in said:
        said += os.read(reader, 4096)
    os.write(reader, b"y\n")
    assert receiving.communicate(timeout=HANGS_S)[0].decode().strip() == str(anna.downloads / "note.txt")
    assert child.wait(HANGS_S) == 0
    child.stdout.close()
    os.close(reader)
    assert "▀" in said.decode(errors="replace")
