"""Transfers as documents of the API.

In:  what the queue says. Out: plain dicts in the shape of `schemas_transfers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.frontends.api import views
from warren.frontends.api.names import called, with_names

if TYPE_CHECKING:
    from warren.frontends.api.views import Document
    from warren.node import Node
    from warren.services.files.queue.interfaces import UploadState
    from warren.services.files.queue.model import Limits, QueuedTransfer

_NOTHING: Document = {
    "phase": "",
    "done_bytes": 0,
    "total_bytes": 0,
    "done_files": 0,
    "total_files": 0,
    "current": "",
}


def transfer(node: Node, one: QueuedTransfer) -> Document:
    """A `schemas_transfers.Transfer`."""
    want = one.want
    said = with_names({"message": one.reason, "hint": one.hint}, node)
    return {
        "number": one.number,
        "name": one.name,
        "ref": f"{want.peers[0]}/{want.path}" if want.path else str(want.cid),
        "cid": str(one.root) if one.root is not None else None,
        "state": one.state,
        "cause": one.cause,
        "reason": said["message"],
        "hint": said["hint"],
        "error": one.error,
        "priority": want.priority,
        "cap_bytes_per_s": want.cap_bytes_per_s,
        "between": str(want.window or ""),
        "from_peers": [called(node, peer) for peer in want.peers],
        "only": want.only,
        "keep": want.keep,
        "patterns": list(want.selection.patterns),
        "paths": len(want.selection.paths),
        "output": want.folder,
        "path": one.path,
        **(views.progress(one.progress) if one.progress is not None else _NOTHING),
        "bytes_per_s": round(one.bytes_per_s),
        "left_s": round(one.left_s, 1) if one.left_s is not None else None,
        "sources": _sources(node, one),
        "dropped": [
            {"peer_id": str(d.peer), "called": called(node, d.peer), "reason": d.reason, "at": d.at}
            for d in one.dropped
        ],
        "added_at": one.added_at,
        "ended_at": one.ended_at,
        "retry_at": one.retry_at,
    }


def upload(node: Node, one: UploadState) -> Document:
    """A `schemas_transfers.Upload`."""
    return {
        "peer_id": str(one.peer),
        "called": called(node, one.peer),
        "name": one.name,
        "bytes_sent": one.bytes_sent,
        "bytes_per_s": round(one.bytes_per_s),
        "state": one.state,
    }


def limits(one: Limits) -> Document:
    """A `schemas_transfers.Limits`."""
    return {"down_bytes_per_s": one.down_bytes_per_s, "up_bytes_per_s": one.up_bytes_per_s}


def _sources(node: Node, one: QueuedTransfer) -> list[Document]:
    fetched = sum(source.bytes_fetched for source in one.sources)
    return [
        {
            **views.source(source),
            "called": called(node, source.peer),
            "share": round(source.bytes_fetched / fetched, 4) if fetched else 0.0,
        }
        for source in one.sources
    ]
