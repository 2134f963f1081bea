from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core import multibase
from warren.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

CODECS = [
    (multibase.base58btc_encode, multibase.base58btc_decode, "z"),
    (multibase.base32_encode, multibase.base32_decode, "b"),
    (multibase.base36_encode, multibase.base36_decode, "k"),
    (multibase.base64url_encode, multibase.base64url_decode, "u"),
]


# https://github.com/multiformats/multibase/tree/master/tests (basic, leading zeros)
@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"yes mani !", "z7paNL19xttacUY"),
        (b"yes mani !", "bpfsxgidnmfxgsibb"),
        (b"yes mani !", "BPFSXGIDNMFXGSIBB"),
        (b"yes mani !", "k2lcpzo5yikidynfl"),
        (b"yes mani !", "K2LCPZO5YIKIDYNFL"),
        (b"yes mani !", "ueWVzIG1hbmkgIQ"),
        (b"\0yes mani !", "z17paNL19xttacUY"),
        (b"\0yes mani !", "k02lcpzo5yikidynfl"),
        (b"\0\0yes mani !", "z117paNL19xttacUY"),
        (b"\0\0yes mani !", "baaahszltebwwc3tjeaqq"),
        (b"hello world", "bnbswy3dpeb3w64tmmq"),
        (b"", "z"),
        (b"", "b"),
        (b"", "k"),
        (b"", "u"),
    ],
)
def test_vectors(raw: bytes, text: str) -> None:
    assert multibase.decode(text) == raw


@pytest.mark.parametrize(("encode", "decode", "prefix"), CODECS)
@given(raw=st.binary(max_size=80))
def test_round_trip(
    encode: Callable[[bytes], str], decode: Callable[[str], bytes], prefix: str, raw: bytes
) -> None:
    text = encode(raw)
    assert decode(text) == raw
    assert multibase.decode(prefix + text) == raw


@pytest.mark.parametrize(("encode", "decode", "prefix"), CODECS)
@given(text=st.text(alphabet=st.characters(codec="utf-8"), max_size=40) | st.from_regex(r"[0-9A-Za-z_-]*"))
def test_text_that_decodes_has_one_meaning(
    encode: Callable[[bytes], str], decode: Callable[[str], bytes], prefix: str, text: str
) -> None:
    try:
        raw = decode(text)
    except InputError:
        return
    assert encode(raw) == (text.lower() if prefix in "bk" else text)


@given(st.text(max_size=40))
def test_only_documented_errors_escape(text: str) -> None:
    with contextlib.suppress(InputError):
        multibase.decode(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x00",
        "z0OIl",  # not in the alphabet
        "b1",  # not in the alphabet
        "ba",  # half a byte
        "bab",  # stray bits
        "bme======",  # padding
        "u*",
        "uA",
        "uab==",
        "uYWJj\n",
        "k-",
        "k\u212a",  # Kelvin sign: a `k` once lowered
        "z" + "1" * (multibase.TEXT_MAX + 1),
        "b" + "a" * (multibase.TEXT_MAX + 1),
        "u" + "a" * (multibase.TEXT_MAX + 1),
    ],
)
def test_refusals(text: str) -> None:
    with pytest.raises(InputError):
        multibase.decode(text)
