"""The record of holders: kept over restarts, bounded, struck where somebody lost it."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest

from warren import testing as simulated
from warren.core.cid import Cid
from warren.core.errors import StorageError
from warren.core.keys import PrivateKey
from warren.runtime.migrations import numbered_scripts
from warren.runtime.simulated import World
from warren.services.files.holders import record as module
from warren.services.files.holders import store
from warren.services.files.holders.record import WRITE_EVERY_S, Record
from warren.services.files.holders.store import Heard, Held

PEERS = [PrivateKey.from_seed(bytes([number]) * 32).peer_id for number in range(1, 6)]
ROOT, OTHER = Cid.raw_sha256(bytes(32)), Cid.raw_sha256(b"\1" * 32)
RAW = ROOT.to_bytes()


@pytest.fixture
def db() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    for script in numbered_scripts("warren.services.files"):
        connection.executescript(script)
    return connection


def heard(number: int, at: float, *, root: bytes = RAW, proven: bool = False) -> Heard:
    return Heard(root, PEERS[number], proven, at)


def peers(db: sqlite3.Connection, root: bytes = RAW) -> list[int]:
    return [PEERS.index(one.peer) for one in store.known(db, root)]


def test_whom_something_came_from_comes_first_then_who_was_heard_of_last(db: sqlite3.Connection) -> None:
    store.keep(db, [heard(0, 1), heard(1, 2, proven=True), heard(2, 3)], (), 3)
    assert peers(db) == [1, 2, 0]
    store.keep(db, [heard(0, 4), heard(1, 1)], (), 4)  # older news change nothing, and proven stays proven
    assert store.known(db, RAW)[0] == heard(1, 2, proven=True)
    assert peers(db) == [1, 0, 2]


def test_who_lost_it_is_struck(db: sqlite3.Connection) -> None:
    store.keep(db, [heard(0, 1), heard(1, 1, root=OTHER.to_bytes())], (), 1)
    store.keep(db, (), [(RAW, PEERS[0])], 1)
    assert peers(db) == []
    assert peers(db, OTHER.to_bytes()) == [1]


def test_the_table_stays_within_its_bounds(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "ROOT_HOLDERS_MAX", 3)
    monkeypatch.setattr(store, "HOLDERS_MAX", 4)
    store.keep(db, [heard(number, number) for number in range(5)], (), 5)
    assert peers(db) == [4, 3, 2]
    store.keep(db, [heard(0, 6, root=OTHER.to_bytes(), proven=True)], (), 6)
    store.keep(db, [heard(1, 1, root=OTHER.to_bytes(), proven=True)], (), 6)
    assert peers(db) == [4, 3]  # what nothing came from goes first
    store.keep(db, (), (), 6 + store.KEPT_S - 2)
    assert peers(db) == [4]
    assert peers(db, OTHER.to_bytes()) == [0]


def test_a_damaged_row_costs_itself_alone(db: sqlite3.Connection) -> None:
    store.keep(db, [heard(0, 1)], (), 1)
    db.execute("INSERT INTO holder VALUES (?, ?, 0, 2)", (RAW, b"no peer id"))
    assert peers(db) == [0]


def test_tickets_that_are_good_still(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "TICKETS_MAX", 2)
    given = [Held(RAW, bytes([number]), bytes(number), 100 + number) for number in range(4)]
    store.keep_tickets(db, given[:2], 50)
    assert store.tickets(db, 50) == given[:2]
    assert store.tickets(db, 100) == given[1:2]
    store.keep_tickets(db, given[2:], 50)
    assert store.tickets(db, 50) == given[2:]
    newer = given[2]._replace(expires_at=200, sealed=b"newer")
    store.keep_tickets(db, [newer], 103)
    assert store.tickets(db, 0) == [newer]


def run(main: Any) -> None:
    async def whole() -> None:
        runtime = World(1, loop=asyncio.get_running_loop()).runtime("a")  # type: ignore[arg-type]
        state = await runtime.open_database(":memory:", numbered_scripts("warren.services.files"))
        await main(runtime, state)
        await state.close()

    simulated.run(whole())


def test_it_is_written_behind_and_read_with_what_is_not_written_yet() -> None:
    async def main(runtime: Any, state: Any) -> None:
        record = Record(state, runtime.clock)
        running = asyncio.create_task(record.run())
        record.note(ROOT, PEERS[:2])
        record.note(ROOT, PEERS[1:2], proven=True)
        record.note(ROOT, PEERS[1:2])
        assert [(one.peer, one.proven) for one in await record.known(ROOT)] == [
            (PEERS[1], True),
            (PEERS[0], False),
        ]
        record.strike(ROOT, PEERS[1])
        assert [one.peer for one in await record.known(ROOT)] == [PEERS[0]]
        record.note(ROOT, [PEERS[2]])
        await asyncio.sleep(2 * WRITE_EVERY_S)
        running.cancel()
        assert len(await Record(state, runtime.clock).known(ROOT)) == 2
        record.note(OTHER, [PEERS[3]])
        await record.close()
        assert [one.peer for one in await Record(state, runtime.clock).known(OTHER)] == [PEERS[3]]

    run(main)


def test_tickets_are_written_behind_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(runtime: Any, state: Any) -> None:
        monkeypatch.setattr(store, "TICKETS_MAX", 2)
        record = Record(state, runtime.clock)
        later = int(runtime.clock.wall()) + 1000
        given = [Held(RAW, bytes([number]), b"sealed", later + number) for number in range(3)]
        for one in given:
            record.note_ticket(one)
        await record.close()
        assert await Record(state, runtime.clock).tickets() == given[1:]

    run(main)


def test_what_waits_is_bounded_and_survives_a_full_disk(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Full:
        async def run(self, work: Any) -> None:
            raise StorageError("the disk is full")

    async def main(runtime: Any, state: Any) -> None:
        monkeypatch.setattr(module, "WAITING_MAX", 3)
        record = Record(Full(), runtime.clock)  # type: ignore[arg-type]
        record.note(ROOT, PEERS)
        await record.close()
        assert "the disk is full" in caplog.text
        record._database = state
        assert {one.peer for one in await record.known(ROOT)} == set(PEERS[2:])

    run(main)
