"""Who of the connected peers takes part in the directory, and how.

In:  the events of the network. Out: for each connected peer that answers queries what it is; `on_changed`, in
the turn of the loop in which that changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from warren.network.events import PeerDisconnected, PeerIdentified
from warren.protocols.directory.protocol import ELECTED, PROTOCOL, SUPER_PEER

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.socket import Socket


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A connected peer that answers queries.

    is_super: it takes registrations. is_elected: it does so because nobody else did. is_local: it is on this
    machine or in its local network.
    """

    is_super: bool
    is_elected: bool
    is_local: bool


class Neighbours:
    """Kept from now on, for as long as the network lives."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._known: dict[PeerId, Neighbour] = {}
        self.on_changed: list[Callable[[PeerId], None]] = []
        """Called with the peer that came, went, or is another now."""
        network.events.on(PeerIdentified, self._identified)
        network.events.on(PeerDisconnected, lambda event: self._set(event.peer, None))

    def get(self, peer: PeerId) -> Neighbour | None:
        """What a peer is; None: it is not connected, or takes no part."""
        return self._known.get(peer)

    def all(self) -> dict[PeerId, Neighbour]:
        """All of them, as they are now."""
        return dict(self._known)

    def rtt_s(self, peer: PeerId) -> float | None:
        """The last round trip to a connected peer in seconds; None: none was measured."""
        trips = [one.rtt_s for one in self._network.sockets(peer) if one.rtt_s is not None]
        return min(trips, default=None)

    def _identified(self, event: PeerIdentified) -> None:
        protocols = getattr(event.info, "protocols", ())
        if PROTOCOL not in protocols:
            self._set(event.peer, None)
            return
        one = Neighbour(SUPER_PEER in protocols, ELECTED in protocols, _is_local(event.socket))
        self._set(event.peer, one)

    def _set(self, peer: PeerId, one: Neighbour | None) -> None:
        if self._known.get(peer) == one:
            return
        if one is None:
            del self._known[peer]
        else:
            self._known[peer] = one
        for tell in self.on_changed:
            tell(peer)


def _is_local(socket: Socket) -> bool:
    address = socket.remote_addr
    return address is not None and (address.is_private or address.is_loopback)
