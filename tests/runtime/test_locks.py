"""The lock on a file: who holds it is known to all who look, and nobody who looks is in the way."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

import pytest

from warren.runtime import locks
from warren.runtime.locks import FileLock, holder

if TYPE_CHECKING:
    from pathlib import Path


def test_the_file_says_who_holds_it_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("12345678 from an earlier one")
    with contextlib.closing(FileLock(path)):
        assert path.read_text() == f"{os.getpid()}\n"
        assert holder(path) == os.getpid()
    assert holder(path) is None
    path.unlink()
    FileLock(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_those_who_look_do_not_see_each_other(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    FileLock(path).close()
    looking = os.open(path, os.O_RDWR)
    try:
        assert locks._try(looking, shared=True)
        assert holder(path) is None
    finally:
        os.close(looking)


def test_who_wants_it_while_somebody_looks_gets_it_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    FileLock(path).close()
    looking = os.open(path, os.O_RDWR)
    assert locks._try(looking, shared=True)
    waited = threading.Event()

    def pause(_: float) -> None:
        if not waited.is_set():
            os.close(looking)
        waited.set()

    monkeypatch.setattr("warren.runtime.locks.time.sleep", pause)
    FileLock(path).close()
    assert waited.is_set()


def test_a_holder_that_has_not_said_its_number_is_a_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with contextlib.closing(FileLock(path)):
        path.write_text("x")
        assert holder(path) == 0


def test_what_is_not_there_or_no_file_is_held_by_nobody(tmp_path: Path) -> None:
    assert holder(tmp_path / "none") is None
    assert holder(tmp_path) is None
    with pytest.raises(IsADirectoryError):
        FileLock(tmp_path)
