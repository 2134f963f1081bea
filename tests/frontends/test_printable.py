"""Nothing that others name steers a terminal: the function, and every way out to a terminal or a pipe."""

from __future__ import annotations

import json
import logging
import os
import pty
import subprocess
import sys
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.frontends.fake_node import ANNA, CID
from tests.frontends.support import HANGS_S, environment, warren
from warren.core.errors import ContentUnknown
from warren.frontends.logs import logging_to
from warren.frontends.printable import printable, printable_json
from warren.services.files.types import FileEntry, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.frontends.support import RunningApi

EVIL = "\x1b]0;owned\x07\x1b[2J\r\x9b31m\nfake \u202egpj.exe"
SHOWN = "\\x1b]0;owned\\x07\\x1b[2J\\x0d\\x9b31m\\x0afake \\u202egpj.exe"
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
PROGRAM = (sys.executable, "-m", "warren.frontends.cli")


def is_safe(text: str) -> bool:
    return not any(unicodedata.category(one) in {"Cc", "Zl", "Zp", "Cs"} or one in BIDI for one in text)


@given(st.text(st.characters()))
def test_any_text_becomes_safe_and_stays_so(text: str) -> None:
    shown = printable(text)
    assert is_safe(shown)
    assert printable(shown) == shown


@given(st.text(st.characters(exclude_categories=("C", "Zl", "Zp"))))
def test_text_of_any_language_is_left_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("one", ["\0", "\x1b", "\x7f", "\x80", "\x9f", "\n", "\u2028", "\ud800", *BIDI])
def test_what_steers_or_reorders_is_shown_as_an_escape(one: str) -> None:
    code = ord(one)
    assert printable(f"a{one}b") == (f"a\\x{code:02x}b" if code < 256 else f"a\\u{code:04x}b")


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters()),
    lambda below: st.lists(below) | st.dictionaries(st.text(st.characters()), below),
)


@given(documents)
def test_any_document_becomes_safe_and_stays_what_it_is(document: Any) -> None:
    shown = printable_json(document)
    assert is_safe(shown)
    assert json.loads(shown) == document


@pytest.fixture
def evil(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> RunningApi:
    """A peer whose every name is hostile."""

    async def list_files(_peer: Any = None, path: str = "") -> Any:
        if path:
            raise ContentUnknown(f"no {EVIL}", hint=f"try {EVIL}")
        return [FileEntry(EVIL, EVIL, "file", 1, CID)]

    monkeypatch.setattr(api.node, "list_files", list_files)
    monkeypatch.setattr(api.node, "agent_of", lambda _: EVIL)
    return api


WAYS = [(("ls", "anna"), 0), (("ls", "anna/x"), 4), (("peer", "show", "anna"), 0)]


@pytest.mark.parametrize(("words", "code"), WAYS)
def test_to_a_pipe(capfd: pytest.CaptureFixture[str], evil: RunningApi, words: Any, code: int) -> None:
    said = warren(capfd, evil.home.path, *words)
    assert said.code == code
    assert SHOWN in said.out + said.err
    assert all(is_safe(line) for line in (said.out + said.err).split("\n"))


@pytest.mark.parametrize(("words", "code"), WAYS)
def test_to_a_terminal(evil: RunningApi, words: Any, code: int) -> None:
    left, text = on_a_terminal(evil.home.path, *words)
    assert left == code
    assert SHOWN.encode() in text
    for raw in (b"\x1b]0;", b"\x1b[2J", b"\x07", "\x9b".encode(), "\u202e".encode()):
        assert raw not in text


@pytest.mark.parametrize(("words", "code"), WAYS)
def test_as_json(capfd: pytest.CaptureFixture[str], evil: RunningApi, words: Any, code: int) -> None:
    """Machines read what is meant, and who looks at it meets nothing that steers a terminal."""
    said = warren(capfd, evil.home.path, *words, "--json")
    assert said.code == code
    assert all(is_safe(line) for line in (said.out + said.err).split("\n"))
    assert any(EVIL in text for text in _texts(json.loads(said.out or said.err)))


def _texts(document: Any) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict | list):
        for part in document.values() if isinstance(document, dict) else document:
            yield from _texts(part)


@pytest.mark.parametrize("width", [20, 120])
def test_the_progress_bar(
    evil: RunningApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, width: int
) -> None:
    """It shows the file under way; a narrow terminal holds it too."""

    async def share(path: Any, *_: Any, progress: Any, **__: Any) -> Any:
        progress(Progress(5, 10, 1, 2, EVIL, "hashing"))
        await evil.node.hold.wait()
        raise ContentUnknown("enough")

    monkeypatch.setattr(evil.node, "share", share)
    evil.call(evil.node.hold.clear)
    shown = Awaited(b"hashing", lambda: evil.call(evil.node.hold.set))
    left, text = on_a_terminal(evil.home.path, "share", tmp_path, awaited=shown, COLUMNS=str(width))
    assert left == 4
    assert b"hashing" in text
    for raw in (b"\x1b]0;", b"\x07", "\x9b".encode(), "\u202e".encode()):
        assert raw not in text


def test_a_speed_test_has_a_bar(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    real = api.node.speedtest

    async def speedtest(peer: Any, seconds: float, **_: Any) -> Any:
        await api.node.hold.wait()
        return await real(peer, seconds)

    monkeypatch.setattr(api.node, "speedtest", speedtest)
    api.call(api.node.hold.clear)
    shown = Awaited("━".encode(), lambda: api.call(api.node.hold.set))
    left, text = on_a_terminal(api.home.path, "speedtest", "anna", "--seconds", "1", awaited=shown)
    assert left == 0
    begun, _, rest = text.partition(b"measuring to and from anna")
    assert begun == b""
    assert "━".encode() in rest
    assert b"2,400.0 Mbit/s" in rest


@pytest.mark.parametrize(
    ("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_errors_have_colours_where_they_are_wanted(tmp_path: Path, variables: Any, coloured: bool) -> None:
    code, text = on_a_terminal(tmp_path, "status", **variables)
    assert code == 3
    assert (b"\x1b[31m" in text) == coloured


@dataclass(frozen=True)
class Awaited:
    """What the terminal has to show before something is done: nothing here depends on how fast that is."""

    shown: bytes
    then: Callable[[], object]


def on_a_terminal(
    home: Path, *words: object, awaited: Awaited | None = None, **variables: str
) -> tuple[int, bytes]:
    reader, writer = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, "--home", str(home), *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=writer,
        env=environment(**{"TERM": "xterm", **variables}),
    ) as child:
        os.close(writer)
        text = b""
        while data := _read(reader):
            text += data
            if awaited and awaited.shown in text:
                awaited.then()
                awaited = None
        child.wait(HANGS_S)
    os.close(reader)
    return child.returncode, text


def _read(reader: int) -> bytes:
    try:
        return os.read(reader, 65536)
    except OSError:  # the last writer went
        return b""


def test_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log"
    with logging_to(path, debug=True, also_stderr=True):
        try:
            raise ContentUnknown(EVIL)
        except ContentUnknown:
            logging.getLogger("warren.test").exception("%s (%s)", EVIL, ANNA)
    for text in (path.read_text(), capfd.readouterr().err):
        assert SHOWN in text
        assert "Traceback" in text
        assert all(is_safe(line) for line in text.split("\n"))
