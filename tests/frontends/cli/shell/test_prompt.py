from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from warren.frontends.cli.shell.prompt import Piped

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pipe() -> Iterator[tuple[Piped, int]]:
    reader, writer = os.pipe()
    try:
        yield Piped(reader), writer
    finally:
        os.close(reader)


def test_lines_of_a_pipe(pipe: tuple[Piped, int]) -> None:
    piped, writer = pipe
    os.write(writer, b"one\n\nthr\xff")
    assert [piped.read(), piped.read()] == ["one", ""]
    os.write(writer, "ü\nlast".encode())
    os.close(writer)
    assert [piped.read(), piped.read(), piped.read()] == ["thr\ufffdü", "last", None]


def test_a_pipe_is_pressed_when_there_is_more_to_read_which_stays(pipe: tuple[Piped, int]) -> None:
    piped, writer = pipe
    assert not piped.pressed(0)
    os.write(writer, b"a\nb\n")
    assert piped.pressed(60)
    assert piped.read() == "a"
    assert piped.pressed(0), "it was read ahead"
    assert piped.read() == "b"
    assert not piped.pressed(0)
    os.close(writer)
    assert piped.pressed(60), "nothing more will come"
