"""Resources: what is said of shared files and folders."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from warren.frontends.api import views_resources as views
from warren.frontends.api.routes import NodeHere
from warren.frontends.api.schemas_resources import MetadataRequest, Resource, ResourceList
from warren.frontends.api.streams import ListResponse

router = APIRouter(tags=["resources"])


@router.get("/resources", responses={200: {"model": ResourceList}})
async def list_resources(node: NodeHere) -> ListResponse:
    """List every shared file and folder of which this node says something."""
    return ListResponse(await node.resources.all(), lambda one: views.resource(node, one))


@router.get("/resources/{ref:path}", response_model=Resource)
async def show_resource(ref: str, node: NodeHere, peer: str | None = None) -> dict[str, Any]:
    """Show what is said of one, by SHARE/PATH, path on this machine or content id; with a peer, what that
    says of its SHARE/PATH, too.
    """
    if peer is not None:
        return views.resource(node, await node.resource_of(node.resolve_peer(peer), ref))
    return views.resource(node, await node.resources.show(ref))


@router.patch("/resources/{ref:path}", response_model=Resource)
async def edit_resource(ref: str, wanted: MetadataRequest, node: NodeHere) -> dict[str, Any]:
    """Say something of one. It is signed, and wins over what the file says of itself."""
    return views.resource(node, await node.resources.edit(ref, **wanted.model_dump()))


@router.delete("/resources/{ref:path}", response_model=Resource)
async def clear_resource(ref: str, node: NodeHere) -> dict[str, Any]:
    """Take back what the user said; what the file says of itself stands again."""
    return views.resource(node, await node.resources.clear(ref))
