from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core import varint
from warren.core.errors import MisuseError, ProtocolViolation

NUMBERS = st.integers(0, varint.VARINT_MAX)


# https://github.com/multiformats/unsigned-varint#format
@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8001"),
        (255, "ff01"),
        (300, "ac02"),
        (16384, "808001"),
        (varint.VARINT_MAX, "ffffffffffffffff7f"),
    ],
)
def test_vectors(number: int, encoded: str) -> None:
    raw = bytes.fromhex(encoded)
    assert varint.encode(number) == raw
    assert varint.decode(raw) == (number, len(raw))


@pytest.mark.parametrize("number", [-1, varint.VARINT_MAX + 1])
def test_encode_refuses_what_does_not_fit(number: int) -> None:
    with pytest.raises(MisuseError):
        varint.encode(number)


@pytest.mark.parametrize("raw", ["8000", "ff00", "80808000", "ffffffffffffffffff00", "ffffffffffffffffff"])
def test_decode_refuses_overlong_and_too_long(raw: str) -> None:
    with pytest.raises(ProtocolViolation):
        varint.decode(bytes.fromhex(raw))


@given(NUMBERS, st.binary(max_size=4), st.binary(max_size=4))
def test_round_trip_at_any_position(number: int, before: bytes, after: bytes) -> None:
    encoded = varint.encode(number)
    buf = before + encoded + after
    for view in (buf, bytearray(buf), memoryview(buf)):
        assert varint.decode(view, len(before)) == (number, len(before) + len(encoded))


@given(NUMBERS)
def test_a_prefix_asks_for_more(number: int) -> None:
    encoded = varint.encode(number)
    for cut in range(len(encoded)):
        assert varint.decode(encoded[:cut]) is None


@given(st.binary(max_size=12))
def test_what_decodes_is_the_only_encoding(raw: bytes) -> None:
    try:
        found = varint.decode(raw)
    except ProtocolViolation:
        return
    if found is not None:
        value, end = found
        assert varint.encode(value) == raw[:end]
