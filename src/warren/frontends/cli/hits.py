"""Hits of a search as lines for people, and as what their numbers stand for.

In:  lines of the API with `event: hit`. Out: lines, greyed where nobody is there who holds it; entries of the
listing that `warren get N` reads.
"""

from __future__ import annotations

from typing import Any

import click

from warren.frontends.cli import units
from warren.frontends.printable import printable

Document = dict[str, Any]
# Whom `get` can try. Of popular content hundreds may be known.
KEPT_HOLDERS_MAX = 16
_NAMED_MAX = 3
_TAIL_CHARS = 8
_TITLE_CHARS_MAX = 80


def line(hit: Document) -> str:
    """Number, size, kind, name, who holds it, title. Dim where nobody is there, which the words say too."""
    parts = [
        f"{hit['number']:>3}",
        f"{units.size(hit['size']):>9}",
        f"{kind(hit):<5}",
        f"{hit['name']}{'/' if hit['kind'] == 'dir' else ''}",
        f"[{_holders(hit)}]",
    ]
    title = hit["title"]
    if title and title != hit["name"]:
        cut = len(title) > _TITLE_CHARS_MAX
        parts.append(f'"{title[: _TITLE_CHARS_MAX - 3] + "..." if cut else title}"')
    text = printable("  ".join(parts))
    return text if hit["online"] else click.style(text, dim=True)


def kind(hit: Document) -> str:
    """What it is in a word: dir, what the name ends in (pdf), or file."""
    if hit["kind"] == "dir":
        return "dir"
    stem, dot, suffix = hit["name"].rpartition(".")
    return suffix.lower() if stem and dot and 0 < len(suffix) <= 5 else "file"


def looks(hit: Document) -> tuple[Any, ...]:
    """What a line shows and may change while the search goes on."""
    return hit["name"], hit["online"], _holders(hit), hit["title"]


def kept(hit: Document | None) -> Document | None:
    """What the number stands for: the content, and who holds it; the quickest who is there comes first."""
    if hit is None:
        return None
    others = [one for one in hit["holders"] if not one["own"]]
    own = [path for one in hit["holders"] if one["own"] for path in one["paths"]]
    entry: Document = {
        "cid": hit["cid"],
        "name": hit["name"],
        "kind": hit["kind"],
        "holders": [
            {"peer": one["peer_id"], "called": holder(one), "online": one["online"]}
            for one in others[:KEPT_HOLDERS_MAX]
        ],
    }
    if others and others[0]["paths"]:
        entry["ref"] = f"{others[0]['peer_id']}/{others[0]['paths'][0]}"
    return entry | ({"share": own[0]} if own else {})


def holder(one: Document) -> str:
    """A holder in short: you, the petname, or the end of the id."""
    return "you" if one["own"] else str(one["name"] or f"…{one['peer_id'][-_TAIL_CHARS:]}")


def _holders(hit: Document) -> str:
    there = [one for one in hit["holders"] if one["online"] or one["own"]]
    named = there or hit["holders"]
    names = ", ".join(holder(one) for one in named[:_NAMED_MAX])
    more = f" and {len(named) - _NAMED_MAX} more" if len(named) > _NAMED_MAX else ""
    return f"{'' if hit['online'] else 'offline: '}{names}{more}"
