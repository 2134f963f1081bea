"""Searching what is shared, here and elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from warren.frontends.api.names import called
from warren.frontends.api.routes import NodeHere, streams
from warren.frontends.api.schemas_search import Searched, SearchRequest
from warren.frontends.api.streams import NdjsonResponse

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.node import Node
    from warren.services.directory.model import Hit
    from warren.services.directory.search import Search

router = APIRouter(tags=["search"])


@router.post("/search", responses=streams(Searched))
async def search(wanted: SearchRequest, node: NodeHere) -> NdjsonResponse:
    """Stream what fits as it is found, until all who were asked have answered or the seconds are over."""
    under_way = node.search(
        wanted.words,
        suffixes=wanted.suffixes,
        size_min=wanted.size_min,
        size_max=wanted.size_max,
        author=wanted.author,
        domain=wanted.domain,
        online=wanted.online,
        limit=wanted.limit,
        after=wanted.after,
        ttl=wanted.ttl,
        timeout_s=wanted.seconds,
    )
    return NdjsonResponse(_lines(under_way, node))


async def _lines(under_way: Search, node: Node) -> AsyncIterator[dict[str, Any]]:
    shown = (0, 0)
    async with under_way:
        async for hit in under_way:
            yield {"event": "hit", **_hit(hit, node)}
            progress = under_way.progress
            if (progress.asked, progress.about) != shown:
                shown = (progress.asked, progress.about)
                yield {"event": "progress", "asked": shown[0], "about": shown[1], "hits": progress.hits}
    end = under_way.progress
    yield {
        "event": "result",
        "asked": end.asked,
        "about": end.about,
        "hits": end.hits,
        "in_time": end.in_time,
        "errors": [
            {"peer_id": str(peer), "called": called(node, peer), "message": str(error)}
            for peer, error in under_way.errors.items()
        ],
    }


def _hit(hit: Hit, node: Node) -> dict[str, Any]:
    return {
        "number": hit.number,
        "cid": str(hit.cid),
        "name": hit.name,
        "size": hit.size,
        "kind": hit.kind,
        **dataclasses.asdict(hit.metadata),
        "score": hit.score,
        "online": hit.online,
        "holders": [
            {
                "peer_id": str(one.peer),
                "called": called(node, one.peer),
                "name": _name(node, one.peer),
                "own": one.peer == node.peer_id,
                "paths": list(one.paths),
                "online": one.online,
                "latency_s": one.latency_s,
            }
            for one in hit.holders
        ],
    }


def _name(node: Node, peer: PeerId) -> str | None:
    contact = node.contacts.get(peer)
    return None if contact is None else contact.petname
