"""How other peers say they are doing."""

from __future__ import annotations

import dataclasses
from typing import Any

from fastapi import APIRouter

from warren.frontends.api.names import called
from warren.frontends.api.routes import NodeHere
from warren.frontends.api.schemas_status import PeerStatus, StatusRequest

router = APIRouter(tags=["peers"])


@router.post("/peer-status", response_model=PeerStatus)
async def ask_peer_status(wanted: StatusRequest, node: NodeHere) -> dict[str, Any]:
    """Ask a peer how it is doing; connects if need be. Who has us as a contact tells more."""
    peer_id = await node.find_peer(wanted.peer)
    facts, response_s = await node.ask_status(peer_id)
    details = facts.details
    return {
        "peer_id": str(peer_id),
        "called": called(node, peer_id),
        "response_ms": round(response_s * 1000, 3),
        "agent": facts.agent,
        "roles": list(facts.roles),
        "load_percent": facts.load_percent,
        "details": None if details is None else dataclasses.asdict(details),
    }
