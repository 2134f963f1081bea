"""Files: share and unshare, list, read."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from warren.core.cid import Cid
from warren.core.errors import InputError, WarrenError
from warren.frontends.api import views
from warren.frontends.api.content import CONTENT, Content
from warren.frontends.api.routes import NodeHere, streams
from warren.frontends.api.schemas import (
    FileAddress,
    FileAddressRequest,
    FileList,
    Paused,
    Removed,
    Share,
    ShareList,
    ShareRequest,
)
from warren.frontends.api.streams import ListResponse, NdjsonResponse, with_progress
from warren.services.files.queue.model import PEERS_MAX
from warren.services.files.types import Audience
from warren.services.resources.said import Said

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.node import Node
    from warren.services.files.streaming.streams import Reading
    from warren.services.files.types import Progress

router = APIRouter(tags=["files"])


@router.get("/shares", responses={200: {"model": ShareList}})
async def list_shares(node: NodeHere) -> ListResponse:
    """List what this node shares."""
    return ListResponse(node.shares(), lambda one: views.share(node, one))


@router.post("/shares", responses=streams(Share))
async def share(wanted: ShareRequest, node: NodeHere) -> NdjsonResponse:
    """Hash a file or folder and share it from where it lies. The result is a `Share`."""
    path = absolute(wanted.path, "path")
    audience = Audience.parse(wanted.audience, node.resolve_peer) if wanted.audience else None
    said = Said(**wanted.metadata.model_dump()) if wanted.metadata else Said()

    async def work(report: Callable[[Progress], None]) -> dict[str, Any]:
        shared = await node.share(path, audience, name=wanted.name, said=said, progress=report)
        return views.share(node, shared)

    return NdjsonResponse(with_progress(work, views.progress))


@router.post("/shares/pause", response_model=Paused)
async def pause_shares(node: NodeHere) -> dict[str, Any]:
    """Take in no changes of what is shared until told to resume, or a restart."""
    node.pause_shares()
    return {"paused": True}


@router.post("/shares/resume", response_model=Paused)
async def resume_shares(node: NodeHere) -> dict[str, Any]:
    """Take in what changed meanwhile, and all that changes."""
    node.resume_shares()
    return {"paused": False}


@router.delete("/shares/{ref:path}", response_model=Removed)
async def unshare(ref: str, node: NodeHere) -> dict[str, Any]:
    """Stop sharing, by name, path or content id. The files stay where they are."""
    share = await node.unshare(ref)
    return {"removed": share.name}


@router.get("/files/{cid}", responses=CONTENT, response_class=Response)
@router.head("/files/{cid}", responses=CONTENT, response_class=Response)
async def read_file(
    cid: str,
    node: NodeHere,
    request: Request,
    peer: str | None = None,
    holder: Annotated[list[str], Query(max_length=PEERS_MAX)] = [],  # noqa: B006  (FastAPI copies it)
    name: str = "",
) -> Response:
    """Read a file by its content id, all or a range of it, while it comes from those who have it.

    peer: from this one alone; holder: peers that are known to have it, repeatable; name: what it is called,
    whose ending says its media type. What is asked for is fetched first, so a player may jump. A connection
    that breaks off before its end is one whose rest could not be had. In place of the token a key to this
    file may be shown, as the password of `Authorization: Basic`.
    """
    wanted = Cid.parse(cid)
    known = [node.resolve_peer(one) for one in ([peer] if peer else holder)]

    async def open_file() -> Reading:
        await _reach_one(node, known)
        return await node.open(wanted, from_peer=known[0] if peer else None, holders=known)

    return Content(open_file, wanted, name, request.headers, is_head=request.method == "HEAD")


@router.post("/files/{cid}/address", response_model=FileAddress)
async def address_file(
    cid: str, wanted: FileAddressRequest, node: NodeHere, request: Request
) -> dict[str, Any]:
    """Make an address that reads this one file and does nothing else, for a player.

    It holds a key that is good for a day, or until the node ends.
    """
    text = str(Cid.parse(cid))
    peers = [("peer", wanted.peer)] if wanted.peer else [("holder", one) for one in wanted.holders]
    query = [(key, str(node.resolve_peer(peer))) for key, peer in peers]
    query += [("name", wanted.name)] if wanted.name else []
    more = f"?{urlencode(query, quote_via=quote)}" if query else ""
    key, expires_at = request.app.state.grants.make(text + more, time.time())
    url = f"http://warren:{key}@{request.headers['host']}/v1/files/{text}{more}"
    return {"url": url, "expires_at": expires_at}


@router.get("/files", responses={200: {"model": FileList}})
async def list_files(node: NodeHere, peer: str | None = None, path: str = "") -> ListResponse:
    """List what a peer shares with us, or one folder of it; without a peer, what this node shares."""
    peer_id = await _reach(node, peer) if peer else None
    entries = await node.list_files(peer_id, path)
    prefix = f"{peer_id or node.peer_id}/"
    return ListResponse(entries, lambda entry: views.file(entry, prefix))


async def _reach(node: Node, text: str) -> PeerId:
    """The peer meant, connected: tried now, however lately a try failed, as somebody waits for it."""
    peer_id = node.resolve_peer(text)
    if peer_id != node.peer_id:
        await node.connect(peer_id)
    return peer_id


async def _reach_one(node: Node, peers: list[PeerId]) -> None:
    """Dial all of these at once, until one is there; the fetch says what is wrong if none is."""

    async def reach(peer: PeerId) -> bool:
        with contextlib.suppress(WarrenError):
            await node.connect(peer)
            return True
        return False

    dials = [asyncio.create_task(reach(peer)) for peer in peers if peer != node.peer_id]
    try:
        for done in asyncio.as_completed(dials):
            if await done:
                return
    finally:
        for one in dials:
            one.cancel()


def absolute(text: str, field: str) -> Path:
    """The path in a field of a request. Raises `InputError` where it is relative."""
    path = Path(text)
    if "\0" in text:
        raise InputError(f"{field} holds a NUL character, which no path can", hint="give another path")
    if not path.is_absolute():
        raise InputError(
            f"{field} must be an absolute path, not {text!r}", hint="the node has another folder"
        )
    return path
