"""peer import, peer export: the peer table as a file."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import click

from warren.core.errors import NotFound
from warren.frontends.cli import units
from warren.frontends.cli.base import Command, Session, cannot_write
from warren.frontends.printable import printable, printable_json


@click.command(
    "import",
    cls=Command,
    examples=["warren peer import peers.json", "warren peer import - < ip_address.json"],
    exits=(4, 6, 8),
)
@click.argument("file")
@click.pass_obj
def import_peers(session: Session, file: str) -> None:
    """Take in a list of peers: what peer export wrote, or one in the classic form.

    - reads it from stdin. What cannot be used is named by its line and left out; the rest is kept. The
    classic form names addresses and no peers: they are dialled until a peer is met there.
    """
    client = session.client
    with _as_path(file) as path:
        lines = client.stream("POST", "peer-list", body={"path": str(path)})
        report = next(line for line in lines if line["event"] == "result")
    report.pop("event")
    for problem in report["problems"]:
        session.note(f"{file}:{problem['line']}: {problem['text']}")
    hidden = report["problem_count"] - len(report["problems"])
    if hidden:
        session.note(f"... and {units.count(hidden, 'problem')} more")
    session.show(report, lambda: [_summary(report)])


@click.command(
    "export",
    cls=Command,
    examples=["warren peer export > peers.json", "warren peer export --form classic -o ip_address.json"],
    exits=(6, 8),
)
@click.option(
    "--form",
    default="full",
    show_default=True,
    type=click.Choice(["full", "classic"]),
    help='full: all that is known. classic: {"ip_address": [{"ipv4", "latency", ...}]}.',
)
@click.option(
    "-o", "--output", metavar="FILE", help="Write there; it is replaced at once.  [default: stdout]"
)
@click.pass_obj
def export_peers(session: Session, form: str, output: str | None) -> None:
    """Write the peer table as JSON, an entry a line. What the classic form cannot hold is named on stderr.

    With --json and without -o the list is in `list` of the result.
    """
    left_out: list[dict[str, str]] = []
    lines = session.client.stream("GET", "peer-list", form=form)
    text = _text(lines, left_out)
    if output is None and session.as_json:
        session.show_json({"form": form, "list": json.loads("".join(text)), "left_out": left_out})
        return
    count = _write(text, Path(output) if output else None)
    for one in left_out:
        session.note(f"left out: {one['what']}: {one['reason']}")
    document = {"form": form, "path": output, "entries": count, "left_out": left_out}
    if output is not None:
        session.show(document, [f"wrote {units.count(count, 'entry', 'entries')} to {output}"])


def _text(lines: Iterator[dict[str, Any]], left_out: list[dict[str, str]]) -> Iterator[str]:
    """The list piece by piece: its head, each entry, its tail."""
    tail, comma = "", ""
    for line in lines:
        match line["event"]:
            case "begin":
                yield line["head"]
                tail = line["tail"]
            case "entry":
                yield f"{comma}\n{printable_json(line['entry'])}"
                comma = ","
            case "left_out":
                left_out.append({"what": line["what"], "reason": line["reason"]})
            case _:
                pass
    yield f"\n{tail}\n"


def _write(text: Iterator[str], path: Path | None) -> int:
    """Write all pieces, into a file at once; return how many entries there were."""
    if path is None:
        return _put(text, sys.stdout)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            count = _put(text, file)
        draft.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            draft.unlink()
    return count


def _put(text: Iterator[str], file: TextIO) -> int:
    count = -2  # head and tail
    for piece in text:
        file.write(piece)
        count += 1
    file.flush()
    return count


@contextmanager
def _as_path(file: str) -> Iterator[Path]:
    """The file's absolute path; what comes from stdin lies in a file of our own meanwhile."""
    if file != "-":
        path = Path(file).absolute()
        if not path.is_file():
            raise NotFound(f"there is no file {printable(file)}", hint="give the path of a list of peers")
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="warren-") as folder:
        path = Path(folder) / "stdin.json"
        path.write_bytes(sys.stdin.buffer.read())
        yield path


def _summary(report: dict[str, Any]) -> str:
    counts = (
        (report["added"], "new"),
        (report["leads"], "to be met at their addresses"),
        (report["known"], "known before"),
        (len(report["blocked"]), "blocked"),
        (report["skipped"], "left out"),
    )
    return ", ".join(f"{count:,} {text}" for count, text in counts if count) or "nothing in it"
