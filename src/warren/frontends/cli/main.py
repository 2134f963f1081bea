"""The `warren` program: finds the command, runs it, and turns how it ended into a message and an exit code.

In:  the command line.
Out: results on stdout; progress, notes and errors on stderr; one of the documented exit codes.

A command's module is imported only when that command runs, so that `warren --help` is quick.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn, cast

import click

from warren import __version__
from warren.core.errors import EXIT_INTERRUPTED, Ambiguous, WarrenError
from warren.frontends.cli.base import EXITS, Group
from warren.frontends.cli.called import as_called, given_home, program
from warren.frontends.printable import printable, printable_json

_PACKAGE = "warren.frontends.cli.commands"
_EXIT_BUG = 70
# Writing a result fails with one of these where a disk or a device is to blame, not we.
_DISK_ERRORS = {errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS}

# command -> (module:function, what --help says in one line), in the order of --help
COMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "The node": {
        "up": ("up:up", "Start the node."),
        "down": ("node:down", "Stop the node."),
        "status": ("node:status", "Show the running node."),
        "logs": ("logs:logs", "Show what the node wrote to its log."),
        "id": ("node:peer_id", "Print this node's peer id."),
        "shell": ("shell:shell", "Type the same commands at a prompt."),
    },
    "People": {
        "invite": ("people:invite", "Make a code that lets somebody become your contact."),
        "join": ("people:join", "Use a code that somebody gave you."),
        "peer": ("peer:peer", "List, show, add, block and remove peers; import and export them."),
        "group": ("group:group", "Put contacts into groups, to share with them alone."),
        "metadata": ("metadata:metadata", "Say something of this node that all can read."),
        "ping": ("people:ping", "Measure the round trip to a peer."),
        "speedtest": ("people:speedtest", "Measure throughput to and from a peer."),
    },
    "Files": {
        "share": ("files:share", "Share a file or folder."),
        "unshare": ("files:unshare", "Stop sharing something."),
        "resource": ("resource:resource", "Say what a shared file or folder is."),
        "ls": ("files:ls", "List your shares, or what a peer shares with you."),
        "search": ("search:search", "Search what is shared, wherever it is."),
        "get": ("get:get", "Fetch files and folders, verified."),
        "transfer": ("transfer:transfer", "List, pause and cancel what is fetched; see what goes out."),
        "send": ("send:send", "Send files and folders to whoever has a short code."),
        "receive": ("receive:receive", "Receive what somebody sends, by the code that they told you."),
    },
    "The network": {
        "discover": ("discover:discover", "Print who is found under the name of a service."),
        "dht": ("dht:dht", "Put and get values, find content and peers."),
    },
    "More": {
        "demo": ("demo:demo", "Watch two nodes share a folder."),
        "config": ("config:config", "Show or check the settings."),
        "completion": ("completion:completion", "Print the completion script for a shell."),
    },
}


class _Warren(Group):
    """Loads commands when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [name for section in COMMANDS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        for section in COMMANDS.values():
            if cmd_name in section:
                module, _, function = section[cmd_name][0].partition(":")
                command: click.Command = getattr(importlib.import_module(f"{_PACKAGE}.{module}"), function)
                return command
        return None

    def exits(self, ctx: click.Context) -> list[int]:  # noqa: ARG002
        return list(EXITS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, section in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in section.items()])


@click.group(
    cls=_Warren,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with: warren demo. Then: warren up -d, and warren invite.",
)
@click.version_option(__version__, prog_name="warren", message="warren %(version)s")
def warren(**_: object) -> None:
    """Share folders between people who know each other, peer to peer, over libp2p.

    Each command explains itself: warren COMMAND --help.
    """


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    words = list(sys.argv[1:] if args is None else args)
    sys.exit(run(words))


def run(words: list[str]) -> int:
    """Run one command line. Returns the exit code; raises only with --debug."""
    debug = "--debug" in words
    try:
        code = warren.main(words, prog_name=program(), complete_var="_WARREN_COMPLETE", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except BrokenPipeError:  # whoever reads our output has seen enough
        _drop_stdout()
        return 1
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        return _tell(words, "UsageError", error.format_message(), _usage_hint(error, words), error.exit_code)
    except Exception as error:  # the outermost boundary: no traceback for people who did nothing wrong
        if debug:
            raise
        return explain(words, error)


def explain(words: Sequence[str], error: Exception) -> int:
    """Say on stderr what went wrong. Returns the exit code."""
    return _tell(words, *_explained(error))


def _explained(error: Exception) -> tuple[str, str, str, int, Sequence[str]]:
    """What is told of an error: its name, message, hint, exit code, candidates."""
    name = type(error).__name__
    if isinstance(error, WarrenError):
        candidates = error.candidates if isinstance(error, Ambiguous) else []
        return name, str(error), error.hint, error.exit_code, candidates
    if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
        _drop_stdout()
        what = f" to {error.filename}" if error.filename else ""
        return "StorageError", f"cannot write{what}: {error.strerror}", "make room, or write elsewhere", 8, ()
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] != "warren":
        cure = "install Warren again; in a checkout: python3 run.py setup"
        return name, f"{error.name} is missing: this environment is damaged", cure, 1, ()
    cure = "run it again with --debug and report what it shows"
    return "Bug", f"a bug in Warren: {name}: {error}", cure, _EXIT_BUG, ()


def _drop_stdout() -> None:
    """Let what could not be written go: else Python tries again at its end, and fails once more."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _usage_hint(error: click.ClickException, words: Sequence[str]) -> str:
    """The help to read. Click does not always say in which command it stumbled."""
    ctx = getattr(error, "ctx", None)
    return f"see: {' '.join(_path(words)) if ctx is None else ctx.command_path} --help"


def _path(words: Sequence[str]) -> list[str]:
    """The command that words begin: warren peer list."""
    path, command = [program()], cast("click.Command | None", warren)
    for word in words:
        inner = command.get_command(click.Context(command), word) if isinstance(command, Group) else None
        if inner is not None:
            path.append(word)
            command = inner
    return path


def _tell(
    words: Sequence[str], name: str, message: str, hint: str, code: int, candidates: Sequence[str] = ()
) -> int:
    """Say on stderr what went wrong, as JSON where that was asked for. Returns the exit code."""
    hint = as_called(hint, given_home(words))
    if "--json" in words:
        document = {
            "error": name,
            "message": message,
            "hint": hint,
            "code": code,
            "candidates": list(candidates),
        }
        click.echo(printable_json(document), err=True)
        return code
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    lines = [f"{click.style('error:', fg='red', bold=True)} {printable(message)}"]
    lines += [f"  {printable(candidate)}" for candidate in candidates]
    lines += [f"{click.style('hint:', bold=True)} {printable(hint)}"] if hint else []
    for line in lines:
        click.echo(line, err=True, color=False if plain else None)
    return code
