"""Transfers: what is fetched, in the queue or beside it; what goes out; how much all together may move."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from warren.core.errors import WarrenError
from warren.frontends.api import views, views_transfers
from warren.frontends.api.errors import document_of
from warren.frontends.api.names import with_names
from warren.frontends.api.routes import NodeHere, streams
from warren.frontends.api.routes.files import absolute
from warren.frontends.api.schemas_transfers import (
    Cancelled,
    ChangeRequest,
    Followed,
    FollowRequest,
    Limits,
    LimitsRequest,
    Queued,
    SeveralRequest,
    Transfer,
    TransferList,
    TransferRequest,
)
from warren.frontends.api.streams import NdjsonResponse
from warren.services.files.queue.handle import add_surely, leave, outcome_of
from warren.services.files.queue.window import Window

if TYPE_CHECKING:
    from warren.node import Node
    from warren.services.files.queue.model import QueuedTransfer, Want

router = APIRouter(tags=["transfers"])


@router.get("/transfers", response_model=TransferList)
async def list_transfers(node: NodeHere) -> dict[str, Any]:
    """List what is fetched, or was in the last days, and what goes out."""
    return {
        "items": [views_transfers.transfer(node, one) for one in node.transfers.list()],
        "uploads": [views_transfers.upload(node, one) for one in node.transfers.uploads()],
        "limits": views_transfers.limits(node.transfers.limits.now),
    }


@router.post("/transfers", responses=streams(Queued))
async def fetch(wanted: TransferRequest, node: NodeHere) -> NdjsonResponse:
    """Put a file or folder into the queue to be fetched, verified. The result has its final path.

    Going away pauses it. With `detach` the result is the `Transfer`, as soon as it is in the queue.
    """
    want = _want(node, wanted)
    number = await node.transfers.add(want)
    if wanted.detach:
        return NdjsonResponse(_once(views_transfers.transfer(node, node.transfers.get(number))))
    return NdjsonResponse(_followed(node, number), on_gone=partial(leave, node.transfers, number))


@router.post("/transfers/several", responses=streams(Followed))
async def fetch_several(wanted: SeveralRequest, node: NodeHere) -> NdjsonResponse:
    """Put several into the queue, and stream how they go, until none of them runs or is about to.

    A line of `added` or `refused` for each comes first; lines of `progress` have one each. Going away pauses
    them. With `detach` the result comes as soon as all are in the queue.
    """
    numbers: list[int] = []

    async def lines() -> AsyncGenerator[dict[str, Any], None]:
        for index, one in enumerate(wanted.items):
            yield await _added(node, one, index, numbers)
        unique = list(dict.fromkeys(numbers))
        if wanted.detach:
            there = [node.transfers.get(number) for number in unique if number in node.transfers]
            yield {"event": "result", "items": [_ended(node, one) for one in there]}
            return
        async for line in _all_followed(node, unique):
            yield line

    async def gone() -> None:
        if not wanted.detach:
            await leave(node.transfers, *numbers)

    return NdjsonResponse(lines(), on_gone=gone)


@router.post("/transfers/follow", responses=streams(Followed))
async def follow(wanted: FollowRequest, node: NodeHere) -> NdjsonResponse:
    """Stream how transfers go, until none of them runs or is about to. Lines of `progress` have one each."""
    numbers = list(dict.fromkeys(wanted.numbers))
    for number in numbers:
        node.transfers.get(number)  # says so where one is not there
    return NdjsonResponse(_all_followed(node, numbers))


@router.get("/transfers/{number}", response_model=Transfer)
async def show(number: int, node: NodeHere) -> dict[str, Any]:
    """Show one transfer with its sources."""
    return views_transfers.transfer(node, node.transfers.get(number))


@router.patch("/transfers/{number}", response_model=Transfer)
async def change(number: int, wanted: ChangeRequest, node: NodeHere) -> dict[str, Any]:
    """Change the priority, the cap or the hours of one."""
    window = None if wanted.between is None else Window.parse(wanted.between) if wanted.between else False
    one = await node.transfers.change(
        number, priority=wanted.priority, cap_bytes_per_s=wanted.cap_bytes_per_s, window=window
    )
    return views_transfers.transfer(node, one)


@router.post("/transfers/{number}/pause", response_model=Transfer)
async def pause(number: int, node: NodeHere) -> dict[str, Any]:
    """Let one rest, what it has so far kept."""
    return views_transfers.transfer(node, await node.transfers.pause(number))


@router.post("/transfers/{number}/resume", response_model=Transfer)
async def resume(number: int, node: NodeHere) -> dict[str, Any]:
    """Let one go on as soon as there is a place, also outside its hours."""
    return views_transfers.transfer(node, await node.transfers.resume(number))


@router.post("/transfers/{number}/retry", response_model=Transfer)
async def retry(number: int, node: NodeHere) -> dict[str, Any]:
    """Try one again that failed or waits, in its turn and its hours."""
    return views_transfers.transfer(node, await node.transfers.retry(number))


@router.delete("/transfers/{number}", response_model=Cancelled)
async def cancel(number: int, node: NodeHere) -> dict[str, Any]:
    """Take one out of the list, and remove what it has so far; what is done stays on the disk."""
    one = node.transfers.get(number)
    removed = await node.transfers.cancel(number)
    return {"number": number, "name": one.name, "state": one.state, "removed_bytes": removed}


@router.patch("/transfer-limits", response_model=Limits)
async def set_limits(wanted: LimitsRequest, node: NodeHere) -> dict[str, Any]:
    """Set what all transfers together may move, over restarts."""
    limits = await node.transfers.limits.set(
        down_bytes_per_s=wanted.down_bytes_per_s, up_bytes_per_s=wanted.up_bytes_per_s
    )
    return views_transfers.limits(limits)


def _want(node: Node, wanted: TransferRequest) -> Want:
    return node.want(
        wanted.ref,
        output=absolute(wanted.output, "output") if wanted.output else None,
        from_peer=wanted.from_peer,
        name=wanted.name,
        holders=wanted.holders,
        patterns=wanted.patterns,
        paths=wanted.paths,
        priority=wanted.priority,
        cap_bytes_per_s=wanted.cap_bytes_per_s,
        between=wanted.between,
        keep=wanted.keep,
    )


async def _added(node: Node, wanted: TransferRequest, index: int, numbers: list[int]) -> dict[str, Any]:
    """One of several, put into the queue, or why not."""
    try:
        number = await add_surely(node.transfers, _want(node, wanted), numbers)
    except WarrenError as error:
        return {"event": "refused", "index": index, **with_names(document_of(error), node)}
    return {"event": "added", "index": index, **views_transfers.transfer(node, node.transfers.get(number))}


async def _once(document: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    yield {"event": "result", **document}


async def _followed(node: Node, number: int) -> AsyncGenerator[dict[str, Any], None]:
    """One transfer until it ends; what it failed with is raised."""
    async for one in node.transfers.follow(number):
        if one.progress is not None:
            yield {"event": "progress", **views_transfers.transfer(node, one)}
    yield {"event": "result", "number": number, **views.fetched(outcome_of(node.transfers, number))}


async def _all_followed(node: Node, numbers: list[int]) -> AsyncGenerator[dict[str, Any], None]:
    """Several, each as it changes, and at the end how each stands."""
    changed: asyncio.Queue[QueuedTransfer | None] = asyncio.Queue(maxsize=len(numbers) or 1)
    last: dict[int, QueuedTransfer] = {}

    async def watch(number: int) -> None:
        async for one in node.transfers.follow(number):
            await changed.put(one)
        await changed.put(None)

    tasks = [asyncio.create_task(watch(number)) for number in numbers]
    try:
        left = len(tasks)
        while left:
            one = await changed.get()
            if one is None:
                left -= 1
            else:
                last[one.number] = one
                yield {"event": "progress", **views_transfers.transfer(node, one)}
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
    ended = [last[number] for number in numbers if number in last and number in node.transfers]
    yield {"event": "result", "items": [_ended(node, one) for one in ended]}


def _ended(node: Node, one: QueuedTransfer) -> dict[str, Any]:
    fetched = views.fetched(one.outcome) if one.outcome is not None else None
    return {**views_transfers.transfer(node, one), "fetched": fetched}
