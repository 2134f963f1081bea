"""send: give files to whoever has a short code."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from warren.core.errors import LimitReached, RequestTimeout
from warren.frontends.cli import units
from warren.frontends.cli.base import Command, Session
from warren.frontends.cli.called import as_called
from warren.frontends.cli.commands.people import Span
from warren.frontends.cli.notes import left_out
from warren.frontends.cli.progress import describe
from warren.frontends.printable import printable

Document = dict[str, Any]
# A log that collects stderr should not fill with progress.
_PLAIN_EVERY_S = 2.0


@click.command(
    cls=Command,
    examples=[
        "warren send holiday.jpg",
        "warren send ~/Photos report.pdf --once",
        "warren send ~/Photos --for 1h --words 3",
    ],
    exits=(4, 6, 8),
)
@click.argument(
    "paths", metavar="PATH...", type=click.Path(exists=True, path_type=Path), nargs=-1, required=True
)
@click.option("--once", is_flag=True, help="End when the first receiver has it.")
@click.option("--for", "for_s", metavar="SPAN", type=Span(), help="End after so long.  [default: Ctrl-C]")
@click.option(
    "--words",
    metavar="N",
    default=2,
    show_default=True,
    type=click.IntRange(2, 6),
    help="Words of the code; each makes it 2,048 times as hard to guess.",
)
@click.option("--no-qr", is_flag=True, help="Show no QR code.")
@click.pass_obj
def send(
    session: Session, /, paths: tuple[Path, ...], *, once: bool, for_s: float | None, words: int, no_qr: bool
) -> None:
    """Send files and folders to whoever has a short code.

    Prints the code; say it to those who shall have them. They type warren receive CODE, as many as you like,
    and become no contacts of yours. Each wrong guess is shown; after 20 of them the code is withdrawn. It
    goes on until Ctrl-C, and ends with the node: nothing is shared then, or after a restart. One of the two
    sides must be reachable from the other, or both on the same network.
    """
    body = {"paths": [str(path.absolute()) for path in paths], "once": once, "for_s": for_s, "words": words}
    shown = _Shown(session, with_qr=not no_qr and sys.stderr.isatty())
    last: Document = {}
    try:
        for line in session.client.stream("POST", "sends", body=body):
            if "code" in line:
                last = line
            shown.take(line)
    except KeyboardInterrupt:
        if not _had_it(last):
            if last:
                session.note(_summary(last))
            raise
    session.note(_summary(last))
    if last["end"] == "withdrawn":
        raise LimitReached(
            "wrong_max",
            f"the code was withdrawn after {last['wrong']} wrong guesses",
            hint="send again; a code with --words 3 is harder to guess",
        )
    if last["end"] == "time" and not _had_it(last):
        raise RequestTimeout("nobody had it in time", hint="send again, for longer")


class _Shown:
    """What is said while a send goes on: the code at once, then what is new about its receivers."""

    def __init__(self, session: Session, *, with_qr: bool) -> None:
        self._session = session
        self._with_qr = with_qr
        self._before: Document | None = None
        self._hashing_since = self._said_at = time.monotonic()

    def take(self, line: Document) -> None:
        """One line of the stream."""
        if "code" not in line:
            self._hashing(line)
            return
        if self._session.as_json:
            self._session.show_json(line)
        elif self._before is None:
            self._begin(line)
        if line["event"] == "progress":
            for text in _news(self._before, line):
                self._session.note(text)
        self._before = line
        self._follow(line)

    def _begin(self, line: Document) -> None:
        click.echo(line["code"])
        sys.stdout.flush()
        note = self._session.note
        what = f"{units.count(line['files'], 'file')}, {units.size(line['bytes'])}"
        for text in left_out(line):
            note(text)
        note(f"sending {', '.join(line['names'])} ({what}); on the other side:")
        note("")
        note(f"    {as_called('warren receive ' + line['code'])}")
        note("")
        if self._with_qr:
            from warren.frontends.cli import qr

            for row in qr.lines_of(line["code"].upper()):
                click.echo(f"    {row}", err=True)
            note("")

    def _hashing(self, line: Document) -> None:
        now = time.monotonic()
        if not self._session.as_json and now - self._said_at >= _PLAIN_EVERY_S:
            self._said_at = now
            click.echo(printable(describe(line, now - self._hashing_since)), err=True)

    def _follow(self, line: Document) -> None:
        """How far those are who fetch, now and then."""
        now = time.monotonic()
        if self._session.as_json or now - self._said_at < _PLAIN_EVERY_S:
            return
        self._said_at = now
        for one in line["receivers"]:
            if one["state"] == "fetching" and one["here"] and line["bytes"]:
                share = one["done_bytes"] * 100 // line["bytes"]
                self._session.note(f"{_who(one)} has {units.size(one['done_bytes'])} ({share} %)")


def _news(before: Document | None, now: Document) -> Iterator[str]:
    """What happened between two lines, in words."""
    if now["wrong"] != (before["wrong"] if before else 0):
        yield f"wrong guesses: {now['wrong']} of {now['wrong_max']}"
    known = {one["peer_id"]: one for one in before["receivers"]} if before else {}
    for one in now["receivers"]:
        was = known.get(one["peer_id"])
        if was is None:
            yield f"{_who(one)} has the code"
        if was is None or (was["state"], was["here"]) != (one["state"], one["here"]):
            said = _said(one, was)
            if said:
                yield f"{_who(one)} {said}"


def _said(one: Document, was: Document | None) -> str:
    is_over = was is not None and was["state"] == one["state"]
    match one["state"]:
        case "done":
            return "" if is_over else "has it all"
        case "declined":
            return "" if is_over else "does not want it"
        case "failed":
            return "" if is_over else "could not fetch it all"
        case _ if not one["here"]:
            return "went away"
        case "fetching":
            return "fetches it"
    return ""


def _who(one: Document) -> str:
    """A contact as it is called here, anybody else by the name that it gives itself and its id."""
    is_contact = one["called"] != one["peer_id"]
    return str(one["called"]) if is_contact or not one["name"] else f"{one['name']}, {one['called']},"


def _had_it(line: Document) -> int:
    return sum(one["state"] == "done" for one in line.get("receivers", ()))


def _summary(line: Document) -> str:
    count = _had_it(line)
    who = units.count(count, "receiver has it", "receivers have it") if count else "nobody has it"
    wrong = f"; {units.count(line['wrong'], 'wrong guess', 'wrong guesses')}" if line["wrong"] else ""
    return f"no longer sent: {who}{wrong}"
