"""The two messages of the status protocol, there and back, and what is refused."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import ProtocolViolation
from warren.protocols.status.facts import (
    FACTS_BYTES_MAX,
    QUESTION_BYTES_MAX,
    ROLES_MAX,
    TEXT_CHARS_MAX,
    Details,
    Facts,
    coarse_percent,
    question,
    read_question,
)
from warren.protocols.status.proto import status_pb2

words = st.text(max_size=20)
numbers = st.integers(0, 2**64 - 1)
details = st.builds(Details, *[numbers] * 8, words, numbers)
facts = st.builds(
    Facts, words, st.lists(words, max_size=ROLES_MAX).map(tuple), st.integers(0, 100), st.none() | details
)


@given(facts)
def test_facts_there_and_back(told: Facts) -> None:
    assert Facts.from_bytes(told.to_bytes()) == told


@given(st.binary(max_size=200))
def test_only_documented_errors_come_of_any_bytes(data: bytes) -> None:
    for read in (Facts.from_bytes, read_question):
        try:
            read(data)
        except ProtocolViolation:
            continue


def test_a_full_answer_stays_within_its_bytes() -> None:
    numbers = {one.name: 2**63 for one in fields(Details) if one.type == "int"}
    details = Details(**numbers, dht_mode="x" * TEXT_CHARS_MAX)
    most = Facts("x" * TEXT_CHARS_MAX, ("r" * TEXT_CHARS_MAX,) * ROLES_MAX, 100, details)
    assert len(most.to_bytes()) <= FACTS_BYTES_MAX
    assert len(question()) <= QUESTION_BYTES_MAX
    read_question(question())


def test_long_words_and_many_are_cut_and_a_load_over_all_is_all() -> None:
    boasting = status_pb2.Facts(agent="x" * 500, roles=["r" * 500] * 50, load_percent=4000)
    boasting.details.dht_mode = "m" * 500
    found = Facts.from_bytes(boasting.SerializeToString())
    assert found.agent == "x" * TEXT_CHARS_MAX
    assert found.roles == ("r" * TEXT_CHARS_MAX,) * ROLES_MAX
    assert found.load_percent == 100
    assert found.details is not None
    assert found.details.dht_mode == "m" * TEXT_CHARS_MAX


@pytest.mark.parametrize(
    ("share", "percent"), [(0.0, 0), (0.04, 0), (0.06, 10), (0.5, 50), (1.0, 100), (7.0, 100), (-1.0, 0)]
)
def test_a_share_is_told_in_steps_of_ten(share: float, percent: int) -> None:
    assert coarse_percent(share) == percent
