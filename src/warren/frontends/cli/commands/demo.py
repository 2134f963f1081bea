"""demo: watch two nodes share a folder."""

from __future__ import annotations

import time
from pathlib import Path

import click

from warren.frontends.cli import units
from warren.frontends.cli.base import Command, Session
from warren.frontends.printable import printable


@click.command(
    cls=Command,
    needs_node=False,
    examples=["warren demo", "warren demo ~/Photos", "warren demo --json"],
    exits=(1, 5, 6, 7, 8),
)
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.pass_obj
def demo(session: Session, folder: Path | None) -> None:
    """Watch two nodes share a folder.

    Starts two temporary nodes in two processes on this machine: one invites, the other joins, a folder is
    shared, fetched and verified; then a wrong key and damaged data are refused. It talks to nobody else and
    leaves no trace. FOLDER is only read.

    Without FOLDER it shares the standard library of this Python; where that has more than 12,000 files or 200
    MB, a sample made for it: 1,000 small files and one of 32 MiB.
    """
    from warren.frontends.cli.demo.play import Play
    from warren.frontends.cli.demo.stage import Stage

    def say(line: str) -> None:
        if not session.as_json:
            click.echo(printable(line))

    start = time.monotonic()
    with Stage() as stage:
        facts = Play(stage, say, quiet=session.as_json).perform(folder.absolute() if folder else None)
    took = time.monotonic() - start
    session.show(
        {**facts, "seconds": round(took, 3)},
        [
            "",
            f"All as promised, in {units.span(took)}. Both nodes are gone, and so are their files.",
            f"Next: {session.command('up -d')}, then {session.command('invite')}.",
        ],
    )
