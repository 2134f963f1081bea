"""From a raw link to a secured one: multistream picks Noise, Noise proves both keys, may agree on the muxer.

In: raw bytes in any chunking.  Out: raw bytes to send, then `secured` with the ciphers and the remote key.
The initiator sends its first Noise message together with the proposal: Noise is all that Warren speaks, so a
refusal costs nothing more.  Plaintext and unknown security protocols are refused.
Spec: https://github.com/libp2p/specs/blob/master/connections/README.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core.errors import HandshakeFailed, PlaintextRefused, ProtocolViolation
from warren.network import multistream, noise
from warren.network.yamux import frames

if TYPE_CHECKING:
    from warren.core.keys import PublicKey
    from warren.core.peer_id import PeerId

MUXERS: Final = (frames.PROTOCOL_ID,)
HANDSHAKE_MESSAGE_BYTES_MAX: Final = 16 * 1024
"""A stranger cannot make us hold more than this before it proved a key (RSA keys and extensions fit)."""


SEED_BYTES: Final = 32
"""Chance that one handshake needs."""


@dataclass(frozen=True, slots=True)
class Secured:
    """What a finished handshake yields; `muxer` is None when it must still be negotiated inside."""

    remote_key: PublicKey
    sealer: noise.Sealer
    opener: noise.Opener
    muxer: str | None


class Upgrade:
    """The handshake of one connection, either side."""

    __slots__ = ("_handshake", "_initiator", "_negotiator", "_output", "secured")

    def __init__(
        self, static: noise.StaticKey, ephemeral_seed: bytes, *, initiator: bool, expected: PeerId | None
    ) -> None:
        self._handshake = noise.Handshake(static, ephemeral_seed, initiator=initiator, expected=expected)
        self._initiator = initiator
        self._negotiator: multistream.Proposer | multistream.Responder
        self._output = b""
        self.secured: Secured | None = None
        if initiator:
            self._negotiator = multistream.Proposer([noise.PROTOCOL_ID])
            self._output = self._negotiator.take_output() + self._handshake.start()
        else:
            self._negotiator = multistream.Responder(lambda protocol: protocol == noise.PROTOCOL_ID)

    def take_output(self) -> bytes:
        """What is to be sent now; empty when there is nothing."""
        out, self._output = self._output, b""
        return out

    def receive(self, data: memoryview) -> int:
        """Feed raw bytes; return how many were used: the rest is an incomplete message, or sealed data.

        Raises `HandshakeFailed` and its kinds: the link must then be closed without another byte.
        """
        pos = 0
        if self._negotiator.selected is None:
            pos = self._negotiate(data)
        while self.secured is None and self._negotiator.selected is not None and len(data) - pos >= 2:
            end = pos + 2 + int.from_bytes(data[pos : pos + 2], "big")
            if end - pos - 2 > HANDSHAKE_MESSAGE_BYTES_MAX:
                raise HandshakeFailed(f"noise: a handshake message of {end - pos - 2} bytes is too long")
            if end > len(data):
                break
            self._output += self._handshake.receive(bytes(data[pos + 2 : end]))
            pos = end
            if self._handshake.done:
                self._finish()
        return pos

    def _negotiate(self, data: memoryview) -> int:
        try:
            used = self._negotiator.receive(data)
        except ProtocolViolation as error:
            raise PlaintextRefused(
                f"the peer does not begin with a libp2p security handshake ({error})",
                hint="check that the address is one of a libp2p node; plaintext is never accepted",
            ) from error
        self._output += self._negotiator.take_output()
        if isinstance(self._negotiator, multistream.Proposer) and self._negotiator.refused:
            raise HandshakeFailed("the peer does not speak noise")
        return used

    def _finish(self) -> None:
        sealer, opener = self._handshake.split()
        self.secured = Secured(self._handshake.remote_key, sealer, opener, self._early_muxer())

    def _early_muxer(self) -> str | None:
        """Inlined muxer negotiation: the first of the initiator's list that both speak."""
        remote = self._handshake.remote_muxers
        if not remote:
            return None
        first, second = (MUXERS, remote) if self._initiator else (remote, MUXERS)
        for muxer in first:
            if muxer in second:
                return muxer
        raise HandshakeFailed(f"no muxer in common: the peer speaks {', '.join(remote)[:200]}")
