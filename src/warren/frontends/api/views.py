"""From the node's values to the documents of the API.

In:  what the node's facade returns. Out: plain dicts in the shape of `schemas`.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from warren.frontends.api.names import called

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.node import Node
    from warren.services.files.types import (
        Audience,
        Fetched,
        FileEntry,
        Progress,
        Share,
        Skipped,
        SourceState,
    )
    from warren.services.peers.speedtest import SpeedProgress, SpeedResult

Document = dict[str, Any]


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


def speed(one: SpeedResult) -> Document:
    """A `schemas.Speed`."""
    return {
        "peer_id": str(one.peer_id),
        "rtt_ms": round(one.rtt_s * 1000, 3),
        "download_bytes_per_s": round(one.download_bytes_per_s),
        "upload_bytes_per_s": round(one.upload_bytes_per_s),
        "downloaded_bytes": one.downloaded_bytes,
        "uploaded_bytes": one.uploaded_bytes,
        "seconds": round(one.seconds, 3),
    }


def speed_progress(one: SpeedProgress) -> Document:
    """How far a speed test is: the phase, the share of the whole, what the run under way moved."""
    return {
        "phase": one.phase,
        "share": round(one.share, 3),
        "moved_bytes": one.moved_bytes,
        "bytes_per_s": round(one.bytes_per_s),
    }


def part_in_search(node: Node) -> Document:
    """A `schemas_search.PartInSearch`."""
    directory = node.directory
    role = "super" if directory.is_super else "off" if node.config.directory.role == "off" else "weak"
    return {
        "role": role,
        "registered_with": [
            {"peer_id": str(one), "called": called(node, one)} for one in directory.registrar.registered()
        ],
        "registered_here": len(directory.super_peer.leases),
    }


def share(node: Node, one: Share) -> Document:
    """A `schemas.Share`."""
    return {
        "name": one.name,
        "path": str(one.path),
        "cid": str(one.cid),
        "kind": one.kind,
        "audience": _audience(node, one.audience),
        "files": one.files,
        "bytes": one.bytes,
        "skipped": _skipped(one.skipped),
        "skipped_count": one.skipped_count,
        "hash_s": round(one.hash_seconds, 3),
        "ready": one.ready,
        "state": one.state,
        "note": one.note,
        "replica": one.replica,
        "progress": progress(one.progress) if one.progress is not None else None,
    }


def fetched(one: Fetched) -> Document:
    """A `schemas.Fetched`."""
    return {
        "path": str(one.path),
        "cid": str(one.cid),
        "sources": [source(each) for each in one.sources],
        "partial": one.partial,
        "files": one.files,
        "bytes": one.bytes,
        "seconds": round(one.seconds, 3),
        "already_there": one.already_there,
        "chunks_fetched": one.chunks_fetched,
        "chunks_reused": one.chunks_reused,
        "skipped": _skipped(one.skipped),
        "skipped_count": one.skipped_count,
        "renamed": [{"path": o.path, "new_name": o.new_name, "reason": o.reason} for o in one.renamed],
        "renamed_count": one.renamed_count,
    }


def source(one: SourceState) -> Document:
    """A `schemas.Source`."""
    return {
        "peer_id": str(one.peer),
        "state": one.state,
        "bytes_fetched": one.bytes_fetched,
        "bytes_per_s": round(one.bytes_per_s),
        "outstanding_bytes": one.outstanding_bytes,
        "complete": one.complete,
        "note": one.note,
    }


def _skipped(entries: Iterable[Skipped]) -> list[Document]:
    return [{"path": one.path, "reason": one.reason} for one in entries]


def _audience(node: Node, audience: Audience) -> str:
    """As people would write it: with petnames where there are some."""
    if not audience.peers:
        return str(audience)
    contacts = ((node.contacts.get(peer), peer) for peer in audience.peers)
    names = ",".join(contact.petname if contact else str(peer) for contact, peer in contacts)
    return f"origin:{names}" if audience.kind == "origin" else names


def file(one: FileEntry, prefix: str) -> Document:
    """A `schemas.File`. prefix: what stands before the path in a reference (`PEER-ID/`)."""
    return {
        "ref": f"{prefix}{one.path}",
        "name": one.name,
        "path": one.path,
        "kind": one.kind,
        "size": one.size,
        "cid": str(one.cid),
    }


def progress(one: Progress) -> Document:
    """How far a share or transfer is."""
    return {
        "phase": one.phase,
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
    if not dataclasses.is_dataclass(one):
        return {}
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
