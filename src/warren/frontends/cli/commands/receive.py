"""receive: take what somebody sends under a short code."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

import click

from warren.core.errors import NotFound, WarrenError
from warren.frontends.cli import offers, units
from warren.frontends.cli.base import Command, Session
from warren.frontends.cli.commands.get import folder_of
from warren.frontends.cli.notes import left_out, renamed
from warren.frontends.cli.progress import follow
from warren.frontends.printable import printable

# More than any code; the API takes no longer one.
_CODE_CHARS_MAX = 200
_SHOWN_MAX = 10


@click.command(
    cls=Command,
    examples=[
        "warren receive 4071-guitar-cross",
        "warren receive 4071 guitar cross -o ~/Desktop --yes",
        "warren receive - < code.txt",
    ],
    exits=(4, 5, 6, 7, 8),
)
@click.argument("code", nargs=-1, required=True)
@click.option(
    "-o", "--output", metavar="DIR", help="Folder to put it into.  [default: ~/Warren, or download_dir]"
)
@click.option("-y", "--yes", is_flag=True, help="Take it without asking.")
@click.option(
    "--from",
    "source",
    metavar="PEER",
    shell_complete=offers.peers,
    help="Who sends, where it is not found by itself: a peer as for ping, or a multiaddr.",
)
@click.pass_obj
def receive(
    session: Session, code: tuple[str, ...], output: str | None, source: str | None, yes: bool
) -> None:
    """Receive what somebody sends, by the code that they told you.

    Finds the sender on the local network, at peers that both of you are connected to, or in the DHT; proves
    the code, without showing it; and asks whether you want what is sent. Every chunk is verified before it is
    written. Four letters of each word are enough; - reads the code from stdin. Prints the final paths.
    """
    client = session.client
    text = sys.stdin.read(_CODE_CHARS_MAX) if code == ("-",) else " ".join(code)
    if not yes and (session.as_json or not sys.stdin.isatty()):
        raise click.UsageError("nobody is here to ask whether you want it; add --yes")
    folder = str(folder_of(output)) if output else None
    offer = _prove(session, text, session.peer(source) if source else None)
    if not yes:
        _describe(session, offer)
        try:
            wanted = click.confirm("Fetch it?", default=True, err=True)
        except BaseException:
            _decline(session, offer)
            raise
        if not wanted:
            _decline(session, offer)
            session.note("not fetched; the sender is told")
            return
    start = time.monotonic()
    lines = client.stream("POST", "receives", offer["id"], body={"output": folder})
    try:
        done = follow(lines, quiet=session.as_json)
    except KeyboardInterrupt:
        session.note("what came is kept; while it is sent, the same command goes on")
        raise
    took = time.monotonic() - start
    session.show(done, [one["path"] for one in done["items"]])
    session.note(f"{_amount(offer)} in {units.span(took)}, verified")
    for one in done["items"]:
        for line in (*left_out(one), *renamed(one)):
            session.note(line)


def _prove(session: Session, code: str, source: str | None) -> dict[str, Any]:
    """The offer of who proved the code as well."""
    session.note("looking for the sender ...")
    for line in session.client.stream("POST", "receives", body={"code": code, "from_peer": source}):
        if line["event"] == "result":
            return line
        session.note(line["note"])
    raise NotFound("the node ended its search without a word", hint="see: warren logs")


def _describe(session: Session, offer: dict[str, Any]) -> None:
    is_contact = offer["called"] != offer["peer_id"]
    said = f", who calls itself {offer['name']}," if offer["name"] and not is_contact else ""
    session.note(f"{offer['called']}{said} sends {_amount(offer)}:")
    for one in offer["items"][:_SHOWN_MAX]:
        mark = "/" if one["kind"] == "dir" else ""
        click.echo(printable(f"  {one['name']}{mark}  {units.size(one['bytes'])}"), err=True)
    if len(offer["items"]) > _SHOWN_MAX:
        session.note(f"  and {len(offer['items']) - _SHOWN_MAX} more")


def _amount(offer: dict[str, Any]) -> str:
    return f"{units.count(offer['files'], 'file')}, {units.size(offer['bytes'])}"


def _decline(session: Session, offer: dict[str, Any]) -> None:
    with contextlib.suppress(WarrenError):  # the offer may have ended meanwhile
        session.client.delete("receives", offer["id"])
