"""The two messages: they come back as they were, and foreign bytes do no harm."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import ProtocolViolation, Refused
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.protocols.invite.messages import (
    ADDRESSES_MAX,
    MESSAGE_BYTES_MAX,
    Claim,
    Introduction,
    read_answer,
    refusal,
    welcome,
)
from warren.protocols.invite.proto import invite_pb2

if TYPE_CHECKING:
    from warren.protocols.invite.messages import Reason

HOME = Multiaddr.parse("/ip4/192.0.2.1/tcp/1")
ANNA = PrivateKey.from_seed(bytes(32)).peer_id
CLAIM = Claim(bytes(32), bytes(64), Introduction("Anna", (HOME,)))


def test_messages_come_back_as_they_were() -> None:
    assert Claim.from_bytes(CLAIM.to_bytes()) == CLAIM
    assert read_answer(welcome(CLAIM.introduction)) == CLAIM.introduction


@pytest.mark.parametrize("reason", invite_pb2.Refusal.Reason.values())
def test_every_refusal_has_words_and_advice(reason: Reason) -> None:
    with pytest.raises(Refused) as caught:
        read_answer(refusal(reason))
    assert caught.value.hint


def test_a_refusal_of_a_newer_version_is_still_one() -> None:
    with pytest.raises(Refused, match="said no"):
        read_answer(b"\x12\x02\x08\x63")


def test_what_is_no_message_is_a_violation() -> None:
    for parse in (Claim.from_bytes, read_answer):
        with pytest.raises(ProtocolViolation):
            parse(b"\xff\xff")
    with pytest.raises(ProtocolViolation, match="empty"):
        read_answer(b"")


def test_names_and_addresses_are_bounded_both_ways() -> None:
    boaster = Introduction("x" * 500, tuple(Multiaddr.tcp("192.0.2.1", port) for port in range(1, 50)))
    heard = read_answer(welcome(boaster))
    assert (heard.name, heard.addresses) == ("x" * 64, boaster.addresses[:ADDRESSES_MAX])
    raw = invite_pb2.Answer(
        welcome=invite_pb2.Introduction(
            name="y" * 500, addresses=[one.to_bytes() for one in boaster.addresses]
        )
    )
    heard = read_answer(raw.SerializeToString())
    assert (heard.name, heard.addresses) == ("y" * 64, boaster.addresses[:ADDRESSES_MAX])


def test_the_largest_honest_claim_fits() -> None:
    long = Multiaddr.parse(f"/dns4/{'.'.join(['a' * 60] * 4)}/tcp/4101")
    assert (
        len(Claim(bytes(32), bytes(64), Introduction("ü" * 64, (long,) * 8)).to_bytes()) < MESSAGE_BYTES_MAX
    )


def test_addresses_of_unknown_transports_are_left_out_and_peer_ids_dropped() -> None:
    addresses = [b"\xff\xff\x03", HOME.with_peer(ANNA).to_bytes()]
    raw = invite_pb2.Answer(welcome=invite_pb2.Introduction(addresses=addresses)).SerializeToString()
    assert read_answer(raw).addresses == (HOME,)


@given(st.binary(max_size=300))
def test_foreign_bytes_raise_documented_errors_only(data: bytes) -> None:
    with contextlib.suppress(ProtocolViolation):
        Claim.from_bytes(data)
    with contextlib.suppress(ProtocolViolation, Refused):
        read_answer(data)
