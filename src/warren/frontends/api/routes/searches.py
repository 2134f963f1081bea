"""Standing searches: kept, listed, forgotten; and what they found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from warren.core.query import Query, terms_of
from warren.frontends.api.routes import NodeHere
from warren.frontends.api.schemas import Removed
from warren.frontends.api.schemas_searches import MatchList, SavedSearch, SavedSearchList, SaveRequest
from warren.frontends.api.streams import ListResponse

if TYPE_CHECKING:
    from warren.node import Node
    from warren.services.searches.model import Match
    from warren.services.searches.model import SavedSearch as Saved

router = APIRouter(tags=["search"])


@router.get("/searches", responses={200: {"model": SavedSearchList}})
async def list_searches(node: NodeHere) -> ListResponse:
    """List the searches that are kept."""
    return ListResponse(node.searches.all(), lambda one: _saved(node, one))


@router.post("/searches", response_model=SavedSearch, status_code=201)
async def save(wanted: SaveRequest, node: NodeHere) -> dict[str, Any]:
    """Keep a search: it is asked at once, when peers come, and each minute."""
    query = Query(
        terms=terms_of(wanted.words),
        suffixes=tuple(one.lower().lstrip(".") for one in wanted.suffixes),
        size_min=wanted.size_min,
        size_max=wanted.size_max,
        author=wanted.author,
        domain=wanted.domain,
        online=wanted.online,
        limit=wanted.limit,
    )
    return _saved(node, await node.searches.save(wanted.name, query, fetch=wanted.fetch))


@router.delete("/searches/{ref:path}", response_model=Removed)
async def forget(ref: str, node: NodeHere) -> dict[str, Any]:
    """Keep a search no longer. What it fetched stays."""
    await node.searches.forget(ref)
    return {"removed": ref}


@router.get("/searches/{ref:path}", responses={200: {"model": MatchList}})
async def list_matches(ref: str, node: NodeHere) -> ListResponse:
    """List what a search found, the oldest first."""
    found = list(enumerate(await node.searches.matches(ref), 1))
    return ListResponse(found, lambda one: _match(node, *one))


def _saved(node: Node, one: Saved) -> dict[str, Any]:
    query = one.query
    return {
        "name": one.name,
        "words": " ".join(f'"{term.word}"' if term.whole else term.word for term in query.terms),
        "suffixes": list(query.suffixes),
        "size_min": query.size_min,
        "size_max": query.size_max,
        "author": query.author,
        "domain": query.domain,
        "online": query.online,
        "limit": query.limit,
        "fetch": one.fetch,
        "saved_at": one.saved_at,
        "matches": node.searches.count(one.name),
    }


def _match(node: Node, number: int, one: Match) -> dict[str, Any]:
    named = ((peer, node.contacts.get(peer)) for peer in one.holders)
    return {
        "number": number,
        "cid": str(one.cid),
        "name": one.name,
        "kind": one.kind,
        "size": one.size,
        "title": one.title,
        "found_at": one.found_at,
        "fetched": one.fetched,
        "holders": [
            {"peer_id": str(peer), "name": contact.petname if contact else None} for peer, contact in named
        ],
    }
