from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.services.files.queue.scene import ANNA, MIB, cid, play, want
from warren.core.errors import Closed, ConnectionFailed, InputError, WarrenError
from warren.services.files.queue.handle import QueuedGet, leave
from warren.services.files.queue.window import Window, minute_of_day
from warren.services.files.types import SourceState

if TYPE_CHECKING:
    from tests.services.files.queue.scene import Scene


def test_it_is_a_transfer_like_any_other() -> None:
    async def main(scene: Scene) -> None:
        async with QueuedGet(scene.transfers, want()) as transfer:
            assert (transfer.root, transfer.name, transfer.sources()) == (None, "", ())
            transfer.set_cap(3)
            attempt = await scene.attempt(0)
            attempt.show(SourceState(ANNA, "active"))
            attempt.progress(MIB)
            async for progress in transfer:
                assert progress.total_bytes == 10 * MIB
                break
            assert (transfer.root, transfer.name, len(transfer.sources())) == (cid(1), str(cid(1)), 1)
            transfer.set_cap(5)
            assert attempt.steering.cap_bytes_per_s == 5
            with pytest.raises(InputError):
                transfer.set_cap(-1)
            attempt.end.set_result(None)
            assert str(await transfer.result()) == "/downloads/file"
            assert transfer.outcome is not None
        assert scene.transfers.get(1).state == "done"

    play(main)


def test_who_leaves_early_pauses_it() -> None:
    async def main(scene: Scene) -> None:
        async with QueuedGet(scene.transfers, want()):
            await scene.attempt(0)
        one = scene.transfers.get(1)
        assert (one.state, one.cause) == ("paused", "user")
        await leave(scene.transfers, 1)
        await leave(scene.transfers, 9)
        async with QueuedGet(scene.transfers, want(2)) as transfer:
            transfer.cancel()
        assert 2 not in scene.transfers or scene.transfers.get(2).state == "paused"
        assert len(scene.fakes.attempts) == 1

    play(main)


def test_who_leaves_while_it_is_being_added_pauses_it_too() -> None:
    async def main(scene: Scene) -> None:
        async with QueuedGet(scene.transfers, want()):
            await asyncio.sleep(0)
        assert scene.transfers.get(1).state == "paused"

    play(main)


def test_what_cannot_go_on_now_says_why() -> None:
    async def main(scene: Scene) -> None:
        transfer = QueuedGet(scene.transfers, want())
        (await scene.attempt(0)).end.set_result(ConnectionFailed("nobody is there"))
        with pytest.raises(ConnectionFailed, match="nobody is there"):
            await transfer.result()
        assert scene.transfers.get(1).state == "waiting", "it goes on by itself"
        now = minute_of_day(scene.runtime.clock.wall())
        later = Window((now + 60) % 1440, (now + 120) % 1440)
        with pytest.raises(WarrenError, match=f"transfer 2 is paused: its hours begin at {later.opens}"):
            await QueuedGet(scene.transfers, want(2, window=later)).result()
        transfer = QueuedGet(scene.transfers, want(3))
        await scene.attempt(1)
        await scene.transfers.cancel(3)
        with pytest.raises(WarrenError, match="transfer 3 was cancelled"):
            await transfer.result()
        transfer = QueuedGet(scene.transfers, want(4))
        await scene.attempt(2)
        await scene.transfers.pause(4)
        with pytest.raises(WarrenError, match=r"transfer 4 is paused$"):
            await transfer.result()

    play(main)


def test_the_end_of_the_node_pauses_nothing() -> None:
    async def main(scene: Scene) -> None:
        transfer = QueuedGet(scene.transfers, want())
        await scene.attempt(0)
        await scene.transfers.close()
        with pytest.raises(Closed):
            await transfer.result()
        async with scene.again() as after:
            assert after.states() == "1:queued"

    play(main)
