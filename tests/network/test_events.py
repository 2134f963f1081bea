from __future__ import annotations

import asyncio
import gc
from collections import deque

import pytest

from tests.support import run
from warren.core.errors import MisuseError
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


def test_who_missed_events_is_told_so_once() -> None:
    async def main() -> None:
        bus = EventBus()
        subscription = bus.subscribe()
        for number in range(QUEUE_EVENTS_MAX):
            bus.emit(number)
        assert not subscription.missed()
        for number in range(2):
            bus.emit(number)
        assert subscription.missed()
        assert not subscription.missed()
        bus.emit("one more")
        assert subscription.missed()

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


def test_a_second_consumer_that_would_wait_is_told_so_and_the_first_goes_on() -> None:
    async def main() -> None:
        bus = EventBus()
        subscription = bus.subscribe()
        first = asyncio.ensure_future(anext(subscription))
        await asyncio.sleep(0)
        with pytest.raises(MisuseError, match="two consumers"):
            await anext(subscription)
        bus.emit("for the first")
        assert await first == "for the first"

    run(main())


@pytest.mark.parametrize("iterated", [False, True])
def test_a_subscription_that_nobody_refers_to_is_fed_no_more(iterated: bool) -> None:
    async def main() -> None:
        bus = EventBus()
        subscription = bus.subscribe()
        bus.emit("one")
        if iterated:
            async for _ in subscription:
                break
        del subscription
        gc.collect()
        assert not bus.watched

    run(main())


def test_who_waits_for_an_event_is_kept_though_nobody_else_refers_to_it() -> None:
    async def main() -> None:
        bus = EventBus()
        heard = asyncio.get_running_loop().create_future()

        async def watch() -> None:
            heard.set_result(await anext(bus.subscribe()))

        asyncio.ensure_future(watch())  # noqa: RUF006 - that is what is shown
        await asyncio.sleep(0)
        gc.collect()
        bus.emit("one")
        assert await heard == "one"

    run(main())


def test_after_the_end_of_a_network_there_is_nothing_to_hear() -> None:
    async def main() -> None:
        bus = EventBus()
        bus.close()
        late = bus.subscribe()
        bus.emit("too late")
        assert [event async for event in late] == []
        assert not bus.watched

    run(main())


def test_a_subscription_that_goes_while_an_event_is_told_takes_it_from_nobody() -> None:
    """Garbage may be collected at any moment, and subscriptions in it."""

    async def main() -> None:
        bus = EventBus()
        first, second, third = bus.subscribe(), bus.subscribe(), bus.subscribe()

        class Collecting(deque[object]):
            def append(self, event: object, /) -> None:
                first.close()
                super().append(event)

        second._inbox.queue = Collecting()
        bus.emit("one")
        assert await anext(third) == "one"
        bus.emit("two")
        assert [event async for event in first] == ["one"]

    run(main())


def test_a_subscription_may_be_to_some_kinds_only() -> None:
    async def main() -> None:
        bus = EventBus()
        assert not bus.wants(int)
        some = bus.subscribe(int, bytes)
        assert (bus.wants(int), bus.wants(str)) == (True, False)
        everything = bus.subscribe()
        assert bus.wants(str)
        large = bus.subscribe(int, where=lambda number: number > 1)
        for event in ("text", 1, b"bytes", 2):
            bus.emit(event)
        bus.close()
        assert [event async for event in some] == [1, b"bytes", 2]
        assert [event async for event in large] == [2]
        assert [event async for event in everything] == ["text", 1, b"bytes", 2]

    run(main())


def test_a_listener_is_called_at_once_with_events_of_its_class_only() -> None:
    bus, heard = EventBus(), list[object]()
    bus.on(int, heard.append)
    for happened in (1, "one", 2):
        bus.emit(happened)
    assert heard == [1, 2]
    assert not bus.watched, "hot paths still need not make what only subscribers hear"
    bus.close()
    bus.emit(3)
    assert heard == [1, 2]


def test_a_listener_that_fails_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: int) -> None:
        raise ZeroDivisionError

    bus, heard = EventBus(), list[object]()
    bus.on(int, fail)
    bus.on(int, heard.append)
    bus.emit(1)
    assert heard == [1]
    assert "a listener to int failed" in caplog.text
