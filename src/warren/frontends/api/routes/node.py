"""The node itself: what it is, what happens in it, and its end."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request

import warren
from warren.frontends.api import views
from warren.frontends.api.routes import NodeHere, streams
from warren.frontends.api.schemas import Status, Stopping
from warren.frontends.api.streams import NdjsonResponse

router = APIRouter(tags=["node"])


@router.get("/status", response_model=Status)
async def show_status(node: NodeHere, request: Request) -> dict[str, Any]:
    """Say who the node is, where it listens and how much it holds."""
    return {
        "name": node.name,
        "peer_id": str(node.peer_id),
        "version": warren.__version__,
        "pid": os.getpid(),
        "home": str(node.config.home or ""),
        "uptime_s": round(node.uptime_s, 3),
        "listen": [str(address) for address in node.addresses()],
        "connected": len(node.network.peers()),
        "contacts": len(node.contacts.all()),
        "shares": len(node.shares()),
        "download_dir": str(node.config.download_dir),
        "damage": node.damage,
        "status": request.app.state.status_url,
        "discovery": dataclasses.asdict(node.discovery.status()),
        "search": views.part_in_search(node),
        "store": dataclasses.asdict(fleet.status) if (fleet := node.directory.fleet) is not None else None,
    }


@router.get("/events", responses=streams(None))
async def stream_events(node: NodeHere) -> NdjsonResponse:
    """Stream what happens from now on: sockets, peers, streams. Ends when the client goes."""

    async def documents() -> AsyncIterator[dict[str, Any]]:
        async for event in node.events():
            yield views.event(event)

    return NdjsonResponse(documents())


@router.post("/stop", response_model=Stopping, status_code=202)
async def stop(request: Request) -> dict[str, Any]:
    """Stop the node. Running transfers keep what was verified and resume later."""
    request.app.state.stop()
    return {"stopping": True}
