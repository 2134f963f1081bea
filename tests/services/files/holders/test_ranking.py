"""Whom to ask first."""

from __future__ import annotations

import itertools

import pytest

from warren.core.keys import PrivateKey
from warren.services.files.holders.ranking import Candidate, Ranked, expected_s

PEERS = sorted(PrivateKey.from_seed(bytes([number]) * 32).peer_id for number in range(1, 9))


def test_who_is_there_then_fast_then_proven() -> None:
    best_first = [
        Candidate(PEERS[7], connected=True, online=False, latency_s=0.01, bytes_per_s=1e8),
        Candidate(PEERS[6], connected=True),
        Candidate(PEERS[5], online=True, bytes_per_s=1e8),
        Candidate(PEERS[4], online=True, proven=True),
        Candidate(PEERS[3], online=True),
        Candidate(PEERS[2], latency_s=0.01),
        Candidate(PEERS[1], latency_s=2.0),
        Candidate(PEERS[0], online=False, latency_s=0.001, bytes_per_s=1e9),
    ]
    for turned in itertools.islice(itertools.permutations(best_first), 0, None, 997):
        ranked = Ranked()
        for one in turned:
            ranked.put(one)
        assert [ranked.take() for _ in turned] == best_first
    with pytest.raises(ValueError, match="empty"):
        Ranked().take()


def test_what_is_known_to_be_slow_comes_after_what_is_not_known() -> None:
    assert expected_s(Candidate(PEERS[0], bytes_per_s=1e5)) > expected_s(Candidate(PEERS[0]))
    assert expected_s(Candidate(PEERS[0], latency_s=1.0)) > expected_s(
        Candidate(PEERS[0], True, latency_s=1.0)
    )


def test_who_is_found_twice_waits_once_with_all_that_is_known() -> None:
    ranked = Ranked()
    ranked.put(Candidate(PEERS[0], proven=True, online=True))
    ranked.put(Candidate(PEERS[0], latency_s=0.5))
    assert len(ranked) == 1
    assert ranked.take() == Candidate(PEERS[0], proven=True, online=True, latency_s=0.5)
