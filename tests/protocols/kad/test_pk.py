from __future__ import annotations

import pytest

from tests.core import vectors
from warren.core.errors import InvalidRecord
from warren.core.keys import PublicKey
from warren.protocols.kad.pk import PREFIX, PkValidator

KEYS = [vectors.ED25519_PUBLIC, vectors.SECP256K1_PUBLIC, vectors.ECDSA_PUBLIC, vectors.RSA_PUBLIC]


def key_of(public_key: bytes) -> bytes:
    return PREFIX + PublicKey.from_protobuf(public_key).peer_id.to_bytes()


@pytest.mark.parametrize("raw", KEYS)
def test_a_key_is_taken_under_its_own_id_alone(raw: bytes) -> None:
    PkValidator().validate(key_of(raw), raw)
    for other in KEYS:
        if other != raw:
            with pytest.raises(InvalidRecord, match="was put under"):
                PkValidator().validate(key_of(other), raw)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (PREFIX, KEYS[0]),
        (key_of(KEYS[0]) + b"\0", KEYS[0]),
        (key_of(KEYS[0])[:-1], KEYS[0]),
        (key_of(KEYS[0]), b""),
        (key_of(KEYS[0]), KEYS[0] + b"\0"),
        (key_of(KEYS[3]), KEYS[3][:-1]),
    ],
)
def test_what_is_no_key_under_an_id_is_refused(key: bytes, value: bytes) -> None:
    with pytest.raises(InvalidRecord):
        PkValidator().validate(key, value)


def test_all_valid_values_are_equal() -> None:
    assert PkValidator().select(key_of(KEYS[0]), [KEYS[0], KEYS[0]]) == 0
