"""resource list, show, edit, clear: what is said of shared files and folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from warren.core.errors import ContentUnknown, NotFound, PeerUnknown
from warren.frontends.cli import offers
from warren.frontends.cli.base import Group, Session, columns
from warren.frontends.cli.metadata_options import given, metadata_options

_FIELDS = ("title", "authors", "abstract", "domains", "tags", "licence")
_TITLE_CHARS = 60


@click.group(
    cls=Group,
    examples=["warren resource edit paper.pdf --title 'On Apples' --tag fruit", "warren resource list"],
)
def resource() -> None:
    """Say what a shared file or folder is.

    Title, authors, tags and more are signed by your node, and found by others who may see the file. They stay
    with it when it is moved, renamed or edited. PDF files say some of it themselves; what you say wins.

    REF is a path on this disk, SHARE/PATH, a content id, or a number of the last listing.
    """


@resource.command("list", examples=["warren resource list"])
@click.pass_obj
def list_resources(session: Session) -> None:
    """List all of which something is said."""
    found = session.client.get("resources")["items"]
    session.home.remember_listing("resources", [{"cid": one["cid"]} for one in found])
    session.show({"items": found}, lambda: _table(session, found))


@resource.command(
    "show",
    examples=["warren resource show paper.pdf", "warren resource show anna/papers/paper.pdf"],
    exits=(4, 5, 6),
)
@click.argument("ref", shell_complete=offers.shares)
@click.pass_obj
def show(session: Session, ref: str) -> None:
    """Show what is said of a file or folder, and by whom.

    PEER/SHARE/PATH asks a peer what it says of what it shares with you.
    """
    found = _found(session, ref)
    session.show(found, lambda: _lines(found))


@resource.command(
    "edit",
    examples=[
        "warren resource edit paper.pdf --title 'On Apples' --author Anna --author Ben",
        "warren resource edit Photos/2024 --tag sea --tag summer --licence CC-BY-4.0",
        "warren resource edit 2 --abstract ''",
    ],
    exits=(4, 6, 8),
)
@click.argument("ref", shell_complete=offers.shares)
@metadata_options
@click.pass_obj
def edit(session: Session, /, ref: str, **options: Any) -> None:
    """Say something of a file or folder, in place of what was said before.

    What you do not name stays as it is. '' says that a field is empty, also where the file says something.
    """
    client, said = session.client, given(options)
    if not said:
        raise click.UsageError("say something: --title, --abstract, --author, --domain, --tag or --licence")
    changed = client.patch("resources", _meant(session, ref), body=said)
    session.show(changed, lambda: _lines(changed))


@resource.command("clear", examples=["warren resource clear paper.pdf"], exits=(4, 8))
@click.argument("ref", shell_complete=offers.shares)
@click.pass_obj
def clear(session: Session, ref: str) -> None:
    """Take back what you said of a file or folder.

    What a PDF file says of itself stands again; to hide that, say that it is empty: edit REF --title ''
    """
    left = session.client.delete("resources", _meant(session, ref))
    session.show(left, lambda: _lines(left))


def _found(session: Session, ref: str) -> dict[str, Any]:
    """One's own, else that of a peer."""
    listed = session.home.listed("files", ref) if session.home.last_listing == "files" else None
    if isinstance(listed, dict) and "ref" in listed:
        ref = str(listed["ref"])
    try:
        own: dict[str, Any] = session.client.get("resources", _meant(session, ref))
    except ContentUnknown:
        peer, slash, path = ref.partition("/")
        if not (peer and slash):
            raise
    else:
        return own
    try:
        theirs: dict[str, Any] = session.client.get("resources", path, peer=session.peer(peer))
    except PeerUnknown:
        raise ContentUnknown(
            f"{ref} is neither shared here nor by a peer", hint="list what is shared with: warren ls"
        ) from None
    return theirs


def _meant(session: Session, ref: str) -> str:
    """The API's form of REF: numbers stand for what was listed last, paths on this disk are absolute."""
    kind = session.home.last_listing
    listed = session.home.listed(kind, ref) if kind in {"files", "resources"} else None
    if isinstance(listed, dict):
        own = listed.get("cid") or listed.get("share")
        if own is None:
            raise NotFound(
                f"number {ref} of the last listing is not yours", hint="list yours with: warren resource list"
            )
        return str(own)
    local = Path(ref)
    return str(local.absolute()) if local.exists() else ref


def _table(session: Session, found: list[dict[str, Any]]) -> list[str]:
    if not found:
        return [f"nothing is described yet: {session.command('resource edit PATH --title TEXT')}"]
    rows = [
        (
            str(number),
            _short(one["metadata"]["title"]) or "-",
            _short(", ".join(one["metadata"]["authors"])) or "-",
            ", ".join(one["paths"]) or "(not shared now)",
        )
        for number, one in enumerate(found, 1)
    ]
    return columns([("#", "TITLE", "AUTHORS", "SHARED AS"), *rows], right=(0,))


def _short(text: str) -> str:
    return text if len(text) <= _TITLE_CHARS else text[: _TITLE_CHARS - 1] + "…"


def _lines(one: dict[str, Any]) -> list[str]:
    said = list(_said(one["metadata"]))
    own = [*said, ("by hand", ", ".join(one["by_hand"]) or "nothing")]
    rows = [
        *(own if said or one["by_hand"] else [("you say", "nothing")]),
        ("shared as", ", ".join(one["paths"]) or "(not shared by you)"),
        ("content id", one["cid"]),
    ]
    for word in one["others"]:
        rows += [(f"{word['called']} says", f"{name}: {text}") for name, text in _said(word["metadata"])]
    return columns(rows)


def _said(metadata: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _FIELDS:
        value = metadata[name]
        if value:
            yield name, "; ".join(value) if isinstance(value, list) else value
