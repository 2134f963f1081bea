"""What a socket needs of the network that owns it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from warren.network.mux import MuxHost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.core.multiaddr import Multiaddr
    from warren.network.mux import MuxerFactory
    from warren.network.scratch import Scratch
    from warren.network.security import Security
    from warren.network.socket import Socket
    from warren.network.states import SocketState
    from warren.network.stream import Stream


class SocketHost(MuxHost, Protocol):
    """The network that owns a socket."""

    securities: tuple[Security, ...]
    muxers: Mapping[str, MuxerFactory]

    @property
    def scratch(self) -> Scratch:
        """The buffers that sockets share."""

    def supports(self, protocol: str) -> bool:
        """Whether a handler serves `protocol`."""

    def dispatch(self, stream: Stream) -> None:
        """Hand an inbound stream, its protocol agreed, to its handler."""

    def on_link(self, socket: Socket, remote: Multiaddr | None) -> None:
        """An inbound link exists; raises `LimitReached` when there is no room for it."""

    def on_partial_excess(self, bytes_over: int) -> None:
        """Too much is held of messages that have not arrived whole: close whose waits longest."""

    def on_socket_moved(self, socket: Socket, old: SocketState, new: SocketState) -> None:
        """Every change of state, right after it happened."""
