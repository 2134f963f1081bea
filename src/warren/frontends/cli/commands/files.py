"""share, unshare, ls: what is offered, here and there."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from warren.core.errors import ContentUnknown, NotFound, PeerUnknown
from warren.frontends.cli import offers, units
from warren.frontends.cli.base import Command, Session, columns
from warren.frontends.cli.metadata_options import given, metadata_options
from warren.frontends.cli.notes import left_out
from warren.frontends.cli.progress import follow

Document = dict[str, Any]
# Entries with their numbers.
Rows = list[tuple[int, Document]]
Lines = Callable[[Rows], list[str]]


@click.command(
    cls=Command,
    examples=[
        "warren share ~/Photos",
        "warren share report.pdf --to anna,ben",
        "warren share ~/Public --to public --name papers",
        "warren share --pause",
        "warren share",
        "warren share ~/Photos --audience group:family",
        "warren share paper.pdf --title 'On Apples' --author Anna --tag fruit --licence CC-BY-4.0",
    ],
    exits=(4, 6, 8),
)
@click.argument("path", type=click.Path(exists=True, path_type=Path), required=False)
@click.option(
    "--to",
    "--audience",
    "audience",
    metavar="contacts|public|group:NAME|PEER,...",
    shell_complete=offers.peers,
    help="Who may see and fetch it.  [default: contacts; shared again: who could before]",
)
@click.option(
    "--name",
    help="What others see it called.  [default: the file's or folder's name; shared again: as before]",
)
@metadata_options
@click.option(
    "--pause/--resume",
    "paused",
    default=None,
    help="Take in no changes of what is shared until --resume, or a restart of the node.",
)
@click.pass_obj
def share(
    session: Session,
    /,
    path: Path | None,
    audience: str | None,
    name: str | None,
    *,
    paused: bool | None,
    **options: Any,
) -> None:
    """Share a file or folder from where it lies. No copy is made.

    It is hashed first, which takes as long as reading it. From then on it is watched: what is made, changed,
    moved or removed in it follows by itself, and what did not change is not read again. What .warrenignore
    files name is left out, as in gitignore. Prints the content id: the one that ipfs add gives under the
    profile unixfs-v1-2025. Without PATH it lists what is shared.

    What you say of it, with --title and so on, is signed, and found by those who may see it; warren resource
    edit changes it, also for what lies inside. A PDF file says some of it itself.
    """
    said = given(options)
    if path is None or paused is not None:
        if audience or name or said or (path and paused is not None):
            raise click.UsageError("--to, --name and --title go with a PATH, --pause and --resume without")
        _pause_or_list(session, paused=paused)
        return
    wanted: dict[str, Any] = {
        "path": str(path.absolute()),
        "audience": _audience(session, audience),
        "name": name,
    }
    if said:
        wanted["metadata"] = said
    made = follow(session.client.stream("POST", "shares", body=wanted), quiet=session.as_json)
    session.show(made, [made["cid"]])
    session.note(
        f"shared {made['name']}: {units.count(made['files'], 'file')}, {units.size(made['bytes'])}, "
        f"with {made['audience']}; hashing took {units.span(made['hash_s'])}"
    )
    for line in left_out(made):
        session.note(line)


def _pause_or_list(session: Session, *, paused: bool | None) -> None:
    if paused is None:
        _list_own(session, _Page(offset=0, limit=None, long=False))
        return
    told = session.client.post("shares", "pause" if paused else "resume")
    waiting = f"changes wait until: {session.command('share --resume')}"
    session.show(told, [waiting if paused else "changes are taken in"])


@click.command(cls=Command, examples=["warren unshare Photos", "warren unshare 2"], exits=(4,))
@click.argument("ref", shell_complete=offers.shares)
@click.pass_obj
def unshare(session: Session, ref: str) -> None:
    """Stop sharing something, by name, path, content id or number of the last listing.

    The files stay where they are; what others fetched stays with them.
    """
    listed = session.home.listed("files", ref)
    own = listed.get("share") if isinstance(listed, dict) else None
    if listed and not own:
        raise NotFound(
            f"number {ref} of the last listing is not yours", hint="list your shares with: warren ls"
        )
    local = Path(ref)
    wanted = own or (str(local.absolute()) if local.exists() else ref)
    try:
        removed = session.client.delete("shares", wanted)
    except ContentUnknown:
        if not ref.isdecimal():
            raise
        raise ContentUnknown(
            f"no share is called {ref}, and the last listing has no share of that number",
            hint="list your shares with: warren ls",
        ) from None
    session.show(removed, [f"no longer shared: {removed['removed']}"])


@click.command(
    cls=Command,
    examples=["warren ls", "warren ls anna", "warren ls anna/Photos/2024 --limit 100", "warren ls anna -l"],
    exits=(4, 5, 6),
)
@click.argument("target", metavar="[PEER[/PATH]]", default="", shell_complete=offers.places)
@click.option("-l", "--long", is_flag=True, help="Show content ids too.")
@click.option("--limit", metavar="N", type=click.IntRange(1), help="So many at most.  [default: all]")
@click.option(
    "--offset",
    metavar="N",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Leave out so many of the first.",
)
@click.pass_obj
def ls(session: Session, target: str, long: bool, limit: int | None, offset: int) -> None:
    """List your shares, or what a peer shares with you.

    One of your own shares can be named too. The numbers stand for the entries in later commands, as in
    warren get 3; they are the same on every page. With --json, total says how many there are.
    """
    page = _Page(offset, limit, long)
    if not target:
        _list_own(session, page)
        return
    where = _place(session, target)
    try:
        found = session.client.get("files", **where)["items"]
    except PeerUnknown:
        own = _own_place(session, target)
        if own is None:
            raise
        if not own:
            _list_own(session, page)
            return
        where = {"path": own}
        found = session.client.get("files", **where)["items"]
    kept = [{"ref": one["ref"]} if "peer" in where else {"share": one["path"]} for one in found]
    session.home.remember_listing("files", kept)
    page.show(session, found, lambda rows: _entries(rows, long=long), target)


@dataclass(frozen=True, slots=True)
class _Page:
    """The part of a listing that is wanted."""

    offset: int
    limit: int | None
    long: bool

    def show(self, session: Session, found: list[Document], lines: Lines, target: str) -> None:
        """Show it. Entries keep the numbers that they have in the whole listing."""
        end = len(found) if self.limit is None else self.offset + self.limit
        rows = list(enumerate(found, 1))[self.offset : end]
        document = {"items": [one for _, one in rows], "total": len(found), "offset": self.offset}
        session.show(document, lambda: lines(rows) if rows or not found else [])
        if not rows and found:
            session.note(f"no more: there {'is' if len(found) == 1 else 'are'} {_entries_said(len(found))}")
        elif len(found) > end:
            where = f" {shlex.quote(target)}" if target else ""
            how = session.command(f"ls{where} --limit {self.limit} --offset {end}")
            session.note(f"and {_entries_said(len(found) - end)} more: {how}")


def _entries_said(number: int) -> str:
    return units.count(number, "entry", "entries")


def _place(session: Session, target: str) -> dict[str, str]:
    """What to list: a peer and a path there, or a path among our own shares.

    A number is one of what was listed last: it never means a peer where entries were.
    """
    if session.home.last_listing == "files" and target.isascii() and target.isdecimal():
        listed = session.home.listed("files", target)
        if not isinstance(listed, dict) or not listed.keys() & {"share", "ref"}:
            raise NotFound(
                f"the last listing has no line {target}",
                hint="list again with: warren ls PEER, or warren search WORDS; peers: warren peer list",
            )
        if "share" in listed:
            return {"path": str(listed["share"])}
        target = str(listed["ref"])
    peer, _, path = target.partition("/")
    return {"peer": session.peer(peer), "path": path}


def _own_place(session: Session, target: str) -> str | None:
    """The path among our own shares that `target` means: by our name or id, or by a share's name."""
    first, _, rest = target.partition("/")
    me = session.client.get("status")
    if first in (me["name"], me["peer_id"]):
        return rest
    shares = session.client.get("shares")["items"]
    return target if any(one["name"] == first for one in shares) else None


