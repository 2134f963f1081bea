"""invite, join, ping, speedtest: people, and the way to them."""

from __future__ import annotations

import shlex
import sys
from typing import Any

import click

from warren.frontends.cli import offers, units
from warren.frontends.cli.base import Command, Session
from warren.frontends.cli.called import as_called
from warren.services.peers.speedtest import SECONDS_DEFAULT, SECONDS_MAX, SECONDS_MIN

# More than any code with its line breaks; the API takes no longer one.
_CODE_CHARS_MAX = 8192
EXPIRES_S_MAX = 366 * 86_400.0


class Span(click.ParamType[float]):
    """A span of time, as 30m, 24h or 7d."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            seconds = units.parse_span(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if seconds > EXPIRES_S_MAX:
            self.fail(f"{value} is too long: {units.span(EXPIRES_S_MAX)} at most", param, ctx)
        return seconds


@click.command(
    cls=Command,
    examples=["warren invite", "warren invite --name anna", "warren invite --uses 10 --expires 7d"],
    exits=(6,),
)
@click.option(
    "--uses",
    metavar="N",
    default=1,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="How many peers may join with it.",
)
@click.option("--expires", default="24h", show_default=True, type=Span(), help="How long it is good for.")
@click.option(
    "--name", metavar="PETNAME", help="What to call who joins.  [default: what they call themselves]"
)
@click.pass_obj
def invite(session: Session, uses: int, expires: float, name: str | None) -> None:
    """Make a code that lets somebody become your contact.

    Send the code to a person you trust, over a channel you trust: whoever joins with it becomes your contact
    and sees what you share with contacts.
    """
    made = session.client.post("invites", body={"uses": uses, "expires_s": expires, "name": name})
    session.show(made, [made["code"]])
    whom = "one peer" if uses == 1 else units.count(uses, "peer")
    session.note(
        f"good for {whom} within {units.span(expires)}; the other side types: {as_called('warren join CODE')}"
    )


@click.command(
    cls=Command, examples=["warren join warren1abc...", "warren join - < code.txt"], exits=(4, 5, 6)
)
@click.argument("code", nargs=-1, required=True)
@click.pass_obj
def join(session: Session, code: tuple[str, ...]) -> None:
    """Use a code that somebody gave you.

    Connects, and makes both sides contacts of each other. A code broken into several words is put together;
    - reads it from stdin, so that it does not show in the list of processes.
    """
    text = sys.stdin.read(_CODE_CHARS_MAX) if code == ("-",) else " ".join(code)
    contact = session.client.post("join", body={"code": text})
    session.show(contact, [kept(contact)])
    session.note(f"see what they share: {session.command('ls')} {shlex.quote(contact['name'])}")


def kept(contact: dict[str, Any]) -> str:
    """Who is a contact, and whether that is new."""
    since = "is now your contact" if contact["new"] else "is already your contact"
    return f"{contact['name']} ({contact['peer_id']}) {since}"


@click.command(
    cls=Command,
    examples=["warren ping anna", "warren ping anna -c 100 -i 0", "warren ping /ip4/192.0.2.7/tcp/4101"],
    exits=(4, 5, 6),
)
@click.argument("peer", shell_complete=offers.peers)
@click.option(
    "-c",
    "--count",
    metavar="N",
    default=5,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="How many times.",
)
@click.option(
    "-i",
    "--interval",
    metavar="SECONDS",
    default=0.2,
    show_default=True,
    type=click.FloatRange(0, 3600),
    help="Seconds between two.",
)
@click.pass_obj
def ping(session: Session, peer: str, count: int, interval: float) -> None:
    """Measure the round trip to a peer.

    PEER is a petname, a peer id or its beginning, a number of the last listing, or a multiaddr to dial.
    With --json, one document for each round trip, then one for all.
    """
    wanted = {"peer": session.peer(peer), "count": count, "interval_s": interval}
    for line in session.client.stream("POST", "ping", body=wanted):
        if session.as_json:
            session.show_json(line)
        elif line["event"] == "progress":
            click.echo(f"{line['number']}: {line['rtt_ms']:.2f} ms")
        else:
            _, least, median, most = (line[key] for key in ("count", "min_ms", "median_ms", "max_ms"))
            spread = f"min {least:.2f} ms, median {median:.2f} ms, max {most:.2f} ms"
            session.show(line, [f"{line['called']}: {spread}"])


@click.command(
    cls=Command, examples=["warren speedtest anna", "warren speedtest anna --seconds 10"], exits=(4, 5, 6)
)
@click.argument("peer", shell_complete=offers.peers)
@click.option(
    "--seconds",
    metavar="N",
    default=SECONDS_DEFAULT,
    show_default=True,
    type=click.FloatRange(SECONDS_MIN, SECONDS_MAX),
    help="How long to measure, half of it in each direction.",
)
@click.pass_obj
def speedtest(session: Session, peer: str, seconds: float) -> None:
    """Measure throughput to and from a peer.

    PEER as for ping. The other side must grant it: bulk tests cost bandwidth. While it is in another test,
    this one waits. Neither direction sends more than 4 GiB at once, which ends a long test of a fast link
    early. What is shown as round trip is the least of five on the idle link; ping shows the middle of many.
    The peer table keeps what was found.
    """
    from warren.frontends.cli.progress import follow_share

    wanted = {"peer": session.peer(peer), "seconds": seconds}

    def begin(line: dict[str, Any]) -> None:
        session.note(f"measuring to and from {line['called']} for {units.span(seconds)} ...")

    lines = session.client.stream("POST", "speedtest", body=wanted)
    found = follow_share(lines, begin, quiet=session.as_json)
    session.show(
        found,
        lambda: [
            f"download   {units.bit_rate(found['download_bytes_per_s'])}",
            f"upload     {units.bit_rate(found['upload_bytes_per_s'])}",
            f"round trip {found['rtt_ms']:.2f} ms, the least of five",
        ],
    )
