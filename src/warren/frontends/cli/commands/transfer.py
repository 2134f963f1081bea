"""transfer list, show, pause, resume, cancel, retry, priority, limit: what is fetched, and what goes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import click

from warren.core.errors import NotFound, WarrenError
from warren.frontends.cli import following, transfer_lines, units
from warren.frontends.cli.base import Group, Session
from warren.frontends.cli.typed import Limit

Document = dict[str, Any]
ALL = "all"
# Ended ones that a listing shows without --all.
ENDED_SHOWN = 10
_ALWAYS = "always"


@click.group(
    cls=Group,
    examples=["warren transfer list", "warren transfer pause 3", "warren transfer limit --down 5M --up 1M"],
)
def transfer() -> None:
    """List, pause and cancel what is fetched; see what goes out.

    A transfer keeps its number as long as it is in the list; most commands take several, or all.
    """


@transfer.command("list", examples=["warren transfer list", "warren transfer list --all"])
@click.option(
    "--all", "show_all", is_flag=True, help=f"Show all that ended, not only the last {ENDED_SHOWN}."
)
@click.pass_obj
def list_transfers(session: Session, show_all: bool) -> None:
    """List what is fetched, or was in the last days, and what goes out."""
    found = session.client.get("transfers")
    ended = [one["number"] for one in found["items"] if one["state"] in transfer_lines.ENDED]
    hidden = set() if show_all else set(ended[:-ENDED_SHOWN])
    items = [one for one in found["items"] if one["number"] not in hidden]

    def lines() -> Iterable[str]:
        if not (items or found["uploads"]):
            return [f"nothing is fetched, and nothing goes out: {session.command('get PEER/PATH')}"]
        return transfer_lines.table(items, found["uploads"])

    session.show({**found, "items": items}, lines)
    if hidden:
        session.note(f"and {len(hidden)} more that ended: {session.command('transfer list --all')}")
    limits = _limits_said(found["limits"])
    if limits:
        session.note(f"all together: {limits}")


@transfer.command("show", examples=["warren transfer show 3", "warren transfer show 3 -f"], exits=(4,))
@click.argument("number", metavar="N", type=click.IntRange(1))
@click.option(
    "-f", "--follow", is_flag=True, help="Show how it goes until it ends. Ctrl-C only ends the showing."
)
@click.pass_obj
def show(session: Session, number: int, follow: bool) -> None:
    """Show one transfer: how far it is, from whom it comes, why it waits, whom it let go."""
    if follow:
        lines = session.client.stream("POST", "transfers", "follow", body={"numbers": [number]})
        following.watch(lines, quiet=session.as_json)
    one = session.client.get("transfers", str(number))
    session.show(one, lambda: transfer_lines.details(one, time.time()))


@transfer.command("pause", examples=["warren transfer pause 3", "warren transfer pause all"], exits=(4, 8))
@click.argument("numbers", metavar="N...|all", nargs=-1, required=True)
@click.pass_obj
def pause(session: Session, numbers: tuple[str, ...]) -> None:
    """Let transfers rest until they are resumed. What they have so far is kept."""

    def fits(one: Document) -> bool:
        return _is_undone(one) and one["cause"] != "user"

    _each(session, numbers, fits, lambda one: _post(session, one, "pause"), "paused")


@transfer.command("resume", examples=["warren transfer resume 3", "warren transfer resume all"], exits=(4, 8))
@click.argument("numbers", metavar="N...|all", nargs=-1, required=True)
@click.pass_obj
def resume(session: Session, numbers: tuple[str, ...]) -> None:
    """Let transfers go on as soon as there is a place, also outside their hours."""
    _each(
        session,
        numbers,
        lambda one: one["state"] == "paused",
        lambda one: _post(session, one, "resume"),
        "goes on",
    )


@transfer.command("retry", examples=["warren transfer retry 3", "warren transfer retry all"], exits=(4, 8))
@click.argument("numbers", metavar="N...|all", nargs=-1, required=True)
@click.pass_obj
def retry(session: Session, numbers: tuple[str, ...]) -> None:
    """Try transfers again now that failed, wait for somebody who has them, for a place there, or for room."""

    def fits(one: Document) -> bool:
        return one["state"] in {"failed", "waiting"} or one["cause"] in {"disk", "busy"}

    _each(session, numbers, fits, lambda one: _post(session, one, "retry"), "is tried again")


@transfer.command("cancel", examples=["warren transfer cancel 3", "warren transfer cancel all"], exits=(4, 8))
@click.argument("numbers", metavar="N...|all", nargs=-1, required=True)
@click.pass_obj
def cancel(session: Session, numbers: tuple[str, ...]) -> None:
    """Give transfers up, and remove what was fetched of them so far.

    One that is done is only taken out of the list: what it brought stays. all means those that are not done.
    """

    def remove(one: Document) -> Document:
        if one["state"] != "done" and one["done_bytes"]:
            session.note(f"removing what was fetched of {one['name']}: {units.size(one['done_bytes'])}")
        found: Document = session.client.delete("transfers", str(one["number"]))
        return found

    def said(one: Document) -> str:
        what = "no longer listed" if one["state"] == "done" else "cancelled"
        return f"{one['number']}: {one['name']} is {what}"

    _each(session, numbers, lambda one: one["state"] != "done", remove, said)


@transfer.command(
    "priority", examples=["warren transfer priority 3 9", "warren transfer priority 3 4 0"], exits=(4, 8)
)
@click.argument("numbers", metavar="N...|all", nargs=-1, required=True)
@click.argument("level", metavar="LEVEL", type=click.IntRange(0, 9))
@click.pass_obj
def priority(session: Session, numbers: tuple[str, ...], level: int) -> None:
    """Say what goes first: LEVEL is 0 to 9, 5 where nothing was said, and higher goes first.

    What runs gives its place to what is higher, and goes on later from where it was.
    """

    def change(one: Document) -> Document:
        found: Document = session.client.patch("transfers", str(one["number"]), body={"priority": level})
        return found

    _each(session, numbers, _is_undone, change, f"has priority {level}")


@transfer.command(
    "limit",
    examples=[
        "warren transfer limit",
        "warren transfer limit --down 5M --up none",
        "warren transfer limit 3 --down 2M --between 22:00-06:00",
    ],
    exits=(4, 8),
)
@click.argument("numbers", metavar="[N...|all]", nargs=-1)
@click.option(
    "--down", metavar="SIZE|none|default", type=Limit(), help="Fetch so many bytes a second at most."
)
@click.option("--up", metavar="SIZE|none|default", type=Limit(), help="Give so many bytes a second at most.")
@click.option("--between", metavar="HH:MM-HH:MM|always", help="The hours in which transfers N run.")
@click.pass_obj
def limit(
    session: Session, numbers: tuple[str, ...], down: int | None, up: int | None, between: str | None
) -> None:
    """Set what all transfers together may move in a second, or what transfers N may and when.

    It holds at once, and over restarts. none: no limit; default: as the settings say. Without options it
    shows what holds.
    """
    if numbers:
        if up is not None or (down is None and between is None):
            raise click.UsageError("of one transfer there are --down and --between")
        wanted: Document = {} if down is None else {"cap_bytes_per_s": max(down, 0)}
        wanted |= {} if between is None else {"between": "" if between == _ALWAYS else between}

        def change(one: Document) -> Document:
            found: Document = session.client.patch("transfers", str(one["number"]), body=wanted)
            return found

        _each(session, numbers, _is_undone, change, _capped)
        return
    if between is not None:
        raise click.UsageError("--between is of transfers: name them, or all")
    given = {
        name: value
        for name, value in (("down_bytes_per_s", down), ("up_bytes_per_s", up))
        if value is not None
    }
    if given:
        holds = session.client.patch("transfer-limits", body=given)
    else:
        holds = session.client.get("transfers")["limits"]
    session.show(holds, [_limits_said(holds) or "no limits"])


def _each(
    session: Session,
    words: tuple[str, ...],
    fits: Callable[[Document], bool],
    do: Callable[[Document], Document],
    said: str | Callable[[Document], str],
) -> None:
    """Do it to each that was named, or to all that fit; raise the first failure once all were tried."""
    done: list[Document] = []
    errors: list[WarrenError] = []
    for one in _named(session, words, fits):
        try:
            done.append(do(one))
        except WarrenError as error:
            errors.append(error)
            continue
        if not session.as_json:
            text = said(done[-1]) if callable(said) else f"{one['number']}: {one['name']} {said}"
            session.show(None, [text])
    if session.as_json and (done or not errors):
        session.show_json(done[0] if len(words) == 1 and words[0] != ALL and done else {"items": done})
    elif not done and not errors:
        session.note("there is none")
    for other in errors[1:]:
        session.note(f"error: {other}")
    if errors:
        raise errors[0]


def _named(session: Session, words: tuple[str, ...], fits: Callable[[Document], bool]) -> list[Document]:
    """The transfers meant, each once. Raises UsageError, `NotFound`."""
    found = session.client.get("transfers")["items"]
    if ALL in words:
        if len(words) > 1:
            raise click.UsageError("all means all of them: name no others beside it")
        return [one for one in found if fits(one)]
    wrong = [word for word in words if not (word.isascii() and word.isdecimal())]
    if wrong:
        raise click.UsageError(f"{wrong[0]!r} is no number of a transfer; write for instance 3, or all")
    listed = {one["number"]: one for one in found}
    numbers = dict.fromkeys(int(word) for word in words)
    missing = [number for number in numbers if number not in listed]
    if missing:
        raise NotFound(f"there is no transfer {missing[0]}", hint="list them: warren transfer list")
    return [listed[number] for number in numbers]


def _post(session: Session, one: Document, verb: str) -> Document:
    found: Document = session.client.post("transfers", str(one["number"]), verb)
    return found


def _is_undone(one: Document) -> bool:
    return one["state"] not in transfer_lines.ENDED


def _capped(one: Document) -> str:
    cap = f"at most {units.size(one['cap_bytes_per_s'])}/s" if one["cap_bytes_per_s"] else "no cap"
    hours = f"runs {one['between']}" if one["between"] else "runs at any hour"
    return f"{one['number']}: {one['name']} has {cap}, {hours}"


def _limits_said(limits: Document) -> str:
    parts = [
        f"{name} {units.size(limits[key])}/s at most"
        for name, key in (("down", "down_bytes_per_s"), ("up", "up_bytes_per_s"))
        if limits[key]
    ]
    return ", ".join(parts)
