from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from warren.core import protobuf
from warren.core.errors import ProtocolViolation
from warren.core.proto.envelope_pb2 import Envelope

DATA = Envelope(payload=b"what is said").SerializeToString()


@pytest.mark.parametrize("bytes_max", [None, len(DATA), len(DATA) + 1])
def test_a_message_within_its_bound_is_read(bytes_max: int | None) -> None:
    message = protobuf.parse(Envelope, DATA, "an envelope", bytes_max)
    assert type(message) is Envelope
    assert message.payload == b"what is said"


def test_what_is_too_long_is_refused_with_both_sizes() -> None:
    with pytest.raises(ProtocolViolation) as caught:
        protobuf.parse(Envelope, DATA, "an envelope", len(DATA) - 1)
    assert str(caught.value) == f"an envelope of {len(DATA)} bytes exceeds the limit of {len(DATA) - 1}"


def test_what_is_too_long_is_not_taken_apart() -> None:
    with pytest.raises(ProtocolViolation, match="exceeds"):
        protobuf.parse(Envelope, b"\xff\xff", "an envelope", 1)


def test_nothing_at_all_is_a_message_whose_fields_are_empty() -> None:
    assert protobuf.parse(Envelope, b"", "an envelope", 0) == Envelope()


@pytest.mark.parametrize("bytes_max", [None, len(DATA)])
def test_what_is_no_message_is_refused_by_name_and_keeps_its_cause(bytes_max: int | None) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        protobuf.parse(Envelope, DATA[:-1], "presence: the call", bytes_max)
    assert str(caught.value) == "presence: the call is malformed"
    assert isinstance(caught.value.__cause__, DecodeError)


@given(st.binary(max_size=100))
def test_any_bytes_become_a_message_or_a_violation(data: bytes) -> None:
    try:
        message = protobuf.parse(Envelope, data, "an envelope")
    except ProtocolViolation:
        return
    assert message == Envelope.FromString(message.SerializeToString())
