"""search: find what is shared, here and elsewhere."""

from __future__ import annotations

import os
from typing import Any

import click

from warren.core.errors import NotFound
from warren.frontends.cli import hits, saved, units
from warren.frontends.cli.base import Command, Session
from warren.frontends.cli.typed import Size

_SECONDS_MAX = 300
_LIMIT_MAX = 500
_TTL_MAX = 255
_UNANSWERED_SHOWN = 5
_OF_ONE_SEARCH = ("ttl", "seconds")
_FILTERS = ("types", "min_size", "max_size", "author", "domain", "online", "limit")


@click.command(
    cls=Command,
    examples=[
        "warren search old map",
        "warren search field guide --type pdf --type epub --min-size 1M",
        "warren search --author hooker --domain botany --online",
        "warren search sea --type dir --json",
        "warren search --save guides field guide --type pdf --fetch",
        "warren search --saved guides",
    ],
    exits=(4, 6),
)
@click.argument("words", nargs=-1)
@click.option(
    "--type",
    "types",
    metavar="SUFFIX",
    multiple=True,
    help="Only files of this kind: pdf, mp3, ...; dir for folders; repeatable, or with commas.",
)
@click.option("--min-size", metavar="SIZE", type=Size(), help="At least so large: 500k, 1M, 2.5GB.")
@click.option("--max-size", metavar="SIZE", type=Size(), help="At most so large.")
@click.option("--author", metavar="A", help="Only by such an author.  [default: anybody]")
@click.option("--domain", metavar="D", help="Only of such a knowledge domain.  [default: any]")
@click.option("--online", is_flag=True, help="Only what somebody holds who is there now.")
@click.option(
    "--limit",
    metavar="N",
    default=saved.LIMIT,
    show_default=True,
    type=click.IntRange(1, _LIMIT_MAX),
    help="So many hits at most.",
)
@click.option(
    "--ttl",
    metavar="N",
    type=click.IntRange(0, _TTL_MAX),
    help="How far super-peers pass it on; 0: not at all.  [default: as they see fit]",
)
@click.option(
    "--seconds",
    metavar="N",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0, _SECONDS_MAX, min_open=True),
    help="End after so long at the latest.",
)
@click.option(
    "--save", metavar="NAME", help="Keep the search: your node asks it again, and tells what is new."
)
@click.option("--fetch", is_flag=True, help="With --save: fetch what it finds into the download folder.")
@click.option(
    "--saved",
    metavar="[NAME]",
    is_flag=False,
    flag_value="",
    help="List the searches that are kept, or what one of them found.",
)
@click.option("--forget", metavar="NAME", help="Keep a search no longer; what it fetched stays.")
@click.pass_obj
def search(session: Session, /, words: tuple[str, ...], types: tuple[str, ...], **wanted: Any) -> None:
    """Search what is shared, wherever it is: here, at connected peers, at super-peers.

    Each of WORDS is the beginning of one that must be there, in the path or in what is said of the file;
    '"sea"' is the whole word. Hits are printed as they come: number, size, kind, name, who holds it, title.
    What nobody holds who is there is grey and says offline. The numbers stay for warren get N and warren ls N
    until the next listing. With --json, one document a line; a number that came before replaces the earlier.

    A search that is kept is asked at once, each minute, and when peers come. What it finds is logged, too.
    """
    kept = {name: wanted.pop(name) for name in ("save", "fetch", "saved", "forget")}
    body = {
        "words": " ".join(words),
        "suffixes": [part.strip() for one in types for part in one.split(",") if part.strip()],
        "author": wanted.pop("author") or "",
        "domain": wanted.pop("domain") or "",
        "size_min": wanted.pop("min_size"),
        "size_max": wanted.pop("max_size"),
        **wanted,
    }
    if _about_saved(session, kept, body):
        return
    found = _Found(session)
    try:
        end = found.follow(body)
    finally:
        found.remember()
    if not session.as_json:
        found.show_changes()
    for text in _ending(end, wanted["seconds"], wanted["limit"]):
        session.note(text)
    if not end["hits"]:
        raise NotFound(
            "nothing was found", hint="try fewer or shorter words, or fewer filters; see warren peer list"
        )


