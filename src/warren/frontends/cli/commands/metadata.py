"""metadata list, set, rm: what this node says of itself."""

from __future__ import annotations

from typing import Any

import click

from warren.frontends.cli import offers
from warren.frontends.cli.base import Group, Session, columns


@click.group(cls=Group, examples=["warren metadata set region eu-north", "warren metadata list anna"])
def metadata() -> None:
    """Say something of this node that all can read.

    Small facts, signed by the node: up to 32 keys of 64 bytes with values of 256 bytes, 4 KiB in all.
    Nobody else can change them.
    """


@metadata.command("list", examples=["warren metadata list", "warren metadata list anna"], exits=(4,))
@click.argument("peer", required=False, shell_complete=offers.peers)
@click.pass_obj
def list_entries(session: Session, peer: str | None) -> None:
    """Show what this node says of itself, or what a peer does."""
    if peer is None:
        _show(session, session.client.get("metadata"))
        return
    _show(session, {"entries": session.client.get("peers", session.peer(peer))["metadata"]})


@metadata.command("set", examples=["warren metadata set region eu-north"])
@click.argument("key")
@click.argument("value")
@click.pass_obj
def set_entry(session: Session, key: str, value: str) -> None:
    """Say VALUE of KEY from now on, also after a restart."""
    found = session.client.post("metadata", body={"key": key, "value": value})
    session.show(found, [f"{key}: {value}"])


@metadata.command("rm", examples=["warren metadata rm region"], exits=(4,))
@click.argument("key")
@click.pass_obj
def remove_entry(session: Session, key: str) -> None:
    """Say nothing of KEY any more."""
    found = session.client.delete("metadata", key)
    session.show(found, [f"removed {key}"])


def _show(session: Session, found: dict[str, Any]) -> None:
    lines = columns([(f"{key}:", value) for key, value in found["entries"].items()])
    session.show(found, lines or ["nothing is said"])
