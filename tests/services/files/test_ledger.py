from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from tests.support import run
from warren.core.cid import Cid
from warren.core.errors import ProtocolViolation
from warren.services.files.ledger import PROGRESS_EVERY_S, Ledger, Wanted
from warren.services.files.types import Progress

if TYPE_CHECKING:
    from warren.runtime.seam import Clock

WANTED = Wanted(Cid.raw_sha256(bytes(32)), "name", None)


class Hand:
    """A clock that is moved by hand."""

    time = 5.0

    def now(self) -> float:
        return self.time


def made() -> tuple[Ledger, Hand, list[Progress]]:
    clock = Hand()
    seen: list[Progress] = []
    return Ledger(WANTED, cast("Clock", clock), seen.append), clock, seen


def test_progress_is_told_now_and_then() -> None:
    ledger, clock, seen = made()
    ledger.done_bytes, ledger.total_bytes = 1, 10
    ledger.done_files, ledger.total_files, ledger.current = 2, 20, "a"
    ledger.tell("fetching")
    assert seen == [Progress(1, 10, 2, 20, "a", "fetching")]
    ledger.tell("fetching")
    clock.time += PROGRESS_EVERY_S / 2
    ledger.tell("fetching")
    assert len(seen) == 1
    ledger.tell("finishing", at_once=True)
    assert seen[-1].phase == "finishing"
    clock.time += PROGRESS_EVERY_S
    ledger.tell("fetching")
    assert len(seen) == 3


def test_all_who_wait_see_that_something_moved() -> None:
    async def main() -> None:
        ledger, _, _ = made()
        ledger.moved.set()  # before: nobody waits for that any more
        waiters = [asyncio.create_task(ledger.wait_moved()) for _ in range(2)]
        for _ in range(3):
            await asyncio.sleep(0)
        assert not any(waiter.done() for waiter in waiters)
        ledger.moved.set()
        await asyncio.gather(*waiters)

    run(main())


def test_what_cannot_be_fetched_is_named() -> None:
    error = WANTED.refuse(ProtocolViolation("the sizes do not add up"))
    assert str(error) == f"{WANTED.cid} cannot be fetched: the sizes do not add up"
    assert error.hint
