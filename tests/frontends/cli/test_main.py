"""Every command explains itself; every end has its code, and nobody sees a traceback who did not ask."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import click
import pytest

from tests.frontends.support import environment, warren
from warren.core.errors import Ambiguous, ConfigError
from warren.frontends.cli import main as main_module
from warren.frontends.cli.base import EXITS, Command
from warren.frontends.cli.main import COMMANDS, run
from warren.frontends.cli.main import warren as root

if TYPE_CHECKING:
    from pathlib import Path

EXIT_NO_NODE = 3


def every_command() -> Any:
    """All commands that do something, by their full names."""
    context = click.Context(root, info_name="warren")

    def walk(group: Any, prefix: Any) -> Any:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from walk(command, [*prefix, name])
            else:
                yield pytest.param([*prefix, name], command, id=" ".join([*prefix, name]))

    return list(walk(root, []))


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("search", "x", "--save"), "warren search"),
        (("resource", "edit", "x", "--title"), "warren resource edit"),
        (("resource", "edit", "x", "--titel", "y"), "warren resource edit"),
        (("--nothing",), "warren"),
    ],
)
def test_a_mistyped_option_names_the_help_to_read(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, words: Any, command: str
) -> None:
    said = warren(capfd, tmp_path, *words)
    assert said.code == 2
    home = f" --home {tmp_path}" if command != "warren" else ""
    assert f"hint: see: {command}{home} --help\n" in said.err


@pytest.mark.parametrize(("words", "command"), every_command())
def test_help_has_an_example_defaults_and_exit_codes(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], command: Any
) -> None:
    said = warren(capfd, tmp_path, *words, "--help")
    assert said.code == 0
    assert said.err == ""
    assert f"Usage: warren {' '.join(words)}" in said.out
    examples = said.out.partition("Examples:\n")[2]
    assert f"  warren {' '.join(words)}" in examples
    for code in (0, 2, 70, 130):
        assert f"  {code:<4} {EXITS[code]}" in said.out
    for option in ("--home", "--json", "--debug", "-h, --help"):
        assert option in said.out
    assert isinstance(command, Command)
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.is_flag and not parameter.hidden:
            assert parameter.help
            assert parameter.help.endswith((".", "]"))
            valued = isinstance(parameter.default, int | float | str)
            assert not valued or parameter.show_default, parameter.name


@pytest.mark.parametrize(
    ("name", "place", "text"),
    [(name, *entry) for section in COMMANDS.values() for name, entry in section.items()],
)
def test_the_short_help_is_the_first_line_of_the_long_one(name: str, place: Any, text: str) -> None:
    command = root.get_command(click.Context(root), name)
    assert command is not None, place
    first = (command.help or "").partition("\n\n")[0].replace("\n", " ")
    assert first.startswith(text.rstrip(".")), (first, text)


def test_help_of_the_whole(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = warren(capfd, tmp_path, "--help")
    assert said.code == 0
    for section in COMMANDS.values():
        for name, (_, text) in section.items():
            assert f"  {name} " in said.out
            assert text in said.out


def test_version(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import warren as package

    assert warren(capfd, tmp_path, "--version").out == f"warren {package.__version__}\n"


@pytest.mark.parametrize("words", [["statsu"], ["peer", "lst"], ["ping"], ["get"], ["invite", "--uses", "0"]])
def test_what_is_typed_wrong_is_told(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]
) -> None:
    said = warren(capfd, tmp_path, *words)
    assert said.code == 2
    assert said.err.startswith("error: ")
    assert "hint: see: warren" in said.err
    assert said.out == ""


def test_a_command_that_is_nearly_right(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "did you mean 'status'?" in warren(capfd, tmp_path, "statsu").err
    assert "did you mean 'list'?" in warren(capfd, tmp_path, "peer", "lst").err


def test_a_group_lists_its_commands_by_whole_sentences(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for group in ("peer", "dht", "metadata", "config"):
        listed = (
            warren(capfd, tmp_path, group, "--help").out.partition("Commands:")[2].partition("Examples")[0]
        )
        assert "..." not in listed


def commands_that_need_a_node() -> list[Any]:
    """Each of them, with something for every argument that it insists on."""
    found = []
    for words, command in [case.values for case in every_command()]:
        if EXIT_NO_NODE in command.exits and words != ["shell"]:  # that one starts a node
            needed = [one for one in command.params if isinstance(one, click.Argument) and one.required]
            typed = [_typed_for(one) for one in needed]
            found.append(pytest.param([*words, *typed], id=" ".join(words)))
    return found


def _typed_for(argument: click.Argument) -> str:
    if isinstance(argument.type, click.Path):
        return __file__
    return "1" if isinstance(argument.type, click.IntRange) else "x"


@pytest.mark.parametrize("words", commands_that_need_a_node())
def test_without_a_node_every_command_says_so(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]
) -> None:
    said = warren(capfd, tmp_path / "none", *words)
    assert said.code == EXIT_NO_NODE
    assert f"no node runs on {tmp_path / 'none'}" in said.err
    assert "hint: " in said.err
    assert not (tmp_path / "none").exists()


def test_errors_are_json_with_json(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = warren(capfd, tmp_path, "status", "--json")
    document = json.loads(said.err)
    assert (document["error"], document["code"], said.out) == ("NodeNotRunning", 3, "")
    assert document["hint"] == f"start one with: warren up --home {tmp_path}"


def end_with(monkeypatch: pytest.MonkeyPatch, error: Any) -> None:
    def raises(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(main_module.warren, "main", raises)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.Abort(), 130, "interrupted"),
        (ConfigError("wrong", hint="cure"), 2, "error: wrong\nhint: cure"),
        (
            Ambiguous("fits two", ["one", "two"], hint="type more"),
            4,
            "error: fits two\n  one\n  two\nhint: type more",
        ),
        (ZeroDivisionError("oops"), 70, "a bug in Warren: ZeroDivisionError: oops"),
    ],
)
def test_every_end_has_its_code(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Any, code: int, text: str
) -> None:
    end_with(monkeypatch, error)
    assert run([]) == code
    err = capfd.readouterr().err
    assert text in err
    assert "Traceback" not in err


@pytest.mark.parametrize("error", [ConfigError("wrong"), ZeroDivisionError("oops")])
def test_debug_shows_where_it_happened(monkeypatch: pytest.MonkeyPatch, error: Any) -> None:
    end_with(monkeypatch, error)
    with pytest.raises(type(error)):
        run(["--debug"])


def test_whoever_reads_our_output_may_stop_reading() -> None:
    words = [sys.executable, "-m", "warren.frontends.cli", "config", "show", "--all"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.wait() == 1
        assert child.stderr.read() == b""


def test_help_is_quick() -> None:
    """Imports nothing heavy: measured by what is loaded, as a busy machine cannot spoil that."""
    code = (
        "import sys\nfrom warren.frontends.cli.main import run\nassert run(['--help']) == 0\n"
        "heavy = {'fastapi', 'pydantic', 'uvicorn', 'rich', 'asyncio', 'cryptography', 'google', 'sqlite3'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment(), check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_completion(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for shell in ("bash", "zsh", "fish"):
        said = warren(capfd, tmp_path, "completion", shell)
        assert said.code == 0
        assert "_WARREN_COMPLETE" in said.out
    asked = environment(_WARREN_COMPLETE="bash_complete", COMP_WORDS="warren sta", COMP_CWORD="1")
    words = [sys.executable, "-m", "warren.frontends.cli"]
    done = subprocess.run(words, capture_output=True, env=asked, check=False, text=True)
    assert done.stdout.split() == ["plain,status"]
