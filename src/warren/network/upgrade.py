"""From a raw link to a muxed one: multistream picks the security, that proves both keys, then the muxer.

In: raw bytes in any chunking, and after `secured` plaintext until `muxer` is agreed.  Out: bytes to send,
the ciphers with the remote key, the muxer.  Where we speak a single security protocol the initiator sends its
first message together with the proposal: a refusal costs nothing more.  The muxer is taken from the handshake
where both sides named theirs in it, which saves a round trip.  Refuses plaintext and what we do not speak.
Spec: https://github.com/libp2p/specs/blob/master/connections/README.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from warren.core.errors import HandshakeFailed, PlaintextRefused, ProtocolViolation
from warren.network.multistream import Proposer, Responder

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from warren.core.keys import PublicKey
    from warren.core.peer_id import PeerId
    from warren.network.security import Handshake, Opener, Sealer, Security


@dataclass(frozen=True, slots=True)
class Secured:
    """What a finished handshake yields."""

    remote_key: PublicKey
    sealer: Sealer
    opener: Opener


class Upgrade:
    """The beginning of one connection, either side. `securities` and `muxers` are in order of preference."""

    __slots__ = (
        "_expected",
        "_handshake",
        "_initiator",
        "_muxers",
        "_negotiator",
        "_output",
        "_securities",
        "_seed",
        "muxer",
        "secured",
    )

    def __init__(
        self,
        securities: Sequence[Security],
        muxers: Collection[str],
        seed: bytes,
        *,
        initiator: bool,
        expected: PeerId | None,
    ) -> None:
        self._securities = securities
        self._muxers = muxers
        self._seed = seed
        self._initiator = initiator
        self._expected = expected
        self._handshake: Handshake | None = None
        self.secured: Secured | None = None
        self.muxer: str | None = None
        """What was agreed; None until then."""
        self._negotiator = self._meet([security.protocol_id for security in securities])
        self._output = self._negotiator.take_output()
        if initiator and len(securities) == 1:
            self._begin_handshake(securities[0])

    def take_output(self) -> bytes:
        """What is to be sent now, sealed if `secured` was there before; empty when there is nothing."""
        out, self._output = self._output, b""
        return out

    # --- raw -> secured -------------------------------------------------------------------------------------

    def receive(self, data: memoryview) -> int:
        """Feed raw bytes; return how many were used: the rest is an incomplete message, or sealed data.

        Raises `HandshakeFailed` and its kinds: the link must then be closed without another byte.
        """
        pos = 0
        if self._negotiator.selected is None:
            pos = self._agree_on_security(data)
        handshake = self._handshake
        if handshake is not None and self._negotiator.selected is not None:
            pos += handshake.receive(data[pos:])
            self._output += handshake.take_output()
            if handshake.done:
                self._finish(handshake)
        return pos

    def _agree_on_security(self, data: memoryview) -> int:
        negotiator = self._negotiator
        try:
            used = negotiator.receive(data)
        except ProtocolViolation as error:
            raise PlaintextRefused(
                f"the peer does not begin with a libp2p security handshake ({error})",
                hint="check that the address is one of a libp2p node; plaintext is never accepted",
            ) from error
        self._output += negotiator.take_output()
        if isinstance(negotiator, Proposer) and negotiator.refused:
            names = [security.protocol_id for security in self._securities]
            raise HandshakeFailed(f"the peer does not speak {', '.join(names)}")
        if negotiator.selected is not None and self._handshake is None:
            self._begin_handshake(
                next(s for s in self._securities if s.protocol_id == negotiator.selected),
            )
        return used

    def _begin_handshake(self, security: Security) -> None:
        self._handshake = security.handshake(self._seed, initiator=self._initiator, expected=self._expected)
        self._output += self._handshake.take_output()

    def _finish(self, handshake: Handshake) -> None:
        sealer, opener = handshake.split()
        self.muxer = self._early_muxer(handshake.remote_muxers)
        self.secured = Secured(handshake.remote_key, sealer, opener)
        self._handshake = None

    # --- secured -> muxed -----------------------------------------------------------------------------------

    def _early_muxer(self, remote: tuple[str, ...]) -> str | None:
        """The first of the initiator's list that both speak."""
        if not remote:
            return None
        first, second = (self._muxers, remote) if self._initiator else (remote, self._muxers)
        for muxer in first:
            if muxer in second:
                return muxer
        raise HandshakeFailed(f"no muxer in common: the peer speaks {', '.join(remote)[:200]}")

    def begin_muxer(self) -> None:
        """The handshake named no muxer: agree on one inside of it."""
        self._negotiator = self._meet(self._muxers)
        self._output = self._negotiator.take_output()

    def receive_muxer(self, plaintext: memoryview) -> int:
        """Feed what was opened; return how many bytes were used: the rest belongs to `muxer`.

        Raises `ProtocolViolation`, `HandshakeFailed`.
        """
        negotiator = self._negotiator
        used = negotiator.receive(plaintext)
        self._output += negotiator.take_output()
        if isinstance(negotiator, Proposer) and negotiator.refused:
            raise HandshakeFailed(f"the peer does not speak {', '.join(self._muxers)}")
        self.muxer = negotiator.selected
        return used

    def _meet(self, protocols: Collection[str]) -> Proposer | Responder:
        return Proposer(list(protocols)) if self._initiator else Responder(protocols.__contains__)
