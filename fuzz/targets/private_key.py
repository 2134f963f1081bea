"""Key files: what passes is an Ed25519 key whose halves belong together."""

from __future__ import annotations

from warren.core.errors import InvalidKey
from warren.core.keys import PrivateKey

_KEY = PrivateKey.from_seed(bytes(32))

DOCUMENTED = (InvalidKey,)
SEEDS = (_KEY.to_protobuf(), b"\x08\x01\x12\x60" + _KEY.seed + _KEY.public_key.data * 2)


def parse(data: bytes) -> PrivateKey:
    return PrivateKey.from_protobuf(data)


def verify(data: bytes, key: PrivateKey) -> None:
    assert data.endswith(key.public_key.data)
    assert PrivateKey.from_seed(key.seed).public_key == key.public_key
    assert key.seed.hex() not in repr(key)
