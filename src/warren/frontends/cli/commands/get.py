"""get: fetch a file or folder."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from warren.core.errors import InputError, NotFound
from warren.frontends.cli import units
from warren.frontends.cli.base import Command, Session
from warren.frontends.cli.notes import left_out, renamed
from warren.frontends.cli.progress import follow

# Of less than this a rate says nothing: it measures the program's start.
_RATED_BYTES_MIN = 1_000_000


@click.command(
    cls=Command,
    examples=[
        "warren get anna/Photos",
        "warren get 3 -o ~/Desktop",
        "warren get bafybei... --from anna",
        "warren get anna/notes.txt -o - | less",
    ],
    exits=(4, 5, 6, 7, 8),
)
@click.argument("ref")
@click.option(
    "-o",
    "--output",
    metavar="DIR|-",
    help="Folder to put it into; - writes a file to stdout.  [default: ~/Warren, or download_dir]",
)
@click.option(
    "--from",
    "source",
    metavar="PEER",
    help="Fetch from this peer; REF is then a path there, or a content id.",
)
@click.pass_obj
def get(session: Session, ref: str, output: str | None, source: str | None) -> None:
    """Fetch a file or folder, verified, and print its final path.

    REF is PEER/PATH, a number of the last warren ls, or with --from a content id. Every chunk is verified
    before it is written. What was fetched before an interruption is not fetched again. A file appears under
    its name when it is whole; an existing one is never overwritten.
    """
    if output == "-" and session.as_json:
        raise click.UsageError("-o - and --json both want stdout; choose one")
    wanted: dict[str, Any] = {"ref": _meant(session, ref)}
    if source:
        wanted["from_peer"] = session.peer(source)
    if output == "-":
        _to_stdout(session, wanted)
        return
    if output:
        wanted["output"] = str(Path(output).expanduser().absolute())
    done = _fetch(session, wanted, quiet=session.as_json)
    session.show(done, [done["path"]])


def _meant(session: Session, ref: str) -> str:
    """What REF stands for: numbers come from the last listing, peers may be numbers too."""
    listed = session.home.listed("files", ref)
    if isinstance(listed, dict):
        if "ref" not in listed:
            raise NotFound(
                f"number {ref} of the last listing is your own share", hint="it is on this disk already"
            )
        return str(listed["ref"])
    peer, slash, path = ref.partition("/")
    return session.peer(peer) + slash + path if slash else ref


def _fetch(session: Session, wanted: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    start = time.monotonic()
    done = follow(session.client.stream("POST", "transfers", body=wanted), quiet=quiet)
    session.note(_summary(done, time.monotonic() - start))
    for line in (*left_out(done), *renamed(done)):
        session.note(line)
    return done


def _summary(done: dict[str, Any], took: float) -> str:
    amount = f"{units.count(done['files'], 'file')}, {units.size(done['bytes'])}"
    if done["already_there"]:
        return f"{amount}: already there, verified; nothing was fetched"
    reused = done["chunks_reused"]
    before = f"; {units.count(reused, 'chunk')} were here from before" if reused else ""
    speed = f" ({units.rate(done['bytes'], took)})" if done["bytes"] >= _RATED_BYTES_MIN else ""
    return f"{amount} in {units.span(took)}{speed}, verified{before}"


def _to_stdout(session: Session, wanted: dict[str, Any]) -> None:
    """Through a folder of its own within the data folder, so that only verified bytes come out."""
    session.home.make()
    folder = Path(tempfile.mkdtemp(prefix=".stdout-", dir=session.home.path))
    try:
        done = _fetch(session, {**wanted, "output": str(folder)}, quiet=False)
        path = Path(done["path"])
        if not path.is_file():
            raise InputError("a folder cannot be written to stdout", hint="use -o DIR")
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
        sys.stdout.buffer.flush()
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)
