"""Which rounds of a search its asker began: told by a chain of hashes, so that nobody else can begin one.

In:  a secret of who searches. Out: the id of the search, and for each round a proof that only its asker could
give before that round began. Pure.

The id is the end of the chain, a proof lies as many steps before it as there were rounds already:
`H(H(proof of round 3)) = H(proof of round 2) = id`, with H the first 16 bytes of SHA2-256. L. Lamport,
Password authentication with insecure communication, 1981.
"""

from __future__ import annotations

import hashlib
from typing import Final

from warren.protocols.overlay.messages import ID_BYTES, ROUNDS_MAX

SECRET_BYTES: Final = ID_BYTES


class Rounds:
    """Those of one search. secret: random, `SECRET_BYTES` long."""

    def __init__(self, secret: bytes) -> None:
        chain = [_step(secret)]
        while len(chain) < ROUNDS_MAX:
            chain.append(_step(chain[-1]))
        self._proofs = chain[::-1]

    @property
    def id(self) -> bytes:
        """What the search is known by."""
        return self._proofs[0]

    def proof(self, number: int) -> bytes:
        """Of a round, from 1 to `ROUNDS_MAX`. The first needs none."""
        return self._proofs[number - 1] if number > 1 else b""


def is_proven(id_: bytes, number: int, proof: bytes) -> bool:
    """Whether the asker of the search began the round."""
    if number <= 1:
        return True
    if number > ROUNDS_MAX or len(proof) != ID_BYTES:
        return False
    for _ in range(number - 1):
        proof = _step(proof)
    return proof == id_


def _step(link: bytes) -> bytes:
    return hashlib.sha256(link).digest()[:ID_BYTES]
