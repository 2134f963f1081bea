"""get: fetch files and folders, by the queue of the node."""

from __future__ import annotations

import contextlib
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from warren.core.errors import InputError, NotFound, WarrenError
from warren.frontends.cli import following, offers, transfer_lines, units
from warren.frontends.cli.base import Command, Session
from warren.frontends.cli.choosing import choose as choose_files
from warren.frontends.cli.client import rebuilt
from warren.frontends.cli.notes import left_out, renamed
from warren.frontends.cli.progress import follow_bytes
from warren.frontends.cli.typed import Size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.frontends.cli.client import Client

# The body of a request to fetch; of a hit, with the kind of what it is.
Way = dict[str, Any]
Document = dict[str, Any]


@click.command(
    cls=Command,
    examples=[
        "warren get anna/Photos",
        "warren get 3 4 -o ~/Desktop",
        "warren get bafybei...",
        "warren get anna/Photos --only '*.jpg' --only '!raw/'",
        "warren get anna/Films -d --between 22:00-06:00 --cap 5M",
        "warren get anna/notes.txt -o - | less",
        'mpv "$(warren get anna/film.mkv --url)"',
    ],
    exits=(1, 4, 5, 6, 7, 8),
)
@click.argument("refs", metavar="REF...", nargs=-1, required=True, shell_complete=offers.places)
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
    shell_complete=offers.peers,
    help="Fetch from this peer alone; REF is then a path there, or a content id.",
)
@click.option(
    "--only",
    "patterns",
    metavar="PATTERN",
    multiple=True,
    help="Of a folder what fits, as in gitignore: '*.jpg', /top.txt, raw/, '!not-this'; repeatable.",
)
@click.option("--choose", is_flag=True, help="Tick at the terminal which files of a folder are fetched.")
@click.option(
    "--priority", metavar="N", type=click.IntRange(0, 9), help="0 to 9; higher goes first.  [default: 5]"
)
@click.option("--cap", metavar="SIZE", type=Size(), help="So many bytes a second at most.  [default: no cap]")
@click.option("--between", metavar="HH:MM-HH:MM", help="Run in these hours alone.")
@click.option("--no-keep", is_flag=True, help="Do not share it with others once it is here.")
@click.option("-d", "--detach", is_flag=True, help="Return once it is in the queue.")
@click.option("--url", is_flag=True, help="Print an address that a player reads the file from, for a day.")
@click.pass_obj
def get(
    session: Session,
    /,
    refs: tuple[str, ...],
    output: str | None,
    source: str | None,
    *,
    choose: bool,
    detach: bool,
    url: bool,
    **how: Any,
) -> None:
    """Fetch files and folders, verified, and print their final paths.

    REF is PEER/PATH, a content id, or a number of the last warren search or warren ls. It comes from all who
    have it and can be found, at once. Every chunk is verified before it is written, and what was fetched
    before an interruption is not fetched again. A file appears under its name when it is whole; an existing
    one is never overwritten.

    It goes into the queue of the node. Ctrl-C pauses it; warren transfer resume goes on. Where nobody is
    there who has it, it stays in the queue, and goes on by itself.
    """
    if output == "-" and session.as_json:
        raise click.UsageError("-o - and --json both want stdout; choose one")
    if output == "-" and (len(refs) > 1 or choose or detach or any(how.values())):
        raise click.UsageError("-o - writes one file, at once: it goes with --from alone")
    if url and (output or len(refs) > 1 or choose or detach or any(how.values())):
        raise click.UsageError("--url is for one file, and goes with --from alone")
    if source:  # PEER/PATH goes with --from PEER, too
        refs = tuple(ref.removeprefix(f"{source}/") for ref in refs)
    source = session.peer(source) if source else None
    ways = [_way(session, ref, source) for ref in refs]
    if output == "-":
        _to_stdout(session, ways[0])
        return
    if url:
        _show_address(session, ways[0])
        return
    more = _more(output, **how)
    if choose:
        ways = [{**way, "paths": _chosen(session, way)} for way in ways]
    _Fetch(session).run([{**way, **more} for way in ways], detach=detach)


def _more(
    output: str | None,
    patterns: tuple[str, ...],
    priority: int | None,
    cap: int | None,
    between: str | None,
    *,
    no_keep: bool,
) -> Way:
    """What all of them have in common, as the API takes it."""
    more: Way = {
        "output": str(folder_of(output)) if output else None,
        "patterns": list(patterns),
        "priority": priority,
        "cap_bytes_per_s": cap,
        "between": between,
        "keep": not no_keep,
    }
    return {name: value for name, value in more.items() if value is not None}


def folder_of(output: str) -> Path:
    """The folder that -o names. Raises InputError for a file."""
    path = Path(output).expanduser().absolute()
    if path.exists() and not path.is_dir():
        cure = f"-o names the folder to put it into, for instance {path.parent}"
        raise InputError(f"{path} is a file", hint=cure)
    return path


