"""Standing searches for people: kept, listed, forgotten; what one of them found, numbered.

In:  a session, what was typed. Out: lines, or documents.
"""

from __future__ import annotations

import shlex
import time
from typing import Any

from warren.frontends.cli import hits, units
from warren.frontends.cli.base import Session, columns

Document = dict[str, Any]
# Hits of one search, unless it says otherwise.
LIMIT = 50


def save(session: Session, name: str, wanted: Document, *, fetch: bool) -> None:
    """Keep a search."""
    kept = session.client.post("searches", body={"name": name, "fetch": fetch, **wanted})
    session.show(kept, [f"saved {name}: {_asked(kept)}"])
    session.note(f"what it finds: {session.command(f'search --saved {shlex.quote(name)}')}, and warren logs")


def show_all(session: Session) -> None:
    """List what is kept."""
    found = session.client.get("searches")["items"]
    rows = [("NAME", "FOUND", "FETCHES", "SEARCH")]
    rows += [
        (one["name"], f"{one['matches']:,}", "yes" if one["fetch"] else "no", _asked(one)) for one in found
    ]
    none = [f"nothing is saved: {session.command('search --save NAME WORDS')}"]
    session.show({"items": found}, lambda: columns(rows, right=(1,)) if found else none)


def show_one(session: Session, name: str) -> None:
    """List what a search found, the newest last; the numbers are good for get."""
    found = session.client.get("searches", name)["items"]
    session.home.remember_listing("files", [_kept(one) for one in found])
    rows = [("#", "SIZE", "KIND", "NAME", "AT", "FOUND", "")]
    rows += [
        (
            str(one["number"]),
            units.size(one["size"]),
            hits.kind(one),
            one["name"],
            ", ".join(hits.holder({**holder, "own": False}) for holder in one["holders"][:3]),
            time.strftime("%Y-%m-%d %H:%M", time.localtime(one["found_at"])),
            "fetched" if one["fetched"] else "",
        )
        for one in found
    ]
    session.show({"items": found}, lambda: columns(rows, right=(0, 1)) if found else ["nothing so far"])


def forget(session: Session, name: str) -> None:
    """Keep it no longer."""
    removed = session.client.delete("searches", name)
    session.show(removed, [f"no longer saved: {removed['removed']}"])


def _kept(match: Document) -> Document:
    """What a number stands for, as that of a hit does."""
    holders = [
        {"peer": one["peer_id"], "called": hits.holder({**one, "own": False}), "online": True}
        for one in match["holders"]
    ]
    return {"cid": match["cid"], "name": match["name"], "kind": match["kind"], "holders": holders}


def _asked(one: Document) -> str:
    """The search as it would be typed."""
    parts = [shlex.quote(word) for word in one["words"].split()]
    parts += [f"--type {','.join(one['suffixes'])}"] if one["suffixes"] else []
    for name, option in (("size_min", "--min-size"), ("size_max", "--max-size")):
        parts += [f"{option} {one[name]}"] if one[name] is not None else []
    for name in ("author", "domain"):
        parts += [f"--{name} {shlex.quote(one[name])}"] if one[name] else []
    parts += ["--online"] if one["online"] else []
    parts += [f"--limit {one['limit']}"] if one["limit"] != LIMIT else []
    return " ".join(parts)
