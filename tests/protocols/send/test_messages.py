"""The messages of a send: they come back as they were, and foreign bytes do no harm."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.cid import Cid
from warren.core.errors import ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.protocols.send.messages import (
    ITEMS_MAX,
    SMALL_BYTES_MAX,
    Declined,
    Granted,
    Hello,
    Item,
    Offer,
    Proof,
    Report,
    challenge,
    clipped,
    read_answer,
    read_challenge,
    refused_hello,
    refused_proof,
)
from warren.protocols.send.proto import send_pb2 as pb
from warren.protocols.send.questions import (
    ADDRESSES_MAX,
    FOUND_MAX,
    QUESTION_BYTES_MAX,
    TOLD_BYTES_MAX,
    Leave,
    Seek,
    Take,
    Told,
    Wanted,
    Whereabouts,
    read_question,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.protocols.send.questions import Question

ANNA = PrivateKey.from_seed(bytes(32)).peer_id
HOME = Multiaddr.parse("/ip4/192.0.2.1/tcp/1")
ROOT = Cid.raw_sha256(bytes(32))
ITEM = Item(ROOT, "holiday", 5_000_000_000, 12, is_folder=True, ticket=b"t" * 300)
WHO = Whereabouts(ANNA, (HOME,))
READERS: list[Callable[[bytes], object]] = [
    read_challenge,
    read_answer,
    read_question,
    Hello.from_bytes,
    Proof.from_bytes,
    Offer.from_bytes,
    Report.from_bytes,
    Told.from_bytes,
]
QUESTIONS: list[Question] = [Take(4071, (HOME,)), Leave(4071), Seek(4071, (HOME,)), Wanted(4071, WHO)]


def test_messages_come_back_as_they_were() -> None:
    hello, proof = Hello(4071, bytes(33)), Proof(bytes(32))
    assert Hello.from_bytes(hello.to_bytes()) == hello
    assert Proof.from_bytes(proof.to_bytes()) == proof
    for report in (
        Report("done", 1 << 40, "Anna"),
        Report("asking"),
        Report("declined"),
        Report("failed", 7),
    ):
        assert Report.from_bytes(report.to_bytes()) == report
    assert read_challenge(challenge(bytes(33))) == bytes(33)
    granted = Granted(bytes(32), b"offer")
    assert read_answer(granted.to_bytes()) == granted
    for question in QUESTIONS:
        assert read_question(question.to_bytes()) == question
    told = Told(120, (WHO, Whereabouts(ANNA)))
    assert Told.from_bytes(told.to_bytes()) == told


def test_an_offer_comes_back_and_is_counted() -> None:
    offer = Offer((ITEM, Item(ROOT, "note.txt", 10, 1, is_folder=False)), "Ben")
    assert Offer.from_bytes(offer.to_bytes()) == offer
    assert (offer.size, offer.files) == (5_000_000_010, 13)


def test_a_no_carries_its_reason() -> None:
    for reason in (pb.Refusal.WRONG, pb.Refusal.WITHDRAWN, pb.Refusal.UNSPECIFIED):
        with pytest.raises(Declined) as caught:
            read_challenge(refused_hello(reason))
        assert caught.value.reason == reason
        with pytest.raises(Declined) as caught:
            read_answer(refused_proof(reason))
        assert caught.value.reason == reason
    later = b"\x12\x02\x08\x63"  # a refusal for a reason of a later version: 99
    for read in READERS[:2]:
        with pytest.raises(Declined, match="99"):
            read(later)


def test_the_longest_messages_are_within_their_bounds() -> None:
    report = Report("fetching", (1 << 64) - 1, clipped("\U0001f600" * 100))
    assert len(report.to_bytes()) < SMALL_BYTES_MAX
    assert Report.from_bytes(report.to_bytes()).name == "\U0001f600" * 64
    assert len(Hello((1 << 32) - 1, bytes(33)).to_bytes()) < SMALL_BYTES_MAX
    long = Multiaddr.parse(f"/dns4/{'a' * 60}.{'b' * 60}.{'c' * 60}.example/tcp/4101")
    assert len(Take(9999, (long,) * 20).to_bytes()) < QUESTION_BYTES_MAX
    assert len(Told(120, (Whereabouts(ANNA, (long,) * 20),) * FOUND_MAX).to_bytes()) < TOLD_BYTES_MAX


def test_what_is_wrong_inside_is_refused() -> None:
    good = pb.Item(root=ROOT.to_bytes(), name="a", size=1, files=1)

    def but(**changed: object) -> pb.Item:
        item = pb.Item()
        item.CopyFrom(good)
        for name, value in changed.items():
            setattr(item, name, value)
        return item

    Offer.from_bytes(pb.Offer(items=[good]).SerializeToString())
    for items, complaint in (
        ([], "0 items"),
        ([good] * (ITEMS_MAX + 1), "65 items"),
        ([but(root=b"?")], "content id"),
        ([but(name="")], "name"),
        ([but(name="\u00e9" * 128)], "name"),
        ([but(ticket=bytes(2561))], "ticket"),
        ([but(size=(1 << 64) - 1)], "bytes"),
        ([but(files=(1 << 64) - 1)], "files"),
    ):
        with pytest.raises(ProtocolViolation, match=complaint):
            Offer.from_bytes(pb.Offer(items=items).SerializeToString())
    with pytest.raises(ProtocolViolation, match="65 characters"):
        Offer.from_bytes(pb.Offer(items=[good], name="n" * 65).SerializeToString())
    with pytest.raises(ProtocolViolation, match="65 characters"):
        Report.from_bytes(Report("done", 0, "n" * 65).to_bytes())
    with pytest.raises(ProtocolViolation, match="state 0"):
        Report.from_bytes(b"")


def test_empty_and_malformed_messages_are_refused() -> None:
    for read in READERS[:3]:
        with pytest.raises(ProtocolViolation, match="empty"):
            read(b"")
    for read in READERS:
        with pytest.raises(ProtocolViolation, match="malformed"):
            read(b"\xff")
    with pytest.raises(ProtocolViolation, match="bytes"):
        read_question(bytes(QUESTION_BYTES_MAX + 1))
    with pytest.raises(ProtocolViolation, match="answer of 65537 bytes"):
        Told.from_bytes(bytes(TOLD_BYTES_MAX + 1))
    with pytest.raises(ProtocolViolation, match="18 senders"):
        Told.from_bytes(Told(found=(WHO,) * 18).to_bytes())
    with pytest.raises(ProtocolViolation, match="send:"):
        read_question(pb.Question(wanted=pb.Wanted(who=pb.Found(peer_id=b"?"))).SerializeToString())


def test_addresses_are_bounded_and_those_we_cannot_read_are_left_out() -> None:
    raw = [b"\xff", *[Multiaddr.tcp("192.0.2.1", port).with_peer(ANNA).to_bytes() for port in range(1, 20)]]
    question = read_question(pb.Question(seek=pb.Place(channel=1, addresses=raw)).SerializeToString())
    assert isinstance(question, Seek)
    assert question.addresses == tuple(Multiaddr.tcp("192.0.2.1", port) for port in range(1, ADDRESSES_MAX))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    for read in READERS:
        with contextlib.suppress(ProtocolViolation, Declined):
            read(data)
