"""What all commands share: options, help layout, exit codes, and the session they run in.

In:  Click's parameters. Out: a `Session` as first argument of every command's function.

Every command takes --home, --json and --debug, shows examples and its exit codes in --help, and raises
`WarrenError` for what goes wrong; `main` turns that into a message and the exit code.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from warren.core.errors import PeerUnknown, StorageError
from warren.frontends.cli.called import as_called
from warren.frontends.home import Home
from warren.frontends.printable import printable, printable_json

if TYPE_CHECKING:
    from pathlib import Path

    from warren.frontends.cli.client import Client

EXITS = {
    0: "done",
    1: "something else went wrong; the message says what",
    2: "what you typed, or a setting, cannot be used",
    3: "no node runs on this data folder",
    4: "not found, or the name fits several",
    5: "the other side refused, or broke the protocol",
    6: "no connection, no answer in time, or a limit was reached",
    7: "the data is not what was asked for",
    8: "the disk is full or read-only, or a file is in use, damaged or gone",
    70: "a bug in Warren",
    130: "interrupted (Ctrl-C)",
}
_ALWAYS = (2, 70, 130)
_WITH_NODE = (3,)
_SENTENCE_MAX = 200


@dataclass
class Session:
    """One run of one command. home: the data folder. as_json: machines read along. given_home: what --home
    said, if it was there.
    """

    home: Home
    as_json: bool = False
    debug: bool = False
    given_home: str | None = None

    def command(self, text: str) -> str:
        """A command as it has to be typed to reach this node: 'down' -> 'warren down --home DIR'."""
        return as_called(f"warren {text}", self.given_home)

    @cached_property
    def client(self) -> Client:
        """The way to the running node. Raises NodeNotRunning when first used without one."""
        from warren.frontends.cli.client import Client

        return Client(self.home.door())

    def show(self, document: Any, lines: Iterable[str] | Callable[[], Iterable[str]]) -> None:
        """Print a result: the document with --json, else the lines."""
        if self.as_json:
            self.show_json(document)
            return
        for line in lines() if callable(lines) else lines:
            click.echo(printable(line))

    def show_json(self, document: Any) -> None:
        """One JSON document on one line of stdout, at once."""
        click.echo(printable_json(document))
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Something for people, beside the result: on stderr, and not with --json."""
        if not self.as_json:
            click.echo(printable(text), err=True)

    def peer(self, text: str) -> str:
        """A number of the last `peer list` becomes the peer id that it stood for; other text stays."""
        listed = self.home.listed("peers", text)
        if isinstance(listed, str):
            return listed
        if text.isascii() and text.isdecimal():
            raise PeerUnknown(f"the last peer list has no line {text}", hint="list again: warren peer list")
        return text


class Command(click.Command):
    """A command with the shared options, examples and exit codes.

    examples: command lines as one would type them. exits: exit codes besides those that every command has.
    needs_node: whether it asks a running node.
    """

    def __init__(
        self,
        *args: Any,
        examples: Sequence[str] = (),
        exits: Sequence[int] = (),
        needs_node: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.examples = list(examples)
        self.exits = sorted({0, *exits, *_ALWAYS, *(_WITH_NODE if needs_node else ())})
        self.params.extend(shared_options())

    def invoke(self, ctx: click.Context) -> Any:
        given = _take_shared(ctx)
        home = given["home"]
        ctx.obj = Session(Home.find(home), bool(given["as_json"]), bool(given["debug"]), home)
        return super().invoke(ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_ends(formatter, self.examples, self.exits)
        super().format_epilog(ctx, formatter)


class Group(click.Group):
    """A collection of commands under a noun, such as `peer`. Alone it explains itself.

    The shared options may stand before the command's name, too.
    """

    command_class = Command

    def __init__(self, *args: Any, examples: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.examples = list(examples)
        self.params.extend(shared_options())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        _take_shared(ctx)
        return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each command with the whole first sentence of its help: Click would cut that."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, one.get_short_help_str(_SENTENCE_MAX)) for name, one in commands if one]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            raise click.UsageError(f"no command {args[0]!r}{_did_you_mean(args[0], known)}", ctx)
        return super().resolve_command(ctx, args)

    def exits(self, ctx: click.Context) -> list[int]:
        """Every code that one of its commands may end with."""
        commands = [self.get_command(ctx, name) for name in self.list_commands(ctx)]
        return sorted({code for one in commands if isinstance(one, Command) for code in one.exits})

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_ends(formatter, self.examples, self.exits(ctx))
        super().format_epilog(ctx, formatter)


def _take_shared(ctx: click.Context) -> dict[str, Any]:
    """The shared options of a command: its own, else those of the groups before it, which `meta` keeps."""
    given: dict[str, Any] = ctx.meta.setdefault(__name__, {"home": None, "as_json": None, "debug": None})
    given |= {name: ctx.params.pop(name, None) or value for name, value in given.items()}
    return given


def _did_you_mean(word: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _write_ends(formatter: click.HelpFormatter, examples: Sequence[str], exits: Iterable[int]) -> None:
    """The end of a help page: examples, exit codes."""
    if examples:
        with formatter.section("Examples"):
            for example in examples:
                formatter.write(f"{'':>{formatter.current_indent}}{as_called(example)}\n")
    with formatter.section("Exit codes"):
        formatter.write_dl([(str(code), EXITS[code]) for code in exits])


def shared_options() -> list[click.Parameter]:
    """--home, --json and --debug, for every command."""
    return [
        click.Option(
            ["--home"],
            metavar="DIR",
            type=click.Path(file_okay=False),
            help="Data folder.  [default: $WARREN_HOME, else the platform's folder for user data]",
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON."),
        click.Option(["--debug"], is_flag=True, help="Show tracebacks."),
    ]


def cannot_write(path: Path, error: OSError) -> StorageError:
    """What to raise where a file of the user's cannot be written."""
    hint = "name a file in a folder that is there, and that you may write to"
    return StorageError(f"cannot write {path}: {error.strerror}", hint=hint)


def columns(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Rows as aligned lines, printable, with nothing cut, so that ids can be copied.

    right: the columns to align to the right.
    """
    if not rows:
        return []
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    rights = set(right)
    return [
        "  ".join(
            cell.rjust(width) if i in rights else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
