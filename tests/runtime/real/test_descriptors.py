"""The limit of open files is raised as far as it may be, and never lowered."""

from __future__ import annotations

import sys

import pytest

if sys.platform == "win32":
    pytest.skip("Windows has no such limit", allow_module_level=True)

import resource
from typing import TYPE_CHECKING

from warren.runtime.real.descriptors import allow_open_files

if TYPE_CHECKING:
    from collections.abc import Callable

NEVER = resource.RLIM_INFINITY


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], list[tuple[int, int]]]:
    """Pretend these limits; returns what is set."""

    def pretend(soft: int, hard: int) -> list[tuple[int, int]]:
        monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
        monkeypatch.setattr(resource, "setrlimit", lambda _, both: made.append(both))
        return made

    made: list[tuple[int, int]] = []
    return pretend


@pytest.mark.parametrize(
    ("soft", "hard", "allowed", "made"),
    [
        (1024, 4096, 2000, [(2000, 4096)]),
        (1024, 1500, 1500, [(1500, 1500)]),
        (1024, NEVER, 2000, [(2000, NEVER)]),
        (3000, 4096, 3000, []),
        (NEVER, NEVER, None, []),
    ],
)
def test_it_is_raised_as_far_as_it_may_be(
    limits: Callable[[int, int], list[tuple[int, int]]],
    soft: int,
    hard: int,
    allowed: int | None,
    made: list[tuple[int, int]],
) -> None:
    done = limits(soft, hard)
    assert allow_open_files(2000) == allowed
    assert done == made


def test_a_system_that_refuses_leaves_it_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int, __: object) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, NEVER))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert allow_open_files(2000) == 256


def test_what_this_process_may_have_stays_as_it_is_where_it_is_enough() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    allow_open_files(16)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
