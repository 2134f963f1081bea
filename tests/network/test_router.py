from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from tests.support import run
from warren.core.errors import MisuseError, StreamReset
from warren.network.router import Router


class FakeStream:
    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self.resets = self.closes = 0
        self.finishing = False

    def close_nowait(self) -> None:
        self.closes += 1

    def reset(self) -> None:
        self.resets += 1


def stream(protocol: str = "/x/1") -> Any:
    return FakeStream(protocol)


def test_a_stream_goes_to_the_handler_of_its_protocol() -> None:
    async def main() -> None:
        router, served = Router(), []

        async def handler(s: Any) -> None:
            served.append(("task", s.protocol))

        router.add("/task/1", handler)
        router.add_inline("/inline/1", lambda s: served.append(("inline", s.protocol)))
        router.dispatch(stream("/inline/1"))
        router.dispatch(stream("/task/1"))
        assert served == [("inline", "/inline/1")]
        await asyncio.sleep(0)
        assert served == [("inline", "/inline/1"), ("task", "/task/1")]

    run(main())


def test_what_nobody_claims_goes_to_the_default_handler_or_is_reset() -> None:
    async def main() -> None:
        router, served = Router(), []

        async def default(s: Any) -> None:
            served.append(s.protocol)

        assert not router.supports("/odd/1")
        orphan = stream("/odd/1")
        router.dispatch(orphan)
        assert orphan.resets == 1
        router.set_default(default)
        assert router.supports("/odd/1")
        router.dispatch(stream("/odd/1"))
        await asyncio.sleep(0)
        assert served == ["/odd/1"]
        router.set_default(None)
        assert not router.supports("/odd/1")

    run(main())


def test_protocols_are_listed_sorted_and_changes_are_told() -> None:
    router, changes = Router(), []
    router.on_changed = lambda: changes.append(router.protocols)

    async def handler(_: Any) -> None: ...

    router.add("/b/1", handler)
    router.add_inline("/a/1", lambda _: None)
    router.remove("/b/1")
    router.remove("/b/1")
    router.remove("/a/1")
    assert changes == [["/b/1"], ["/a/1", "/b/1"], ["/a/1"], []]


@pytest.mark.parametrize("inline", [False, True])
def test_a_protocol_has_one_handler(inline: bool) -> None:
    router = Router()

    async def handler(_: Any) -> None: ...

    router.add("/a/1", handler)
    router.add_inline("/b/1", lambda _: None)
    for taken in ("/a/1", "/b/1"):
        with pytest.raises(MisuseError, match=f"{taken} has a handler already"):
            router.add_inline(taken, lambda _: None) if inline else router.add(taken, handler)


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("fault", [StreamReset("gone"), ValueError("a bug")])
def test_a_handler_that_fails_costs_its_stream(
    fault: Exception, inline: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        router = Router()

        async def handler(_: Any) -> None:
            raise fault

        def inline_handler(_: Any) -> None:
            raise fault

        router.add_inline("/x/1", inline_handler) if inline else router.add("/x/1", handler)
        victim = stream()
        router.dispatch(victim)
        await asyncio.sleep(0)
        assert victim.resets == 1

    with caplog.at_level(logging.INFO):
        run(main())
    assert ("a bug" in caplog.text) == isinstance(fault, ValueError), "only our own faults are worth a line"


def test_stop_cancels_what_runs_and_resets_its_stream() -> None:
    async def main() -> None:
        router, ended = Router(), []

        async def handler(_: Any) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        router.add("/x/1", handler)
        running = stream()
        router.dispatch(running)
        await asyncio.sleep(0)
        await router.stop()
        assert ended == [True]
        assert running.resets == 1
        await router.stop()

    run(main())


def test_what_a_cancelled_handler_has_closed_for_writing_is_still_sent() -> None:
    async def main() -> None:
        router = Router()

        async def handler(_: Any) -> None:
            await asyncio.Event().wait()

        router.add("/x/1", handler)
        finishing = stream()
        finishing.finishing = True
        router.dispatch(finishing)
        await asyncio.sleep(0)
        await router.stop()
        assert (finishing.closes, finishing.resets) == (1, 0)

    run(main())


def test_a_handler_that_does_not_end_is_waited_for_no_longer_than_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        router, over = Router(), asyncio.Event()

        async def stubborn(_: Any) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await over.wait()

        router.add("/x/1", stubborn)
        router.dispatch(stream())
        await asyncio.sleep(0)
        await router.stop(0.01)
        assert len(router._tasks) == 1
        over.set()
        await router.stop()
        assert not router._tasks

    run(main())
    assert "handlers that run on 0.01 s after being cancelled: 1" in caplog.text
