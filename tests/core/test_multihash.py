from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core import multihash, varint
from warren.core.errors import InputError


@given(st.binary(max_size=100))
def test_sha2_256_names_its_data(data: bytes) -> None:
    raw = multihash.sha2_256(data)
    assert raw[:2].hex() == "1220"
    assert multihash.decode(raw) == (multihash.SHA2_256, hashlib.sha256(data).digest())
    assert multihash.matches(raw, memoryview(data))
    assert not multihash.matches(raw, data + b"x")


def test_other_hashes() -> None:
    raw = multihash.encode(multihash.SHA2_512, hashlib.sha512(b"data").digest())
    assert raw[:2].hex() == "1340"
    assert multihash.matches(raw, b"data")
    assert multihash.matches(multihash.encode(multihash.IDENTITY, b"data"), memoryview(b"data"))
    assert not multihash.matches(multihash.encode(multihash.IDENTITY, b"data"), b"other")


def test_a_hash_we_cannot_compute_is_read_but_never_judged() -> None:
    raw = multihash.encode(0xB220, bytes(32))  # blake2b-256
    assert multihash.decode(raw) == (0xB220, bytes(32))
    with pytest.raises(InputError, match="0xb220"):
        multihash.matches(raw, b"data")


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "12",
        "1220",
        "1220" + "00" * 31,
        "1220" + "00" * 33,
        "1214" + "00" * 20,  # truncated digest
        "1320" + "00" * 32,
        "80",
        "8000",
        "1280",
        "128000",
        "00" + varint.encode(129).hex() + "00" * 129,
    ],
)
def test_refusals(raw: str) -> None:
    with pytest.raises(InputError):
        multihash.decode(bytes.fromhex(raw))


@given(st.binary(max_size=140))
def test_what_decodes_has_one_form(raw: bytes) -> None:
    try:
        code, digest = multihash.decode(raw)
    except InputError:
        return
    assert multihash.encode(code, digest) == raw
