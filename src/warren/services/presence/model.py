"""What presence speaks of: how peers stand, and events about them. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

Ending: TypeAlias = Literal["goodbye", "expired"]


@dataclass(frozen=True, slots=True)
class PeerCameOnline:
    """A peer took a lease here that had none, where this node is a super-peer."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class PeerWentOffline:
    """A peer said goodbye here, or its lease ended."""

    peer: PeerId
    why: Ending


@dataclass(frozen=True, slots=True)
class PeerHeldOffline:
    """Fail votes here hold a peer for offline, and it did not answer: so many accusers of so many online."""

    peer: PeerId
    accusers: int
    online: int


@dataclass(frozen=True, slots=True)
class PeerBackOnline:
    """A peer that votes held offline here is online: it showed a fresh lease, or the votes ended."""

    peer: PeerId


class Tally(NamedTuple):
    """How the votes stand that hold a peer offline: so many of those online who could vote."""

    accusers: int
    online: int


class PresenceCounts(NamedTuple):
    """As a super-peer: peers online, itself among them; whom votes hold offline; votes kept. All 0 where it
    is none.
    """

    online: int
    held_offline: int
    votes: int