def _way(session: Session, ref: str, source: str | None) -> Way:
    """How to get REF. A hit is asked of all who hold it, the quickest first; or of the source alone."""
    listed = session.home.listed("files", ref)
    if isinstance(listed, dict) and listed.get("holders"):
        hit = {"ref": listed["cid"], "name": listed["name"], "kind": listed["kind"]}
        if source:
            return {**hit, "from_peer": source}
        return {**hit, "holders": quickest_first(session.client, listed["holders"])}
    way = {"ref": _meant(session, ref, listed)}
    return way | ({"from_peer": source} if source else {})


def _chosen(session: Session, way: Way) -> list[str]:
    """The paths that somebody ticks in a folder."""
    peer, path = _place(session, way)
    return choose_files(session.client, peer, path)


def _place(session: Session, way: Way) -> tuple[str, str]:
    """Where what is wanted can be listed: a peer and a path there. Raises `InputError`."""
    peers = [way["from_peer"]] if "from_peer" in way else way.get("holders", [])
    ref = str(way["ref"])
    if "/" in ref or (len(peers) == 1 and not _is_cid(ref)):
        return (peers[0], ref) if peers else (ref.partition("/")[0], ref.partition("/")[2])
    for peer in peers:
        shared = session.client.get("files", peer=peer, path="")["items"]
        if found := [one["path"] for one in shared if one["cid"] == ref]:
            return peer, str(found[0])
    raise InputError(
        "nobody lists what is in that content", hint="choose from PEER/PATH: warren ls PEER shows them"
    )


def _is_cid(ref: str) -> bool:
    return "/" not in ref and ref.startswith(("bafk", "bafy"))


def quickest_first(client: Client, holders: list[dict[str, Any]]) -> list[str]:
    """The peers that hold a hit: those that are connected by their round trip, then those that were there
    when they were found, then the others.
    """

    def rank(one: dict[str, Any]) -> tuple[bool, bool, float]:
        try:
            now = client.get("peers", one["peer"])
        except NotFound:
            return True, not one["online"], math.inf
        took_ms = now["rtt_ms"] if now["rtt_ms"] is not None else now["latency_ms"]
        return not now["connected"], not one["online"], math.inf if took_ms is None else took_ms

    return [one["peer"] for one in sorted(holders, key=rank)]


def _meant(session: Session, ref: str, listed: Any) -> str:
    """What REF stands for: numbers come from the last listing, peers may be numbers too."""
    if isinstance(listed, dict):
        if "ref" not in listed:
            raise NotFound(
                f"number {ref} of the last listing is your own share", hint="it is on this disk already"
            )
        return str(listed["ref"])
    if ref.isascii() and ref.isdecimal():
        raise NotFound(
            f"the last listing has no line {ref}",
            hint="list again with: warren ls PEER, or warren search WORDS",
        )
    peer, slash, path = ref.partition("/")
    return session.peer(peer) + slash + path if slash else ref