def _list_own(session: Session, page: _Page) -> None:
    found = session.client.get("shares")["items"]
    session.home.remember_listing("files", [{"share": one["name"]} for one in found])
    page.show(session, found, lambda rows: _shares(session, rows, long=page.long), "")


def _shares(session: Session, found: Rows, *, long: bool) -> list[str]:
    if not found:
        return [f"nothing is shared yet: {session.command('share FOLDER')}"]
    head = ("#", "NAME", "SIZE", "FILES", "FOR", "STATE", "PATH", "CONTENT ID")
    rows = [
        (
            str(number),
            one["name"],
            units.size(one["bytes"]),
            f"{one['files']:,}",
            _whom(one["audience"]),
            _state(session, one),
            one["path"],
            one["cid"],
        )
        for number, one in found
    ]
    width = len(head) if long else len(head) - 1
    return columns([row[:width] for row in (head, *rows)], right=(0, 2, 3))


def _whom(audience: str) -> str:
    """For whom a share is, in a few words."""
    kind, _, name = audience.partition(":")
    return f"those {name} lets" if kind == "origin" else audience


def _state(session: Session, one: dict[str, Any]) -> str:
    """What a share is doing, in a few words."""
    if one["state"] == "changed":
        again = session.command(f"share {shlex.quote(one['path'])}")
        return f"a copy that changed, for nobody now; to share it: {again}"
    if not one["ready"]:
        return "hashing again"
    if one["state"] == "missing":
        return f"missing: {one['note']}"
    if one["progress"] is not None:
        done, total = one["progress"]["done_bytes"], one["progress"]["total_bytes"]
        how_far = f"{units.size(done)} of {units.size(total)}"
        return f"paused at {how_far}" if one["state"] == "paused" else f"hashing {how_far}"
    state = str(one["state"])
    told = {"watched": "up to date", "polled": "looked at now and then"}.get(state, state)
    return f"a copy, {told}" if one["replica"] else told


def _entries(found: Rows, *, long: bool) -> list[str]:
    if not found:
        return ["nothing is there"]
    marks = {"dir": "/", "symlink": "@"}
    head = ("#", "SIZE", "NAME", "CONTENT ID")
    rows = [
        (str(number), units.size(one["size"]), one["name"] + marks.get(one["kind"], ""), one["cid"])
        for number, one in found
    ]
    width = len(head) if long else len(head) - 1
    return columns([row[:width] for row in (head, *rows)], right=(0, 1))


def _audience(session: Session, text: str | None) -> str | None:
    """The API's form of --to: peers are named as such, numbers of the last listing become ids."""
    if text is None or text in {"contacts", "public"}:
        return text
    if text.startswith("group:") and "," not in text:
        return text
    names = [one.strip() for one in text.removeprefix("peer:").split(",") if one.strip()]
    if not names or any(one in {"contacts", "public"} or one.startswith("group:") for one in names):
        what = "names nobody" if not names else "mixes peers with an audience that stands alone"
        raise click.UsageError(
            f"--to {text!r} {what}; give contacts, or public, or peers with commas between, or group:NAME"
        )
    return "peer:" + ",".join(session.peer(one) for one in names)
