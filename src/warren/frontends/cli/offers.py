"""What a shell offers for a half-typed word: petnames, groups, shares, and what lies in a peer's folders.

In:  Click's context and the word. Out: the words that begin with it; none unless a node answers at once.
"""

from __future__ import annotations

from typing import Any

import click

from warren.core.errors import WarrenError
from warren.frontends.home import Home

# Whoever presses Tab waits for this at most.
_TIMEOUT_S = 1.0


def peers(ctx: click.Context, _param: click.Parameter, word: str) -> list[str]:
    """Contacts by petname."""
    return _fitting(word, [one["name"] for one in _items(ctx, "peers", limit="200") if one["name"]])


def shares(ctx: click.Context, _param: click.Parameter, word: str) -> list[str]:
    """One's own shares."""
    return _fitting(word, [one["name"] for one in _items(ctx, "shares")])


def groups(ctx: click.Context, _param: click.Parameter, word: str) -> list[str]:
    """Groups of contacts."""
    return _fitting(word, [one["name"] for one in _items(ctx, "groups")])


def places(ctx: click.Context, param: click.Parameter, word: str) -> list[str]:
    """PEER/PATH, part by part."""
    peer, slash, path = word.partition("/")
    if not slash:
        return [f"{name}/" for name in peers(ctx, param, word)]
    folder = path.rpartition("/")[0]
    found = _items(ctx, "files", peer=peer, path=folder)
    ends = {"dir": "/"}
    return _fitting(word, [f"{peer}/{one['path']}{ends.get(one['kind'], '')}" for one in found])


def _items(ctx: click.Context, *parts: str, **query: str) -> list[dict[str, Any]]:
    from warren.frontends.cli.client import Client

    chain: click.Context | None = ctx
    home = None
    while chain is not None and home is None:
        home, chain = chain.params.get("home"), chain.parent
    try:
        found: list[dict[str, Any]] = Client(Home.find(home).door(), _TIMEOUT_S).get(*parts, **query)["items"]
    except WarrenError:
        return []
    return found


def _fitting(word: str, words: list[str]) -> list[str]:
    return [one for one in words if one.startswith(word)]
