"""Public and private keys, their protobuf form, signing and verifying.

In: foreign key bytes and signatures; our own seed. Out: checked keys, peer ids, signatures. Our own key is
Ed25519; remote keys may also be secp256k1, ECDSA (P-256, P-384, P-521) or RSA (2,048 to 8,192 bits).
Refuses keys that are not in the one canonical encoding, because the peer id is a hash of that encoding.
https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md#keys
"""

from __future__ import annotations

import enum
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from warren.core import varint
from warren.core.errors import InvalidKey, ProtocolViolation
from warren.core.peer_id import PeerId

# Attack: huge keys that are slow to parse. The largest RSA key we take encodes to about 1,070 bytes.
KEY_PROTOBUF_BYTES_MAX: Final = 4096
# Attack: keys short enough to factor; keys so long that one verification stalls the loop.
RSA_BITS_MIN: Final = 2048
RSA_BITS_MAX: Final = 8192
# Attack: a public exponent as long as the modulus makes a verification as slow as a signature.
RSA_EXPONENT_MAX: Final = (1 << 31) - 1

ED25519_SEED_BYTES: Final = 32

_ECDSA_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")
_ECDSA_SHA256: Final = ec.ECDSA(SHA256())
_ED25519_PUBLIC_HEADER: Final = b"\x08\x01\x12\x20"
_ED25519_PRIVATE_HEADER: Final = b"\x08\x01\x12\x40"

_LoadedKey = Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class KeyType(enum.IntEnum):
    """The numbers that the protobuf form uses."""

    RSA = 0
    ED25519 = 1
    SECP256K1 = 2
    ECDSA = 3


