"""A round is begun by who began the search, and by nobody else."""

from __future__ import annotations

import hashlib

from warren.protocols.overlay.messages import ROUNDS_MAX
from warren.protocols.overlay.rounds import Rounds, is_proven

ROUNDS = Rounds(b"a secret of 16 B")


def test_each_round_is_proven_by_its_own_proof() -> None:
    for number in range(1, ROUNDS_MAX + 1):
        assert is_proven(ROUNDS.id, number, ROUNDS.proof(number))
    assert not is_proven(ROUNDS.id, ROUNDS_MAX + 1, bytes(16))


def test_what_is_known_of_earlier_rounds_proves_no_later_one() -> None:
    for number in range(2, ROUNDS_MAX + 1):
        known = [b"", ROUNDS.id, b"short", *(ROUNDS.proof(earlier) for earlier in range(1, number))]
        assert not any(is_proven(ROUNDS.id, number, proof) for proof in known)


def test_proofs_are_links_of_a_chain_that_ends_in_the_id() -> None:
    link = ROUNDS.proof(3)
    for _ in range(2):
        link = hashlib.sha256(link).digest()[:16]
    assert link == ROUNDS.id
    assert Rounds(b"another secret..").id != ROUNDS.id
