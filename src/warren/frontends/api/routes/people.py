"""Contacts: invite and join, keep; and measuring the way to a peer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from warren.frontends.api import views
from warren.frontends.api.names import called
from warren.frontends.api.routes import NodeHere, streams
from warren.frontends.api.schemas import (
    Invite,
    InviteRequest,
    JoinRequest,
    KeptPeer,
    PeerRequest,
    PingRequest,
    Pings,
    Speed,
    SpeedtestRequest,
)
from warren.frontends.api.streams import NdjsonResponse, with_progress
from warren.services.peers.speedtest import SpeedProgress

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.node import Node

router = APIRouter(tags=["people"])


@router.post("/invites", response_model=Invite, status_code=201)
async def invite(wanted: InviteRequest, node: NodeHere) -> dict[str, Any]:
    """Make a code; whoever joins with it becomes a contact."""
    code = await node.invite(uses=wanted.uses, expires_s=wanted.expires_s, name=wanted.name)
    return {"code": code, "uses": wanted.uses, "expires_s": wanted.expires_s}


@router.post("/join", response_model=KeptPeer, status_code=201)
async def join(wanted: JoinRequest, node: NodeHere) -> dict[str, Any]:
    """Use somebody's code: connect, and become contacts of each other."""
    before = {one.peer_id for one in node.contacts.all()}
    contact = await node.join(wanted.code)
    return {**views.peer(node, contact.peer_id), "new": contact.peer_id not in before}


@router.post("/peers", response_model=KeptPeer, status_code=201)
async def add_peer(wanted: PeerRequest, node: NodeHere) -> dict[str, Any]:
    """Keep a peer as a contact, or rename one. What is shared with contacts is open to it from then on."""
    before = {one.peer_id for one in node.contacts.all()}
    contact = await node.add_contact(wanted.peer, name=wanted.name)
    if wanted.name is not None and contact.petname != wanted.name:
        await node.contacts.rename(contact.peer_id, wanted.name)
    return {**views.peer(node, contact.peer_id), "new": contact.peer_id not in before}


@router.post("/ping", responses=streams(Pings))
async def ping(wanted: PingRequest, node: NodeHere) -> NdjsonResponse:
    """Stream round trips as they are measured, then their summary. A multiaddr as peer is dialled first."""

    async def documents() -> AsyncIterator[dict[str, Any]]:
        peer_id = await _reach(node, wanted.peer)
        times: list[float] = []
        for number in range(wanted.count):
            if number:
                await asyncio.sleep(wanted.interval_s)
            times += await node.ping(peer_id)
            yield {"event": "progress", "number": number + 1, "rtt_ms": round(times[-1] * 1000, 3)}
        yield {
            "event": "result",
            "peer_id": str(peer_id),
            "called": called(node, peer_id),
            **_summary(times),
        }

    return NdjsonResponse(documents())


@router.post("/speedtest", responses=streams(Speed))
async def speedtest(wanted: SpeedtestRequest, node: NodeHere) -> NdjsonResponse:
    """Measure throughput to and from a peer. Waits while another speed test is under way, here or there."""

    async def documents() -> AsyncIterator[dict[str, Any]]:
        peer_id = await _reach(node, wanted.peer)
        whom = {"peer_id": str(peer_id), "called": called(node, peer_id)}

        async def work(report: Callable[[SpeedProgress], None]) -> dict[str, Any]:
            return views.speed(await node.speedtest(peer_id, wanted.seconds, progress=report))

        first = SpeedProgress("waiting", 0.0, 0, 0.0)
        yield {"event": "progress", **whom, **views.speed_progress(first)}
        async with contextlib.aclosing(with_progress(work, views.speed_progress)) as lines:
            async for line in lines:
                yield line

    return NdjsonResponse(documents())


async def _reach(node: Node, text: str) -> PeerId:
    """The peer meant, connected: tried now, however lately a try failed. An address need not be known."""
    return (await node.connect(text)).peer_id


def _summary(times: list[float]) -> dict[str, Any]:
    ordered = sorted(times)
    return {
        "count": len(times),
        "min_ms": round(ordered[0] * 1000, 3),
        "median_ms": round(ordered[len(ordered) // 2] * 1000, 3),
        "max_ms": round(ordered[-1] * 1000, 3),
    }
