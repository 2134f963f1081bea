"""The proof: made from the secret alone, good for two peers only."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warren.core.keys import PrivateKey
from warren.protocols.invite.proof import prove, proves, token_of

ANNA, BOB, EVE = (PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in (1, 2, 3))
SECRET = bytes(range(16))


def test_the_holder_of_the_secret_is_believed() -> None:
    assert proves(token_of(SECRET), prove(SECRET, ANNA, BOB), ANNA, BOB)


def test_a_proof_is_worthless_to_others_and_elsewhere() -> None:
    proof = prove(SECRET, ANNA, BOB)
    assert not proves(token_of(SECRET), proof, ANNA, EVE)
    assert not proves(token_of(SECRET), proof, EVE, BOB)
    assert not proves(token_of(SECRET), proof, BOB, ANNA)
    assert not proves(token_of(bytes(16)), proof, ANNA, BOB)


def test_neither_token_nor_proof_holds_the_secret() -> None:
    assert SECRET not in token_of(SECRET) + prove(SECRET, ANNA, BOB)


@given(st.binary(max_size=70), st.binary(max_size=70))
def test_foreign_bytes_prove_nothing(token: bytes, proof: bytes) -> None:
    assert not proves(token, proof, ANNA, BOB)
    assert not proves(token_of(SECRET), proof, ANNA, BOB)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_foreign_bytes_of_the_right_size_prove_nothing(token: bytes, proof: bytes) -> None:
    assert not proves(token, proof, ANNA, BOB)
