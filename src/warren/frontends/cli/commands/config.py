"""config show, config check: the settings."""

from __future__ import annotations

import os
from pathlib import Path

import click

from warren.core.errors import ConfigError
from warren.frontends.cli.base import Group, Session, columns
from warren.frontends.config_file import FILE_NAME, Problem


@click.group(cls=Group, examples=["warren config show", "warren config check"])
def config() -> None:
    """Show or check the settings.

    They come from flags, WARREN_* variables, config.toml in the data folder, and defaults; the first that
    names a setting wins.
    """


@config.command(
    "show",
    needs_node=False,
    examples=["warren config show", "warren config show network", "warren config show --all"],
)
@click.argument("only", metavar="[NAME]", default="")
@click.option("--all", "everything", is_flag=True, help="Also the many settings that are at their default.")
@click.pass_obj
def show(session: Session, only: str, everything: bool) -> None:
    """Show each setting, its value, and where that comes from.

    NAME shows one setting, or one section such as network. A running node may have been started with flags
    that are not seen here.
    """
    from warren.frontends import settings

    loaded = settings.load(session.home.path)
    names = [name for name in loaded.values if not only or name == only or name.startswith(only + ".")]
    if not names:
        raise click.UsageError(f"no setting is called {only!r}")
    everything = everything or bool(only)
    shown = [
        name for name in names if everything or "." not in name or loaded.origins[name].kind != "default"
    ]
    document = {
        name: {"value": _plain(_safe(name, loaded.values[name])), "from": str(loaded.origins[name])}
        for name in shown
    }
    rows = [
        (name, settings.to_toml(_safe(name, loaded.values[name])), str(loaded.origins[name]))
        for name in shown
    ]
    session.show(document, columns([("SETTING", "VALUE", "FROM"), *rows]))
    if len(shown) < len(names):
        session.note(
            f"{len(names) - len(shown)} more are at their default: {session.command('config show --all')}"
        )


@config.command("check", needs_node=False, examples=["warren config check"])
@click.pass_obj
def check(session: Session) -> None:
    """Check config.toml and the WARREN_* variables; name what is wrong, where, and the cure."""
    from warren.frontends import settings

    path = session.home.path / FILE_NAME
    found = settings.examine(session.home.path)
    problems = found if isinstance(found, list) else []
    strangers = settings.unknown_variables(os.environ)
    session.show(_document(path, problems, strangers), lambda: _verdict(path, problems))
    for name, close in strangers:
        meant = f"; did you mean {close}?" if close else ""
        session.note(f"{name}: no setting goes by this name{meant}")
    if problems:
        what = "thing is" if len(problems) == 1 else "things are"
        raise ConfigError(
            f"{len(problems)} {what} wrong in the settings", hint="each is named, with its cure"
        )


def _document(path: Path, problems: list[Problem], strangers: list[tuple[str, str]]) -> dict[str, object]:
    return {
        "ok": not problems,
        "file": str(path),
        "problems": [{"where": one.where, "message": one.message, "hint": one.hint} for one in problems],
        "unknown_variables": [name for name, _ in strangers],
    }


def _verdict(path: Path, problems: list[Problem]) -> list[str]:
    if not problems:
        return [f"{path}: fine" if path.exists() else f"fine; there is no {path}"]
    return [line for problem in problems for line in (str(problem), f"    {problem.hint}")]


def _safe(name: str, value: object) -> object:
    """The value as it may be shown."""
    from warren.services.directory.fleet.url import shown

    return shown(str(value)) if name == "directory.store" else value


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return [str(item) for item in value] if isinstance(value, tuple) else str(value)
