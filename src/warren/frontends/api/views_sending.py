"""Sends, offers and receivers as documents of the API, in the shape of `schemas_sending`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warren.frontends.api.names import called

if TYPE_CHECKING:
    from warren.node import Node
    from warren.services.sending.model import ReceiverState
    from warren.services.sending.receiving import Receiving
    from warren.services.sending.sending import Sending

Document = dict[str, Any]


def send(node: Node, one: Sending) -> Document:
    """A `Send`."""
    state, (skipped, skipped_count) = one.state, one.skipped
    return {
        "code": str(one.code),
        "names": list(state.names),
        "files": state.files,
        "bytes": state.bytes,
        "wrong": state.wrong,
        "wrong_max": state.wrong_max,
        "skipped": [{"path": entry.path, "reason": entry.reason} for entry in skipped],
        "skipped_count": skipped_count,
        "receivers": [_receiver(node, receiver) for receiver in state.receivers],
        "end": state.end,
    }


def _receiver(node: Node, one: ReceiverState) -> Document:
    return {
        "peer_id": str(one.peer),
        "called": called(node, one.peer),
        "name": one.name,
        "state": one.state,
        "done_bytes": one.done_bytes,
        "here": one.is_here,
    }


def offer(node: Node, one: Receiving) -> Document:
    """An `Offer`."""
    return {
        "id": one.id,
        "peer_id": str(one.sender),
        "called": called(node, one.sender),
        "name": one.offer.name,
        "items": [
            {
                "cid": str(item.root),
                "name": item.name,
                "kind": "dir" if item.is_folder else "file",
                "files": item.files,
                "bytes": item.size,
            }
            for item in one.offer.items
        ],
        "files": one.offer.files,
        "bytes": one.offer.size,
    }
