from __future__ import annotations

import asyncio

import pytest

from tests.support import run
from warren.network.events import QUEUE_EVENTS_MAX, EventBus


def test_each_subscription_gets_every_event_from_then_on() -> None:
    async def main() -> None:
        bus = EventBus()
        bus.emit("before")
        one = bus.subscribe()
        bus.emit("first")
        two = bus.subscribe()
        bus.emit("second")
        bus.close()
        assert [event async for event in one] == ["first", "second"]
        assert [event async for event in two] == ["second"]

    run(main())


def test_an_event_wakes_who_waits() -> None:
    async def main() -> None:
        bus = EventBus()
        subscription = bus.subscribe()
        waiting = asyncio.ensure_future(anext(subscription))
        await asyncio.sleep(0)
        bus.emit("one")
        bus.emit("two")
        assert await waiting == "one"
        assert await anext(subscription) == "two"

    run(main())


def test_close_ends_the_iteration_after_what_is_queued() -> None:
    async def main() -> None:
        bus = EventBus()
        subscription = bus.subscribe()
        bus.emit("last")
        subscription.close()
        subscription.close()
        bus.emit("too late")
        assert [event async for event in subscription] == ["last"]
        waiting = asyncio.ensure_future(anext(bus.subscribe(), "over"))
        await asyncio.sleep(0)
        bus.close()
        assert await waiting == "over"

    run(main())


def test_hot_paths_can_ask_whether_anybody_listens() -> None:
    async def main() -> None:
        bus = EventBus()
        watched = [bus.watched]
        subscription = bus.subscribe()
        watched.append(bus.watched)
        subscription.close()
        watched.append(bus.watched)
        assert watched == [False, True, False]

    run(main())


def test_who_does_not_keep_up_loses_the_oldest_and_sees_how_many() -> None:
    async def main() -> None:
        bus = EventBus()
        slow, quick = bus.subscribe(), bus.subscribe()
        for number in range(QUEUE_EVENTS_MAX + 10):
            bus.emit(number)
            assert await anext(quick) == number
        assert slow.dropped == 10
        assert quick.dropped == 0
        assert await anext(slow) == 10

    run(main())


def test_a_wait_that_was_given_up_loses_nothing() -> None:
    async def main() -> None:
        bus = EventBus()
        subscription = bus.subscribe()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await anext(subscription)
        bus.emit("kept")
        assert await anext(subscription) == "kept"

    run(main())
