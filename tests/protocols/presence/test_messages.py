"""The messages of presence, there and back, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core import fail_vote, lease
from warren.core.errors import ProtocolViolation
from warren.core.peer_id import PeerId
from warren.protocols.presence.messages import (
    ANSWER_BYTES_MAX,
    ASKED_MAX,
    CALL_BYTES_MAX,
    HELD_MAX,
    Accused,
    Answer,
    Ask,
    CastVote,
    Doubt,
    Standing,
    read_call,
)
from warren.protocols.presence.proto import presence_pb2 as pb

LONGEST = (1 << 64) - 1
PEERS = st.integers(0, 255).map(lambda n: PeerId(b"\x00\x24\x08\x01\x12\x20" + bytes([n]) * 32))
NUMBERS = st.integers(0, LONGEST)
COUNTS = st.integers(0, (1 << 32) - 1)
STANDINGS = st.builds(
    Standing, PEERS, st.sampled_from(["absent", "online", "held offline"]), NUMBERS, COUNTS, COUNTS
)
VERDICTS = st.sampled_from(["taken", "old", "full", "not online", "unknown", "refuted", "not here"])
CALLS = st.one_of(
    st.builds(CastVote, st.binary(max_size=100)),
    st.builds(Ask, st.lists(PEERS, max_size=ASKED_MAX).map(tuple), st.booleans()),
    st.builds(Accused, st.none() | PEERS),
    st.builds(Doubt, PEERS),
)
ANSWERS = st.builds(Answer, VERDICTS, st.lists(STANDINGS, max_size=8).map(tuple), st.binary(max_size=100))


def some(count: int) -> tuple[PeerId, ...]:
    """With the longest ids there are."""
    return tuple(PeerId(b"\x12\x20" + number.to_bytes(32)) for number in range(count))


@given(CALLS)
def test_calls_there_and_back(call: CastVote | Ask | Accused | Doubt) -> None:
    assert read_call(call.to_bytes()) == call


@given(ANSWERS)
def test_answers_there_and_back(answer: Answer) -> None:
    assert Answer.from_bytes(answer.to_bytes()) == answer


@given(st.binary(max_size=200))
def test_only_documented_errors_come_of_any_bytes(data: bytes) -> None:
    for read in (Answer.from_bytes, read_call):
        try:
            read(data)
        except ProtocolViolation:
            continue


def test_the_largest_stay_within_their_bytes() -> None:
    peers = tuple(
        PeerId(b"\x00\x24\x08\x01\x12\x20" + number.to_bytes(32)) for number in range(ASKED_MAX + HELD_MAX)
    )
    assert len(Ask(peers[:ASKED_MAX], held=True).to_bytes()) <= CALL_BYTES_MAX
    assert len(CastVote(bytes(fail_vote.SEALED_BYTES_MAX)).to_bytes()) <= CALL_BYTES_MAX
    standings = tuple(Standing(peer, "held offline", LONGEST, 1 << 31, 1 << 31) for peer in peers)
    assert len(Answer("old", standings, bytes(lease.SEALED_BYTES_MAX)).to_bytes()) <= ANSWER_BYTES_MAX


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        Ask(some(ASKED_MAX + 1)).to_bytes(),
        pb.Call(ask=pb.Ask(peers=[b"\x12"])).SerializeToString(),
        pb.Call(doubt=pb.Doubt()).SerializeToString(),
        pb.Call(accused=pb.Accused(at=b"\x12")).SerializeToString(),
        CastVote(bytes(fail_vote.SEALED_BYTES_MAX + 1)).to_bytes(),
    ],
)
def test_what_is_no_call_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        read_call(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        pb.Answer(verdict=99).SerializeToString(),  # type: ignore[arg-type]
        pb.Answer(standings=[pb.Standing(peer_id=b"\x12")]).SerializeToString(),
        Answer(standings=tuple(Standing(one, "online") for one in some(ASKED_MAX + HELD_MAX + 1))).to_bytes(),
        Answer(lease=bytes(lease.SEALED_BYTES_MAX + 1)).to_bytes(),
    ],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        Answer.from_bytes(data)


def test_a_state_of_a_later_version_says_nothing() -> None:
    [peer] = some(1)
    later = pb.Standing(peer_id=peer.to_bytes(), state=7)  # type: ignore[arg-type]
    found = Answer.from_bytes(pb.Answer(standings=[later]).SerializeToString())
    assert found.standings == (Standing(peer, "absent"),)
