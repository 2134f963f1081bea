"""What the DHT is told of: roots of what is shared with everybody, as long as it is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warren import testing as simulated
from warren.core.cid import Cid
from warren.core.errors import ConfigError, ConnectionFailed, StorageError
from warren.core.keys import PrivateKey
from warren.runtime.migrations import numbered_scripts
from warren.runtime.simulated import World
from warren.services.files.holders import announcing as module
from warren.services.files.holders.announcing import SETTLE_S, Announcing, public_roots
from warren.services.files.types import Audience, Share

if TYPE_CHECKING:
    import pytest

ROOTS = [Cid.raw_sha256(bytes([number]) * 32) for number in range(6)]
PUBLIC = Audience("public")
ORIGIN = Audience("origin", (PrivateKey.from_seed(b"\1" * 32).peer_id,))


def share(number: int, audience: Audience = PUBLIC, size: int = 1, **facts: Any) -> Share:
    return Share(f"s{number}", Path(f"/s{number}"), ROOTS[number], audience, "dir", 1, size, **facts)


def test_only_what_is_public_and_there() -> None:
    found = [
        share(0),
        share(1, Audience()),
        share(2, ORIGIN, replica=True),
        share(3, ready=False),
        share(4, state="missing"),
        share(5, state="changed", replica=True),
    ]
    assert public_roots(found) == {ROOTS[0]}


def test_no_more_than_the_bound_the_largest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANNOUNCED_MAX", 2)
    assert public_roots([share(0), share(1, size=9), share(2, size=5)]) == {ROOTS[1], ROOTS[2]}


class Bench:
    """A DHT that remembers."""

    def __init__(self) -> None:
        self.shares: list[Share] = []
        self.provided: list[Cid] = []
        self.calls = 0
        self.fails: Exception | None = None

    async def provide(self, root: Cid) -> None:
        self.calls += 1
        if self.fails is not None and not isinstance(self.fails, ConnectionFailed):
            raise self.fails
        self.provided.append(root)
        if self.fails is not None:
            raise self.fails

    async def stop(self, root: Cid) -> None:
        self.calls += 1
        if root in self.provided:
            self.provided.remove(root)

    def is_provided(self, root: Cid) -> bool:
        return root in self.provided


def run(main: Any) -> None:
    async def whole() -> None:
        runtime = World(1, loop=asyncio.get_running_loop()).runtime("a")  # type: ignore[arg-type]
        state = await runtime.open_database(":memory:", numbered_scripts("warren.services.files"))
        await main(state)
        await state.close()

    simulated.run(whole())


def begin(state: Any, bench: Bench) -> tuple[Announcing, asyncio.Task[None]]:
    announcing = Announcing(state, lambda: bench.shares, bench)
    return announcing, asyncio.create_task(announcing.run())


def test_it_follows_the_shares_also_over_a_restart() -> None:
    async def main(state: Any) -> None:
        bench = Bench()
        bench.shares, bench.provided = [share(0), share(1)], [ROOTS[5]]
        announcing, running = begin(state, bench)
        await asyncio.sleep(2 * SETTLE_S)
        assert bench.provided == [ROOTS[5], ROOTS[0], ROOTS[1]]
        bench.shares = [share(1), share(2)]
        for _ in range(10):
            announcing.wake()
        await asyncio.sleep(2 * SETTLE_S)
        assert (bench.provided, bench.calls) == ([ROOTS[5], ROOTS[1], ROOTS[2]], 4)
        running.cancel()
        bench.shares = [share(2)]
        begin(state, bench)
        await asyncio.sleep(2 * SETTLE_S)
        assert bench.provided == [ROOTS[5], ROOTS[2]]  # what the user provides by hand stays

    run(main)


def test_what_a_kill_left_untold_is_told() -> None:
    async def main(state: Any) -> None:
        await state.run(
            lambda db: db.execute("INSERT INTO announced VALUES (?)", (ROOTS[0].to_bytes(),)) and None
        )
        bench = Bench()
        bench.shares = [share(0)]
        begin(state, bench)
        await asyncio.sleep(2 * SETTLE_S)
        assert bench.provided == [ROOTS[0]]

    run(main)


def test_what_the_user_provides_by_hand_is_not_taken_back() -> None:
    async def main(state: Any) -> None:
        bench = Bench()
        bench.shares, bench.provided = [share(0)], [ROOTS[0]]
        announcing, _ = begin(state, bench)
        await asyncio.sleep(2 * SETTLE_S)
        bench.shares = []
        announcing.wake()
        await asyncio.sleep(2 * SETTLE_S)
        assert (bench.provided, bench.calls) == ([ROOTS[0]], 0)

    run(main)


def test_a_dht_that_is_alone_or_off_and_a_disk_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    async def main(state: Any) -> None:
        bench = Bench()
        bench.shares, bench.fails = [share(0), share(1)], ConnectionFailed("nobody is known")
        announcing, running = begin(state, bench)
        await asyncio.sleep(2 * SETTLE_S)
        assert bench.provided == [ROOTS[0], ROOTS[1]]  # it is told later
        bench.shares, bench.fails = [share(2)], StorageError("the disk is full")
        announcing.wake()
        await asyncio.sleep(2 * SETTLE_S)
        assert "the disk is full" in caplog.text
        bench.shares, bench.fails = [share(3)], ConfigError("the DHT is off")
        announcing.wake()
        await running

    run(main)


def test_a_damaged_row_costs_itself_alone() -> None:
    async def main(state: Any) -> None:
        await state.run(lambda db: db.execute("INSERT INTO announced VALUES (?)", (b"none",)) and None)
        bench = Bench()
        bench.shares = [share(0)]
        begin(state, bench)
        await asyncio.sleep(2 * SETTLE_S)
        assert bench.provided == [ROOTS[0]]

    run(main)
