"""Discovery: who is found under the name of a service."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Any, cast

from fastapi import APIRouter

from warren.frontends.api.names import called
from warren.frontends.api.routes import NodeHere, streams
from warren.frontends.api.schemas_discovery import Discovered, DiscoverRequest
from warren.frontends.api.streams import NdjsonResponse

if TYPE_CHECKING:
    from warren.node import Node
    from warren.services.discovery.model import Found

router = APIRouter(tags=["discovery"])


@router.post("/discover", responses=streams(Discovered))
async def discover(wanted: DiscoverRequest, node: NodeHere) -> NdjsonResponse:
    """Stream who is found under a namespace as they come, until you go or the seconds are over.

    Nobody is dialled by this: what is named is the word of others.
    """
    discovery = node.discovery
    namespace = discovery.status().namespace if wanted.namespace is None else wanted.namespace

    async def documents() -> AsyncIterator[dict[str, Any]]:
        count = 0
        async with AsyncExitStack() as stack:
            sources = [dataclasses.asdict(one) for one in discovery.sources(namespace)]
            if wanted.advertise:
                await stack.enter_async_context(discovery.advertised(namespace))
            search = cast("AsyncGenerator[Found, None]", discovery.find(namespace))
            await stack.enter_async_context(aclosing(search))
            in_time = await stack.enter_async_context(aclosing(_within(search, wanted.seconds)))
            yield {"event": "begin", "namespace": namespace, "sources": sources}
            async for found in in_time:
                count += 1
                yield {"event": "progress", **_found(node, found)}
        yield {"event": "result", "namespace": namespace, "count": count}

    return NdjsonResponse(documents())


async def _within(search: AsyncIterator[Found], seconds: float | None) -> AsyncGenerator[Found]:
    """What comes in so much time. Each step has a deadline of its own: it may run in a task of its own."""
    until = None if seconds is None else asyncio.get_running_loop().time() + seconds
    while True:
        try:
            async with asyncio.timeout_at(until):
                found = await anext(search)
        except TimeoutError:
            return
        yield found


def _found(node: Node, found: Found) -> dict[str, Any]:
    peer = found.peer
    return {
        "peer_id": None if peer is None else str(peer),
        "called": None if peer is None else called(node, peer),
        "addresses": [str(one if peer is None else one.with_peer(peer)) for one in found.addresses],
        "source": found.source,
    }
