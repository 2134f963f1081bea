"""What an entry can be called."""

from __future__ import annotations

import pytest

from warren.core.entry import PATH_BYTES_MAX, is_entry_path


@pytest.mark.parametrize(
    "path", ["a", "S/a b.txt", "a..b/..c/d..", "...", "\u00e4/\u4e2d", "a" * PATH_BYTES_MAX]
)
def test_it_is_called_something_below_its_share(path: str) -> None:
    assert is_entry_path(path)


@pytest.mark.parametrize(
    "path", ["", "/", "/a", "a/", "a//b", "..", "../a", "a/..", "a/../b", "a\0b", "a" * (PATH_BYTES_MAX + 1)]
)
def test_it_does_not_lead_out_nor_is_it_called_nothing(path: str) -> None:
    assert not is_entry_path(path)


def test_its_bytes_are_counted() -> None:
    assert is_entry_path("\u00e4" * (PATH_BYTES_MAX // 2))
    assert not is_entry_path("\u00e4" * (PATH_BYTES_MAX // 2) + "a")
