"""The messages of a swarm, there and back, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.cid import Cid
from warren.core.errors import ProtocolViolation
from warren.core.peer_id import PeerId
from warren.core.ticket import SEALED_BYTES_MAX as TICKET_BYTES_MAX
from warren.protocols.swarm.messages import (
    ANSWER_BYTES_MAX,
    ASK_BYTES_MAX,
    FELLOWS_MAX,
    LEAVES_MAX,
    RECORD_BYTES_MAX,
    SEGMENT_BYTES,
    SEGMENT_LEAVES,
    SEGMENTS_MAX,
    TICKETS_MAX,
    UNKNOWN,
    Answer,
    Ask,
    Fellow,
    Holding,
    Segment,
    Version,
)
from warren.protocols.swarm.proto import swarm_pb2 as pb

LONGEST = (1 << 64) - 1
LAST = LEAVES_MAX // SEGMENT_LEAVES - 1
PEERS = st.integers(0, 255).map(lambda n: PeerId(b"\x00\x24\x08\x01\x12\x20" + bytes([n]) * 32))
ROOTS = st.binary(min_size=32, max_size=32).map(Cid.raw_sha256)
NUMBERS = st.integers(0, LONGEST)
VERSIONS = st.builds(Version, NUMBERS, NUMBERS)
SEGMENTS = st.builds(Segment, st.integers(0, LAST), st.binary(min_size=SEGMENT_BYTES, max_size=SEGMENT_BYTES))
HOLDINGS = st.just(Holding(complete=True)) | st.builds(
    Holding,
    st.just(value=False),
    VERSIONS,
    NUMBERS,
    st.lists(SEGMENTS, max_size=5, unique_by=lambda one: one.at).map(tuple),
)
ENVELOPES = st.binary(max_size=50)
ASKS = st.builds(
    Ask,
    ROOTS,
    st.lists(ENVELOPES, max_size=TICKETS_MAX).map(tuple),
    st.none() | HOLDINGS,
    VERSIONS,
    st.booleans(),
)
FELLOWS = st.builds(Fellow, PEERS, ENVELOPES, st.integers(0, (1 << 32) - 1))
ANSWERS = st.sampled_from([Answer("not found"), Answer("busy")]) | st.builds(
    Answer,
    st.just("ok"),
    st.booleans(),
    ENVELOPES,
    st.none() | PEERS,
    HOLDINGS,
    VERSIONS,
    st.lists(FELLOWS, max_size=FELLOWS_MAX).map(tuple),
    NUMBERS,
)
ROOT = Cid.raw_sha256(bytes(32))
PEER = PeerId(b"\x00\x24\x08\x01\x12\x20" + bytes(32))
FULL = bytes([255]) * SEGMENT_BYTES


@given(ASKS)
def test_a_request_there_and_back(ask: Ask) -> None:
    assert Ask.from_bytes(ask.to_bytes()) == ask


@given(ANSWERS)
def test_an_answer_there_and_back(answer: Answer) -> None:
    assert Answer.from_bytes(answer.to_bytes()) == answer


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    for kind in (Ask, Answer):
        try:
            kind.from_bytes(data)
        except ProtocolViolation:
            continue


def test_the_largest_messages_fit() -> None:
    version = Version(LONGEST, LONGEST)
    segments = tuple(Segment(LAST - n, FULL) for n in range(SEGMENTS_MAX))
    holding = Holding(False, version, LONGEST, segments)
    ask = Ask(ROOT, (bytes(TICKET_BYTES_MAX),) * TICKETS_MAX, holding, version)
    assert len(ask.to_bytes()) <= ASK_BYTES_MAX
    fellow = Fellow(PEER, bytes(RECORD_BYTES_MAX), (1 << 32) - 1)
    answer = Answer("ok", True, bytes(TICKET_BYTES_MAX), PEER, holding, version, (fellow,) * FELLOWS_MAX)
    assert len(answer.to_bytes()) <= ANSWER_BYTES_MAX
    assert Ask.from_bytes(ask.to_bytes()) == ask
    assert Answer.from_bytes(answer.to_bytes()) == answer


def test_a_refusal_says_nothing_else() -> None:
    everything = Answer("not found", True, b"t", PEER, Holding(complete=True), Version(1, 2), (Fellow(PEER),))
    assert everything.to_bytes() == Answer("not found").to_bytes()
    lying = pb.Answer(status=pb.BUSY, public=True, ticket=b"t", fellows=[pb.Fellow(peer_id=b"x")])
    assert Answer.from_bytes(lying.SerializeToString()) == Answer("busy")


def test_of_who_has_everything_no_more_is_read() -> None:
    holding = pb.Holding(complete=True, since=3, segments=[pb.Segment(at=LAST + 1)])
    read = Answer.from_bytes(pb.Answer(holding=holding).SerializeToString())
    assert read.holding == Holding(complete=True, version=UNKNOWN)


def ask_of(**fields: object) -> bytes:
    return pb.Ask(root=ROOT.to_bytes(), **fields).SerializeToString()  # type: ignore[arg-type]


def holding_of(*segments: pb.Segment) -> bytes:
    return ask_of(mine=pb.Holding(segments=segments))


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"\xff", "malformed"),
        (b"", "malformed"),
        (pb.Ask(root=b"no root").SerializeToString(), "malformed"),
        (bytes(ASK_BYTES_MAX + 1), "bytes"),
        (ask_of(tickets=[b""] * (TICKETS_MAX + 1)), "tickets"),
        (ask_of(tickets=[bytes(TICKET_BYTES_MAX + 1)]), "ticket of"),
        (holding_of(*[pb.Segment(leaves=FULL)] * (SEGMENTS_MAX + 1)), "segments"),
        (holding_of(*[pb.Segment(at=1, leaves=FULL)] * 2), "twice"),
        (holding_of(pb.Segment(at=LAST + 1, leaves=FULL)), "segment"),
        (holding_of(pb.Segment(leaves=FULL[1:])), "segment"),
    ],
)
def test_bad_requests_are_refused(data: bytes, match: str) -> None:
    with pytest.raises(ProtocolViolation, match=match):
        Ask.from_bytes(data)


def answer_of(**fields: object) -> bytes:
    return pb.Answer(**fields).SerializeToString()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"\xff", "malformed"),
        (bytes(ANSWER_BYTES_MAX + 1), "bytes"),
        (b"\x08\x07", "status 7"),
        (answer_of(ticket=bytes(TICKET_BYTES_MAX + 1)), "ticket of"),
        (answer_of(origin=b"x"), "peer"),
        (answer_of(fellows=[pb.Fellow(peer_id=b"x")]), "peer"),
        (answer_of(fellows=[pb.Fellow(peer_id=PEER.to_bytes())] * (FELLOWS_MAX + 1)), "fellows"),
        (
            answer_of(fellows=[pb.Fellow(peer_id=PEER.to_bytes(), record=bytes(RECORD_BYTES_MAX + 1))]),
            "record",
        ),
    ],
)
def test_bad_answers_are_refused(data: bytes, match: str) -> None:
    with pytest.raises(ProtocolViolation, match=match):
        Answer.from_bytes(data)
