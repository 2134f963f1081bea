"""What a shell offers while a node runs; and nothing, at once, while none does."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.support import environment, warren

if TYPE_CHECKING:
    from pathlib import Path

    from tests.frontends.support import RunningApi


def offered(*words: str, **variables: str) -> list[str]:
    """What bash would show after the last word."""
    asked = environment(
        _WARREN_COMPLETE="bash_complete",
        COMP_WORDS=" ".join(["warren", *words]),
        COMP_CWORD=str(len(words)),
        **variables,
    )
    done = subprocess.run(
        [sys.executable, "-m", "warren.frontends.cli"], capture_output=True, env=asked, check=False, text=True
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("ping", "a"), ["anna"]),
        (("ping", "x"), []),
        (("peer", "show", "an"), ["anna"]),
        (("speedtest", "ann"), ["anna"]),
        (("ls", "a"), ["anna/"]),
        (("get", "anna/P"), ["anna/Photos/"]),
        (("get", "anna/n"), ["anna/notes.txt"]),
        (("get", "x", "--from", "a"), ["anna"]),
        (("unshare", "P"), ["Pictures"]),
    ],
)
def test_names_while_a_node_runs(
    capfd: pytest.CaptureFixture[str], api: RunningApi, tmp_path: Path, words: Any, expected: list[str]
) -> None:
    (tmp_path / "Pictures").mkdir()
    warren(capfd, api.home.path, "share", tmp_path / "Pictures")
    assert offered(*words, WARREN_HOME=str(api.home.path)) == expected
    first, *rest = words
    assert offered(first, "--home", str(api.home.path), *rest) == expected or first == "peer"


def test_nothing_while_none_does(tmp_path: Path) -> None:
    assert offered("ping", "a", WARREN_HOME=str(tmp_path)) == []
