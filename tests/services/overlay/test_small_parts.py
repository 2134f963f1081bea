"""Budgets, rare words, the words of a super-peer, what a hit must be, what can be set."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.overlay.support import peer
from warren.core.cid import Cid
from warren.core.entry import Entry, Metadata
from warren.core.errors import ConfigError
from warren.core.matching import matches
from warren.core.query import Query, terms_of
from warren.network.allowance import Rate
from warren.services.overlay import budgets
from warren.services.overlay.budgets import Blames, Budget, Rates
from warren.services.overlay.config import OverlayConfig
from warren.services.overlay.own_words import OwnWords
from warren.services.overlay.rare import key_of, rare_words, rarest

CID = Cid.raw_sha256(bytes(32))
ABOUT = Metadata("Über Öl", "an abstract", ("Anna Berg",), ("botany",), ("map",), "MIT")
ENTRY = Entry("share/Old Maps/lighthouse.pdf", "file", 100, CID, ABOUT)


def test_a_flood_spends_what_is_its_own_and_its_groups() -> None:
    budget = Budget(Rates(Rate(3, 1), Rate(5, 1)))
    assert [budget.take(peer(1), "a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert [budget.take(peer(2), "a", 0.0) for _ in range(4)] == [True, True, False, False]
    assert budget.take(peer(3), "b", 0.0)
    assert budget.take(peer(1), "a", 1.0)
    assert [budget.take(peer(4), "", 0.0) for _ in range(4)] == [True, True, True, False]


def test_memory_of_budgets_and_blames_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "REMEMBERED_MAX", 2)
    budget, blames = Budget(Rates(Rate(1, 0.1), Rate(9, 1))), Blames()
    assert [budget.take(peer(number), "", 0.0) for number in (1, 2, 3, 1, 1)] == [
        True,
        True,
        True,
        True,
        False,
    ]
    assert [blames.should_name(peer(number), 0.0) for number in (1, 1, 2, 3, 1)] == [
        True,
        False,
        True,
        True,
        True,
    ]
    for number in range(4):
        blames.add(peer(number), 0.0)


def test_blames_add_up_within_their_time_only() -> None:
    blames = Blames()
    assert not any(blames.add(peer(1), 0.0) for _ in range(budgets.BLAMES_MAX))
    assert blames.add(peer(1), budgets.BLAME_S)
    assert not blames.add(peer(1), 3 * budgets.BLAME_S)
    assert not blames.add(peer(2), 0.0)
    assert blames.should_name(peer(1), 0.0)
    assert not blames.should_name(peer(1), budgets.NAMED_EVERY_S - 1)
    assert blames.should_name(peer(1), budgets.NAMED_EVERY_S)


def test_rare_words_are_those_of_few_neighbours_the_rarest_first() -> None:
    holders = {"lighthouse": 1, "windmill": 0, "report": 5, "map": 0, "sawmill": 0}
    chosen = rare_words(holders, holders.__getitem__, 9)
    assert set(chosen) == {"windmill", "sawmill", "lighthouse"}
    assert chosen[2] == "lighthouse"
    assert rare_words(reversed(holders), holders.__getitem__, 2) == chosen[:2]
    assert (
        rarest(Query(terms_of("report light lighthouse")), lambda word: holders.get(word, 9)) == "lighthouse"
    )
    assert rarest(Query(terms_of("report map")), lambda word: holders.get(word, 9)) is None
    assert key_of("windmill") == b"\x12\x20" + hashlib.sha256(b"warren/word/windmill").digest()


@given(st.lists(st.sets(st.text(alphabet="abcde", min_size=1, max_size=9), max_size=30), max_size=6))
def test_own_words_are_those_of_any_owner(owners: list[set[str]]) -> None:
    own = OwnWords()
    for words in owners:
        own.add(words)
    for words in owners[1:]:
        own.remove(words)
    own.remove({"never"})
    expected = owners[0] if owners else set()
    assert set(own.words) == expected
    if own.outgrown:
        own.refill(own.emptied())
    assert not own.outgrown
    assert all(own.snapshot().has_word(word) for word in expected)
    fresh = OwnWords()
    fresh.add(expected)
    fresh.refill(fresh.emptied())
    if fresh.snapshot().bits_log2 == own.snapshot().bits_log2:
        assert fresh.snapshot() == own.snapshot()


def query(text: str = "", **filters: Any) -> Query:
    return Query(terms_of(text), **filters)


@pytest.mark.parametrize(
    "wanted",
    [
        query("light"),
        query('"lighthouse" old uber anna'),
        query("map", suffixes=("pdf", "dir"), size_min=100, size_max=100),
        query(author="berg an", domain="bot"),
    ],
)
def test_what_fits(wanted: Query) -> None:
    assert matches(wanted, ENTRY)


@pytest.mark.parametrize(
    "wanted",
    [
        query("windmill"),
        query('"light"'),
        query("light", suffixes=("txt",)),
        query("light", size_min=101),
        query("light", size_max=99),
        query(author="botany"),
        query("light", domain="anna"),
    ],
)
def test_what_does_not_fit(wanted: Query) -> None:
    assert not matches(wanted, ENTRY)


def test_folders_are_a_kind() -> None:
    folder = Entry("share/Old Maps", "dir", 100, CID)
    assert matches(query("maps", suffixes=("dir",)), folder)
    assert not matches(query("maps", suffixes=("pdf",)), folder)


@pytest.mark.parametrize(
    "given_",
    [
        {"neighbours": "/ip4/127.0.0.1/tcp/1"},
        {"neighbours": ("nonsense",)},
        {"neighbours": ("/ip4/127.0.0.1/tcp/1",)},
        {"neighbours": ("/ip4/127.0.0.1/tcp/1",) * 65},
        {"degree": 33},
        {"ttl": 0},
    ],
)
def test_settings_that_cannot_be(given_: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as raised:
        OverlayConfig(**given_)
    assert raised.value.hint
