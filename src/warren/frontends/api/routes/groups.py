"""Groups: sets of contacts that a share can be for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from warren.frontends.api import views_resources as views
from warren.frontends.api.routes import NodeHere
from warren.frontends.api.schemas_resources import Group, GroupChange, GroupList, GroupRequest, RemovedGroup

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.node import Node

router = APIRouter(tags=["groups"])


@router.get("/groups", response_model=GroupList)
async def list_groups(node: NodeHere) -> dict[str, Any]:
    """List all groups with their members."""
    return {"items": [views.group(node, one) for one in node.groups.all()]}


@router.get("/groups/{group}", response_model=Group)
async def show_group(group: str, node: NodeHere) -> dict[str, Any]:
    """Show one group."""
    return views.group(node, node.groups.get(group))


@router.post("/groups", response_model=Group, status_code=201)
async def add_group(wanted: GroupRequest, node: NodeHere) -> dict[str, Any]:
    """Put contacts into a group, which is made if need be. What is shared with it is open to them at once."""
    return views.group(node, await node.groups.add(wanted.name, _peers(node, wanted.members)))


@router.patch("/groups/{group}", response_model=Group)
async def change_group(group: str, wanted: GroupChange, node: NodeHere) -> dict[str, Any]:
    """Put contacts into a group that is there, and take others out."""
    changed = node.groups.get(group)
    added, gone = _peers(node, wanted.add), _peers(node, wanted.remove)
    if gone:
        changed = await node.groups.take_out(group, gone)
    if added:
        changed = await node.groups.add(group, added)
    return views.group(node, changed)


@router.delete("/groups/{group}", response_model=RemovedGroup)
async def remove_group(group: str, node: NodeHere) -> dict[str, Any]:
    """Remove a group. What is shared with it is seen by nobody from then on."""
    removed = await node.groups.remove(group)
    return {"removed": removed.name, "shares": views.shares_for(node, removed.name)}


def _peers(node: Node, names: list[str]) -> list[PeerId]:
    return [node.resolve_peer(name) for name in names]
