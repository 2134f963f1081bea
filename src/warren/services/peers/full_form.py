"""The full form of a peer list: all that the table keeps, `{"warren_peers": 1, "peers": [{...}, ...]}`. Pure.

In:  an entry as JSON has it, or a `Kept` peer or `Lead`. Out: the same in the other form. Times are Unix
seconds, spans seconds, speeds bytes per second; what a peer signed travels as it is, in base64, and is
verified. An entry without `peer_id` is a lead: an address whose peer is not known.

Refuses, with InputError in words for the user: an entry with a field of another type or out of bounds, or
with a signature of somebody else.
"""

from __future__ import annotations

import base64
import binascii
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from warren.core.errors import InputError, ProtocolViolation
from warren.core.multiaddr import Multiaddr
from warren.core.peer_id import PeerId
from warren.core.peer_metadata import PeerMetadata
from warren.core.peer_record import PeerRecord
from warren.services.peers import fields
from warren.services.peers.model import STATES, Figure, Kept, Lead, Peer

if TYPE_CHECKING:
    from warren.services.peers.model import State

NAME: Final = "peers"
HEAD: Final = "warren_peers"
VERSION: Final = 1
FIELDS: Final = (
    *(
        "peer_id",
        "addresses",
        "first_seen",
        "last_seen",
        "latency",
        "jitter_s",
        "response",
        "download",
        "upload",
        "state",
    ),
    *("public", "roles", "metadata", "blocked", "agent", "sources", "record", "metadata_record"),
)
LEAD_FIELDS: Final = ("addresses", "added_at", "latency", "download", "upload")
_SECONDS_MAX: Final = 1e11
_LATENCY_S_MAX: Final = 3600.0
_SPEED_MAX: Final = 1e15
_ADDRESSES_MAX: Final = 64
_WORDS_MAX: Final = 16
_AGENT_CHARS_MAX: Final = 256
_BASE64_CHARS_MAX: Final = 16_384


def write_entry(kept: Kept) -> dict[str, Any]:
    """The entry of a peer."""
    peer = kept.peer
    return {
        "peer_id": str(peer.peer_id),
        "addresses": [
            {"address": str(address), "proven_at": kept.proven.get(address)} for address in peer.addresses
        ],
        "first_seen": peer.first_seen,
        "last_seen": peer.last_seen,
        "latency": _figure_out(peer.latency),
        "jitter_s": peer.jitter_s,
        "response": _figure_out(peer.response),
        "download": _figure_out(peer.download),
        "upload": _figure_out(peer.upload),
        "state": peer.state,
        "public": peer.public,
        "roles": list(peer.roles),
        "metadata": dict(peer.metadata),
        "blocked": peer.blocked,
        "agent": peer.agent,
        "sources": list(peer.sources),
        "record": _signed_out(kept.record),
        "metadata_record": _signed_out(kept.metadata),
    }


def write_lead(lead: Lead) -> dict[str, Any]:
    """The entry of an address whose peer is not known."""
    return {
        "addresses": [str(lead.address)],
        "added_at": lead.added_at,
        "latency": _figure_out(lead.latency),
        "download": _figure_out(lead.download),
        "upload": _figure_out(lead.upload),
    }


def read_entry(value: Any) -> tuple[Kept | Lead, str]:
    """The peer or lead, and a remark on what of it means nothing here. Raises InputError."""
    if not isinstance(value, dict):
        raise InputError('it is no object with "peer_id"')
    try:
        if value.get("peer_id") is None:
            return _lead(value), fields.strange(value, LEAD_FIELDS)
        kept = _kept(value)
    except ProtocolViolation as error:
        raise InputError(str(error)) from error
    remark = fields.strange(value, FIELDS)
    if value.get("metadata") and kept.metadata is None:
        remark = remark or "kept, without metadata that its peer did not sign"
    return kept, remark


