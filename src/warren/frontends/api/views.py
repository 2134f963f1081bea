"""From the node's values to the documents of the API.

In:  what the node's facade returns. Out: plain dicts in the shape of `schemas`.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.node import Node
    from warren.services.files.types import FileEntry, Progress, Share

Document = dict[str, Any]


def known_peers(node: Node) -> list[PeerId]:
    """Contacts by name, then whoever else is connected."""
    contacts = [one.peer_id for one in node.contacts.all()]
    kept = set(contacts)
    return contacts + [peer for peer in node.network.peers() if peer not in kept]


def peer(node: Node, peer_id: PeerId) -> Document:
    """A `schemas.Peer`."""
    contact = node.contacts.get(peer_id)
    sockets = node.network.sockets(peer_id)
    times = [one.rtt_s for one in sockets if one.rtt_s is not None]
    addresses = dict.fromkeys(str(one) for one in contact.addresses) if contact else {}
    addresses |= dict.fromkeys(str(one.without_peer()) for one in node.network.addresses(peer_id))
    return {
        "peer_id": str(peer_id),
        "name": contact.petname if contact else None,
        "own_name": contact.own_name if contact else None,
        "contact": contact is not None,
        "connected": bool(sockets),
        "rtt_ms": round(min(times) * 1000, 3) if times else None,
        "agent": node.agent_of(peer_id),
        "addresses": list(addresses),
        "added_at": contact.added_at if contact else None,
    }


def share(one: Share) -> Document:
    """A `schemas.Share`."""
    return {
        "name": one.name,
        "path": str(one.path),
        "cid": str(one.cid),
        "audience": str(one.audience),
        "files": one.files,
        "bytes": one.bytes,
        "skipped": [{"path": str(skipped.path), "reason": skipped.reason} for skipped in one.skipped],
        "hash_s": round(one.hash_seconds, 3),
    }


def file(one: FileEntry, prefix: str) -> Document:
    """A `schemas.File`. prefix: what stands before the path in a reference (`PEER-ID/`)."""
    return {
        "ref": f"{prefix}{one.path}",
        "name": one.name,
        "path": one.path,
        "kind": str(one.kind),
        "size": one.size,
        "cid": str(one.cid),
    }


def progress(one: Progress) -> Document:
    """How far a share or transfer is."""
    return {
        "phase": str(one.phase),
        "done_bytes": one.done_bytes,
        "total_bytes": one.total_bytes,
        "done_files": one.done_files,
        "total_files": one.total_files,
        "current": one.current,
    }


def event(one: object) -> Document:
    """A `network` event: its name and its fields."""
    return {"event": type(one).__name__, **_fields(one)}


def _fields(one: Any) -> Document:
    return {field.name: _plain(getattr(one, field.name)) for field in dataclasses.fields(one)}


def _plain(value: object) -> object:
    """A value that JSON can hold. Sockets and streams become what tells them apart."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | frozenset):
        return [_plain(item) for item in value]
    if hasattr(value, "remote_addr"):
        parts = ("peer_id", "direction", "remote_addr")
        return {name: _plain(getattr(value, name, None)) for name in parts}
    if dataclasses.is_dataclass(value) and type(value).__str__ is object.__str__:
        return _fields(value)
    return str(value)
