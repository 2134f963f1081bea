"""config show, config check: the settings."""

from __future__ import annotations

import os
from collections.abc import Iterable

import click

from warren.core.errors import ConfigError
from warren.frontends.cli.base import Group, Session, columns


@click.group(cls=Group)
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
        name: {"value": _plain(loaded.values[name]), "from": str(loaded.origins[name])} for name in shown
    }
    rows = [(name, settings.to_toml(loaded.values[name]), str(loaded.origins[name])) for name in shown]
    session.show(document, columns([("SETTING", "VALUE", "FROM"), *rows]))
    if len(shown) < len(names):
        session.note(f"{len(names) - len(shown)} more are at their default: warren config show --all")


@config.command("check", needs_node=False, examples=["warren config check"])
@click.pass_obj
def check(session: Session) -> None:
    """Check config.toml and the WARREN_* variables; name what is wrong, where, and the cure."""
    from warren.frontends import settings
    from warren.frontends.config_file import FILE_NAME

    path = session.home.path / FILE_NAME
    found = settings.examine(session.home.path)
    problems = found if isinstance(found, list) else []
    strangers = settings.unknown_variables(os.environ)
    if not session.as_json:
        _print(problems, strangers)
    if problems:
        raise ConfigError(
            f"{len(problems)} {'thing is' if len(problems) == 1 else 'things are'} wrong in the settings",
            hint="each is named above, with its cure" if not session.as_json else problems[0].hint,
        )
    document = {"ok": True, "file": str(path), "unknown_variables": [name for name, _ in strangers]}
    session.show(document, [f"{path}: fine" if path.exists() else f"fine; there is no {path}"])


def _print(problems: Iterable[object], strangers: Iterable[tuple[str, str]]) -> None:
    for problem in problems:
        click.echo(str(problem))
        click.echo(f"    {getattr(problem, 'hint', '')}")
    for name, close in strangers:
        meant = f"; did you mean {close}?" if close else ""
        click.echo(f"{name}: no setting goes by this name{meant}", err=True)


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return [str(item) for item in value] if isinstance(value, tuple) else str(value)