class _Fetch:
    """Puts things into the queue, and watches them unless that is not wanted."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._errors: list[WarrenError] = []
        self._added: dict[int, Document] = {}

    def run(self, ways: list[Way], *, detach: bool) -> None:
        """All of them. What one fails with is told; the first of it is raised once the others are done."""
        items = [{name: value for name, value in way.items() if name != "kind"} for way in ways]
        body = {"items": items, "detach": detach}
        lines = self._session.client.stream("POST", "transfers", "several", body=body)
        try:
            ended = following.watch(self._taken(lines), quiet=self._session.as_json)
        except KeyboardInterrupt:
            self._pause()
            raise
        if detach:
            self._tell_detached()
        else:
            gone = self._added.keys() - {one["number"] for one in ended}
            self._errors += [WarrenError(f"transfer {number} was cancelled") for number in sorted(gone)]
            done = [one for one in ended if self._tell(one)]
            self._show([{"number": one["number"], **(one["fetched"] or {})} for one in done], len(ways))
        self._raise_first()

    def _taken(self, lines: Iterator[Document]) -> Iterator[Document]:
        """The lines, but for those that say what is in the queue now, and what cannot be."""
        for line in lines:
            if line["event"] == "added":
                self._added[line["number"]] = line
            elif line["event"] == "refused":
                self._errors.append(rebuilt(line))
            else:
                yield line

    def _pause(self) -> None:
        """Somebody pressed Ctrl-C: say what became of it, and how to go on."""
        if not self._added:
            how = self._session.command("transfer list")
            self._session.note(f"what is in the queue already is paused; see: {how}")
        for number in self._added:
            with contextlib.suppress(WarrenError):  # it is done, or gone, or the node is
                one = self._session.client.post("transfers", str(number), "pause")
                how_far = f" at {transfer_lines.share(one)}" if one["total_bytes"] else ""
                how = self._session.command(f"transfer resume {number}")
                self._session.note(f"paused {one['name']}{how_far}; go on with: {how}")

    def _tell(self, one: Document) -> bool:
        """Say how one ended; whether it is here."""
        session, number = self._session, one["number"]
        show = f"see: warren transfer show {number}"
        if one["state"] == "done":
            if (fetched := one["fetched"]) is not None:
                session.note(_summary(fetched))
                for line in (*left_out(fetched), *renamed(fetched)):
                    session.note(line)
            return True
        if one["cause"] == "hours":
            how = session.command(f"transfer show {number}")
            session.note(f"{one['name']} runs {one['between']}; see: {how}")
            return False
        hint = one["hint"]
        if one["state"] == "waiting":
            hint = f"it stays in the queue, and goes on when somebody comes who has it; {show}"
        elif one["cause"] == "disk":
            hint = f"it goes on by itself when there is room; {show}"
        elif one["cause"] == "user":
            one = {**one, "reason": f"transfer {number} was paused"}
            hint = f"go on with: warren transfer resume {number}"
        self._errors.append(rebuilt({"error": one["error"], "message": one["reason"], "hint": hint}))
        return False

    def _tell_detached(self) -> None:
        added = list(self._added.values())
        for one in added:
            how = self._session.command(f"transfer show {one['number']}")
            self._session.note(f"{one['name']} is transfer {one['number']}; see: {how}")
        self._show(added, len(added) + len(self._errors), "number")

    def _show(self, documents: list[Document], wanted: int, line: str = "path") -> None:
        if documents:
            document = documents[0] if wanted == 1 else {"items": documents}
            self._session.show(document, [str(one[line]) for one in documents if line in one])

    def _raise_first(self) -> None:
        for error in self._errors[1:]:
            self._session.note(f"error: {error}")
        if self._errors:
            raise self._errors[0]


def _summary(done: dict[str, Any]) -> str:
    took = done["seconds"]
    amount = f"{units.count(done['files'], 'file')}, {units.size(done['bytes'])}"
    if done["already_there"]:
        return f"{amount}: already there, verified; nothing was fetched"
    reused = done["chunks_reused"]
    before = f"; {units.count(reused, 'chunk')} were here from before" if reused else ""
    speed = f" ({units.rate(done['bytes'], took)})" if done["bytes"] >= units.RATED_BYTES_MIN else ""
    count = sum(source["bytes_fetched"] > 0 for source in done["sources"])
    whom = f" from {units.count(count, 'peer')}" if count > 1 else ""
    return f"{amount} in {units.span(took)}{speed}{whom}, verified{before}"


def _to_stdout(session: Session, way: Way) -> None:
    """As it comes, in order, and each byte verified: a player may begin at once."""
    cid = _cid_of_file(session, way)
    peer, holders = _who_has(way)
    query = [("holder", one) for one in holders] + ([("peer", peer)] if peer else [])
    follow_bytes(session.client.read("files", cid, query=query), _write_out)


def _show_address(session: Session, way: Way) -> None:
    """Where a player reads it, at any place: the node fetches what is asked for."""
    cid = _cid_of_file(session, way)
    peer, holders = _who_has(way)
    name = str(way.get("name") or ("" if _is_cid(way["ref"]) else way["ref"].rpartition("/")[2]))
    body = {"peer": peer, "holders": holders, "name": name}
    made = session.client.post("files", cid, "address", body=body)
    session.show(made, [made["url"]])


def _who_has(way: Way) -> tuple[str | None, list[str]]:
    """From whom alone it is to come, or who has it as far as that is known."""
    if "from_peer" in way:
        return str(way["from_peer"]), []
    ref = str(way["ref"])
    return None, list(way.get("holders", []) if _is_cid(ref) else [ref.partition("/")[0]])


def _write_out(block: bytes) -> None:
    """At once, however little it is: somebody may wait for it."""
    sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()


def _cid_of_file(session: Session, way: Way) -> str:
    """The content id of what is to be fetched, asked before it is. Raises InputError if it is no file."""
    ref, peer = way["ref"], way.get("from_peer")
    if "kind" in way:
        if way["kind"] != "file":
            raise _no_file()
        return str(ref)
    if _is_cid(ref) and peer is None:
        return str(ref)
    if peer is None:
        peer, _, ref = ref.partition("/")
    elif _is_cid(ref):
        shared = session.client.get("files", peer=peer, path="")["items"]
        kinds = {one["kind"] for one in shared if one["cid"] == ref} or {"file"}
        if "file" not in kinds:
            raise _no_file()
        return str(ref)
    path = ref.strip("/")
    found = session.client.get("files", peer=peer, path=path)["items"]
    if len(found) != 1 or found[0]["kind"] != "file" or found[0]["path"] != path:
        raise _no_file()
    return str(found[0]["cid"])


def _no_file() -> InputError:
    return InputError(
        "only a file can be written to stdout, or be played", hint="name a folder to put it into: -o DIR"
    )
