"""The messages there and back, and what is refused of what strangers send."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.directory.made import entries, entry, key, peers, queries
from warren.core.errors import LimitReached, ProtocolViolation, Refused
from warren.core.found import Counts, Found
from warren.core.query import Query, terms_of
from warren.protocols.directory.entries import ENTRY_BYTES_MAX
from warren.protocols.directory.messages import (
    ANSWER_BYTES_MAX,
    HITS_MAX,
    PRESENCE_PEERS_MAX,
    QUERY_BYTES_MAX,
    Bye,
    End,
    Held,
    HitsAnswer,
    LeaseCall,
    OnlineAnswer,
    PresenceCall,
    QueryCall,
    Reason,
    RefusedAnswer,
    RegistrationCall,
    Standing,
    answer_to_bytes,
    call_to_bytes,
    in_messages,
    read_answer,
    read_call,
)
from warren.protocols.directory.proto import directory_pb2 as pb

uint32 = st.integers(0, (1 << 32) - 1)
uint64 = st.integers(0, (1 << 64) - 1)
standings = st.builds(Standing, st.booleans(), uint32, uint32)
uint63 = st.integers(0, (1 << 63) - 1)
positions = st.none() | st.tuples(uint63, uint63)
found = st.builds(Found, peers, entries, st.floats(allow_nan=False, allow_infinity=False), st.booleans())
calls = (
    st.builds(QueryCall, queries, st.none() | st.integers(0, 255))
    | st.builds(RegistrationCall, st.binary(max_size=50))
    | st.builds(LeaseCall, st.binary(max_size=50))
    | st.just(Bye())
    | st.builds(PresenceCall, st.lists(peers, max_size=9).map(tuple))
    | standings
)
answers = (
    st.builds(HitsAnswer, st.lists(found, max_size=4).map(tuple))
    | st.builds(Counts, uint32, uint32)
    | st.builds(End, uint32, st.booleans(), st.builds(Counts, uint32, uint32))
    | st.builds(Held, positions, st.just(b"") | st.binary(min_size=16, max_size=16), uint63)
    | st.builds(OnlineAnswer, st.lists(st.booleans(), max_size=9).map(tuple))
    | st.builds(
        RefusedAnswer, st.sampled_from(Reason), st.text("abc ", max_size=50), positions, st.none() | uint64
    )
    | standings
)


@given(calls)
def test_calls_there_and_back(call: object) -> None:
    assert read_call(call_to_bytes(call)) == call  # type: ignore[arg-type]


@given(answers)
def test_answers_there_and_back(answer: object) -> None:
    assert read_answer(answer_to_bytes(answer)) == answer  # type: ignore[arg-type]


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_message_or_a_violation(data: bytes) -> None:
    for read in (read_call, read_answer):
        with contextlib.suppress(ProtocolViolation):
            read(data)


@given(st.lists(found, max_size=200))
def test_hits_are_cut_into_messages_that_may_be_sent(hits: list[Found]) -> None:
    messages = list(in_messages(hits))
    assert [hit for message in messages for hit in message.hits] == hits
    for message in messages:
        assert 0 < len(message.hits) <= HITS_MAX
        assert len(answer_to_bytes(message)) <= ANSWER_BYTES_MAX


def test_huge_hits_go_one_by_one() -> None:
    huge = entry("map.pdf", abstract="ö" * 4000, tags=["ö" * 120] * 32)
    hits = [Found(key(1).peer_id, huge, 1.0, online=True)] * 8
    messages = list(in_messages(hits))
    assert sum(len(message.hits) for message in messages) == 8
    assert all(len(answer_to_bytes(message)) <= ANSWER_BYTES_MAX for message in messages)


def test_an_entry_that_is_too_long_goes_without_what_is_said_of_it() -> None:
    long = {"authors": ["\U0001d51e" * 120] * 32, "tags": ["\U0001d51e" * 120] * 32}
    for said, kept in (
        ({"abstract": "\U0001d51e" * 4000, "authors": ["\U0001d51e" * 120] * 32}, True),
        (long, False),
    ):
        hit = Found(key(1).peer_id, entry("map.pdf", **said), 1.0, online=True)
        (message,) = in_messages([hit])
        data = answer_to_bytes(message)
        assert len(data) < ENTRY_BYTES_MAX + 100
        answer = read_answer(data)
        assert isinstance(answer, HitsAnswer)
        assert answer.hits[0].entry.metadata.abstract == ""
        assert bool(answer.hits[0].entry.metadata.authors) == kept


def _call(**what: object) -> bytes:
    return pb.Call(**what).SerializeToString()  # type: ignore[arg-type]


def _answer(**what: object) -> bytes:
    return pb.Answer(**what).SerializeToString()  # type: ignore[arg-type]


TERMS = [pb.Term(word="map")]
GOOD = pb.Entry(path="a", cid=entry("a").cid.to_bytes())


def _hit(**changed: object) -> bytes:
    good: dict[str, Any] = {"path": "a", "cid": entry("a").cid.to_bytes()}
    one = pb.Hit(owner=key(1).peer_id.to_bytes(), entry=pb.Entry(**good | changed))
    return _answer(hits=pb.Hits(hits=[one]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        _call(query=pb.Query(limit=5)),
        _call(query=pb.Query(terms=TERMS, limit=0)),
        _call(query=pb.Query(terms=TERMS, limit=501)),
        _call(query=pb.Query(terms=TERMS * 13, limit=5)),
        _call(query=pb.Query(terms=[pb.Term(word="")], limit=5)),
        _call(query=pb.Query(terms=[pb.Term(word="m" * 41)], limit=5)),
        _call(query=pb.Query(terms=TERMS, limit=5, suffixes=["a"] * 33)),
        _call(query=pb.Query(terms=TERMS, limit=5, size_min=1 << 63)),
        _call(query=pb.Query(limit=5, cid=b"no content id")),
        _call(query=pb.Query(limit=5, cid=b"\x01\x55\x00\x40" + bytes(64))),
        _call(query=pb.Query(terms=TERMS, limit=5, size_min=2, size_max=1)),
        _call(query=pb.Query(terms=TERMS, limit=5, author="a" * QUERY_BYTES_MAX)),
        _call(lease=b"x" * 10_000),
        _call(presence=pb.Presence(peers=[key(1).peer_id.to_bytes()] * (PRESENCE_PEERS_MAX + 1))),
        _call(presence=pb.Presence(peers=[b"nobody"])),
    ],
)
def test_calls_that_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        read_call(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        _answer(hits=pb.Hits(hits=[pb.Hit(owner=key(1).peer_id.to_bytes(), entry=GOOD)] * (HITS_MAX + 1))),
        _answer(held=pb.Held(audiences=b"short")),
        _answer(held=pb.Held(epoch=1 << 63)),
        _answer(held=pb.Held(epoch=1, seq=1 << 63)),
        _answer(refused=pb.Refused(epoch=1 << 63)),
        _answer(online=pb.Online(online=[True] * (PRESENCE_PEERS_MAX + 1))),
    ],
)
def test_answers_that_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        read_answer(data)


@pytest.mark.parametrize(
    "data",
    [
        _answer(hits=pb.Hits(hits=[pb.Hit(owner=b"nobody", entry=GOOD)])),
        _answer(hits=pb.Hits(hits=[pb.Hit(owner=key(1).peer_id.to_bytes(), entry=GOOD, score=float("nan"))])),
        _hit(path=""),
        _hit(path="a//b"),
        _hit(path="/a"),
        _hit(path="a/../b"),
        _hit(path="a\0"),
        _hit(path="a" * 4097),
        _hit(kind=7),
        _hit(size=1 << 63),
        _hit(audience=(1 << 32) - 1),
        _hit(cid=b""),
        _hit(cid=b"x" * 100),
        _hit(metadata=pb.Metadata(title="x" * 301)),
        _hit(metadata=pb.Metadata(abstract="x" * 30_000)),
    ],
)
def test_a_bad_hit_costs_itself_alone(data: bytes) -> None:
    good = Found(key(1).peer_id, entry("a"), 1.0, online=True)
    with_good = data + answer_to_bytes(HitsAnswer((good,)))  # as protobuf puts lists together
    assert read_answer(with_good) == HitsAnswer((good,), bad=1)


def test_a_reason_of_a_later_version_is_one_that_is_not_known() -> None:
    data = _answer(refused=pb.Refused(reason=99, why="because\x1b[2J"))  # type: ignore[arg-type]
    assert read_answer(data) == RefusedAnswer(Reason.UNSPECIFIED, "because[2J")


def test_refusals_are_errors_for_who_asked() -> None:
    peer = key(1).peer_id
    for reason in Reason:
        error = RefusedAnswer(reason).to_error(peer)
        is_limit = reason in (Reason.FULL, Reason.BUSY, Reason.TOO_OFTEN)
        assert type(error) is (LimitReached if is_limit else Refused)
        assert str(peer) in str(error)


def test_a_ttl_beyond_all_is_the_most() -> None:
    call = QueryCall(Query(terms_of("map")), 255)
    message = pb.Call.FromString(call_to_bytes(call))
    message.query.ttl = 1 << 31
    assert read_call(message.SerializeToString()) == call
