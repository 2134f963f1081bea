"""The space in which keys and peers have their places: 256 bits, distance by XOR. Pure.

In:  keys and peer ids in bytes. Out: positions as integers, and keys whose position begins as asked.
https://github.com/libp2p/specs/blob/master/kad-dht/README.md#distance
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

BITS: Final = 256
KNOWN_PREFIX_BITS_MAX: Final = 12
"""`key_near` tries keys until one fits, 2 to the power of this on average. Fault: a loop held for long."""


@lru_cache(maxsize=16384)
def position(key: bytes) -> int:
    """Where a key, or the id of a peer, has its place."""
    return int.from_bytes(hashlib.sha256(key).digest())


def shared_bits(one: int, other: int) -> int:
    """With how many equal bits two positions begin: 256 for the same."""
    return BITS - (one ^ other).bit_length()


def key_near(own: int, bits: int, seed: bytes) -> bytes:
    """A key whose position begins with exactly `bits` bits of `own`, or with as many as can be found quickly.

    seed: chance; other seeds give other keys.
    """
    wanted = min(bits, KNOWN_PREFIX_BITS_MAX - 1)
    number = 0
    while True:
        key = hashlib.sha256(b"%b%d" % (seed, number)).digest()
        if shared_bits(own, int.from_bytes(hashlib.sha256(key).digest())) == wanted:
            return key
        number += 1
