"""The handshake Noise XX (25519, ChaChaPoly, SHA256) as libp2p uses it, as a pure machine.

In: handshake messages without their two-byte length.  Out: framed replies, the remote key, and the `ciphers`
of both directions.  No IO; the ephemeral seed is an argument.
Spec: https://github.com/libp2p/specs/blob/master/noise/README.md and https://noiseprotocol.org/noise.html;
what Warren adds to the extensions is in docs/protocols/noise.md.
Refuses: a key other than the expected one (before our own identity is shown), a bad signature, and low-order
points.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from google.protobuf.message import DecodeError

from warren.core.errors import HandshakeFailed, InvalidKey, PeerIdMismatch
from warren.core.keys import PublicKey
from warren.network.ciphers import (
    AES_256_GCM,
    AES_256_GCM_ID,
    CHACHA20_POLY1305,
    KEY_BYTES,
    TAG_BYTES,
    Opener,
    Sealer,
)
from warren.network.proto.noise_pb2 import NoiseHandshakePayload

if TYPE_CHECKING:
    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId

PROTOCOL_ID: Final = "/noise"
SIGNED_PREFIX: Final = b"noise-libp2p-static-key:"
MUXERS_MAX: Final = 16

_PROTOCOL_NAME: Final = b"Noise_XX_25519_ChaChaPoly_SHA256"


class StaticKey:
    """A node's Noise key with the proof that its identity vouches for it; made once per node.

    `prefers_aes`: it would rather use AES-256-GCM than ChaCha20-Poly1305, and says so.
    """

    __slots__ = ("payload", "prefers_aes", "private", "public")

    def __init__(
        self, identity: PrivateKey, seed: bytes, muxers: tuple[str, ...], *, prefers_aes: bool = False
    ) -> None:
        self.private = X25519PrivateKey.from_private_bytes(seed)
        self.public = self.private.public_key().public_bytes_raw()
        message = NoiseHandshakePayload(
            identity_key=identity.public_key.to_protobuf(),
            identity_sig=identity.sign(SIGNED_PREFIX + self.public),
        )
        message.extensions.stream_muxers.extend(muxers)
        if prefers_aes:
            message.extensions.transport_ciphers.append(AES_256_GCM_ID)
        self.prefers_aes = prefers_aes
        self.payload: bytes = message.SerializeToString()


@lru_cache(maxsize=1024)
def _verified_key(identity_key: bytes, signature: bytes, static: bytes) -> PublicKey:
    """The identity behind a static key. Cached: a peer that comes back shows the same proof, still true."""
    try:
        key = PublicKey.from_protobuf(identity_key)
    except InvalidKey as error:
        raise HandshakeFailed(f"noise: the peer's identity key is unusable: {error}") from error
    if not key.verify(signature, SIGNED_PREFIX + static):
        raise HandshakeFailed("noise: the peer's identity did not sign its noise key")
    return key


class _Symmetric:
    """The hash, the chaining key and the cipher of a running handshake (Noise, section 5.2)."""

    __slots__ = ("_chain", "_cipher", "_counter", "hash")

    def __init__(self, prologue: bytes = b"") -> None:
        self.hash = self._chain = _PROTOCOL_NAME
        self._cipher: ChaCha20Poly1305 | None = None
        self._counter = 0
        self.mix_hash(prologue)

    def mix_hash(self, data: bytes) -> None:
        self.hash = hashlib.sha256(self.hash + data).digest()

    def mix_key(self, secret: bytes) -> None:
        self._chain, key = _hkdf(self._chain, secret)
        self._cipher = ChaCha20Poly1305(key)
        self._counter = 0

    def encrypt(self, plaintext: bytes) -> bytes:
        out = plaintext
        if self._cipher is not None:
            out = self._cipher.encrypt(CHACHA20_POLY1305.nonce.pack(self._counter), plaintext, self.hash)
            self._counter += 1
        self.mix_hash(out)
        return out

    def decrypt(self, data: bytes) -> bytes:
        out = data
        if self._cipher is not None:
            try:
                out = self._cipher.decrypt(CHACHA20_POLY1305.nonce.pack(self._counter), data, self.hash)
            except InvalidTag as error:
                raise HandshakeFailed("noise: a handshake message was tampered with") from error
            self._counter += 1
        self.mix_hash(data)
        return out

    def split(self) -> tuple[bytes, bytes]:
        return _hkdf(self._chain, b"")


def _hkdf(chain: bytes, secret: bytes) -> tuple[bytes, bytes]:
    temp = hmac.digest(chain, secret, "sha256")
    first = hmac.digest(temp, b"\x01", "sha256")
    return first, hmac.digest(temp, first + b"\x02", "sha256")


def _exchange(private: X25519PrivateKey, public: bytes) -> bytes:
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise HandshakeFailed("noise: the peer sent an unusable public key") from error


def frame(message: bytes) -> bytes:
    """Put the two-byte length before a handshake message."""
    return len(message).to_bytes(2, "big") + message


class Handshake:
    """Both roles of the XX handshake: -> e; <- e, ee, s, es; -> s, se.

    Call `start` once, then `receive` with each whole message until `done`; then read `remote_key` and
    `remote_muxers`, and take the ciphers with `split`.  Raises `HandshakeFailed` (or `PeerIdMismatch`);
    nothing may be sent after that.
    """

    __slots__ = (
        "_ephemeral",
        "_expected",
        "_initiator",
        "_messages",
        "_remote_ephemeral",
        "_remote_prefers_aes",
        "_static",
        "_symmetric",
        "done",
        "remote_key",
        "remote_muxers",
    )

    remote_key: PublicKey
    """Set once `done`."""

    def __init__(
        self, static: StaticKey, ephemeral_seed: bytes, *, initiator: bool, expected: PeerId | None = None
    ) -> None:
        self._static = static
        self._ephemeral = X25519PrivateKey.from_private_bytes(ephemeral_seed)
        self._initiator = initiator
        self._expected = expected
        self._symmetric = _Symmetric()
        self._messages = 0
        self._remote_ephemeral = b""
        self.done = False
        self.remote_muxers: tuple[str, ...] = ()
        self._remote_prefers_aes = False

    def start(self) -> bytes:
        """The first framed message of the initiator; empty for the responder."""
        if not self._initiator:
            return b""
        public = self._send_ephemeral()
        return frame(public + self._symmetric.encrypt(b""))

    def receive(self, message: bytes) -> bytes:
        """Take one whole message; return the framed reply, if there is one."""
        self._messages += 1
        if self._initiator:
            return self._receive_second(message)
        if self._messages == 1:
            return self._receive_first(message)
        self._receive_third(message)
        return b""

    def split(self) -> tuple[Sealer, Opener]:
        """The ciphers for sending and receiving. Once: another pair would seal with the same nonces."""
        first, second = self._symmetric.split()
        ours, theirs = (first, second) if self._initiator else (second, first)
        aes = self._static.prefers_aes and self._remote_prefers_aes
        cipher = AES_256_GCM if aes else CHACHA20_POLY1305
        return Sealer(ours, cipher), Opener(theirs, cipher)

    def _receive_first(self, message: bytes) -> bytes:
        self._take_ephemeral(message)
        self._symmetric.decrypt(message[KEY_BYTES:])
        public = self._send_ephemeral()
        self._symmetric.mix_key(_exchange(self._ephemeral, self._remote_ephemeral))
        static = self._symmetric.encrypt(self._static.public)
        self._symmetric.mix_key(_exchange(self._static.private, self._remote_ephemeral))
        return frame(public + static + self._symmetric.encrypt(self._static.payload))

    def _receive_second(self, message: bytes) -> bytes:
        self._take_ephemeral(message)
        self._symmetric.mix_key(_exchange(self._ephemeral, self._remote_ephemeral))
        static_end = 2 * KEY_BYTES + TAG_BYTES
        remote_static = self._symmetric.decrypt(message[KEY_BYTES:static_end])
        self._symmetric.mix_key(_exchange(self._ephemeral, remote_static))
        self._take_payload(self._symmetric.decrypt(message[static_end:]), remote_static)
        static = self._symmetric.encrypt(self._static.public)
        self._symmetric.mix_key(_exchange(self._static.private, self._remote_ephemeral))
        self.done = True
        return frame(static + self._symmetric.encrypt(self._static.payload))

    def _receive_third(self, message: bytes) -> None:
        static_end = KEY_BYTES + TAG_BYTES
        remote_static = self._symmetric.decrypt(message[:static_end])
        self._symmetric.mix_key(_exchange(self._ephemeral, remote_static))
        self._take_payload(self._symmetric.decrypt(message[static_end:]), remote_static)
        self.done = True

    def _send_ephemeral(self) -> bytes:
        public = self._ephemeral.public_key().public_bytes_raw()
        self._symmetric.mix_hash(public)
        return public

    def _take_ephemeral(self, message: bytes) -> None:
        if len(message) < KEY_BYTES:
            raise HandshakeFailed(f"noise: a handshake message of {len(message)} bytes is too short")
        self._remote_ephemeral = message[:KEY_BYTES]
        self._symmetric.mix_hash(self._remote_ephemeral)

    def _take_payload(self, payload: bytes, remote_static: bytes) -> None:
        message = NoiseHandshakePayload()
        try:
            message.ParseFromString(payload)
        except DecodeError as error:
            raise HandshakeFailed("noise: the handshake payload is malformed") from error
        key = _verified_key(message.identity_key, message.identity_sig, remote_static)
        peer = key.peer_id
        if self._expected is not None and peer != self._expected:
            raise PeerIdMismatch(expected=self._expected, actual=peer)
        self.remote_key = key
        self.remote_muxers = tuple(message.extensions.stream_muxers[:MUXERS_MAX])
        self._remote_prefers_aes = AES_256_GCM_ID in message.extensions.transport_ciphers
