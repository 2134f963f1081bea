"""Messages come back as they were; what strangers send is bounded and does no harm."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.kad.peers import info, peer
from warren.core import varint
from warren.core.errors import ProtocolViolation
from warren.protocols.kad.messages import (
    ADDRESSES_MAX,
    CLOSER_MAX,
    PROVIDERS_MAX,
    REQUEST_BYTES_MAX,
    Kind,
    Message,
    PeerInfo,
)
from warren.protocols.kad.proto import dht_pb2 as pb
from warren.protocols.kad.records import KEY_BYTES_MAX, VALUE_BYTES_MAX, Record


def body(message: Message) -> bytes:
    framed = message.to_frame()
    found = varint.decode(framed)
    assert found is not None
    assert found[0] == len(framed) - found[1]
    return framed[found[1] :]


def again(message: Message) -> Message:
    return Message.from_bytes(body(message))


infos = st.lists(st.integers(0, 99).map(info), max_size=CLOSER_MAX).map(tuple)
records = st.builds(
    Record,
    st.binary(max_size=40),
    st.binary(max_size=99),
    st.none() | st.integers(0, 1 << 40).map(lambda ticks: ticks / 128),
)
messages = st.builds(
    Message, st.sampled_from(Kind), st.binary(max_size=99), st.none() | records, closer=infos, providers=infos
)


@given(messages)
def test_messages_come_back_as_they_were(message: Message) -> None:
    assert again(message) == message


def test_the_wire_form_is_that_of_the_specification() -> None:
    message = Message(Kind.FIND_NODE, b"key", closer=(info(1),))
    raw = info(1).addresses[0].to_bytes()
    inner = b"\x0a\x26" + peer(1).to_bytes() + b"\x12" + bytes([len(raw)]) + raw
    assert body(message) == b"\x08\x04\x12\x03key\x42" + bytes([len(inner)]) + inner


@given(st.binary(max_size=200))
def test_foreign_bytes_do_no_harm(data: bytes) -> None:
    with contextlib.suppress(ProtocolViolation):
        Message.from_bytes(data)


@given(messages, st.data())
def test_damaged_messages_do_no_harm(message: Message, data: st.DataObject) -> None:
    raw = bytearray(body(message))
    if raw:
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(ProtocolViolation):
        Message.from_bytes(bytes(raw))


def test_peers_and_addresses_beyond_the_bounds_are_left_out() -> None:
    many = PeerInfo(peer(1), tuple(info(n).addresses[0] for n in range(ADDRESSES_MAX + 5)))
    raw = body(Message(Kind.GET_PROVIDERS, closer=(many,) * 30, providers=(many,) * 300))
    message = Message.from_bytes(raw)
    assert (len(message.closer), len(message.providers)) == (CLOSER_MAX, PROVIDERS_MAX)
    assert message.closer[0].addresses == many.addresses[:ADDRESSES_MAX]


def test_what_cannot_be_read_of_a_peer_is_left_out() -> None:
    wire = pb.Message(type=pb.Message.FIND_NODE)
    wire.closerPeers.add(id=b"no peer id")
    wire.closerPeers.add(id=peer(2).to_bytes(), addrs=[b"\xff\xff", info(2).addresses[0].to_bytes()])
    assert Message.from_bytes(wire.SerializeToString()).closer == (info(2),)


def test_a_peer_id_at_the_end_of_an_address_is_dropped() -> None:
    (plain,) = info(3).addresses
    wire = pb.Message()
    wire.closerPeers.add(id=peer(3).to_bytes(), addrs=[plain.with_peer(peer(3)).to_bytes()])
    assert Message.from_bytes(wire.SerializeToString()).closer == (info(3),)


@pytest.mark.parametrize(
    "message",
    [
        Message(Kind.GET_VALUE, bytes(KEY_BYTES_MAX + 1)),
        Message(Kind.PUT_VALUE, b"k", Record(bytes(KEY_BYTES_MAX + 1), b"v")),
        Message(Kind.PUT_VALUE, b"k", Record(b"k", bytes(VALUE_BYTES_MAX + 1))),
    ],
    ids=["key", "key of a record", "value"],
)
def test_keys_and_values_beyond_the_bounds_are_refused(message: Message) -> None:
    with pytest.raises(ProtocolViolation, match="bytes"):
        again(message)


def test_a_kind_that_is_not_known_is_refused() -> None:
    with pytest.raises(ProtocolViolation):
        Message.from_bytes(b"\x08\x09")


def test_the_largest_record_fits_a_request() -> None:
    key = bytes(KEY_BYTES_MAX)
    message = Message(Kind.PUT_VALUE, key, Record(key, bytes(VALUE_BYTES_MAX), 1.0))
    assert len(body(message)) <= REQUEST_BYTES_MAX


@pytest.mark.parametrize("text", ["", "yesterday", "9999-12-31T23:59:59.999999999Z", "1767225600.5"])
def test_a_time_that_cannot_be_read_is_none(text: str) -> None:
    wire = pb.Message(record=pb.Record(key=b"k", timeReceived=text))
    message = Message.from_bytes(wire.SerializeToString())
    assert message.record == Record(b"k", b"", None)
    assert again(message) == message