def _kept(value: dict[str, Any]) -> Kept:
    peer_id = PeerId.parse(fields.text(value["peer_id"], '"peer_id"', 128))
    addresses = _addresses(value.get("addresses"))
    record = _signed_in(value.get("record"), '"record"')
    metadata = _signed_in(value.get("metadata_record"), '"metadata_record"')
    if record is not None and PeerRecord.open(record).peer_id != peer_id:
        raise InputError('"record" is another peer\'s')
    said = PeerMetadata.open(metadata) if metadata is not None else None
    if said is not None and said.peer_id != peer_id:
        raise InputError('"metadata_record" is another peer\'s')
    peer = Peer(
        peer_id=peer_id,
        addresses=tuple(addresses),
        first_seen=fields.number(value.get("first_seen"), '"first_seen"', _SECONDS_MAX) or 0.0,
        last_seen=fields.number(value.get("last_seen"), '"last_seen"', _SECONDS_MAX),
        latency=_figure(value, "latency", _LATENCY_S_MAX),
        jitter_s=fields.number(value.get("jitter_s"), '"jitter_s"', _LATENCY_S_MAX),
        response=_figure(value, "response", _LATENCY_S_MAX),
        download=_figure(value, "download", _SPEED_MAX),
        upload=_figure(value, "upload", _SPEED_MAX),
        state=_state(value.get("state")),
        public=fields.flag(value.get("public"), '"public"'),
        roles=fields.words(value.get("roles"), '"roles"', _WORDS_MAX),
        metadata=said.entries if said is not None else MappingProxyType({}),
        blocked=bool(fields.flag(value.get("blocked"), '"blocked"')),
        agent=fields.text(value.get("agent"), '"agent"', _AGENT_CHARS_MAX),
        sources=fields.words(value.get("sources"), '"sources"', _WORDS_MAX),
    )
    proven = {address: at for address, at in addresses.items() if at is not None}
    return Kept(peer, proven, record, metadata)


def _lead(value: dict[str, Any]) -> Lead:
    addresses = _addresses(value.get("addresses"))
    if len(addresses) != 1:
        raise InputError('it has neither "peer_id" nor exactly one address')
    return Lead(
        address=next(iter(addresses)),
        added_at=fields.number(value.get("added_at"), '"added_at"', _SECONDS_MAX) or 0.0,
        latency=_figure(value, "latency", _LATENCY_S_MAX),
        download=_figure(value, "download", _SPEED_MAX),
        upload=_figure(value, "upload", _SPEED_MAX),
    )


def _addresses(value: Any) -> dict[Multiaddr, float | None]:
    found: dict[Multiaddr, float | None] = {}
    for one in fields.items(value, '"addresses"', _ADDRESSES_MAX):
        entry = one if isinstance(one, dict) else {"address": one}
        address = Multiaddr.parse(fields.text(entry.get("address"), '"address"', 1024)).without_peer()
        found[address] = fields.number(entry.get("proven_at"), '"proven_at"', _SECONDS_MAX)
    return found


def _state(value: Any) -> State:
    if value is None:
        return "new"
    if value not in STATES:
        raise InputError(f'"state" is none of {", ".join(STATES)}')
    return cast("State", value)


def _figure(value: dict[str, Any], name: str, most: float) -> Figure | None:
    one = value.get(name)
    if one is None:
        return None
    if not isinstance(one, dict):
        raise InputError(f'"{name}" is no object with "value" and "measured_at"')
    figure = fields.number(one.get("value"), f'"{name}"', most)
    measured_at = fields.number(one.get("measured_at"), f'"{name}"', _SECONDS_MAX)
    return None if figure is None else Figure(figure, measured_at or 0.0)


def _figure_out(figure: Figure | None) -> dict[str, float] | None:
    return None if figure is None else {"value": figure.value, "measured_at": figure.measured_at}


def _signed_in(value: Any, name: str) -> bytes | None:
    text = fields.text(value, name, _BASE64_CHARS_MAX)
    if not text:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(f"{name} is no base64") from None


def _signed_out(envelope: bytes | None) -> str | None:
    return None if envelope is None else base64.b64encode(envelope).decode()
