from __future__ import annotations

import pytest

from warren.core.errors import InputError
from warren.services.files.share_name import NAME_BYTES_MAX, choose_name


@pytest.mark.parametrize(
    ("wanted", "path", "taken", "chosen"),
    [
        (None, "/home/docs", set(), "docs"),
        (None, "/", set(), "root"),
        (None, "/home/docs", {"docs"}, "docs (2)"),
        (None, "/home/docs", {"docs", "docs (2)", "x"}, "docs (3)"),
        ("papers", "/home/docs", {"docs"}, "papers"),
        ("x" * NAME_BYTES_MAX, "/", set(), "x" * NAME_BYTES_MAX),
    ],
)
def test_names(wanted: str | None, path: str, taken: set[str], chosen: str) -> None:
    assert choose_name(wanted, path, taken) == chosen


@pytest.mark.parametrize(
    "wanted", ["", " ", ".", "..", "a/b", "a\nb", "a\u202eb", "x" * (NAME_BYTES_MAX + 1), "caf\udce9", "docs"]
)
def test_names_that_are_refused(wanted: str) -> None:
    with pytest.raises(InputError):
        choose_name(wanted, "/home/docs", {"docs"})


def test_a_path_that_is_not_utf8_needs_a_name() -> None:
    with pytest.raises(InputError, match="UTF-8"):
        choose_name(None, "/home/caf\udce9", set())
