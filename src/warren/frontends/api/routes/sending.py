"""Sending to who has a short code, and receiving."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fastapi import APIRouter

from warren.core.errors import InputError
from warren.frontends.api import views, views_sending
from warren.frontends.api.routes import NodeHere, streams
from warren.frontends.api.schemas_sending import (
    DeclinedOffer,
    Offer,
    Received,
    ReceiveRequest,
    Send,
    SendRequest,
    TakeRequest,
)
from warren.frontends.api.streams import PROGRESS_EVERY_S, NdjsonResponse, with_progress

if TYPE_CHECKING:
    from warren.services.files.types import Fetched, Progress
    from warren.services.sending.sending import Sending

router = APIRouter(tags=["sending"])


@router.post("/sends", responses=streams(Send))
async def send(wanted: SendRequest, node: NodeHere) -> NdjsonResponse:
    """Hash files and folders, and give them to whoever proves the code. Going away ends it.

    While they are hashed, progress is that of sharing; then each line is a `Send`.
    """
    paths = [_absolute(text, "paths") for text in wanted.paths]
    made: list[Sending] = []

    async def work(report: Callable[[Progress], None]) -> dict[str, Any]:
        made.append(
            await node.send_files(
                *paths, words=wanted.words, once=wanted.once, for_s=wanted.for_s, progress=report
            )
        )
        return {}

    async def documents() -> AsyncIterator[dict[str, Any]]:
        try:
            async with contextlib.aclosing(with_progress(work, views.progress)) as hashing:
                async for line in hashing:
                    if line["event"] == "progress":
                        yield line
            async for state in made[0]:
                yield {"event": "progress", "phase": "sending", **views_sending.send(node, made[0])}
                if not state.end:
                    await asyncio.sleep(PROGRESS_EVERY_S)
            yield {"event": "result", **views_sending.send(node, made[0])}
        finally:
            for one in made:
                await one.close()

    return NdjsonResponse(documents())


@router.post("/receives", responses=streams(Offer))
async def receive(wanted: ReceiveRequest, node: NodeHere) -> NdjsonResponse:
    """Find who sends under a code, and prove it. The result is an `Offer`, to be taken or declined.

    Progress lines have a note, where there is something to tell.
    """

    async def documents() -> AsyncIterator[dict[str, Any]]:
        notes: asyncio.Queue[str] = asyncio.Queue()
        looking = asyncio.ensure_future(
            node.receive(
                wanted.code, from_peer=wanted.from_peer, timeout_s=wanted.timeout_s, note=notes.put_nowait
            )
        )
        try:
            while not looking.done():
                noted = asyncio.ensure_future(notes.get())
                await asyncio.wait({looking, noted}, return_when=asyncio.FIRST_COMPLETED)
                if noted.done():
                    yield {"event": "progress", "phase": "looking", "note": noted.result()}
                else:
                    noted.cancel()
            yield {"event": "result", **views_sending.offer(node, looking.result())}
        finally:
            looking.cancel()

    return NdjsonResponse(documents())


@router.post("/receives/{ref}", responses=streams(Received))
async def take(ref: str, wanted: TakeRequest, node: NodeHere) -> NdjsonResponse:
    """Fetch what was offered, verified. Going away cancels; what was verified stays for the next attempt."""
    folder = _absolute(wanted.output, "output") if wanted.output else node.config.download_dir
    receiving = node.receiving(ref)

    async def work(report: Callable[[Any], None]) -> dict[str, Any]:
        outcomes = cast("tuple[Fetched, ...]", await receiving.fetch(folder, report))
        return {"items": [views.fetched(one) for one in outcomes]}

    return NdjsonResponse(with_progress(work, views.progress))


@router.delete("/receives/{ref}", response_model=DeclinedOffer)
async def decline(ref: str, node: NodeHere) -> dict[str, Any]:
    """Do not take what was offered, and tell the sender."""
    await node.receiving(ref).decline()
    return {"declined": ref}


def _absolute(text: str, field: str) -> Path:
    path = Path(text)
    if "\0" in text or not path.is_absolute():
        raise InputError(f"{field} must be absolute paths, not {text!r}", hint="the node has another folder")
    return path