class PublicKey:
    """A checked public key. Immutable, hashable.

    `data` is the raw key (Ed25519), the compressed point (secp256k1) or PKIX DER (ECDSA, RSA). Construction
    raises `InvalidKey` for anything that could not verify a signature or is not canonical.
    """

    __slots__ = ("data", "peer_id", "type")

    type: Final[KeyType]
    data: Final[bytes]
    peer_id: Final[PeerId]

    def __init__(self, type: KeyType, data: bytes) -> None:  # noqa: A002 (the field's word)
        if type is not KeyType.ED25519:
            _load(type, data)
        elif len(data) != 32:
            raise InvalidKey(f"an Ed25519 key has 32 bytes, not {len(data)}")
        self.type = type
        self.data = data
        self.peer_id = PeerId.of_key(self.to_protobuf())

    @classmethod
    def from_protobuf(cls, raw: bytes) -> PublicKey:
        """Read the canonical protobuf form. Raises `InvalidKey`."""
        if len(raw) == 36 and raw[:4] == _ED25519_PUBLIC_HEADER:
            return cls(KeyType.ED25519, raw[4:])
        return cls(*_split_protobuf(raw))

    def to_protobuf(self) -> bytes:
        """The canonical protobuf form: what peer ids are hashed from."""
        return _join_protobuf(self.type, self.data)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` over `message` is this key's. Never raises on foreign bytes."""
        try:
            key = _load(self.type, self.data)
            if isinstance(key, Ed25519PublicKey):
                key.verify(signature, message)
            elif isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, message, padding.PKCS1v15(), SHA256())
            else:
                key.verify(signature, message, _ECDSA_SHA256)
        except InvalidSignature:
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.type == other.type and self.data == other.data

    def __hash__(self) -> int:
        return hash(self.data)

    def __repr__(self) -> str:
        return f"PublicKey({self.type.name}, {self.data.hex()})"


class PrivateKey:
    """Our own Ed25519 key. Its text forms never show the secret."""

    __slots__ = ("_key", "public_key", "seed")

    seed: Final[bytes]
    public_key: Final[PublicKey]

    def __init__(self, seed: bytes) -> None:
        if len(seed) != ED25519_SEED_BYTES:
            raise InvalidKey(f"an Ed25519 seed has {ED25519_SEED_BYTES} bytes, not {len(seed)}")
        self._key: Final = Ed25519PrivateKey.from_private_bytes(seed)
        self.seed = seed
        self.public_key = PublicKey(KeyType.ED25519, self._key.public_key().public_bytes_raw())

    @classmethod
    def from_seed(cls, seed: bytes) -> PrivateKey:
        """The key that 32 secret random bytes stand for. Raises `InvalidKey` on another length."""
        return cls(seed)

    @classmethod
    def from_protobuf(cls, raw: bytes) -> PrivateKey:
        """Read a libp2p key file: seed and public key, or the older form that repeats the latter.

        Raises `InvalidKey`, also for key types that cannot be a Warren identity.
        """
        type_, data = _split_protobuf(raw)
        if type_ is not KeyType.ED25519:
            raise InvalidKey(f"a node's own key is Ed25519, not {type_.name}")
        key = cls(data[:ED25519_SEED_BYTES])
        if data[ED25519_SEED_BYTES:] not in (key.public_key.data, key.public_key.data * 2):
            raise InvalidKey("the public half of the key file does not belong to its private half")
        return key

    def to_protobuf(self) -> bytes:
        """The form that libp2p key files hold. Secret."""
        return _ED25519_PRIVATE_HEADER + self.seed + self.public_key.data

    @property
    def peer_id(self) -> PeerId:
        """The peer id of the public half."""
        return self.public_key.peer_id

    def sign(self, message: bytes) -> bytes:
        """A 64-byte signature over `message`."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"PrivateKey(of {self.peer_id})"


def _join_protobuf(type_: KeyType, data: bytes) -> bytes:
    return b"".join((b"\x08", varint.encode(type_), b"\x12", varint.encode(len(data)), data))


def _split_protobuf(raw: bytes) -> tuple[KeyType, bytes]:
    """Type and data of a key message; only the canonical encoding passes, so no general parser is used."""
    if len(raw) > KEY_PROTOBUF_BYTES_MAX:
        raise InvalidKey(f"key message exceeds {KEY_PROTOBUF_BYTES_MAX} bytes")
    if len(raw) < 4 or raw[0] != 0x08 or raw[2] != 0x12 or raw[1] > KeyType.ECDSA:
        raise InvalidKey("not a canonical key message of a known type")
    try:
        header = varint.decode(raw, 3)
    except ProtocolViolation as error:
        raise InvalidKey(f"not a canonical key message: {error}") from error
    if header is None or header[0] != len(raw) - header[1]:
        raise InvalidKey("key message is cut short or carries more than a key")
    return KeyType(raw[1]), raw[header[1] :]


@lru_cache(maxsize=256)
def _load(type_: KeyType, data: bytes) -> _LoadedKey:
    """The key as the cipher library knows it. Raises `InvalidKey`."""
    if type_ is KeyType.ED25519:
        return Ed25519PublicKey.from_public_bytes(data)
    if type_ is KeyType.SECP256K1:
        return _load_secp256k1(data)
    return _load_der(type_, data)


def _load_secp256k1(data: bytes) -> ec.EllipticCurvePublicKey:
    if len(data) != 33:
        raise InvalidKey(f"a secp256k1 key is a compressed point of 33 bytes, not {len(data)}")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidKey("not a point of secp256k1") from error


def _load_der(type_: KeyType, data: bytes) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    try:
        key = load_der_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidKey(f"not an {type_.name} key in PKIX form") from error
    if type_ is KeyType.RSA and isinstance(key, rsa.RSAPublicKey):
        _check_rsa(key)
    elif type_ is KeyType.ECDSA and isinstance(key, ec.EllipticCurvePublicKey):
        _check_ecdsa(key)
    else:
        raise InvalidKey(f"the key is not of the type it announces, {type_.name}")
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != data:
        raise InvalidKey(f"{type_.name} key is not in canonical form")
    return key


def _check_rsa(key: rsa.RSAPublicKey) -> None:
    if not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
        raise InvalidKey(f"RSA keys have {RSA_BITS_MIN} to {RSA_BITS_MAX} bits, not {key.key_size}")
    if key.public_numbers().e > RSA_EXPONENT_MAX:
        raise InvalidKey("RSA exponent is too large")


def _check_ecdsa(key: ec.EllipticCurvePublicKey) -> None:
    if key.curve.name not in _ECDSA_CURVES:
        raise InvalidKey(f"ECDSA curve {key.curve.name} is not supported")
