"""The queue over fetches that do what a test says: what runs, what is kept, what is told."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.files.queue.scene import ANNA, BEN, EVE, MIB, Scene, cid, play, want
from warren.core.errors import (
    BadContent,
    ConnectionFailed,
    ContentUnknown,
    DiskFull,
    InputError,
    LimitReached,
    NotFound,
    SourceChanged,
    StorageError,
)
from warren.services.files.queue import transfers as module
from warren.services.files.queue.limits import AS_SET
from warren.services.files.queue.machine import FREE_S, RETRY_S
from warren.services.files.queue.model import Limits, TransferRemoved
from warren.services.files.queue.outcomes import BUSY
from warren.services.files.queue.selection import Selection
from warren.services.files.queue.transfers import ENDED_KEPT_S
from warren.services.files.queue.window import Window, minute_of_day
from warren.services.files.types import SourceState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.services.files.queue.model import QueuedTransfer


def test_what_is_added_runs_and_is_done() -> None:
    async def main(scene: Scene) -> None:
        selection = Selection(("*.jpg",))
        number = await scene.transfers.add(want(selection=selection, cap_bytes_per_s=9, name="mine"))
        attempt = await scene.attempt(0)
        assert attempt.ref == cid(1)
        assert attempt.how["peers"] == (ANNA,)
        assert (attempt.how["only"], attempt.how["name"], attempt.how["cap_bytes_per_s"]) == (
            False,
            "mine",
            9,
        )
        assert attempt.how["select"]("a.jpg")
        assert not attempt.how["select"]("a.txt")
        assert scene.reached == [(ANNA,)]
        attempt.show(
            SourceState(ANNA, "active", 4 * MIB, 2.0 * MIB), SourceState(BEN, "dropped", note="lied")
        )
        attempt.progress(4 * MIB)
        await asyncio.sleep(0.1)
        one = scene.transfers.get(number)
        assert (one.name, one.state, one.bytes_per_s, one.left_s) == ("mine", "running", 2.0 * MIB, 3.0)
        assert [source.peer for source in one.sources] == [ANNA, BEN]
        attempt.end.set_result(None)
        one = await scene.until(number, "done")
        assert one.path == "/downloads/file"
        assert one.outcome.bytes == 10 * MIB
        assert [(dropped.peer, dropped.reason) for dropped in one.dropped] == [(BEN, "lied")]
        assert one.left_s is None
        assert scene.changes(number) == ["queued", "running", "done"]

    play(main)


def test_so_many_run_at_once_and_the_others_in_their_turn() -> None:
    async def main(scene: Scene) -> None:
        for number in range(1, 5):
            assert await scene.transfers.add(want(number)) == number
        await scene.attempt(1)
        assert scene.states() == "1:running 2:running 3:queued 4:queued"
        await scene.transfers.change(4, priority=9)
        assert (await scene.attempt(2)).ref == cid(4)
        assert scene.states() == "1:running 2:queued 3:queued 4:running"
        assert scene.fakes.attempts[1].cancelled
        scene.fakes.attempts[0].end.set_result(None)
        assert (await scene.attempt(3)).ref == cid(2)

    play(main)


def test_pause_keeps_what_there_is_and_resume_goes_on() -> None:
    async def main(scene: Scene) -> None:
        number = await scene.transfers.add(want())
        attempt = await scene.attempt(0)
        attempt.progress(3 * MIB)
        await asyncio.sleep(0.1)
        one = await scene.transfers.pause(number)
        assert (one.state, one.cause, one.progress and one.progress.done_bytes) == ("paused", "user", 3 * MIB)
        assert attempt.cancelled
        await asyncio.sleep(1e5)
        assert len(scene.fakes.attempts) == 1
        assert (await scene.transfers.resume(number)).state == "queued"
        (await scene.attempt(1)).end.set_result(None)
        await scene.until(number, "done")
        with pytest.raises(InputError, match="is done"):
            await scene.transfers.pause(number)

    play(main)


def test_all_that_was_acknowledged_is_there_after_a_restart() -> None:
    async def main(scene: Scene) -> None:
        hours = Window.parse("0:00-23:59")
        for number in range(1, 7):
            await scene.transfers.add(want(number, window=hours if number == 3 else None))
        (await scene.attempt(0)).progress(2 * MIB)
        scene.fakes.attempts[1].end.set_result(BadContent(ANNA, cid(2)))
        await scene.until(2, "failed")
        (await scene.attempt(2)).end.set_result(None)
        await scene.until(3, "done")
        await scene.transfers.pause(4)
        await scene.transfers.cancel(5)
        await scene.transfers.change(6, priority=1, cap_bytes_per_s=7)
        await scene.transfers.close()
        async with scene.again() as after:
            assert after.states() == "1:queued 2:failed 3:done 4:paused 6:queued"
            first, second, third, _, last = after.transfers.list()
            assert first.progress
            assert first.progress.done_bytes == 2 * MIB
            assert (second.error, second.reason) == (
                "BadContent",
                f"peer {ANNA} served bad data for {cid(2)}",
            )
            assert (third.path, third.want.window) == ("/downloads/file", hours)
            assert (last.want.priority, last.want.cap_bytes_per_s) == (1, 7)
            assert last.want == want(6, priority=1, cap_bytes_per_s=7)
            assert (await after.attempt(0)).ref == cid(1)
            assert await after.transfers.add(want(5)) == 7, "a number is never given twice"

    play(main)


def test_what_was_not_committed_is_not_acknowledged() -> None:
    async def main(scene: Scene) -> None:
        number = await scene.transfers.add(want())
        await scene.attempt(0)
        for call in (lambda: scene.transfers.add(want(2)), lambda: scene.transfers.pause(number)):
            scene.runtime.disk.fail_next("database", errno.ENOSPC)
            with pytest.raises(DiskFull):
                await call()
        assert [one.number for one in scene.transfers.list()] == [number]

    play(main)


def test_an_outcome_that_cannot_be_kept_is_an_outcome_all_the_same() -> None:
    async def main(scene: Scene) -> None:
        number = await scene.transfers.add(want())
        attempt = await scene.attempt(0)
        scene.runtime.disk.fail_next("database", errno.ENOSPC)
        attempt.end.set_result(None)
        await scene.until(number, "done")

    play(main)


def test_old_ones_that_cannot_be_removed_hold_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENDED_MAX", 1)

    async def main(scene: Scene) -> None:
        for number in (1, 2, 3):
            await scene.transfers.add(want(number))
        (await scene.attempt(0)).end.set_result(None)
        await scene.until(1, "done")
        scene.runtime.disk.fail_next("database", errno.ENOSPC, times=2)  # the outcome, and what is old
        (await scene.attempt(1)).end.set_result(None)
        (await scene.attempt(2)).end.set_result(None)
        await scene.until(3, "done")

    play(main, active_max=1)


def test_without_holders_it_waits_until_one_comes() -> None:
    async def main(scene: Scene) -> None:
        number = await scene.transfers.add(want())
        (await scene.attempt(0)).end.set_result(ConnectionFailed("nobody is there", hint="wait"))
        one = await scene.until(number, "waiting")
        assert (one.reason, one.hint, one.error) == ("nobody is there", "wait", "ConnectionFailed")
        assert 0 < one.retry_at - scene.runtime.clock.wall() <= RETRY_S
        begun = scene.runtime.clock.now()
        scene.transfers.on_peer(ANNA)
        second = await scene.attempt(1)
        assert scene.runtime.clock.now() - begun < 0.1
        assert scene.transfers.get(number).reason == ""
        second.end.set_result(ConnectionFailed("nobody is there"))
        await scene.attempt(2)
        assert scene.runtime.clock.now() - begun <= RETRY_S + 1, "and by itself"

    play(main)


def test_more_than_a_source_has_places_for_wait_and_say_why_and_go_on_with_the_next_place() -> None:
    async def main(scene: Scene) -> None:
        numbers = [await scene.transfers.add(want(n)) for n in range(1, 4)]
        attempts = [await scene.attempt(at) for at in range(3)]
        attempts[2].end.set_result(LimitReached(BUSY, "anna has too many transfers now"))
        one = await scene.until(numbers[2], "queued/busy")
        assert one.reason == "anna has too many transfers now"
        assert one.retry_at is not None
        following = asyncio.create_task(_last(scene.transfers.follow(numbers[2])))
        before = scene.runtime.clock.now()
        attempts[0].end.set_result(None)
        again = await scene.attempt(3)
        assert scene.runtime.clock.now() - before == pytest.approx(FREE_S, abs=0.1)
        assert (scene.transfers.get(numbers[2]).state, scene.transfers.get(numbers[2]).reason) == (
            "running",
            "",
        )
        again.end.set_result(None)
        assert (await following).state == "done", "who follows it stays"

    play(main, active_max=3)


async def _last(changes: AsyncIterator[QueuedTransfer]) -> QueuedTransfer:
    return [one async for one in changes][-1]


def test_whom_alone_it_may_come_from_is_dialled_first() -> None:
    async def main(scene: Scene) -> None:
        scene.unreachable = ConnectionFailed("nobody listens there")
        named = await scene.transfers.add(want(only=True))
        path = await scene.transfers.add(want(cid=None, path="Photos"))
        for number in (named, path):
            assert (await scene.until(number, "waiting")).reason == "nobody listens there"
        assert scene.fakes.attempts == []
        await scene.transfers.add(want(2))
        assert (await scene.attempt(0)).ref == cid(2), "others may have that"

    play(main)


def test_a_stranger_that_comes_is_asked_where_nobody_was_named() -> None:
    async def main(scene: Scene) -> None:
        await scene.transfers.add(want(1))
        await scene.transfers.add(want(2, only=True))
        for at in range(20):
            (await scene.attempt(at)).end.set_result(ConnectionFailed("nobody is there"))
        await asyncio.sleep(61)
        while scene.fakes.running:
            scene.fakes.running[0].end.set_result(ConnectionFailed("nobody is there"))
            await asyncio.sleep(61)
        count = len(scene.fakes.attempts)
        begun = scene.runtime.clock.now()
        scene.transfers.on_peer(EVE)
        assert (await scene.attempt(count)).ref == cid(1)
        assert scene.runtime.clock.now() - begun < 60

    play(main)


def test_what_cannot_mend_has_failed_until_it_is_tried_again() -> None:
    async def main(scene: Scene) -> None:
        number = await scene.transfers.add(want(only=True))
        (await scene.attempt(0)).end.set_result(ContentUnknown("it has no such thing", hint="list it"))
        one = await scene.until(number, "failed")
        assert (one.reason, one.hint) == ("it has no such thing", "list it")
        assert isinstance(scene.transfers.failure(number), ContentUnknown)
        await asyncio.sleep(1e5)
        assert len(scene.fakes.attempts) == 1
        await scene.transfers.resume(number)
        (await scene.attempt(1)).end.set_result(None)
        await scene.until(number, "done")

    play(main)


def test_a_bug_in_a_fetch_costs_that_one_alone(caplog: Any) -> None:
    async def main(scene: Scene) -> None:
        number = await scene.transfers.add(want())
        other = await scene.transfers.add(want(2))
        (await scene.attempt(0)).end.set_exception(ZeroDivisionError("oh"))
        assert "a bug in Warren: oh" in (await scene.until(number, "failed")).reason
        (await scene.attempt(1)).end.set_result(None)
        await scene.until(other, "done")

    play(main)
    assert "ZeroDivisionError" in caplog.text


def test_a_full_disk_pauses_it_until_there_is_room() -> None:
    async def main(scene: Scene) -> None:
        free = 5 * MIB
        scene.runtime.disk.free_bytes = lambda _: free
        number = await scene.transfers.add(want())
        attempt = await scene.attempt(0)
        attempt.progress(2 * MIB, 100 * MIB)
        await asyncio.sleep(0.1)
        attempt.end.set_result(DiskFull("no room left for file"))
        one = await scene.until(number, "paused/disk")
        assert one.reason == "no room left for file"
        assert one.retry_at > scene.runtime.clock.wall()
        await asyncio.sleep(3600)
        assert len(scene.fakes.attempts) == 1
        free = 97 * MIB
        await asyncio.sleep(3600)
        assert len(scene.fakes.attempts) == 1, "98 MiB are missing"
        free = 98 * MIB
        (await scene.attempt(1)).end.set_result(None)
        await scene.until(number, "done")

    play(main)


def test_one_that_is_cancelled_while_a_full_disk_is_looked_at_stops_no_other() -> None:
    async def main(scene: Scene) -> None:
        numbers = [await scene.transfers.add(want(number)) for number in (1, 2)]
        for at, number in enumerate(numbers):
            (await scene.attempt(at)).end.set_result(DiskFull("full"))
            await scene.until(number, "paused/disk")
        given = scene.runtime
        looks: list[object] = []

        async def offload(call: Any, *arguments: Any) -> Any:
            if not looks:
                looks.append(call)
                await later.transfers.cancel(numbers[1])
            return call(*arguments)

        given.disk.free_bytes = lambda _: 1 << 40
        runtime = SimpleNamespace(clock=given.clock, disk=given.disk, entropy=given.entropy, offload=offload)
        later = Scene(runtime, scene.state, 2)  # at its start it looks at both
        async with later.alive():
            (await later.attempt(0)).end.set_result(None)
            await later.until(numbers[0], "done")
            assert len(looks) == 1
            assert numbers[1] not in later.transfers

    play(main)


def test_room_that_is_set_aside_already_is_not_asked_for_again() -> None:
    async def main(scene: Scene) -> None:
        disk = scene.runtime.disk
        staged = f"/downloads/.warren-{str(cid(1))[-16:]}.partial"
        disk.make_dirs(staged)
        with contextlib.closing(disk.open_write(f"{staged}/content", create=True)) as file:
            file.reserve(90 * MIB)
        disk.free_bytes = lambda _: 17 * MIB
        number = await scene.transfers.add(want())
        attempt = await scene.attempt(0)
        attempt.progress(2 * MIB, 100 * MIB)
        await asyncio.sleep(0.1)
        attempt.end.set_result(DiskFull("no room left for another file"))
        (await scene.attempt(1)).end.set_result(None)
        await scene.until(number, "done")

    play(main)


def test_a_disk_that_is_gone_is_no_reason_to_wait() -> None:
    async def main(scene: Scene) -> None:
        def gone(_: str) -> int:
            raise FileNotFoundError

        number = await scene.transfers.add(want())
        scene.runtime.disk.free_bytes = gone
        (await scene.attempt(0)).end.set_result(DiskFull("full"))
        (await scene.attempt(1)).end.set_result(StorageError("the folder is gone"))
        assert (await scene.until(number, "failed")).reason == "the folder is gone"

    play(main)


def test_outside_its_hours_it_rests() -> None:
    async def main(scene: Scene) -> None:
        now = minute_of_day(scene.runtime.clock.wall())
        later = Window((now + 60) % 1440, (now + 120) % 1440)
        number = await scene.transfers.add(want(window=later))
        one = await scene.until(number, "paused/hours")
        assert one.reason == f"its hours begin at {later.opens}"
        begun = scene.runtime.clock.now()
        first = await scene.attempt(0)
        assert 58 * 60 <= scene.runtime.clock.now() - begun <= 61 * 60
        await scene.until(number, "paused/hours")
        await asyncio.sleep(0.1)
        assert first.cancelled
        assert scene.runtime.clock.now() - begun <= 121 * 60
        await scene.transfers.resume(number)
        await scene.attempt(1)
        await scene.transfers.pause(number)
        await scene.transfers.change(number, window=False)
        assert scene.transfers.get(number).want.window is None

    play(main)


def test_a_path_is_known_by_its_content_once_it_was_looked_up() -> None:
    async def main(scene: Scene) -> None:
        number = await scene.transfers.add(want(cid=None, path="Photos/sea"))
        assert scene.transfers.get(number).name == "sea"
        first = await scene.attempt(0)
        assert first.ref == "Photos/sea"
        first.progress(MIB)
        await asyncio.sleep(0.1)
        one = scene.transfers.get(number)
        assert (one.root, one.name) == (cid(7), "at its source")
        first.end.set_result(ConnectionFailed("gone"))
        second = await scene.attempt(1)
        assert second.ref == cid(7), "others may have it"
        staged = f"/downloads/.warren-{str(cid(7))[-16:]}.partial"
        scene.runtime.disk.make_dirs(staged)
        second.end.set_result(SourceChanged("it is another"))
        scene.fakes.root = cid(8)
        third = await scene.attempt(2)
        assert third.ref == "Photos/sea", "it may mean something else by now"
        third.progress(MIB)
        await asyncio.sleep(0.1)
        assert scene.transfers.get(number).root == cid(8)
        with pytest.raises(FileNotFoundError):
            scene.runtime.disk.stat(staged)

    play(main)


def test_what_a_named_peer_does_not_have_at_a_path_has_failed() -> None:
    async def main(scene: Scene) -> None:
        number = await scene.transfers.add(want(cid=None, path="Photos/see"))
        attempt = await scene.attempt(0)
        attempt.end.set_result(ContentUnknown("nothing is there"))
        await scene.until(number, "failed")

    play(main)


def test_cancel_removes_what_there_is() -> None:
    async def main(scene: Scene) -> None:
        disk = scene.runtime.disk
        staged = f"/downloads/.warren-{str(cid(1))[-16:]}.partial"
        number = await scene.transfers.add(want())
        attempt = await scene.attempt(0)
        disk.make_dirs(f"{staged}/content")
        attempt.progress(3 * MIB)
        await asyncio.sleep(0.1)
        assert await scene.transfers.cancel(number) == 3 * MIB
        assert attempt.cancelled
        with pytest.raises(FileNotFoundError):
            disk.stat(staged)
        assert scene.transfers.list() == []
        assert scene.told[-1] == TransferRemoved(number)
        for call in (scene.transfers.cancel, scene.transfers.pause, scene.transfers.resume):
            with pytest.raises(NotFound, match=f"no transfer {number}"):
                await call(number)

    play(main)


def test_cancel_leaves_alone_what_another_goes_on_with_and_what_is_done() -> None:
    async def main(scene: Scene) -> None:
        disk = scene.runtime.disk
        staged = f"/downloads/.warren-{str(cid(1))[-16:]}.partial"
        disk.make_dirs(staged)
        one, other = await scene.transfers.add(want()), await scene.transfers.add(want(name="b"))
        await scene.attempt(1)
        assert await scene.transfers.cancel(other) == 0
        disk.stat(staged)
        scene.fakes.attempts[0].end.set_result(None)
        await scene.until(one, "done")
        assert await scene.transfers.cancel(one) == 0
        disk.stat(staged)

    play(main)


def test_cancel_where_the_folder_is_gone_or_cannot_be_written() -> None:
    async def main(scene: Scene) -> None:
        number = await scene.transfers.add(want(folder="/nowhere"))
        (await scene.attempt(0)).progress(MIB)
        await asyncio.sleep(0.1)
        assert await scene.transfers.cancel(number) == MIB
        number = await scene.transfers.add(want())
        await scene.attempt(1)
        scene.runtime.disk.make_dirs(f"/downloads/.warren-{str(cid(1))[-16:]}.partial")
        scene.runtime.disk.fail_next("remove_tree", errno.EACCES)
        assert await scene.transfers.cancel(number) == 0

    play(main)


def test_the_same_again_is_the_same_transfer() -> None:
    async def main(scene: Scene) -> None:
        number = await scene.transfers.add(want())
        await scene.attempt(0)
        with pytest.raises(InputError, match=f"being fetched into /downloads already: transfer {number}"):
            await scene.transfers.add(want())
        await scene.transfers.pause(number)
        assert await scene.transfers.add(want(peers=(BEN,), priority=7)) == number
        assert (await scene.attempt(1)).how["peers"] == (BEN,)
        await scene.transfers.close()
        async with scene.again() as after:
            assert after.transfers.get(number).want == want(peers=(BEN,), priority=7)
            (await after.attempt(0)).end.set_result(None)
            await after.until(number, "done")
            assert await after.transfers.add(want()) == number + 1, "what is done is fetched anew"

    play(main)


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUEUED_MAX", 2)
    monkeypatch.setattr(module, "ENDED_MAX", 2)

    async def main(scene: Scene) -> None:
        for number in (1, 2):
            await scene.transfers.add(want(number))
        with pytest.raises(LimitReached, match="2 transfers wait already"):
            await scene.transfers.add(want(3))
        for at in range(4):
            (await scene.attempt(at)).end.set_result(None)
            await scene.until(at + 1, "done")
            await scene.transfers.add(want(at + 3))
        await scene.attempt(5)
        assert scene.states() == "3:done 4:done 5:running 6:running"
        await scene.transfers.close()
        await asyncio.sleep(ENDED_KEPT_S + 1)
        async with scene.again() as after:
            assert after.states() == "5:queued 6:queued"

    play(main)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cid": None},
        {"only": True, "peers": ()},
        {"cap_bytes_per_s": -1},
        {"path": "x" * 9000},
        {"priority": 10},
    ],
)
def test_what_cannot_be_wanted(wrong: dict[str, Any]) -> None:
    async def main(scene: Scene) -> None:
        with pytest.raises(InputError):
            await scene.transfers.add(want(**wrong))

    play(main)


def test_who_follows_sees_how_it_ends() -> None:
    async def main(scene: Scene) -> None:
        seen: list[str] = []

        async def follow(number: int) -> None:
            async for one in scene.transfers.follow(number):
                if seen[-1:] != [one.state]:
                    seen.append(one.state)

        for end, states in (
            (lambda: scene.fakes.running[0].end.set_result(None), ["running", "done"]),
            (lambda: scene.transfers.pause(2), ["running", "paused"]),
            (lambda: scene.transfers.cancel(3), ["running"]),
            (scene.transfers.close, ["running"]),
        ):
            seen.clear()
            number = await scene.transfers.add(want())
            following = asyncio.create_task(follow(number))
            await scene.attempt(len(scene.fakes.attempts))
            for done in range(3):
                scene.fakes.running[0].progress(done)
                await asyncio.sleep(0.2)
            ended: Any = end()
            if ended is not None:
                await ended
            await following
            assert [state for state in seen if state != "queued"] == states
            if states[-1] == "paused":
                await scene.transfers.cancel(number)
        assert scene.transfers.is_closed

    play(main)


def test_who_follows_one_that_is_removed_between_two_looks_sees_it_end() -> None:
    async def main(scene: Scene) -> None:
        number = await scene.transfers.add(want())
        attempt = await scene.attempt(0)
        seen = 0
        async for one in scene.transfers.follow(number):
            assert one.state == "running"
            seen += 1
            if seen == 1:
                attempt.progress(1)
                asyncio.get_running_loop().call_later(0.05, cancel_soon, scene, number)
        assert seen == 1

    def cancel_soon(scene: Scene, number: int) -> None:
        cancelling.append(asyncio.ensure_future(scene.transfers.cancel(number)))

    cancelling: list[Any] = []
    play(main)


def test_limits_are_those_of_the_settings_until_the_user_says_otherwise() -> None:
    async def main(scene: Scene) -> None:
        limits = scene.transfers.limits
        assert limits.now == Limits(5, 6)
        assert await limits.set(down_bytes_per_s=0) == Limits(0, 6)
        async with scene.again() as after:
            assert after.applied == [Limits(0, 6)]
            assert await after.transfers.limits.set(down_bytes_per_s=AS_SET, up_bytes_per_s=9) == Limits(5, 9)
        with pytest.raises(InputError, match="a limit is 0"):
            await limits.set(up_bytes_per_s=-2)
        assert scene.transfers.uploads() == ()

    play(main)


def test_a_cap_holds_at_once() -> None:
    async def main(scene: Scene) -> None:
        number = await scene.transfers.add(want())
        attempt = await scene.attempt(0)
        await scene.transfers.change(number, cap_bytes_per_s=77)
        assert attempt.steering.cap_bytes_per_s == 77

    play(main)
