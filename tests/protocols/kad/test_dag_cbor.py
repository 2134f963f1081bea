from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import MisuseError, ProtocolViolation
from warren.protocols.kad import dag_cbor
from warren.protocols.kad.dag_cbor import DEPTH_MAX, Link

VALUES: st.SearchStrategy[dag_cbor.Value] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.binary(max_size=40)
    | st.text(max_size=40)
    | st.binary(max_size=40).map(Link),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_round_trip(value: dag_cbor.Value) -> None:
    assert dag_cbor.decode(dag_cbor.encode(value)) == value


@given(
    st.binary(max_size=60) | st.tuples(VALUES, st.integers(0), st.integers(0, 255)).map(lambda t: bent(*t))
)
def test_foreign_bytes_are_refused_or_canonical(raw: bytes) -> None:
    try:
        value = dag_cbor.decode(raw)
    except ProtocolViolation:
        return
    assert dag_cbor.encode(value) == raw


def bent(value: dag_cbor.Value, place: int, byte: int) -> bytes:
    raw = bytearray(dag_cbor.encode(value))
    raw[place % len(raw)] = byte
    return bytes(raw)


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        # Appendix A of RFC 8949, as far as DAG-CBOR has it.
        (0, "00"),
        (23, "17"),
        (24, "1818"),
        (1000, "1903e8"),
        (1000000000000, "1b000000e8d4a51000"),
        (18446744073709551615, "1bffffffffffffffff"),
        (-18446744073709551616, "3bffffffffffffffff"),
        (-1, "20"),
        (1.1, "fb3ff199999999999a"),
        (True, "f5"),
        (None, "f6"),
        (b"\1\2\3\4", "4401020304"),
        ("ü", "62c3bc"),
        ([1, [2, 3], [4, 5]], "8301820203820405"),
        ({"a": 1, "b": [2, 3]}, "a26161016162820203"),
        # The shorter key comes first, whatever its letters.
        ({"aa": 1, "z": 2}, "a2617a0262616101"),
    ],
)
def test_known_encodings(value: dag_cbor.Value, raw: str) -> None:
    assert dag_cbor.encode(value).hex() == raw
    assert dag_cbor.decode(bytes.fromhex(raw)) == value


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("", "cut short"),
        ("1817", "longer than it needs"),
        ("190018", "longer than it needs"),
        ("1a0000ffff", "longer than it needs"),
        ("1b00000000ffffffff", "longer than it needs"),
        ("5f4101ff", "tells each length"),
        ("9f01ff", "tells each length"),
        ("bf616101ff", "tells each length"),
        ("1c", "tells each length"),
        ("f93c00", "no value that begins with 0xf9"),
        ("fa3f800000", "no value that begins with 0xfa"),
        ("f7", "no value that begins with 0xf7"),
        ("fb7ff0000000000000", "finite"),
        ("fb7ff8000000000000", "finite"),
        ("a2616201616101", "stand in order"),
        ("a2616101616102", "stand in order"),
        ("a2626161016161", "stand in order"),
        ("a10101", "keys of DAG-CBOR are text"),
        ("61ff", "UTF-8"),
        ("62eda0", "UTF-8"),
        ("c11a514b67b0", "one tag, 42"),
        ("d82a4101", "one tag, 42"),
        ("d82a60", "one tag, 42"),
        ("d82a40", "one tag, 42"),
        ("0000", "goes on"),
        ("5bffffffffffffffff", "cut short"),
        ("9bffffffffffffffff", "cut short"),
        ("bb7fffffffffffffff", "cut short"),
        ("81" * DEPTH_MAX + "00", "nested"),
        ("a16161" * DEPTH_MAX + "00", "nested"),
    ],
)
def test_what_has_another_form_is_refused(raw: str, why: str) -> None:
    with pytest.raises(ProtocolViolation, match=why):
        dag_cbor.decode(bytes.fromhex(raw))


def test_what_is_as_deep_as_may_be_is_read() -> None:
    assert dag_cbor.decode(b"\x81" * (DEPTH_MAX - 1) + b"\0") is not None


@pytest.mark.parametrize("value", [2**64, -(2**64) - 1, float("nan"), float("inf"), [float("-inf")]])
def test_what_has_no_form_is_not_written(value: dag_cbor.Value) -> None:
    with pytest.raises(MisuseError):
        dag_cbor.encode(value)
