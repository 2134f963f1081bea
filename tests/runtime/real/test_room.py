"""What a file system answers when room is set aside, with the answers played by a fake."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from warren.runtime.real import room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    opened = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


def play(monkeypatch: pytest.MonkeyPatch, *errors: int) -> list[int]:
    """Let `fallocate64` fail with these, one after the other; 0 is success. Returns the calls."""
    calls: list[int] = []

    class Library:
        def __init__(self, *_: Any, **__: Any) -> None:
            self.fallocate64: Callable[..., int] = self._call

        def _call(self, fd: int, *_: Any) -> int:
            error = errors[len(calls)]
            calls.append(fd)
            ctypes.set_errno(error)
            return -1 if error else 0

    monkeypatch.setattr(ctypes, "CDLL", Library)
    return calls


@pytest.mark.parametrize("error", [errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_what_cannot_be_set_aside_is_left_to_the_writing(
    fd: int, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    calls = play(monkeypatch, error)
    room.reserve(fd, 1)
    assert calls == [fd]


def test_a_signal_is_no_answer(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = play(monkeypatch, errno.EINTR, 0)
    room.reserve(fd, 1)
    assert calls == [fd, fd]


@pytest.mark.parametrize(("size", "asked"), [(1, True), (1 << 60, False)])
def test_a_full_disk_is_told(fd: int, monkeypatch: pytest.MonkeyPatch, size: int, asked: bool) -> None:
    """Without asking where that would take the last block in vain."""
    calls = play(monkeypatch, errno.ENOSPC)
    with pytest.raises(OSError) as caught:
        room.reserve(fd, size)
    assert caught.value.errno == errno.ENOSPC
    assert bool(calls) is asked


def test_elsewhere_nothing_is_set_aside(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = play(monkeypatch)
    monkeypatch.setattr("sys.platform", "darwin")
    room.reserve(fd, 1)
    assert calls == []


def test_holes_take_nothing_and_links_are_not_followed(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    (tmp_path / "link").symlink_to("/")
    assert room.taken_bytes(str(tmp_path)) < 1 << 20
    assert room.taken_bytes(str(tmp_path / "link")) < 1 << 20


def test_where_blocks_are_not_told_the_size_counts() -> None:
    class Status:
        st_size = 5

    assert room._taken(Status()) == 5  # type: ignore[arg-type]
    assert room._taken(os.lstat("/")) >= 0
