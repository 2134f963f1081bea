"""peer list, show, add, rm, name, block, unblock: the peers this node knows. Lists as files are beside it."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from warren.frontends.cli import offers, peer_lines, units
from warren.frontends.cli.base import Group, Session
from warren.frontends.cli.commands.peer_list import export_peers, import_peers
from warren.frontends.cli.commands.people import kept

# The API gives no more at once.
_PAGE = 200
_CLEAR = "\x1b[H\x1b[2J"


@click.group(cls=Group, examples=["warren peer list", "warren peer show anna", "warren peer --home DIR list"])
def peer() -> None:
    """List, show, add, block and remove peers; import and export them.

    PEER in any command is a petname, a peer id or its unique beginning, or a number of the last listing.
    """


@peer.command(
    "list",
    examples=[
        "warren peer list",
        "warren peer list --sort latency --limit 20",
        "warren peer list --watch",
        "warren peer list --all --json",
    ],
)
@click.option(
    "--sort",
    type=click.Choice(["latency", "download", "upload", "name", "seen"]),
    help="Nearest first, fastest first, by name, seen last first.  [default: contacts, then seen last first]",
)
@click.option(
    "--limit",
    metavar="N",
    default=50,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="How many to show.",
)
@click.option(
    "--offset",
    metavar="N",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="How many to leave out before them.",
)
@click.option("--all", "everything", is_flag=True, help="Show all of them.")
@click.option("--watch", is_flag=True, help="Show them again every other second, until Ctrl-C.")
@click.pass_obj
def list_peers(
    session: Session, sort: str | None, limit: int, offset: int, everything: bool, watch: bool
) -> None:
    """List the peers that this node knows: contacts first, then whoever was met last.

    Each figure stands with its age. The numbers name peers in other commands until the next listing.
    """
    wanted = None if everything else limit
    while True:
        found = _fetch(session, sort, offset, wanted)
        items = found["items"]
        session.home.remember_listing("peers", [one["peer_id"] for one in items])
        if watch and not session.as_json and sys.stdout.isatty():
            click.echo(_CLEAR, nl=False)
        session.show(found, lambda: _table(session, found))  # noqa: B023  called before the next round
        _tell_more(session, found, sort)
        if not watch:
            return
        time.sleep(2.0)


@peer.command("show", examples=["warren peer show anna", "warren peer show 2"], exits=(4,))
@click.argument("peer", shell_complete=offers.peers)
@click.pass_obj
def show_peer(session: Session, peer: str) -> None:
    """Show one peer: its id, what was measured, what it says of itself, its addresses."""
    found = session.client.get("peers", session.peer(peer))
    session.show(found, lambda: peer_lines.details(found, time.time()))


@peer.command(
    "add",
    examples=["warren peer add /ip4/192.0.2.7/tcp/4101/p2p/12D3KooW... --name anna"],
    exits=(4, 6),
)
@click.argument("address")
@click.option("--name", metavar="PETNAME", help="What to call the peer.  [default: what it calls itself]")
@click.pass_obj
def add_peer(session: Session, address: str, name: str | None) -> None:
    """Keep a peer as a contact, by a multiaddr that ends in its id.

    This makes the peer a contact on your side only; warren invite and warren join do it on both.
    """
    found = session.client.post("peers", body={"peer": session.peer(address), "name": name})
    session.show(found, lambda: [kept(found)])


@peer.command("rm", examples=["warren peer rm anna", "warren peer rm /ip4/192.0.2.7/tcp/4101"], exits=(4,))
@click.argument("peer", shell_complete=offers.peers)
@click.pass_obj
def remove_peer(session: Session, peer: str) -> None:
    """Forget a peer, or an imported address.

    A contact no longer sees what you share with contacts. Whoever is met again is in the table again, but
    no contact; a blocked peer stays blocked.
    """
    removed = session.client.delete("peers", session.peer(peer))
    session.show(removed, lambda: [f"removed {removed['called']}"])


@peer.command("name", examples=["warren peer name anna sister"], exits=(4,))
@click.argument("peer", shell_complete=offers.peers)
@click.argument("petname")
@click.pass_obj
def name_peer(session: Session, peer: str, petname: str) -> None:
    """Call a contact something else."""
    found = session.client.patch("peers", session.peer(peer), body={"name": petname})
    session.show(found, lambda: [f"{found['peer_id']} is called {found['name']}"])


@peer.command("block", examples=["warren peer block eve"], exits=(4, 6))
@click.argument("peer", shell_complete=offers.peers)
@click.pass_obj
def block_peer(session: Session, peer: str) -> None:
    """Have nothing to do with a peer: no connection from either side, until you unblock it.

    Connections with it end at once. It learns that it was turned away, but not why.
    """
    found = session.client.post("blocks", body={"peer": session.peer(peer)})
    session.show(found, lambda: [f"{found['called']} is {'' if found['changed'] else 'already '}blocked"])


@peer.command("unblock", examples=["warren peer unblock eve"], exits=(4,))
@click.argument("peer", shell_complete=offers.peers)
@click.pass_obj
def unblock_peer(session: Session, peer: str) -> None:
    """Let a peer connect again."""
    found = session.client.delete("blocks", session.peer(peer))
    session.show(
        found, lambda: [f"{found['called']} is {'no longer' if found['changed'] else 'not'} blocked"]
    )


peer.add_command(import_peers)
peer.add_command(export_peers)


def _fetch(session: Session, sort: str | None, offset: int, limit: int | None) -> dict[str, Any]:
    """A page of the size that is wanted, put together of those that the API gives; None: all."""
    query = {"sort": sort} if sort else {}
    items: list[dict[str, Any]] = []
    while True:
        size = _PAGE if limit is None else min(limit - len(items), _PAGE)
        place = {"offset": str(offset + len(items)), "limit": str(size)}
        page: dict[str, Any] = session.client.get("peers", **query, **place)
        items += page["items"]
        if len(page["items"]) < size or len(items) == limit:
            return {**page, "offset": offset, "items": items}


def _tell_more(session: Session, found: dict[str, Any], sort: str | None) -> None:
    left = found["total"] - found["offset"] - len(found["items"])
    if left > 0 and found["items"]:
        how = f"peer list{f' --sort {sort}' if sort else ''} --all"
        session.note(f"and {units.count(left, 'peer')} more: {session.command(how)}")
    if found["leads"]:
        waiting = units.count(found["leads"], "imported address", "imported addresses")
        session.note(f"{waiting} not met yet")


def _table(session: Session, found: dict[str, Any]) -> list[str]:
    if found["items"]:
        return peer_lines.table(found["items"], time.time())
    if not found["total"]:
        ways = (
            f"invite somebody with {session.command('invite')}, or use a code with {session.command('join')}"
        )
        return [f"no peers yet: {ways}"]
    return [f"no more: there {'is' if found['total'] == 1 else 'are'} {units.count(found['total'], 'peer')}"]
