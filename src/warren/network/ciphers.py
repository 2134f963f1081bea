"""The messages of a secured connection: each direction has a key, a counter, and a cipher for both.

In: the keys of a finished Noise handshake.  Out: sealed messages with their length before them, and back.
Two ciphers: ChaCha20-Poly1305, which every node of libp2p speaks, and AES-256-GCM for two that said in their
handshake that their processors are faster with it (docs/protocols/noise.md).  A counter never repeats under
one key; AES-256-GCM changes its key before what it may seal under one runs out.
Refuses: what is shorter than a tag, changed, dropped or repeated, and counters past 2^64 - 2.
Spec: https://noiseprotocol.org/noise.html, sections 4.2, 5.1 and 12; RFC 8446, section 5.5 for the bound.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from warren.core.errors import MisuseError, ProtocolViolation

LENGTH_BYTES: Final = 2
"""Before each message on the link."""
MESSAGE_BYTES_MAX: Final = 65535
TAG_BYTES: Final = 16
PLAINTEXT_BYTES_MAX: Final = MESSAGE_BYTES_MAX - TAG_BYTES
KEY_BYTES: Final = 32
NONCE_MAX: Final = 2**64 - 2

_LENGTH: Final = struct.Struct(">H")
_REKEY_NONCE: Final = 2**64 - 1
"""Never used for a message: what the spec keeps to make the next key with."""

if TYPE_CHECKING:
    Aead = AESGCM | ChaCha20Poly1305


@dataclass(frozen=True, slots=True, eq=False)
class Cipher:
    """How one cipher is used in Noise."""

    aead: type[AESGCM | ChaCha20Poly1305]
    nonce: struct.Struct
    """Twelve bytes from the counter; the ciphers differ in the order of its bytes."""
    messages_per_key: int
    """After so many the next key is made from the last."""
    label: bytes = b""
    """Makes keys of its own from those of the handshake, as no key may serve two ciphers; empty for the
    handshake's own cipher."""

    def key_of(self, key: bytes) -> bytes:
        """The first key of a direction, from that which the handshake made for it."""
        return hmac.digest(key, self.label, "sha256") if self.label else key

    def next_key(self, key: bytes) -> bytes:
        """What follows `key` (REKEY of the spec)."""
        sealed = self.aead(key).encrypt(self.nonce.pack(_REKEY_NONCE), bytes(KEY_BYTES), b"")
        return sealed[:KEY_BYTES]


CHACHA20_POLY1305: Final = Cipher(ChaCha20Poly1305, struct.Struct("<4xQ"), NONCE_MAX + 1)
AES_256_GCM_ID: Final = b"/warren/noise/aes-256-gcm/1.0.0"
AES_256_GCM: Final = Cipher(AESGCM, struct.Struct(">4xQ"), 2**22, AES_256_GCM_ID)
"""2^22 messages of 2^12 blocks are the 2^34.5 blocks of TLS 1.3, rounded down."""


class _Direction:
    """The cipher with its key and its counter."""

    __slots__ = ("_aead", "_cipher", "_counter", "_key", "_key_ends", "_nonce")

    plaintext_bytes_max = PLAINTEXT_BYTES_MAX

    def __init__(self, key: bytes, cipher: Cipher = CHACHA20_POLY1305) -> None:
        self._cipher = cipher
        self._nonce = cipher.nonce.pack
        self._counter = 0
        self._take_key(cipher.key_of(key))

    def _take_key(self, key: bytes) -> None:
        self._key = key
        self._aead: Aead = self._cipher.aead(key)
        self._key_ends = min(self._counter + self._cipher.messages_per_key, NONCE_MAX + 1)

    def _renewed(self) -> bool:
        """Go on under the next key; False where all counters are used up."""
        if self._counter > NONCE_MAX:
            return False
        self._take_key(self._cipher.next_key(self._key))
        return True


class Sealer(_Direction):
    """One direction of sending: seals messages with a counter that never repeats."""

    __slots__ = ()

    overhead_bytes = LENGTH_BYTES + TAG_BYTES

    def seal_into(self, plaintext: memoryview | bytearray, out: memoryview) -> None:
        """Write length, ciphertext and tag; `out` is `overhead_bytes` longer than `plaintext`."""
        counter = self._counter
        if counter >= self._key_ends and not self._renewed():
            raise MisuseError("noise: the nonce is used up; open a new connection")
        self._counter = counter + 1
        _LENGTH.pack_into(out, 0, len(out) - LENGTH_BYTES)
        self._aead.encrypt_into(self._nonce(counter), plaintext, None, out[LENGTH_BYTES:])


class Opener(_Direction):
    """One direction of receiving: a message that was changed, dropped or repeated does not open."""

    __slots__ = ()

    def open_next(self, data: memoryview, pos: int, out: memoryview) -> tuple[int, memoryview]:
        """Open the message at `pos` into `out`: the position behind it, and its plaintext there.

        `pos` itself where it has not arrived whole. Raises `ProtocolViolation`.
        """
        total = len(data)
        body = pos + LENGTH_BYTES
        if body > total:
            return pos, out
        end = body + (data[pos] << 8 | data[pos + 1])
        if end > total:
            return pos, out
        size = end - body - TAG_BYTES
        if size < 0:
            raise ProtocolViolation("noise: a message shorter than its tag")
        plaintext = out[:size]
        counter = self._counter
        if counter >= self._key_ends and not self._renewed():
            raise ProtocolViolation("noise: the peer used up its nonces")
        self._counter = counter + 1
        try:
            self._aead.decrypt_into(self._nonce(counter), data[body:end], None, plaintext)
        except InvalidTag as error:
            raise ProtocolViolation("noise: a message was tampered with (its tag does not match)") from error
        return end, plaintext
