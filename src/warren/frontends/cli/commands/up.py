"""up: start the node, here or in the background."""

from __future__ import annotations

import contextlib
import gc
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from warren.frontends.cli.base import Command, Session
from warren.frontends.home import Home

if TYPE_CHECKING:
    from warren.frontends.settings import Loaded


@click.command(
    cls=Command,
    needs_node=False,
    examples=[
        "warren up",
        "warren up -d --name anna",
        "warren up --listen /ip4/0.0.0.0/tcp/4200 --listen /ip6/::/tcp/4200",
    ],
    exits=(8,),
)
@click.option("-d", "--detach", is_flag=True, help="Run in the background; returns when the node is ready.")
@click.option(
    "--name",
    help="What the node calls itself towards its contacts; kept at the first start.  [default: USER@HOST]",
)
@click.option(
    "--listen",
    multiple=True,
    metavar="MULTIADDR",
    help="Address to listen on; repeatable.  [default: TCP port 4101, IPv4 and IPv6]",
)
@click.option("--detached", is_flag=True, hidden=True)
@click.pass_obj
def up(session: Session, detach: bool, name: str | None, listen: tuple[str, ...], detached: bool) -> int:
    """Start the node. It runs until Ctrl-C or warren down.

    The first start asks for a name where somebody can answer. Every other setting has a default; see
    warren config show.
    """
    from warren.frontends import settings

    flags: dict[str, Any] = {"name": name, "listen": listen or None}
    with _only_if_it_starts(session.home) as started:
        loaded = settings.load(session.home.path, flags=flags)
        if not detached:
            loaded = _named(session, loaded, flags)
        if not detach:
            return _run(session, loaded, started, detached=detached)
        from warren.frontends.cli.detach import start

        ready = start(session.home, flags, debug=session.debug)
        started()
    session.show(ready, _lines(ready, f"runs in the background; stop it with: {session.command('down')}"))
    return 0


@contextlib.contextmanager
def _only_if_it_starts(home: Home) -> Iterator[Callable[[], None]]:
    """Make the data folder. A new one goes again if the block fails before it calls what it gets: nobody has
    seen the identity in it.
    """
    is_new = home.make()
    has_started = False

    def started() -> None:
        nonlocal has_started
        has_started = True

    try:
        yield started
    except BaseException:
        if is_new and not has_started:
            shutil.rmtree(home.path, ignore_errors=True)
        raise


def _named(session: Session, loaded: Loaded, flags: dict[str, Any]) -> Loaded:
    """Settle the name at the first start, and keep it in config.toml."""
    from warren.frontends import settings

    origin = loaded.origins["name"].kind
    asked = None
    if origin == "default" and not session.as_json and sys.stdin.isatty() and sys.stdout.isatty():
        asked = click.prompt("What should your contacts see you as?", default=loaded.config.name, err=True)
        loaded = settings.load(session.home.path, flags={**flags, "name": asked})
    if asked or origin == "flag":
        settings.keep_name(session.home.path, loaded.config.name)
    return loaded


def _run(session: Session, loaded: Loaded, started: Callable[[], None], *, detached: bool) -> int:
    # Collecting garbage while modules load finds none and takes an eighth of the start. What is loaded stays
    # for good, so it is left out of later collections too.
    gc.disable()
    from warren.frontends import serve

    def on_ready(ready: serve.Ready) -> None:
        started()
        gc.freeze()
        gc.enable()
        document = {"event": "ready", **ready.document()}
        session.show(document, _lines(document, "runs until Ctrl-C"))
        sys.stdout.flush()
        if detached:
            from warren.frontends.cli.detach import let_go

            let_go(session.home.log_file)

    return serve.run(session.home, loaded.config, on_ready, debug=session.debug, detached=detached)


def _lines(ready: dict[str, Any], last: str) -> list[str]:
    heads = ["listens on"] + [""] * len(ready["listen"])
    return [
        f"{ready['name']} is up (process {ready['pid']}); it {last}",
        f"peer id    {ready['peer_id']}",
        *(f"{head:<11}{address}" for head, address in zip(heads, ready["listen"], strict=False)),
    ]
