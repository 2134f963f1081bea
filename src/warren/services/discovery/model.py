"""What discovery speaks of: somebody who was found, and events about it. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId

DEFAULT_NAMESPACE: Final = "warren"
"""Under which the nodes of Warren find each other. On a local link it stands for all of libp2p."""


@dataclass(frozen=True, slots=True)
class Found:
    """Somebody may be reached there; nothing of it is proven.

    peer: None where only the address is known. addresses: without the peer id, one at least. source: a word
    for who says so (`bootstrap`, `dns`, `mdns`, `dht`, `peers`). first_hand: those of the addresses that the
    user gave, or where this node has met the peer.
    """

    peer: PeerId | None
    addresses: tuple[Multiaddr, ...]
    source: str
    first_hand: tuple[Multiaddr, ...] = ()


@dataclass(frozen=True, slots=True)
class PeerDiscovered:
    """A discovery names a peer, or an address of one (`peer` is None then), that it had not named before."""

    peer: PeerId | None
    addresses: tuple[Multiaddr, ...]
    source: str


@dataclass(frozen=True, slots=True)
class PeerVanished:
    """A peer was on the local link, and does not answer there any more."""

    peer: PeerId
    source: str


@dataclass(frozen=True, slots=True)
class Source:
    """One discovery of a running node. note: what it does, or why it does nothing, in words."""

    name: str
    active: bool
    note: str


@dataclass(frozen=True, slots=True)
class DiscoveryStatus:
    """What discovery does. found: peers and addresses it knows of. tried: dials that it began. met: those at
    which a peer was met. wanted: connections up to which it dials.
    """

    namespace: str
    sources: tuple[Source, ...]
    found: int
    tried: int
    met: int
    wanted: int
