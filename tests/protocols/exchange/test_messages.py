"""The messages there and back, and what is refused of what strangers send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.exchange.book import entry, key
from warren.core.errors import ProtocolViolation
from warren.protocols.exchange.entry import RECORD_BYTES_MAX, Entry, Version
from warren.protocols.exchange.known import FILTER_BYTES_MAX, Known
from warren.protocols.exchange.messages import (
    ANSWER_BYTES_MAX,
    ANSWER_MAX,
    CALL_BYTES_MAX,
    NEWS_MAX,
    Answer,
    Ask,
    News,
    fit,
    read_call,
)
from warren.protocols.exchange.proto import exchange_pb2

ENTRIES = (entry(key(1), 5, 6), entry(key(2), 7), entry(key(3), 0, 8))
small = st.builds(Entry, st.binary(max_size=40), st.binary(max_size=40))


@given(st.binary(max_size=16), st.binary(max_size=100), st.integers(0, ANSWER_MAX))
def test_an_ask_there_and_back(salt: bytes, bits: bytes, limit: int) -> None:
    ask = Ask(Known(salt, bits), limit)
    assert read_call(ask.to_bytes()) == ask


@given(st.lists(small, max_size=NEWS_MAX), st.booleans())
def test_news_and_answers_there_and_back(entries: list[Entry], more: bool) -> None:
    news, answer = News(tuple(entries)), Answer(tuple(entries), more)
    assert read_call(news.to_bytes()) == news
    assert Answer.from_bytes(answer.to_bytes()) == answer


@given(st.binary(max_size=200))
def test_only_documented_errors_come_of_any_bytes(data: bytes) -> None:
    for read in (read_call, Answer.from_bytes):
        try:
            read(data)
        except ProtocolViolation:
            continue


def test_a_limit_over_ours_means_ours() -> None:
    call = read_call(Ask(Known(), 2**32 - 1).to_bytes())
    assert isinstance(call, Ask)
    assert call.limit == ANSWER_MAX


@pytest.mark.parametrize(
    "call",
    [
        b"",
        b"\xff",
        News((Entry(b"x"),) * (NEWS_MAX + 1)).to_bytes(),
        exchange_pb2.Call(ask=exchange_pb2.Ask(salt=bytes(17))).SerializeToString(),
        exchange_pb2.Call(ask=exchange_pb2.Ask(known=bytes(FILTER_BYTES_MAX + 1))).SerializeToString(),
    ],
)
def test_calls_that_are_none_are_refused(call: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        read_call(call)


@pytest.mark.parametrize("answer", [b"\xff", Answer((Entry(b"x"),) * (ANSWER_MAX + 1)).to_bytes()])
def test_answers_that_are_none_are_refused(answer: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        Answer.from_bytes(answer)


@given(st.lists(st.builds(Entry, st.binary(max_size=900), st.binary(max_size=900)), max_size=60))
def test_what_fits_is_a_beginning_and_stays_within_its_bytes(entries: list[Entry]) -> None:
    told = fit(entries, NEWS_MAX, CALL_BYTES_MAX - 64)
    assert told == tuple(entries[: len(told)])
    assert len(News(told).to_bytes()) <= CALL_BYTES_MAX


def test_a_full_filter_and_a_full_answer_stay_within_their_bytes() -> None:
    known = Known(bytes(16), bytes(FILTER_BYTES_MAX))
    assert len(Ask(known).to_bytes()) <= CALL_BYTES_MAX
    told = fit([Entry(bytes(300), bytes(300))] * 500, ANSWER_MAX, ANSWER_BYTES_MAX - 64)
    assert len(told) > 100
    assert len(Answer(told, more=True).to_bytes()) <= ANSWER_BYTES_MAX


def test_an_entry_that_nobody_would_take_is_left_out() -> None:
    long = Entry(bytes(RECORD_BYTES_MAX + 1))
    assert fit([long, *ENTRIES], 2, 10_000) == ENTRIES[:2]
    assert Version(*(1, 2)).joined(Version(2, 1)) == (2, 2)
