from __future__ import annotations

from typing import TYPE_CHECKING

from warren.frontends.cli.main import warren
from warren.frontends.cli.shell.offers import offered

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.frontends.support import RunningApi


def test_commands_options_and_the_prompts_own_words(tmp_path: Path) -> None:
    before = ("--home", str(tmp_path))
    assert offered(warren, before, [], "s") == ["search", "send", "share", "shell", "speedtest", "status"]
    assert offered(warren, before, [], "Q") == ["query"]
    assert offered(warren, before, ["help"], "sea") == ["search"]
    assert offered(warren, before, ["PEER"], "li") == ["list"]
    assert offered(warren, before, ["QUERY"], "--min") == ["--min-size"]
    assert offered(warren, before, ["nonsense"], "x") == []


def test_peers_of_the_running_node_and_files(
    api: RunningApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ("--home", str(api.home.path))
    assert offered(warren, before, ["ping"], "an") == ["anna"]
    (tmp_path / "Maps").mkdir()
    (tmp_path / "Maps.txt").touch()
    monkeypatch.chdir(tmp_path)
    assert offered(warren, before, ["share"], "Ma") == ["Maps.txt", "Maps/"]
    assert offered(warren, before, ["share"], f"{tmp_path}/Maps.") == [f"{tmp_path}/Maps.txt"]
    assert offered(warren, before, ["share"], "nowhere/x") == []
