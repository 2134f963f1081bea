"""The small interface behind which security protocols swap: a handshake as a byte machine, then two ciphers.

`Upgrade` drives a `Handshake`; `Socket` opens with the `Opener`, `SealedWriter` seals with the `Sealer`.
Noise implements all of them (`noise_security`).  Each protocol frames its own messages; all are synchronous,
take chance as an argument and do no IO.  What was tampered with, truncated or replayed is refused by each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from warren.core.keys import PrivateKey, PublicKey
    from warren.core.peer_id import PeerId

MESSAGE_BYTES_MAX: Final = 2 + 65_535
"""No message on the link is longer, framing included, whatever the protocol: the shared buffers hold it."""
SEED_BYTES: Final = 32
"""Fresh random bytes that one handshake is given."""


class Sealer(Protocol):
    """One direction of sending."""

    @property
    def overhead_bytes(self) -> int:
        """What a message on the link is longer than its plaintext."""

    @property
    def plaintext_bytes_max(self) -> int:
        """The most in one message; with the overhead at most `MESSAGE_BYTES_MAX`."""

    def seal_into(self, plaintext: memoryview | bytearray, out: memoryview) -> None:
        """Write one message as it goes onto the link; `out` is `overhead_bytes` longer than `plaintext`."""


class Opener(Protocol):
    """One direction of receiving."""

    @property
    def plaintext_bytes_max(self) -> int:
        """The most that one message can hold."""

    def open_next(self, data: memoryview, pos: int, out: memoryview) -> tuple[int, memoryview]:
        """Open the message that begins at `pos` into `out`: the position behind it, and its plaintext there.

        `pos` itself where the message has not arrived whole. Raises `ProtocolViolation` for one that was
        changed, dropped or repeated.
        """


class Handshake(Protocol):
    """One side of one handshake. All that it raises is a `HandshakeFailed`; nothing may be sent after one."""

    @property
    def done(self) -> bool:
        """Whether both sides have proved their keys."""

    @property
    def remote_key(self) -> PublicKey:
        """Once `done`: the key that the peer proved, which is the expected one where one was."""

    @property
    def remote_muxers(self) -> tuple[str, ...]:
        """The muxers that the peer named in the handshake, best first; empty where it named none."""

    def take_output(self) -> bytes:
        """What is to be sent now, framed; empty when there is nothing."""

    def receive(self, data: memoryview) -> int:
        """Feed bytes; return how many were used: the rest is an incomplete message, or sealed data."""

    def split(self) -> tuple[Sealer, Opener]:
        """The ciphers for sending and receiving, once `done`."""


class Security(Protocol):
    """One security protocol with this node's identity."""

    @property
    def protocol_id(self) -> str:
        """Its name in multistream-select."""

    def handshake(self, seed: bytes, *, initiator: bool, expected: PeerId | None) -> Handshake:
        """Begin; `seed` is `SEED_BYTES` of chance. A key other than that of `expected` is refused."""


class SecurityFactory(Protocol):
    """Makes a `Security` for a node."""

    def __call__(
        self, identity: PrivateKey, seed: bytes, muxers: tuple[str, ...], /, *, fast_aes: bool
    ) -> Security:
        """`seed` is `SEED_BYTES` of chance; `muxers` may be told to the peer during the handshake.

        `fast_aes`: this machine has instructions for AES.
        """
