"""The DHT: put and get values, say and find who provides content, find peers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from warren.core.errors import InputError
from warren.frontends.api.names import called
from warren.frontends.api.routes import NodeHere, streams
from warren.frontends.api.schemas_dht import (
    DhtStatus,
    FindPeerRequest,
    FindProvidersRequest,
    FoundPeer,
    GetRequest,
    ProvideDone,
    ProvideRequest,
    ProvidersFound,
    PublishedList,
    PutDone,
    PutRecordRequest,
    PutRequest,
    TakeBackRequest,
    TakenBack,
    Value,
)
from warren.frontends.api.streams import ListResponse, NdjsonResponse
from warren.protocols.kad import signed
from warren.services.dht.keys import encoded, shown, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.node import Node
    from warren.services.dht.dht import Put
    from warren.services.dht.publisher import Published

    Document = dict[str, Any]

router = APIRouter(prefix="/dht", tags=["dht"])


@router.get("", response_model=DhtStatus)
async def show_status(node: NodeHere) -> dict[str, Any]:
    """Show how the DHT of this node is doing."""
    return dict(node.dht.status._asdict())


@router.post("/put", responses=streams(PutDone))
async def put(wanted: PutRequest, node: NodeHere) -> NdjsonResponse:
    """Publish a value under a name of this node's own. Where nobody took it yet (502), it is put later."""
    name = _bytes("name", wanted.name, wanted.name_base64)
    value = _bytes("value", wanted.value, wanted.value_base64)

    async def documents() -> AsyncIterator[dict[str, Any]]:
        yield _put(await node.dht.put(name, value))

    return NdjsonResponse(documents())


@router.post("/put-record", responses=streams(PutDone))
async def put_record(wanted: PutRecordRequest, node: NodeHere) -> NdjsonResponse:
    """Publish a finished record under its whole key."""
    key = _key(wanted.key, wanted.key_base64)
    record = _bytes("value", None, wanted.value_base64)

    async def documents() -> AsyncIterator[dict[str, Any]]:
        yield _put(await node.dht.put_record(key, record))

    return NdjsonResponse(documents())


@router.post("/get", responses=streams(Value))
async def get(wanted: GetRequest, node: NodeHere) -> NdjsonResponse:
    """Look up a value. The result is a `Value`."""
    key = _wanted_key(wanted, node)

    async def documents() -> AsyncIterator[dict[str, Any]]:
        found = await node.dht.get(key)
        yield {
            "event": "result",
            **_key_forms(found.key),
            **_forms("value", found.value),
            "peer_id": str(found.peer) if found.peer is not None else None,
            "called": called(node, found.peer) if found.peer is not None else None,
            "sequence": found.sequence,
        }

    return NdjsonResponse(documents())


@router.post("/provide", responses=streams(ProvideDone))
async def provide(wanted: ProvideRequest, node: NodeHere) -> NdjsonResponse:
    """Say that this node has content, from now on."""

    async def documents() -> AsyncIterator[dict[str, Any]]:
        done = await node.dht.provide(wanted.cid)
        yield {"event": "result", "cid": wanted.cid, "stored": done.stored, "asked": done.asked}

    return NdjsonResponse(documents())


@router.post("/find-providers", responses=streams(ProvidersFound))
async def find_providers(wanted: FindProvidersRequest, node: NodeHere) -> NdjsonResponse:
    """Stream who has content as they are found, one a line, then their number."""

    async def documents() -> AsyncIterator[dict[str, Any]]:
        count = 0
        async for one in node.dht.find_providers(wanted.cid, wanted.count):
            count += 1
            yield {"event": "progress", **_peer(node, one.peer, one.addresses)}
        yield {"event": "result", "cid": wanted.cid, "count": count}

    return NdjsonResponse(documents())


@router.post("/find-peer", responses=streams(FoundPeer))
async def find_peer(wanted: FindPeerRequest, node: NodeHere) -> NdjsonResponse:
    """Find out where a peer is."""
    peer = node.resolve_peer(wanted.peer)

    async def documents() -> AsyncIterator[dict[str, Any]]:
        found = await node.dht.find_peer(peer)
        where = _peer(node, found.peer, found.addresses)
        yield {"event": "result", **where, "hops": found.hops, "reached": found.reached}

    return NdjsonResponse(documents())


@router.get("/published", responses={200: {"model": PublishedList}})
async def list_published(node: NodeHere) -> ListResponse:
    """List what this node publishes."""
    return ListResponse(node.dht.published(), lambda one: _published(node, one))


@router.post("/take-back", response_model=TakenBack)
async def take_back(wanted: TakeBackRequest, node: NodeHere) -> dict[str, Any]:
    """Publish a name, a record or content no longer. Others may keep it for two more days."""
    if wanted.cid is not None:
        await node.dht.stop_providing(wanted.cid)
        return {"taken_back": wanted.cid}
    name = _bytes("name", wanted.name, wanted.name_base64)
    await node.dht.take_back(name)
    return {"taken_back": shown(name)}


def _wanted_key(wanted: GetRequest, node: Node) -> str | bytes:
    if wanted.name is None and wanted.name_base64 is None:
        return _key(wanted.key, wanted.key_base64)
    if wanted.key is not None or wanted.key_base64 is not None:
        raise InputError("a name and a whole key were given", hint="give one of them")
    peer = node.resolve_peer(wanted.peer) if wanted.peer is not None else node.peer_id
    return signed.key_of(peer, _bytes("name", wanted.name, wanted.name_base64))


def _key(text: str | None, as_base64: str | None) -> str | bytes:
    return text if text is not None and as_base64 is None else _bytes("key", text, as_base64)


def _bytes(what: str, text: str | None, as_base64: str | None) -> bytes:
    if (text is None) == (as_base64 is None):
        raise InputError(f"give {what} or {what}_base64, and not both", hint="see /openapi.json")
    if text is not None:
        return encoded(text)
    try:
        return base64.b64decode(as_base64 or "", validate=True)
    except binascii.Error as error:
        raise InputError(f"{what}_base64 is not base 64: {error}", hint="see RFC 4648") from error


def _forms(what: str, raw: bytes) -> Document:
    """Bytes as text, null where they are none, and in base 64."""
    try:
        text: str | None = raw.decode()
    except UnicodeDecodeError:
        text = None
    return {what: text, f"{what}_base64": _base64(raw)}


def _key_forms(key: bytes) -> Document:
    return {"key": text_of(key), "key_base64": _base64(key)}


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _put(done: Put) -> Document:
    counts = {"sequence": done.sequence, "stored": done.stored, "asked": done.asked}
    return {"event": "result", **_key_forms(done.key), **counts}


def _peer(node: Node, peer: PeerId, addresses: Iterable[Multiaddr]) -> Document:
    return {
        "peer_id": str(peer),
        "called": called(node, peer),
        "addresses": [str(one.with_peer(peer)) for one in addresses],
    }


def _published(node: Node, one: Published) -> Document:
    own = b"/%b/%b/" % (signed.NAMESPACE.encode(), str(node.peer_id).encode())
    is_own = one.cid is None and one.key.startswith(own)
    name = _forms("name", one.key[len(own) :]) if is_own else {"name": None, "name_base64": None}
    return {
        "kind": "record" if one.cid is None else "content",
        **_key_forms(one.key),
        **name,
        "cid": str(one.cid) if one.cid is not None else None,
        "put_at": one.put_at,
        "next_in_s": round(one.next_in_s, 1) if one.next_in_s is not None else None,
    }
