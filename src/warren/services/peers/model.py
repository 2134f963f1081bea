"""What the peer table speaks of: peers, figures with their age, leads, and events about them. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId

State: TypeAlias = Literal["new", "reachable", "suspect", "unreachable"]
"""new: nobody has tried yet. suspect: it did not answer lately. unreachable: it did not for long."""
Sort: TypeAlias = Literal["latency", "download", "upload", "name", "seen"]
"""Nearest first, fastest first, contacts by petname first, seen last first."""

STATES: Final[tuple[State, ...]] = ("new", "reachable", "suspect", "unreachable")
SORTS: Final[tuple[Sort, ...]] = ("latency", "download", "upload", "name", "seen")
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement. value: in the unit that its field names. measured_at: Unix seconds."""

    value: float
    measured_at: float


@dataclass(frozen=True, slots=True)
class Peer:
    """What the table holds of one peer. Times are Unix seconds.

    addresses: without `/p2p`; those at which a handshake met its key first, latest first. first_hand: those
    of them where this node has met it, and all of one that the user put here. first_seen: when it was first
    heard of. last_seen: when it was last met; None: never. latency: seconds, smoothed. jitter_s: the mean
    deviation. response: seconds that it took to answer a question, once it was connected. download,
    upload: bytes per second, from it and to it. public: whether anyone may dial it;
    None: not known. roles: what it does for others, by its protocols. metadata: what it says of itself,
    signed. agent: the program that it says it runs. sources: how it became known.
    """

    peer_id: PeerId
    addresses: tuple[Multiaddr, ...] = ()
    first_hand: tuple[Multiaddr, ...] = ()
    first_seen: float = 0.0
    last_seen: float | None = None
    latency: Figure | None = None
    jitter_s: float | None = None
    response: Figure | None = None
    download: Figure | None = None
    upload: Figure | None = None
    state: State = "new"
    public: bool | None = None
    roles: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=lambda: _NONE)
    blocked: bool = False
    agent: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """All that the table keeps of one peer, to be carried elsewhere.

    proven: when a handshake last met its key, by address. record, metadata: as their peer signed them.
    """

    peer: Peer
    proven: Mapping[Multiaddr, float]
    record: bytes | None
    metadata: bytes | None


@dataclass(frozen=True, slots=True)
class Lead:
    """An address of which nobody knows yet whose it is; it is dialled until a key is met there.

    Figures as in `Peer`: those that came with it.
    """

    address: Multiaddr
    added_at: float
    latency: Figure | None = None
    download: Figure | None = None
    upload: Figure | None = None


@dataclass(frozen=True, slots=True)
class PeerBlocked:
    """The user wants nothing to do with a peer any more; it is committed."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class PeerUnblocked:
    """A peer is no longer blocked; it is committed."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class PeerForgotten:
    """A peer left the table; it is committed."""

    peer: PeerId
