"""The beginning of a socket: drives its `Upgrade` over the link, and hands over the ciphers and the muxer.

In: raw bytes, then plaintext, as the socket reads them.  Out: handshake bytes into the writer, and calls of
`Socket.secured` and `Socket.muxed`.  It goes when the muxer is there: an idle connection does not keep it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.network.security import SEED_BYTES
from warren.network.upgrade import Upgrade

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.network.host import SocketHost
    from warren.network.socket import Socket


class Establishing:
    """From a raw link to a muxed one, either side."""

    __slots__ = ("_host", "_socket", "_started_at", "_upgrade")

    def __init__(self, socket: Socket, host: SocketHost, expected: PeerId | None) -> None:
        self._socket = socket
        self._host = host
        self._started_at = host.clock()
        self._upgrade = Upgrade(
            host.securities,
            host.muxers,
            host.random_bytes(SEED_BYTES),
            initiator=socket.initiator,
            expected=expected,
        )

    def begin(self) -> None:
        """The initiator speaks first."""
        self._socket.writer.put_raw(self._upgrade.take_output())
        self._socket.writer.flush_bulk()

    def receive(self, data: memoryview) -> int:
        """Feed raw bytes; return how many were used. Raises `HandshakeFailed`, `LimitReached`."""
        socket, upgrade = self._socket, self._upgrade
        used = upgrade.receive(data)
        output = upgrade.take_output()
        if output:
            socket.writer.put_raw(output)
        if upgrade.secured is not None:
            socket.secured(upgrade.secured)
            if upgrade.muxer is not None:
                self._start_mux(upgrade.muxer)
            else:
                upgrade.begin_muxer()
                self._send_sealed()
        return used

    def receive_sealed(self, plaintext: memoryview) -> None:
        """The handshake named no muxer: agree inside. Raises `ProtocolViolation`, `HandshakeFailed`."""
        used = self._upgrade.receive_muxer(plaintext)
        self._send_sealed()
        if self._upgrade.muxer is not None:
            self._start_mux(self._upgrade.muxer, plaintext[used:])

    def _send_sealed(self) -> None:
        output = self._upgrade.take_output()
        if output:
            self._socket.writer.put(output, b"")

    def _start_mux(self, muxer: str, plaintext: memoryview | None = None) -> None:
        host, socket = self._host, self._socket
        mux = host.muxers[muxer](socket.writer, socket.accept_stream, host, client=socket.initiator)
        mux.rtt_s = max(host.clock() - self._started_at, 1e-6)
        socket.muxed(mux)
        if plaintext:
            mux.receive(plaintext)
