"""When a source is asked what it has, and told what is here, in virtual time."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from warren import testing
from warren.core.cid import Cid
from warren.core.errors import ConnectionFailed
from warren.runtime.simulated import World
from warren.services.files.swarm.following import POLL_S, POLL_TELLER_S, POLL_WHOLE_S, TELL_S, follow
from warren.services.files.swarm.partial import Partial

if TYPE_CHECKING:
    from collections.abc import Callable

NEVER = float("-inf")


def times(
    source: SimpleNamespace, until_s: float, meanwhile: Callable[[Partial, float], None] = lambda *_: None
) -> list[float]:
    """When it is asked; `meanwhile` is called every 10 ms."""
    asked: list[float] = []

    async def main() -> None:
        world = World("following", loop=asyncio.get_running_loop())  # type: ignore[arg-type]
        clock = world.clock
        runtime = world.runtime("n")
        partial = Partial(Cid.raw_sha256(bytes(32)), runtime.disk, "/down")
        for number in range(10):
            partial.on_leaf(number, bytes([number]) * 32, 5, "", 5 * number)
        begun = clock.now()

        async def ask() -> Any:
            asked.append(round(clock.now() - begun, 2))
            if len(asked) == 1:
                raise ConnectionFailed("once")
            return "told"

        following = asyncio.create_task(follow(source, ask, lambda _: None, partial, clock))  # type: ignore[arg-type]
        while clock.now() < begun + until_s:
            await asyncio.sleep(0.01)
            meanwhile(partial, round(clock.now() - begun, 2))
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        partial.close()
        world.close()

    testing.run(main())
    return asked


def source(*, complete: bool | None = False, heard_at: float = NEVER) -> SimpleNamespace:
    return SimpleNamespace(peer="them", complete=complete, heard_at=heard_at)


def test_it_is_asked_every_now_and_then() -> None:
    assert times(source(), 2.5 * POLL_S) == [POLL_S, 2 * POLL_S]
    assert times(source(complete=True), 2.5 * POLL_WHOLE_S) == [POLL_WHOLE_S, 2 * POLL_WHOLE_S]
    assert times(source(complete=None), 2.5 * POLL_S) == []


def test_who_tells_us_by_itself_is_asked_seldom() -> None:
    assert times(source(heard_at=1e12), 1.5 * POLL_TELLER_S) == [POLL_TELLER_S]


def test_it_is_told_at_once_of_what_is_new_but_not_of_each_of_many() -> None:
    def grow(partial: Partial, now: float) -> None:
        if now >= 1.0:
            partial.on_stored(min(9, int((now - 1.0) / 0.1)))

    asked = times(source(), 1.95, grow)
    assert asked[0] == 1.0
    gaps = [later - sooner for sooner, later in pairwise(asked)]
    assert len(gaps) == 3
    assert all(TELL_S <= round(gap, 2) <= TELL_S + 0.1 for gap in gaps)


def test_who_has_everything_needs_not_to_be_told() -> None:
    assert times(source(complete=True), 3.0, lambda partial, _: partial.on_stored(1)) == []
