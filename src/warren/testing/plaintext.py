"""A security protocol that secures nothing: in simulations of thousands of nodes ciphers cost the most.

In:  the seam of `network.security`. Out: messages of the very sizes and order of Noise, so that a run differs
from one with Noise in the bytes alone: who sends how much to whom and when stays the same.
Refuses to begin on an event loop that is not virtual (`MisuseError`): neither configuration nor code carries
it over a real link. Its name is its own, so that no peer that speaks libp2p agrees to it.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError

from warren.core.errors import HandshakeFailed, InvalidKey, MisuseError, PeerIdMismatch
from warren.core.keys import PublicKey
from warren.network import ciphers, noise
from warren.network.proto.noise_pb2 import NoiseHandshakePayload
from warren.network.stack import Stack
from warren.runtime.simulated import VirtualLoop

if TYPE_CHECKING:
    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId

PROTOCOL_ID: Final = "/plain"
"""As long as `/noise`."""
_SIGNATURE_BYTES: Final = 64
_TAG: Final = bytes(ciphers.TAG_BYTES)
_SEALED_KEY: Final = bytes(ciphers.KEY_BYTES + ciphers.TAG_BYTES)


class Plaintext:
    """Implements `Security`; a `SecurityFactory` as it stands."""

    __slots__ = ("payload",)

    protocol_id: Final = PROTOCOL_ID

    def __init__(
        self, identity: PrivateKey, _seed: bytes, muxers: tuple[str, ...], *, fast_aes: bool = False
    ) -> None:
        _check_loop()
        message = NoiseHandshakePayload(
            identity_key=identity.public_key.to_protobuf(), identity_sig=bytes(_SIGNATURE_BYTES)
        )
        message.extensions.stream_muxers.extend(muxers)
        if fast_aes:
            message.extensions.transport_ciphers.append(ciphers.AES_256_GCM_ID)
        self.payload: bytes = message.SerializeToString()

    def handshake(self, _seed: bytes, *, initiator: bool, expected: PeerId | None) -> PlaintextHandshake:
        """Begin. Raises `MisuseError` on a loop that may carry real links."""
        _check_loop()
        return PlaintextHandshake(self.payload, initiator=initiator, expected=expected)


class PlaintextHandshake:
    """Implements `Handshake`: three messages as long as those of Noise XX, that tell keys and prove none."""

    __slots__ = (
        "_expected",
        "_initiator",
        "_messages",
        "_output",
        "_payload",
        "done",
        "remote_key",
        "remote_muxers",
    )

    remote_key: PublicKey

    def __init__(self, payload: bytes, *, initiator: bool, expected: PeerId | None) -> None:
        self._payload = payload
        self._initiator = initiator
        self._expected = expected
        self._messages = 0
        self._output = noise.frame(bytes(ciphers.KEY_BYTES)) if initiator else b""
        self.done = False
        self.remote_muxers: tuple[str, ...] = ()

    def take_output(self) -> bytes:
        """What is to be sent now."""
        out, self._output = self._output, b""
        return out

    def receive(self, data: memoryview) -> int:
        """Feed bytes; return how many were used. Raises `HandshakeFailed`."""
        pos = 0
        while not self.done and len(data) - pos >= ciphers.LENGTH_BYTES:
            end = pos + ciphers.LENGTH_BYTES + int.from_bytes(data[pos : pos + ciphers.LENGTH_BYTES], "big")
            if end > len(data):
                break
            self._take(bytes(data[pos + ciphers.LENGTH_BYTES : end]))
            pos = end
        return pos

    def split(self) -> tuple[PlaintextSealer, PlaintextOpener]:
        """What does not seal, and what does not open."""
        return PlaintextSealer(), PlaintextOpener()

    def _take(self, message: bytes) -> None:
        self._messages += 1
        if self._initiator:
            self._learn(message[ciphers.KEY_BYTES + len(_SEALED_KEY) : -len(_TAG)])
            self._output = noise.frame(_SEALED_KEY + self._payload + _TAG)
        elif self._messages == 1:
            self._output = noise.frame(bytes(ciphers.KEY_BYTES) + _SEALED_KEY + self._payload + _TAG)
        else:
            self._learn(message[len(_SEALED_KEY) : -len(_TAG)])

    def _learn(self, payload: bytes) -> None:
        key, self.remote_muxers = _read(payload)
        if self._expected is not None and key.peer_id != self._expected:
            raise PeerIdMismatch(expected=self._expected, actual=key.peer_id)
        self.remote_key = key
        self.done = True


@lru_cache(maxsize=1 << 16)
def _read(payload: bytes) -> tuple[PublicKey, tuple[str, ...]]:
    """The key and the muxers that a peer names."""
    try:
        message = NoiseHandshakePayload.FromString(payload)
        return PublicKey.from_protobuf(message.identity_key), tuple(message.extensions.stream_muxers)
    except (DecodeError, InvalidKey) as error:
        raise HandshakeFailed("plaintext: the peer names no key") from error


class PlaintextSealer:
    """Implements `Sealer`: length, plaintext, and zeros where a tag would be."""

    __slots__ = ()

    overhead_bytes = ciphers.Sealer.overhead_bytes
    plaintext_bytes_max = ciphers.Sealer.plaintext_bytes_max

    def seal_into(self, plaintext: memoryview | bytearray, out: memoryview) -> None:
        """Write one message."""
        size = len(plaintext) + ciphers.TAG_BYTES
        out[:] = size.to_bytes(ciphers.LENGTH_BYTES, "big") + plaintext + _TAG


class PlaintextOpener:
    """Implements `Opener` for what a `PlaintextSealer` wrote."""

    __slots__ = ()

    plaintext_bytes_max = ciphers.PLAINTEXT_BYTES_MAX

    def open_next(self, data: memoryview, pos: int, out: memoryview) -> tuple[int, memoryview]:
        """Copy the message at `pos`."""
        body = pos + ciphers.LENGTH_BYTES
        if body > len(data):
            return pos, out
        end = body + (data[pos] << 8 | data[pos + 1])
        if end > len(data):
            return pos, out
        plaintext = out[: end - ciphers.TAG_BYTES - body]
        plaintext[:] = data[body : end - ciphers.TAG_BYTES]
        return end, plaintext


def _check_loop() -> None:
    try:
        is_virtual = isinstance(asyncio.get_running_loop(), VirtualLoop)
    except RuntimeError:
        is_virtual = False
    if not is_virtual:
        raise MisuseError(
            "plaintext is refused outside of the simulator",
            hint="make the node without `stack`: it then encrypts with Noise",
        )


def plaintext_stack() -> Stack:
    """What a network of a simulated node is built of that encrypts nothing."""
    return Stack(security=(Plaintext,))
