"""up: start the node, here or in the background."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any

import click

from warren.frontends.cli.base import Command, Session

if TYPE_CHECKING:
    from warren.frontends.settings import Loaded


@click.command(
    cls=Command,
    needs_node=False,
    examples=[
        "warren up",
        "warren up -d --name anna",
        "warren up --listen /ip4/0.0.0.0/tcp/4200 --listen /ip6/::/tcp/4200",
        "warren up --status-listen 127.0.0.1:9101",
        "warren up --role super",
        "warren up --role super --store redis://10.0.0.5:6379/0",
        "warren up --no-mdns --bootstrap /dns4/example.org/tcp/4101/p2p/PEER-ID",
    ],
    exits=(6, 8),
)
@click.option("-d", "--detach", is_flag=True, help="Run in the background; returns when the node is ready.")
@click.option(
    "--name",
    metavar="NAME",
    help="What the node calls itself towards its contacts; kept at the first start.  [default: USER@HOST]",
)
@click.option(
    "--listen",
    multiple=True,
    metavar="MULTIADDR",
    help="Address to listen on; repeatable.  [default: TCP port 4101, IPv4 and IPv6]",
)
@click.option(
    "--bootstrap",
    multiple=True,
    metavar="MULTIADDR",
    help="Address of a peer to begin with; repeatable.  [default: none]",
)
@click.option(
    "--dns",
    multiple=True,
    metavar="NAME[:PORT]",
    help="DNS name that lists peers; with a port one of their addresses; repeatable.  [default: none]",
)
@click.option(
    "--neighbour",
    multiple=True,
    metavar="MULTIADDR",
    help="Super-peer to pass queries on to, while this node is one; repeatable.  [default: found by itself]",
)
@click.option(
    "--mdns/--no-mdns",
    default=None,
    help="Find and be found on the local network.  [default: mdns, unless all addresses are loopback]",
)
@click.option(
    "--role",
    type=click.Choice(("auto", "super", "weak", "off")),
    help="Part in searching: super takes registrations of others, ten thousand and more; off takes none."
    "  [default: auto]",
)
@click.option(
    "--store",
    metavar="URL",
    help="Redis by which super-peers share one index; with --role super. A password is better kept in"
    " WARREN_DIRECTORY_STORE or config.toml.  [default: none]",
)
@click.option(
    "--status-listen",
    metavar="[HOST:]PORT",
    help="Serve facts, metrics and health there, read-only; without HOST on loopback.  [default: nowhere]",
)
@click.option("--detached", is_flag=True, hidden=True)
@click.pass_obj
def up(
    session: Session, /, *, detach: bool, detached: bool, name: str | None, mdns: bool | None, **given: Any
) -> int:
    """Start the node. It runs until Ctrl-C or warren down.

    The first start asks for a name where somebody can answer. Every other setting has a default; see
    warren config show.
    """
    # Collecting garbage while modules load finds none and takes an eighth of the start.
    gc.disable()
    flags: dict[str, Any] = {
        "name": name,
        "listen": given["listen"] or None,
        "discovery.bootstrap": given["bootstrap"] or None,
        "discovery.dns": given["dns"] or None,
        "overlay.neighbours": given["neighbour"] or None,
        "discovery.mdns": mdns,
        "directory.role": given["role"],
        "directory.store": given["store"],
        "status.listen": given["status_listen"],
    }
    may_ask = not detached and name is None and _somebody_can_answer(session)
    if detach and not may_ask:  # the settings are read by the node itself: to load them here takes time
        return _start(session, flags)
    from warren.frontends import settings

    loaded = settings.load(session.home.path, flags=flags)
    if may_ask and (asked := _ask_name(loaded)):
        flags["name"] = asked
        loaded = settings.load(session.home.path, flags=flags)
    if detach:
        return _start(session, flags)
    session.home.make()
    return _run(session, loaded, detached=detached)


def _start(session: Session, flags: dict[str, Any]) -> int:
    from warren.frontends.cli.detach import start

    ready = start(session.home, flags, debug=session.debug)
    session.show(ready, _lines(ready, f"runs in the background; stop it with: {session.command('down')}"))
    return 0


def in_background(session: Session) -> dict[str, Any]:
    """Start a node as it is set up, for who needs one; returns what it said. Asks for a name as `up` does."""
    from warren.frontends.cli.detach import start

    flags: dict[str, Any] = {}
    if _somebody_can_answer(session):
        from warren.frontends import settings

        flags["name"] = _ask_name(settings.load(session.home.path))
    return start(session.home, flags, debug=session.debug)


def _somebody_can_answer(session: Session) -> bool:
    return not session.as_json and sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def _ask_name(loaded: Loaded) -> str | None:
    """Ask for the name at the first start.

    Nothing is made before the answer, and a start that fails removes nothing: meanwhile another one may have
    made its identity in the same folder.
    """
    if loaded.origins["name"].kind != "default":
        return None
    answer: str = click.prompt("What should your contacts see you as?", default=loaded.config.name, err=True)
    return answer


def _run(session: Session, loaded: Loaded, *, detached: bool) -> int:
    from warren.frontends import serve, settings

    def on_ready(ready: serve.Ready) -> None:
        if loaded.origins["name"].kind == "flag":
            settings.keep_name(session.home.path, loaded.config.name)
        gc.freeze()  # what is loaded stays for good
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
        *([f"status     {ready['status']}"] if ready["status"] else []),
    ]
