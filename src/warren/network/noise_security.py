"""Noise as libp2p puts it on a link: each message with two bytes of length before it.

In: raw bytes in any chunking.  Out: framed replies, then the ciphers.  Implements `warren.network.security`.
Refuses: what `noise` refuses, and handshake messages over 16 KiB by their length alone.
Spec: https://github.com/libp2p/specs/blob/master/noise/README.md#wire-format
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.errors import HandshakeFailed
from warren.network import noise
from warren.network.ciphers import LENGTH_BYTES

if TYPE_CHECKING:
    from warren.core.keys import PrivateKey, PublicKey
    from warren.core.peer_id import PeerId
    from warren.network.ciphers import Opener, Sealer

HANDSHAKE_MESSAGE_BYTES_MAX: Final = 16 * 1024
"""A stranger cannot make us hold more than this before it proved a key (RSA keys and extensions fit)."""


class Noise:
    """Implements `Security`; a `SecurityFactory` as it stands."""

    __slots__ = ("static",)

    protocol_id: Final = noise.PROTOCOL_ID

    def __init__(
        self,
        identity: PrivateKey,
        seed: bytes,
        muxers: tuple[str, ...],
        *,
        fast_aes: bool = False,
    ) -> None:
        self.static = noise.StaticKey(identity, seed, muxers, prefers_aes=fast_aes)

    def handshake(self, seed: bytes, *, initiator: bool, expected: PeerId | None) -> NoiseHandshake:
        """Begin; the initiator has its first message to send at once."""
        return NoiseHandshake(
            noise.Handshake(self.static, seed, initiator=initiator, expected=expected),
        )


class NoiseHandshake:
    """Implements `Handshake`: cuts the bytes of the link into messages for the machine."""

    __slots__ = ("_machine", "_output")

    def __init__(self, machine: noise.Handshake) -> None:
        self._machine = machine
        self._output = machine.start()

    @property
    def done(self) -> bool:
        """Whether both sides have proved their keys."""
        return self._machine.done

    @property
    def remote_key(self) -> PublicKey:
        """The key that the peer proved."""
        return self._machine.remote_key

    @property
    def remote_muxers(self) -> tuple[str, ...]:
        """The muxers that the peer speaks, by its early data."""
        return self._machine.remote_muxers

    def take_output(self) -> bytes:
        """What is to be sent now."""
        out, self._output = self._output, b""
        return out

    def receive(self, data: memoryview) -> int:
        """Feed bytes; return how many were used. Raises `HandshakeFailed`."""
        pos = 0
        while not self._machine.done and len(data) - pos >= LENGTH_BYTES:
            body = pos + LENGTH_BYTES
            size = int.from_bytes(data[pos:body], "big")
            if size > HANDSHAKE_MESSAGE_BYTES_MAX:
                raise HandshakeFailed(f"noise: a handshake message of {size} bytes is too long")
            if body + size > len(data):
                break
            pos = body + size
            self._output += self._machine.receive(bytes(data[body:pos]))
        return pos

    def split(self) -> tuple[Sealer, Opener]:
        """The ciphers for sending and receiving."""
        return self._machine.split()
