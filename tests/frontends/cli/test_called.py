"""What people are told to type works where they are: the program's name and the data folder they gave."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import click
import pytest

from tests.frontends.support import environment, warren
from warren.frontends.cli.base import Group
from warren.frontends.cli.called import as_called, at_prompt, given_home
from warren.frontends.cli.main import warren as root

if TYPE_CHECKING:
    from pathlib import Path

    from tests.frontends.support import RunningApi

RUN = "python3 run.py"


@pytest.mark.parametrize(
    ("text", "home", "shown"),
    [
        ("stop it with: warren down", None, f"stop it with: {RUN} down"),
        ("stop it with: warren down", "/a b", f"stop it with: {RUN} down --home '/a b'"),
        ("warren ls anna; see: warren logs", "/x", f"{RUN} ls --home /x anna; see: {RUN} logs --home /x"),
        ("warren peer list shows them", "/x", f"{RUN} peer list --home /x shows them"),
        ("warren group list shows them", "/x", f"{RUN} group list --home /x shows them"),
        ("see: warren resource edit --help", "/x", f"see: {RUN} resource edit --home /x --help"),
        ("see: warren --help", "/x", f"see: {RUN} --help"),
        ("warren demo FOLDER", "/x", f"{RUN} demo FOLDER"),
        ("Warren is up; warrenty", "/x", "Warren is up; warrenty"),
    ],
)
def test_commands_are_shown_as_they_have_to_be_typed(
    monkeypatch: pytest.MonkeyPatch, text: str, home: str | None, shown: str
) -> None:
    monkeypatch.setenv("WARREN_PROGRAM", RUN)
    assert as_called(text, home) == shown
    monkeypatch.delenv("WARREN_PROGRAM")
    assert as_called(text, home) == shown.replace(RUN, "warren")


def test_every_command_is_known_by_name() -> None:
    ctx = click.Context(root)
    names = []
    for name in root.list_commands(ctx):
        command = root.get_command(ctx, name)
        inner = command.list_commands(ctx) if isinstance(command, Group) else []
        names += [f"{name} {one}" for one in inner] or [name]
    plain = [one for one in names if as_called(f"warren {one}", "/x") != f"warren {one} --home /x"]
    assert plain == ["demo", "completion"]


def test_at_the_prompt_commands_stand_alone() -> None:
    with at_prompt():
        assert as_called("end it: warren down; see: warren peer list", "/x") == "end it: down; see: peer list"
        assert as_called("warren demo, or warren --help", "/x") == "demo, or help"
    assert as_called("warren down", "/x") == "warren down --home /x"


def test_at_the_prompt_of_a_checkout_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARREN_PROGRAM", RUN)
    with at_prompt():
        assert as_called(f"see: {RUN} search --help") == "see: search --help"


def test_the_folder_is_named_once() -> None:
    once = as_called("stop it with: warren down; see: warren logs", "/x")
    assert as_called(once, "/x") == once


@pytest.mark.parametrize(
    ("words", "home"),
    [
        (["--home", "/x", "ls"], "/x"),
        (["peer", "--home=/x", "list"], "/x"),
        (["ls", "--home"], None),
        (["ls"], None),
    ],
)
def test_the_folder_given(words: list[str], home: str | None) -> None:
    assert given_home(words) == home


def test_every_kind_of_hint(
    capfd: pytest.CaptureFixture[str], api: RunningApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARREN_PROGRAM", RUN)
    none, here = tmp_path / "none", api.home.path
    assert f"start one with: {RUN} up --home {none}\n" in warren(capfd, none, "status").err
    assert f"see: {RUN} ping --help\n" in warren(capfd, none, "ping").err
    assert f"hint: {RUN} peer list --home {here} shows" in warren(capfd, here, "peer", "show", "x").err
    assert f"the other side types: {RUN} join CODE\n" in warren(capfd, here, "invite").err
    assert f"{RUN} ls --home {here} anna\n" in warren(capfd, here, "join", "warren1x").err
    assert f"  {RUN} status --json\n" in warren(capfd, here, "status", "--help").out
    assert f"Usage: {RUN} peer" in warren(capfd, here, "peer").out


def test_shared_options_may_stand_after_a_group(capfd: pytest.CaptureFixture[str], api: RunningApi) -> None:
    from warren.frontends.cli.main import run

    capfd.readouterr()
    assert run(["peer", "--home", str(api.home.path), "--json", "list"]) == 0
    assert '"items"' in capfd.readouterr().out


@pytest.mark.parametrize("words", [[], ["peer"], ["config"]])
def test_a_bare_group_explains_itself(capfd: pytest.CaptureFixture[str], tmp_path: Path, words: Any) -> None:
    from warren.frontends.cli.main import run

    capfd.readouterr()
    assert run(words) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert out.startswith("Usage: warren")
    assert "Exit codes:" in out
    assert not words or "Examples:\n  warren " in out
    assert warren(capfd, tmp_path, *words, "--help").out == out


def end(*words: str, **variables: str) -> Any:
    with open("/dev/full", "wb") as full:
        return subprocess.run(
            [sys.executable, "-m", "warren.frontends.cli", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**variables),
            check=False,
        )


@pytest.mark.parametrize("words", [["config", "show", "--all"], ["--help"], ["completion", "bash"]])
def test_a_full_disk_behind_stdout_is_no_bug(words: list[str]) -> None:
    done = end(*words)
    assert done.returncode == 8
    assert done.stderr == (
        "error: cannot write: No space left on device\nhint: make room, or write elsewhere\n"
    )


def test_a_missing_package_is_told(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from warren.frontends.cli import main as module

    def raises(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'rich.console'", name="rich.console")

    monkeypatch.setattr(module.warren, "main", raises)
    assert module.run([]) == 1
    assert "rich.console is missing: this environment is damaged" in capfd.readouterr().err
