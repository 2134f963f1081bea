"""Anchors: a few peers that this node dials first when it starts. Pure.

In:  the anchors so far, and the connections that this node dialled. Out: the anchors from now on, and their
text for the disk.

Who restarts with an address table that an attacker filled would connect to the attacker alone (eclipse), and
an attacker can make a node restart. Connections that stood for long before are the cure: they were dialled by
us, whoever they are, and there were at most as many of the attacker's as of any other network's.

Refuses, as an empty list: text that is damaged, too long, or not ours.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core.errors import WarrenError
from warren.core.multiaddr import Multiaddr
from warren.core.peer_id import PeerId
from warren.services.peers.diversity import group_of_address

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

FILE_NAME: Final = "anchors.json"
TEXT_BYTES_MAX: Final = 64 * 1024
"""No file of ours is longer; a longer one is not read into memory."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A peer and where it was reached, without `/p2p`."""

    peer: PeerId
    address: Multiaddr


@dataclass(frozen=True, slots=True)
class Standing:
    """A connection that this node dialled and that stands. since: when it opened, monotonic seconds."""

    peer: PeerId
    address: Multiaddr
    since: float


def choose(
    anchors: Iterable[Anchor], standing: Collection[Standing], count: int, before: float
) -> list[Anchor]:
    """The anchors from now on, `count` at most and one of each group of addresses.

    First those anchors that are connected; then what stood longest, if it did so before `before`; then
    anchors that are away, as long as nobody needs their place.
    """
    here = {one.peer: one.address for one in standing}
    anchors = list(anchors)
    kept = [Anchor(one.peer, here[one.peer]) for one in anchors if one.peer in here]
    old = sorted((one for one in standing if one.since <= before), key=lambda one: (one.since, one.peer))
    grown = [Anchor(one.peer, one.address) for one in old]
    away = [one for one in anchors if one.peer not in here]
    chosen: dict[str, Anchor] = {}
    for one in (*kept, *grown, *away):
        group = group_of_address(one.address)
        if len(chosen) < count and group not in chosen and all(one.peer != c.peer for c in chosen.values()):
            chosen[group] = one
    return list(chosen.values())


def to_text(anchors: Iterable[Anchor]) -> bytes:
    """What is kept on the disk."""
    listed = [{"peer_id": str(one.peer), "address": str(one.address)} for one in anchors]
    return json.dumps({"anchors": listed}, indent=1).encode()


def from_text(text: bytes, count: int) -> list[Anchor]:
    """The anchors in it, `count` at most; what is damaged is left out, for it is no more than a help."""
    if len(text) > TEXT_BYTES_MAX:
        return []
    try:
        listed = json.loads(text)["anchors"]
        entries = [(str(entry["peer_id"]), str(entry["address"])) for entry in listed]
    except (ValueError, TypeError, KeyError, LookupError, RecursionError):
        return []
    found = []
    for peer, address in entries[:count]:
        try:
            found.append(Anchor(PeerId.parse(peer), Multiaddr.parse(address)))
        except WarrenError:
            continue
    return found
