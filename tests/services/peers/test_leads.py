"""Leads: dialled after waits that double, never forgotten, and bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.services.peers.support import CAFE, HOME, OFFICE, database, table
from warren import testing
from warren.core.errors import LimitReached
from warren.services.peers import leads
from warren.services.peers.leads import RETRY_FIRST_S, RETRY_MAX_S, add, count, due, page, postpone, wait_s
from warren.services.peers.model import Figure, Lead

if TYPE_CHECKING:
    import sqlite3


@pytest.fixture
def db() -> sqlite3.Connection:
    return database()


def test_waits_double_up_to_the_longest(db: sqlite3.Connection) -> None:
    add(db, Lead(HOME, 0.0))
    now, waits = 0.0, []
    for _ in range(30):
        assert due(db, now, 9) == [HOME]
        postpone(db, [HOME], now)
        before, step = now, 20.0
        while not due(db, now, 9):
            now += step
        waits.append(now - before)
    assert waits[:3] == [RETRY_FIRST_S, 2 * RETRY_FIRST_S, 4 * RETRY_FIRST_S]
    assert waits[-1] == RETRY_MAX_S


def test_a_clock_that_was_ahead_puts_nothing_off_for_long(db: sqlite3.Connection) -> None:
    add(db, Lead(HOME, 0.0))
    postpone(db, [HOME], 1e9)
    assert due(db, 1000.0, 9) == [HOME]


def test_who_waits_for_longest_comes_first(db: sqlite3.Connection) -> None:
    for at, address in ((3.0, HOME), (1.0, CAFE), (2.0, OFFICE)):
        add(db, Lead(address, at))
    assert due(db, 5.0, 2) == [CAFE, OFFICE]
    assert due(db, 0.5, 2) == []
    postpone(db, [CAFE], 5.0)
    assert due(db, 5.0, 9) == [OFFICE, HOME]


def test_the_next_is_known(db: sqlite3.Connection) -> None:
    assert wait_s(db, 5.0) is None
    add(db, Lead(HOME, 10.0))
    add(db, Lead(CAFE, 20.0))
    assert (wait_s(db, 5.0), wait_s(db, 30.0)) == (5.0, 0.0)
    assert wait_s(db, -1e9) == RETRY_MAX_S


def test_figures_are_filled_and_not_overwritten(db: sqlite3.Connection) -> None:
    assert add(db, Lead(HOME, 1.0, latency=Figure(0.1, 1.0)))
    assert not add(db, Lead(HOME, 2.0, latency=Figure(0.2, 2.0), upload=Figure(5.0, 2.0)))
    assert page(db, None, 9) == [Lead(HOME, 1.0, Figure(0.1, 1.0), None, Figure(5.0, 1.0))]


def test_pages_follow_each_other(db: sqlite3.Connection) -> None:
    for address in (HOME, CAFE, OFFICE):
        add(db, Lead(address, 1.0))
    first = page(db, None, 2)
    rest = page(db, first[-1].address, 2)
    assert {one.address for one in first + rest} == {HOME, CAFE, OFFICE}
    assert len(first) == 2
    assert len(rest) == 1


def test_leads_are_bounded(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leads, "LEADS_MAX", 2)
    add(db, Lead(HOME, 1.0))
    add(db, Lead(CAFE, 1.0))
    add(db, Lead(CAFE, 1.0))
    with pytest.raises(LimitReached):
        add(db, Lead(OFFICE, 1.0))
    assert count(db) == 2


def test_the_facade_asks_the_clock() -> None:
    async def main() -> None:
        async with table() as peers:
            await peers.transact(lambda db, _: add(db, Lead(HOME, 0.0)))
            assert await peers.leads.due(9) == [HOME]
            await peers.leads.failed([HOME])
            assert await peers.leads.due(9) == []
            assert await peers.leads.count() == 1
            assert [one.address for one in await peers.leads.page(None, 9)] == [HOME]
            assert await peers.leads.remove(HOME)
            assert not await peers.leads.remove(HOME)

    testing.run(main())
