"""discover: who is found under the name of a service."""

from __future__ import annotations

from typing import Any

import click

from warren.core.errors import NotFound
from warren.frontends.cli import units
from warren.frontends.cli.base import Command, Session
from warren.frontends.printable import printable

_SECONDS_MAX = 366 * 86_400


@click.command(
    cls=Command,
    examples=[
        "warren discover",
        "warren discover chess",
        "warren discover chess --advertise",
        "warren discover chess --seconds 10 --json",
    ],
    exits=(4, 6),
)
@click.argument("namespace", required=False)
@click.option("--advertise", is_flag=True, help="Be found under NAMESPACE, too, as long as this runs.")
@click.option(
    "--seconds",
    metavar="N",
    type=click.FloatRange(0, _SECONDS_MAX, min_open=True),
    help="End after so long.  [default: go on until Ctrl-C]",
)
@click.pass_obj
def discover(session: Session, namespace: str | None, advertise: bool, seconds: float | None) -> None:
    """Print who is found under the name of a service, as they come: peer id and source, then addresses.

    NAMESPACE is any name, 1 to 255 bytes; without it, that of the network of your node (setting
    discovery.namespace). Nobody is dialled by this: what is printed is the word of others. With --json, one
    document for what looks, then one for each that is found.
    """
    wanted = {"namespace": namespace, "advertise": advertise, "seconds": seconds}
    for line in session.client.stream("POST", "discover", body=wanted):
        if session.as_json:
            session.show_json(line)
        if line["event"] == "begin":
            session.note(_looking(line, advertise=advertise, ends=seconds is not None))
        elif line["event"] == "progress" and not session.as_json:
            for text in _lines(line):
                click.echo(printable(text))
        elif line["event"] == "result" and not line["count"]:
            raise NotFound(
                f"nobody was found under {line['namespace']!r} in {units.span(seconds or 0)}",
                hint="look for longer, or see warren status for how your node finds others",
            )


def _looking(begin: dict[str, Any], *, advertise: bool, ends: bool) -> str:
    """What happens now, and why the local network is left out if it is."""
    active = [f"{one['name']} ({one['note']})" for one in begin["sources"] if one["active"]]
    parts = [f"looking under {begin['namespace']!r} by {', '.join(active) or 'nothing yet'}"]
    silent = [one["note"] for one in begin["sources"] if one["name"] == "mdns" and not one["active"]]
    parts += [f"not by mdns: {note}" for note in silent]
    parts += ["your node is found there, too"] * advertise
    parts += ["Ctrl-C ends it"] * (not ends)
    return "; ".join(parts)


def _lines(one: dict[str, Any]) -> list[str]:
    who = one["peer_id"] or "somebody"
    known = f"  {one['called']}" if one["called"] not in {one["peer_id"], None} else ""
    return [f"{who}  {one['source']}{known}", *(f"    {address}" for address in one["addresses"])]
