"""The peer table: list and show, rename, block, import and export; and what this node says of itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from warren.core.errors import InputError, PeerUnknown
from warren.core.multiaddr import Multiaddr
from warren.frontends.api import views, views_peers
from warren.frontends.api.errors import encode
from warren.frontends.api.names import called
from warren.frontends.api.routes import NodeHere, streams
from warren.frontends.api.schemas import Peer, RemovedPeer
from warren.frontends.api.schemas_peers import (
    Blocked,
    BlockRequest,
    Exported,
    Imported,
    ImportRequest,
    KnownPeer,
    Metadata,
    MetadataRequest,
    PeerPage,
    RenameRequest,
)
from warren.frontends.api.streams import NdjsonResponse, with_progress
from warren.services.peers.lists import Form, LeftOut, ends
from warren.services.peers.model import Peer as TablePeer
from warren.services.peers.model import Sort

if TYPE_CHECKING:
    from warren.node import Node

router = APIRouter(tags=["peers"])

# Making so many documents takes up to 10 ms, which is how long one request may hold the loop.
PAGE_MAX = 200


@router.get("/peers", responses={200: {"model": PeerPage}})
async def list_peers(
    node: NodeHere,
    sort: Sort | None = None,
    offset: Annotated[int, Query(ge=0, le=1 << 40)] = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 100,
) -> Response:
    """List peers, page by page. Without `sort`: contacts by name, then the rest, those met last first."""
    page = await node.peers.page(sort, offset, limit)
    document = {
        "items": [views_peers.known_peer(node, one) for one in page],
        "total": await node.peers.count(),
        "offset": offset,
        "leads": await node.peers.leads.count(),
    }
    return Response(encode(document), media_type="application/json")


@router.get("/peers/{peer:path}", response_model=KnownPeer)
async def show_peer(peer: str, node: NodeHere) -> dict[str, Any]:
    """Show one peer by petname, id, or unique prefix of its id."""
    peer_id = await node.find_peer(peer)
    return views_peers.known_peer(node, await node.peers.get(peer_id) or TablePeer(peer_id))


@router.patch("/peers/{peer:path}", response_model=Peer)
async def rename_peer(peer: str, wanted: RenameRequest, node: NodeHere) -> dict[str, Any]:
    """Call a contact something else."""
    peer_id = await node.find_peer(peer)
    await node.contacts.rename(peer_id, wanted.name)
    return views.peer(node, peer_id)


@router.delete("/peers/{peer:path}", response_model=RemovedPeer)
async def remove_peer(peer: str, node: NodeHere) -> dict[str, Any]:
    """Forget a peer, or an imported address. A contact loses what is shared with contacts, and its sockets.

    A blocked peer stays blocked.
    """
    if peer.startswith("/"):
        address = Multiaddr.parse(peer)
        if address.peer_id is None:
            return await _remove_lead(address, node)
        peer = str(address.peer_id)
    peer_id = await node.find_peer(peer)
    shown = called(node, peer_id)
    is_contact = node.contacts.get(peer_id) is not None
    if is_contact:
        await node.contacts.remove(peer_id)
    if not await node.peers.forget(peer_id) and not is_contact:
        raise PeerUnknown(f"{peer_id} is not in the table", hint="warren peer list shows who is")
    return {"removed": str(peer_id), "called": shown}


async def _remove_lead(address: Multiaddr, node: Node) -> dict[str, Any]:
    if not await node.peers.leads.remove(address):
        raise PeerUnknown(f"nothing is known of {address}", hint="name a peer by its id or petname")
    return {"removed": str(address), "called": str(address)}


@router.post("/blocks", response_model=Blocked, status_code=201)
async def block(wanted: BlockRequest, node: NodeHere) -> dict[str, Any]:
    """Have nothing to do with a peer: its sockets end, and new ones are refused either way."""
    peer_id = await node.find_peer(wanted.peer)
    changed = not node.peers.is_blocked(peer_id)
    await node.peers.block(peer_id)
    return {"peer_id": str(peer_id), "called": called(node, peer_id), "blocked": True, "changed": changed}


@router.delete("/blocks/{peer:path}", response_model=Blocked)
async def unblock(peer: str, node: NodeHere) -> dict[str, Any]:
    """Let a peer connect again."""
    peer_id = await node.find_peer(peer)
    changed = await node.peers.unblock(peer_id)
    return {"peer_id": str(peer_id), "called": called(node, peer_id), "blocked": False, "changed": changed}


@router.post("/peer-list", responses=streams(Imported))
async def import_peers(wanted: ImportRequest, node: NodeHere) -> NdjsonResponse:
    """Take in a list of peers in the classic or the full form. The result says what became of its entries."""
    path, text = wanted.path, wanted.text
    if (path is None) == (text is None):
        raise InputError("give either path or text", hint="path: an absolute one on this machine")
    if path is not None and (not Path(path).is_absolute() or "\0" in path):
        raise InputError(f"path must be an absolute path, not {path!r}", hint="the node has another folder")

    async def work(_: Any) -> dict[str, Any]:
        lists = node.peer_lists
        report = await (lists.import_file(path) if path else lists.import_bytes((text or "").encode()))
        return views_peers.imported(report)

    return NdjsonResponse(with_progress(work, lambda _: {}))


@router.get("/peer-list", responses=streams(Exported))
async def export_peers(node: NodeHere, form: Form = "full") -> NdjsonResponse:
    """Stream all peers in one of the forms: `begin` with what stands around the entries, an `entry` for each,
    `left_out` for what the form cannot hold, then the result.
    """

    async def documents() -> AsyncIterator[dict[str, Any]]:
        head, tail = ends(form)
        yield {"event": "begin", "head": head, "tail": tail}
        entries = left_out = 0
        async for one in node.peer_lists.export(form):
            if isinstance(one, LeftOut):
                left_out += 1
                yield {"event": "left_out", "what": one.what, "reason": one.reason}
            else:
                entries += 1
                yield {"event": "entry", "entry": one}
        yield {"event": "result", "form": form, "entries": entries, "left_out": left_out}

    return NdjsonResponse(documents())


@router.get("/metadata", response_model=Metadata)
async def show_metadata(node: NodeHere) -> dict[str, Any]:
    """Say what this node says of itself. What others say is shown with each peer."""
    return {"entries": dict(node.peers.own.entries)}


@router.post("/metadata", response_model=Metadata)
async def set_metadata(wanted: MetadataRequest, node: NodeHere) -> dict[str, Any]:
    """Say something of this node. Everybody can read it; nobody else can change it."""
    await node.peers.own.set(wanted.key, wanted.value)
    return {"entries": dict(node.peers.own.entries)}


@router.delete("/metadata/{key:path}", response_model=Metadata)
async def remove_metadata(key: str, node: NodeHere) -> dict[str, Any]:
    """Say something no longer."""
    await node.peers.own.remove(key)
    return {"entries": dict(node.peers.own.entries)}
