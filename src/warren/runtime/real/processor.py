"""What this machine's processor does well, measured once for the process.

A measurement in place of a list of processors: it is right on those that nobody has heard of yet.
"""

from __future__ import annotations

from functools import cache
from time import perf_counter
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

_SAMPLE: Final = bytes(16 * 1024)
_TURNS: Final = 8
"""The quickest of them counts: what else the machine did in between only ever adds."""


@cache
def aes_is_fast() -> bool:
    """Whether AES-256-GCM seals in less time than ChaCha20-Poly1305: so with instructions for AES, and not
    without.

    Takes below 1 ms with them, and some milliseconds without.
    """
    return _seconds(AESGCM) < _seconds(ChaCha20Poly1305)


def _seconds(cipher: type[AESGCM | ChaCha20Poly1305]) -> float:
    """To seal one sample."""
    seal, took = cipher(bytes(32)).encrypt, []
    for turn in range(_TURNS):
        begun = perf_counter()
        seal(turn.to_bytes(12, "big"), _SAMPLE, None)
        took.append(perf_counter() - begun)
    return min(took)
