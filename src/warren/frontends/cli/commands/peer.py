"""peer list, show, add, rm: the peers this node knows."""

from __future__ import annotations

import time
from typing import Any

import click

from warren.frontends.cli import offers
from warren.frontends.cli.base import Group, Session, columns
from warren.frontends.cli.commands.people import kept


@click.group(cls=Group, examples=["warren peer list", "warren peer show anna", "warren peer --home DIR list"])
def peer() -> None:
    """List, show, add and remove peers.

    PEER in any command is a petname, a peer id or its unique beginning, or a number of the last listing.
    """


@peer.command("list", examples=["warren peer list", "warren peer list --json"])
@click.pass_obj
def list_peers(session: Session) -> None:
    """List contacts, and whoever else is connected."""
    found = session.client.get("peers")["items"]
    session.home.remember_listing("peers", [one["peer_id"] for one in found])
    session.show({"items": found}, lambda: _table(session, found))


@peer.command("show", examples=["warren peer show anna", "warren peer show 2"], exits=(4,))
@click.argument("peer", shell_complete=offers.peers)
@click.pass_obj
def show_peer(session: Session, peer: str) -> None:
    """Show one peer: its id, its addresses, whether it is connected."""
    found = session.client.get("peers", session.peer(peer))
    session.show(found, lambda: _details(found))


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


@peer.command("rm", examples=["warren peer rm anna"], exits=(4,))
@click.argument("peer", shell_complete=offers.peers)
@click.pass_obj
def remove_peer(session: Session, peer: str) -> None:
    """Forget a contact. It no longer sees what you share with contacts."""
    removed = session.client.delete("peers", session.peer(peer))
    session.show(removed, lambda: [f"removed {removed['called']}"])


def _table(session: Session, found: list[dict[str, Any]]) -> list[str]:
    if not found:
        ways = (
            f"invite somebody with {session.command('invite')}, or use a code with {session.command('join')}"
        )
        return [f"no peers yet: {ways}"]
    head = ("#", "NAME", "STATE", "RTT", "PEER ID")
    rows = [
        (
            str(number),
            one["name"] or "-",
            "connected" if one["connected"] else "away",
            "-" if one["rtt_ms"] is None else f"{one['rtt_ms']:.1f} ms",
            one["peer_id"],
        )
        for number, one in enumerate(found, 1)
    ]
    return columns([head, *rows], right=(0, 3))


def _details(one: dict[str, Any]) -> list[str]:
    lines = [
        f"name       {one['name'] or '-'}" + ("" if one["contact"] else " (not a contact)"),
        f"peer id    {one['peer_id']}",
        f"state      {'connected' if one['connected'] else 'away'}",
    ]
    if one["rtt_ms"] is not None:
        lines.append(f"round trip {one['rtt_ms']:.2f} ms")
    if one["agent"]:
        lines.append(f"program    {one['agent']}")
    if one["added_at"]:
        lines.append(f"since      {time.strftime('%Y-%m-%d %H:%M', time.localtime(one['added_at']))}")
    heads = ["addresses"] + [""] * len(one["addresses"])
    return lines + [f"{head:<11}{address}" for head, address in zip(heads, one["addresses"], strict=False)]