def _about_saved(session: Session, kept: dict[str, Any], body: dict[str, Any]) -> bool:
    """Do what is asked of standing searches. Returns whether anything was."""
    chosen = [name for name in ("save", "saved", "forget") if kept[name] is not None]
    if len(chosen) > 1:
        raise click.UsageError(f"--{chosen[0]} and --{chosen[1]} exclude each other")
    if kept["fetch"] and chosen != ["save"]:
        raise click.UsageError("--fetch goes with --save NAME; to fetch a hit: warren get N")
    if chosen in (["saved"], ["forget"]) and body["words"]:
        raise click.UsageError(f"--{chosen[0]} takes one name and no words, not {body['words']!r}")
    if chosen:
        _refuse_what_is_not_kept(chosen[0])
    if chosen == ["save"]:
        wanted = {name: value for name, value in body.items() if name not in {"ttl", "seconds"}}
        saved.save(session, kept["save"], wanted, fetch=kept["fetch"])
    elif chosen == ["forget"]:
        saved.forget(session, kept["forget"])
    elif kept["saved"]:
        saved.show_one(session, kept["saved"])
    elif chosen == ["saved"]:
        saved.show_all(session)
    return bool(chosen)


def _refuse_what_is_not_kept(chosen: str) -> None:
    """Nobody shall believe that an option was heeded which is not. Raises click.UsageError."""
    ctx = click.get_current_context()
    senseless = _OF_ONE_SEARCH if chosen == "save" else (*_OF_ONE_SEARCH, *_FILTERS)
    for name in senseless:
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = next(one.opts[0] for one in ctx.command.params if one.name == name)
            raise click.UsageError(f"{option} is for a search made now, not for --{chosen}")


class _Found:
    """The hits of one search, as they come."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._plain = bool(os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb")
        self._hits: dict[int, dict[str, Any]] = {}
        self._shown: dict[int, tuple[Any, ...]] = {}

    def follow(self, body: dict[str, Any]) -> dict[str, Any]:
        """Print hits until the end; return what that says."""
        end: dict[str, Any] = {}
        for line in self._session.client.stream("POST", "search", body=body):
            if self._session.as_json:
                self._session.show_json(line)
            if line["event"] == "hit":
                self._take(line)
            elif line["event"] == "result":
                end = line
        return end

    def remember(self) -> None:
        """Keep what the numbers stand for, also of a search that was broken off."""
        if self._hits:
            numbers = range(1, max(self._hits) + 1)
            listing = [hits.kept(self._hits.get(number)) for number in numbers]
            self._session.home.remember_listing("files", listing)

    def show_changes(self) -> None:
        """Print once more the hits of which more was learnt after they were printed."""
        later = [number for number, hit in self._hits.items() if self._shown[number] != hits.looks(hit)]
        if later:
            self._session.note("more was learnt of these:")
        for number in later:
            self._print(self._hits[number])

    def _take(self, hit: dict[str, Any]) -> None:
        is_new = hit["number"] not in self._hits
        self._hits[hit["number"]] = hit
        if is_new and not self._session.as_json:
            self._shown[hit["number"]] = hits.looks(hit)
            self._print(hit)

    def _print(self, hit: dict[str, Any]) -> None:
        click.echo(hits.line(hit), color=False if self._plain else None)


def _ending(end: dict[str, Any], seconds: float, limit: int) -> list[str]:
    """How far it went, whether there may be more, and who did not answer."""
    text = f"{units.count(end['hits'], 'hit')}; asked {end['asked']} of about {end['about']}"
    if end["hits"] >= limit:
        more = f"--limit shows up to {_LIMIT_MAX}" if limit < _LIMIT_MAX else "more words find fewer"
        text += f"; there may be more, {more}"
    if not end["in_time"]:
        text += f"; the {units.span(seconds)} were over, --seconds waits longer"
    failed = end["errors"]
    lines = [f"{one['called']} did not answer: {one['message']}" for one in failed[:_UNANSWERED_SHOWN]]
    if len(failed) > _UNANSWERED_SHOWN:
        lines.append(f"and {len(failed) - _UNANSWERED_SHOWN} more did not answer")
    return [*lines, text]
