"""group list, show, add, rm: sets of contacts that a share can be for."""

from __future__ import annotations

from typing import Any

import click

from warren.frontends.cli import offers, units
from warren.frontends.cli.base import Group, Session, columns


@click.group(
    cls=Group,
    examples=["warren group add family anna ben", "warren share ~/Photos --audience group:family"],
)
def group() -> None:
    """Put contacts into groups, to share with them alone.

    Who is in the group at the time of asking sees what is shared with it. Who is a
    contact no longer is in no group either.
    """


@group.command("list", examples=["warren group list"])
@click.pass_obj
def list_groups(session: Session) -> None:
    """List all groups."""
    found = session.client.get("groups")["items"]
    session.show({"items": found}, lambda: _table(session, found))


@group.command("show", examples=["warren group show family"], exits=(4,))
@click.argument("name", metavar="GROUP", shell_complete=offers.groups)
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show who is in a group, and what is shared with it."""
    found = session.client.get("groups", name)
    session.show(found, lambda: _lines(found))


@group.command(
    "add", examples=["warren group add family anna ben", "warren group add readers"], exits=(4, 6, 8)
)
@click.argument("name", metavar="GROUP", shell_complete=offers.groups)
@click.argument("members", metavar="[MEMBER]...", nargs=-1, shell_complete=offers.peers)
@click.pass_obj
def add(session: Session, name: str, members: tuple[str, ...]) -> None:
    """Put contacts into a group, which is made if need be."""
    wanted = {"name": name, "members": [session.peer(one) for one in members]}
    changed = session.client.post("groups", body=wanted)
    session.show(changed, lambda: _lines(changed))


@group.command("rm", examples=["warren group rm family ben", "warren group rm family"], exits=(4, 8))
@click.argument("name", metavar="GROUP", shell_complete=offers.groups)
@click.argument("members", metavar="[MEMBER]...", nargs=-1, shell_complete=offers.peers)
@click.pass_obj
def remove(session: Session, name: str, members: tuple[str, ...]) -> None:
    """Take members out of a group; without any, remove the group.

    What is shared with a group that is gone is seen by nobody, until there is one of that name again.
    """
    if members:
        gone = [session.peer(one) for one in members]
        changed = session.client.patch("groups", name, body={"remove": gone})
        session.show(changed, lambda: _lines(changed))
        return
    removed = session.client.delete("groups", name)
    session.show(removed, [f"removed {removed['removed']}"])
    if removed["shares"]:
        session.note(f"seen by nobody now: {', '.join(removed['shares'])}")


def _table(session: Session, found: list[dict[str, Any]]) -> list[str]:
    if not found:
        return [f"there are no groups yet: {session.command('group add GROUP MEMBER')}"]
    rows = [
        (one["name"], units.count(len(one["members"]), "member"), ", ".join(one["shares"]) or "-")
        for one in found
    ]
    return columns([("GROUP", "MEMBERS", "SHARES"), *rows])


def _lines(one: dict[str, Any]) -> list[str]:
    members = ", ".join(member["name"] or member["peer_id"] for member in one["members"])
    rows = [
        ("group", one["name"]),
        ("members", members or "nobody"),
        ("shares", ", ".join(one["shares"]) or "nothing"),
    ]
    return columns(rows)
