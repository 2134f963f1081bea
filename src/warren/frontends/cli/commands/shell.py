"""shell: the same commands at a prompt."""

from __future__ import annotations

import contextlib
import gc
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from typing import NoReturn

import click

from warren.core.errors import EXIT_INTERRUPTED, NodeNotRunning
from warren.frontends.cli import main
from warren.frontends.cli.base import Command, Group, Session
from warren.frontends.cli.called import at_prompt
from warren.frontends.cli.commands.logs import following
from warren.frontends.cli.shell.lines import EXIT, HELP, OWN, WAIT, command_of, seconds_of, words_of
from warren.frontends.cli.shell.offers import offered
from warren.frontends.cli.shell.prompt import Lines, Terminal, lines

_LOOK_EVERY_S = 0.2
_HISTORY = "shell_history"


@click.command(
    cls=Command,
    needs_node=False,
    examples=["warren shell", "printf 'QUERY old map\\nGET 1\\n' | warren shell"],
    exits=(1, 3, 4, 5, 6, 7, 8),
)
@click.pass_obj
def shell(session: Session) -> int:
    """Type the same commands at a prompt, in any case, without the word warren.

    There are also QUERY (search), WAIT (keep serving and show what happens until a key), HELP and EXIT.
    Ctrl-C ends the command that runs, Ctrl-D the shell. What cannot be done is said, and the next line read.

    It uses the node that runs on the data folder. If none does, it starts one that ends with the shell. Lines
    may come from a pipe: then it ends with the code of the last command.
    """
    with _signals(), _node(session), lines(session.home.path / _HISTORY, _completer(session)) as typed:
        with at_prompt():
            code = _Shell(session, typed).run()
        return 0 if isinstance(typed, Terminal) else code


class _Shell:
    """The loop: read, run, tell."""

    def __init__(self, session: Session, typed: Lines) -> None:
        self._session = session
        self._typed = typed
        self._before = _before(session)
        self._known = main.warren.list_commands(click.Context(main.warren))
        self._groups = [name for name in self._known if isinstance(_command(name), Group)]

    def run(self) -> int:
        """Until EXIT or the end of what is typed. Returns the code of the last command."""
        code = 0
        while (line := self._typed.read()) is not None:
            try:
                words = words_of(line, self._known, self._groups)
                if words[:1] == [EXIT]:
                    break
                if words:
                    code = self._do(words)
            except KeyboardInterrupt:
                click.echo("interrupted", err=True)
                code = EXIT_INTERRUPTED
            except Exception as error:  # noqa: BLE001  whatever one command does, the next line is read
                if self._session.debug:
                    traceback.print_exc()
                code = main.explain(self._before, error)
        return code

    def _do(self, words: list[str]) -> int:
        if words[0] == WAIT:
            return self._wait(seconds_of(words[1:]))
        if words[0] == HELP and not words[1:]:
            _help()
            return 0
        if words[0] == HELP:
            words = [*words_of(" ".join(words[1:]), self._known, self._groups), "--help"]
            if command_of(words[0]) in {HELP, WAIT, EXIT}:
                _help()
                return 0
        code = main.run([*self._before, *words])
        gc.enable()  # a command that starts a node switches it off for what it thinks is a short life
        return code

    def _wait(self, seconds: float | None) -> int:
        """Show what the node logs until a key is pressed."""
        home = self._session.home
        home.door()  # says so where no node runs
        until = None if seconds is None else time.monotonic() + seconds
        say = ["waiting; press a key to go on" if until is None else "waiting"]

        def goes_on() -> bool:
            while say:  # not before the log is watched
                self._session.note(say.pop())
            if home.running_pid() is None:
                raise NodeNotRunning("the node has ended", hint="start one with: warren up -d")
            if until is None:
                return not self._typed.pressed(_LOOK_EVERY_S)
            left = until - time.monotonic()
            time.sleep(max(min(left, _LOOK_EVERY_S), 0))
            return left > 0

        with self._typed.watching():
            for line in following(home.log_file, goes_on):
                self._session.show({"line": line}, [line])
        return 0


def _command(name: str) -> click.Command | None:
    return main.warren.get_command(click.Context(main.warren), name)


def _before(session: Session) -> list[str]:
    """What each command is given besides its words."""
    home = ["--home", session.given_home] if session.given_home else []
    return [*home, *(["--json"] if session.as_json else []), *(["--debug"] if session.debug else [])]


def _help() -> None:
    formatter = click.HelpFormatter(max_width=100)
    for title, section in main.COMMANDS.items():
        with formatter.section(title):
            formatter.write_dl([(name, text) for name, (_, text) in section.items() if name != "shell"])
    with formatter.section("At this prompt"):
        formatter.write_dl(list(OWN.items()))
    click.echo(formatter.getvalue().lstrip("\n"), nl=False)


def _completer(session: Session) -> Callable[[list[str], str], list[str]]:
    before = ["--home", str(session.home.path)]
    return lambda words, text: offered(main.warren, before, words, text)


@contextlib.contextmanager
def _node(session: Session) -> Iterator[None]:
    """The node that runs, or one that ends with the shell."""
    if session.home.running_pid() is not None:
        name = session.client.get("status")["name"]
        session.note(f"this is the node {name}; HELP lists the commands, EXIT leaves")
        yield
        return
    from warren.frontends.cli.commands.up import in_background

    started = in_background(session)
    try:
        session.note(
            f"{started['name']} is up, and ends with this shell; HELP lists the commands, EXIT leaves"
        )
        yield
    finally:
        if session.home.running_pid() == started["pid"]:
            main.run([*_before(session), "down"])


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Being ended by the system, or with the terminal, is leaving: a node that was started ends, too."""

    def leave(number: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    names = ("SIGTERM", "SIGHUP")
    before = {
        one: signal.signal(one, leave) for name in names if (one := getattr(signal, name, None)) is not None
    }
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
