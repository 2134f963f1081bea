"""Budgets: a flood costs who sends it."""

from __future__ import annotations

from tests.protocols.directory.made import key
from warren.network.allowance import Rate
from warren.services.directory import budgets as module
from warren.services.directory.budgets import NAMED_EVERY_S, Budget, Rates

A, B, C = (key(number).peer_id for number in (1, 2, 3))


def test_each_has_its_own_and_it_comes_back() -> None:
    budget = Budget(Rates(Rate(2, 1), Rate(10, 1), Rate(10, 1)), 0.0)
    assert [budget.take(A, "lan", 0.0) for _ in range(3)] == [True, True, False]
    assert budget.take(B, "lan", 0.0)
    assert budget.take(A, "lan", 1.0)
    assert not budget.take(A, "lan", 1.5)
    assert [budget.take(A, "lan", 1000.0) for _ in range(3)] == [True, True, False]


def test_many_identities_behind_one_address_share_what_it_may() -> None:
    budget = Budget(Rates(Rate(2, 1), Rate(3, 1), Rate(10, 1)), 0.0)
    taken = [budget.take(peer, "net", 0.0) for peer in (A, A, B, B, C)]
    assert taken == [True, True, True, False, False]
    assert budget.take(C, "elsewhere", 0.0)
    assert budget.take(C, None, 0.0)  # on this machine: of no network


def test_all_together_have_a_bound_and_costs_count() -> None:
    budget = Budget(Rates(Rate(10, 1), Rate(10, 1), Rate(5, 1)), 0.0)
    assert budget.take(A, 1, 0.0, cost=4)
    assert not budget.take(B, 2, 0.0, cost=2)
    assert budget.take(B, 2, 0.0, cost=1)  # what was refused was not paid for


def test_who_is_refused_is_named_once_a_minute() -> None:
    budget = Budget(Rates(Rate(1, 1), Rate(1, 1), Rate(1, 1)), 0.0)
    assert budget.is_to_be_named(A, 0.0)
    assert not budget.is_to_be_named(A, NAMED_EVERY_S - 1)
    assert budget.is_to_be_named(B, 1.0)
    assert budget.is_to_be_named(A, NAMED_EVERY_S)


def test_only_so_many_are_remembered() -> None:
    before = module.REMEMBERED_MAX, module.NAMED_MAX
    module.REMEMBERED_MAX = module.NAMED_MAX = 1  # type: ignore[misc]
    try:
        budget = Budget(Rates(Rate(1, 1), Rate(9, 1), Rate(9, 1)), 0.0)
        assert budget.take(A, None, 0.0)
        assert budget.take(B, None, 0.0)
        assert budget.take(A, None, 0.0)  # forgotten meanwhile
        assert budget.is_to_be_named(A, 0.0)
        assert budget.is_to_be_named(B, 0.0)
        assert budget.is_to_be_named(A, 0.0)
    finally:
        module.REMEMBERED_MAX, module.NAMED_MAX = before  # type: ignore[misc]
