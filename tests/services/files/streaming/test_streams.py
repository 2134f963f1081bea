"""Whole nodes: a file is read while it comes, from a share, by several, and when things go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.services.files.streaming.scene import (
    CAP,
    MIB,
    READER,
    STREAMS,
    noise,
    put,
    read_all,
    share,
    sharers,
    streams_of,
)
from warren import testing
from warren.core.cid import Cid
from warren.core.errors import (
    Closed,
    ContentUnknown,
    InputError,
    InvalidCid,
    LimitReached,
    SourceChanged,
    SourceVanished,
    StorageError,
    WarrenError,
)
from warren.services.files.streaming import streams as module
from warren.services.files.streaming.streams import LINGER_S, STREAMS_MAX

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import TypeVar

    T = TypeVar("T")

FILM = noise(24 * MIB + 12_345)


async def timed(work: Awaitable[T]) -> tuple[T, float]:
    """What came of it, and after how many seconds."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    return await work, loop.time() - begun


# --- while it comes ---------------------------------------------------------------------------------------


def test_the_beginning_is_read_long_before_the_end_is_there() -> None:
    async def main() -> None:
        async with sharers() as nodes:
            cid = await share(nodes, FILM, 1)
            reading, took_s = await timed(nodes[READER].open(cid, holders=[nodes[1].peer_id]))
            assert reading.size == len(FILM)
            first, more_s = await timed(reading.read(0, 1000))
            assert first == FILM[:1000]
            assert took_s + more_s < 3
            assert await read_all(reading) == FILM
            assert await reading.read(len(FILM), 1) == b""
            assert await reading.read(len(FILM) + 5, 1) == b""
            assert await reading.read(3, 0) == b""
            assert await reading.read(len(FILM) - 3, 99) == FILM[-3:]
            reading.close()

    testing.run(main())


def test_a_player_that_reads_the_index_at_the_end_first() -> None:
    async def main() -> None:
        async with sharers() as nodes:
            cid = await share(nodes, FILM, 1)
            reading = await nodes[READER].open(cid, holders=[nodes[1].peer_id])
            await reading.read(0, 1000)
            at = len(FILM) - 4000
            end, took_s = await timed(reading.read(at, 4000))
            assert end == FILM[at:]
            back, back_s = await timed(reading.read(5 * MIB, 1000))
            assert back == FILM[5 * MIB : 5 * MIB + 1000]
            assert max(took_s, back_s) < len(FILM) / CAP / 2
            assert await read_all(reading) == FILM
            reading.close()

    testing.run(main())


def test_two_read_at_different_places_and_both_go_on() -> None:
    async def main() -> None:
        async with sharers() as nodes:
            cid = await share(nodes, FILM, 1)
            node, holder = nodes[READER], nodes[1].peer_id
            one, two = await asyncio.gather(*(node.open(cid, holders=[holder]) for _ in range(2)))
            assert len(streams_of(nodes)) == 1
            half = 12 * MIB

            async def some(reading: module.Reading, start: int) -> bytes:
                data = bytearray()
                while len(data) < 3 * MIB:
                    data += await reading.read(start + len(data), 100_000)
                return bytes(data)

            (first, second), took_s = await timed(asyncio.gather(some(one, 0), some(two, half)))
            assert FILM.startswith(first)
            assert FILM[half:].startswith(second)
            assert took_s < 0.7 * len(FILM) / CAP
            one.close()
            assert await read_all(two) == FILM
            two.close()

    testing.run(main())


def test_the_one_who_has_it_dies_and_another_goes_on() -> None:
    async def main() -> None:
        async with sharers(2) as nodes:
            cid = await share(nodes, FILM, 1, 2)
            reading = await nodes[READER].open(cid, holders=[nodes[1].peer_id, nodes[2].peer_id])
            assert await reading.read(0, 1000) == FILM[:1000]
            await nodes.kill(1)
            assert await read_all(reading) == FILM
            reading.close()

    testing.run(main())


def test_who_is_named_later_goes_on_for_the_one_who_died() -> None:
    async def main() -> None:
        async with sharers(2) as nodes:
            cid = await share(nodes, FILM, 1, 2)
            first = await nodes[READER].open(cid, holders=[nodes[1].peer_id])
            await first.read(0, 1000)
            await nodes.kill(1)
            second = await nodes[READER].open(cid, holders=[nodes[2].peer_id])
            assert await read_all(first) == await read_all(second) == FILM
            assert len(streams_of(nodes)) == 1

    testing.run(main())


def test_two_who_ask_at_once_and_know_different_peers() -> None:
    async def main() -> None:
        async with sharers(2) as nodes:
            cid = await share(nodes, FILM, 2)
            nodes.partition([0, 2], [1])
            one, two = await asyncio.gather(
                *(nodes[READER].open(cid, holders=[nodes[number].peer_id]) for number in (1, 2))
            )
            assert len(streams_of(nodes)) == 1
            assert await read_all(one) == await read_all(two) == FILM

    testing.run(main())


@pytest.mark.parametrize("size", [0, 1, 1000, MIB - 1, MIB, MIB + 1, 2 * MIB])
def test_files_of_all_sizes(size: int) -> None:
    """A lone chunk has no node that says its length; from a folder nobody else says it either."""
    data = noise(size)

    async def main() -> None:
        async with sharers() as nodes:
            put(nodes, 1, "/films/more/film.mkv", data)
            put(nodes, 1, "/films/other", b"x")
            await nodes[1].share("/films", "public")
            (listed,) = await nodes[READER].list_files(nodes[1].peer_id, "films/more")
            reading = await nodes[READER].open(listed.cid, holders=[nodes[1].peer_id])
            assert reading.size == size
            assert await read_all(reading) == data
            reading.close()

    testing.run(main())


def test_a_chunk_that_comes_again_and_again_is_read_everywhere() -> None:
    data = bytes(3 * MIB) + noise(MIB) + bytes(2 * MIB + 7)

    async def main() -> None:
        async with sharers() as nodes:
            cid = await share(nodes, data, 1)
            reading = await nodes[READER].open(cid, from_peer=nodes[1].peer_id)
            assert await reading.read(5 * MIB, MIB) == bytes(MIB)
            assert await read_all(reading) == data

    testing.run(main())


def test_only_verified_bytes_are_read_while_one_of_them_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on the disk but did not fit is never handed out."""
    seen: list[bytes] = []
    real = module.PlayReading.read

    async def read(self: module.PlayReading, offset: int, length: int) -> bytes:
        data = await real(self, offset, length)
        seen.append(data)
        assert FILM[offset : offset + len(data)] == data
        return data

    monkeypatch.setattr(module.PlayReading, "read", read)

    async def main() -> None:
        async with sharers(2) as nodes:
            cid = await share(nodes, FILM, 1, 2)
            disk = nodes.runtime(1).disk
            await asyncio.sleep(1)
            file = disk.open_write("/films/film.mkv", create=False)
            for at in range(0, len(FILM), 3 * MIB):
                file.pwrite(at, b"changed")
            file.close()
            peers = [nodes[1].peer_id, nodes[2].peer_id]
            reading = await nodes[READER].open(cid, holders=peers)
            assert await read_all(reading) == FILM

    testing.run(main())
    assert hashlib.sha256(b"".join(seen)).digest() == hashlib.sha256(FILM).digest()


# --- what does not go well --------------------------------------------------------------------------------


def test_a_folder_is_refused_and_not_fetched() -> None:
    async def main() -> None:
        async with sharers() as nodes:
            put(nodes, 1, "/films/a/one", FILM)
            put(nodes, 1, "/films/a/two", b"2")
            shared = await nodes[1].share("/films", "public")
            assert shared.cid is not None
            with pytest.raises(InputError, match="a folder cannot be read") as caught:
                await nodes[READER].open(shared.cid, holders=[nodes[1].peer_id])
            assert "name a file" in caught.value.hint
            await asyncio.sleep(1)
            assert streams_of(nodes) == []

    testing.run(main())


def test_an_empty_folder_is_one_too() -> None:
    async def main() -> None:
        async with sharers() as nodes:
            nodes.runtime(1).disk.make_dirs("/films")
            shared = await nodes[1].share("/films", "public")
            assert shared.cid is not None
            with pytest.raises(InputError, match="a folder cannot be read"):
                await nodes[READER].open(shared.cid, holders=[nodes[1].peer_id])

    testing.run(main())


def test_what_nobody_has_says_so_and_is_tried_anew_the_next_time() -> None:
    data = noise(MIB)

    async def main() -> None:
        async with sharers() as nodes:
            node, peer = nodes[READER], nodes[1].peer_id
            cid = Cid.raw_sha256(hashlib.sha256(data).digest())
            with pytest.raises(ContentUnknown):
                await node.open(cid, holders=[peer])
            with pytest.raises(WarrenError):
                await node.open(cid)
            with pytest.raises(InvalidCid):
                await node.open("bafynonsense")
            await share(nodes, data, 1)
            reading = await node.open(str(cid), holders=[peer])
            assert await read_all(reading) == data

    testing.run(main())


def test_when_the_last_one_is_gone_who_reads_is_told_why_and_the_next_try_goes_on_from_there() -> None:
    async def main() -> None:
        async with sharers() as nodes:
            cid = await share(nodes, FILM, 1)
            node, peer = nodes[READER], nodes[1].peer_id
            reading = await node.open(cid, holders=[peer])
            got = 0
            while got < 10 * MIB:
                got += len(await reading.read(got, MIB))
            nodes.partition([0], [1])
            nodes.cut(0, 1)
            with pytest.raises(WarrenError):
                await read_all(reading)
            with pytest.raises(WarrenError):
                await reading.read(len(FILM) - 1, 1)
            nodes.heal()
            await node.connect(peer)
            again, _ = await timed(node.open(cid, holders=[peer]))
            early, took_s = await timed(again.read(9 * MIB, 1000))
            assert early == FILM[9 * MIB : 9 * MIB + 1000]
            assert took_s < 2
            assert await read_all(again) == FILM
            reading.close()
            again.close()
            await asyncio.sleep(LINGER_S - 1)
            assert len(streams_of(nodes)) == 1
            await asyncio.sleep(2)
            assert streams_of(nodes) == []

    testing.run(main())


def test_a_disk_that_is_full_or_broken() -> None:
    async def main() -> None:
        async with sharers() as nodes:
            cid = await share(nodes, FILM, 1)
            node, peer, disk = nodes[READER], nodes[1].peer_id, nodes.runtime(READER).disk
            disk.fail_next("pwrite", errno.ENOSPC)
            reading = await node.open(cid, holders=[peer])
            with pytest.raises(StorageError):
                await read_all(reading)
            reading.close()
            reading = await node.open(cid, holders=[peer])
            assert await reading.read(0, 10) == FILM[:10]
            disk.fail_next("pread", errno.EIO)
            with pytest.raises(StorageError, match="cannot read"):
                await reading.read(0, 10)
            assert await reading.read(0, 10) == FILM[:10]

    testing.run(main())


@pytest.mark.parametrize(("offset", "length"), [(-1, 5), (0, -1)])
def test_places_that_are_none(offset: int, length: int) -> None:
    async def main() -> None:
        async with sharers() as nodes:
            cid = await share(nodes, b"abc", 1)
            for node in (nodes[READER], nodes[1]):
                reading = await node.open(cid, holders=[nodes[1].peer_id])
                with pytest.raises(InputError):
                    await reading.read(offset, length)

    testing.run(main())


# --- beginning and ending ---------------------------------------------------------------------------------


def test_it_is_kept_for_a_while_after_the_last_one_and_then_removed() -> None:
    async def main() -> None:
        async with sharers() as nodes:
            cid = await share(nodes, FILM, 1)
            node, peer = nodes[READER], nodes[1].peer_id
            one, two = [await node.open(cid, holders=[peer]) for _ in range(2)]
            await read_all(one)
            one.close()
            one.close()
            with pytest.raises(Closed):
                await one.read(0, 1)
            await asyncio.sleep(2 * LINGER_S)
            assert len(streams_of(nodes)) == 1
            two.close()
            await asyncio.sleep(LINGER_S - 1)
            three, took_s = await timed(node.open(cid, holders=[peer]))
            assert took_s < 0.01
            await asyncio.sleep(2 * LINGER_S)
            assert await read_all(three) == FILM
            three.close()
            await asyncio.sleep(LINGER_S + 1)
            assert streams_of(nodes) == []
            four = await node.open(cid, holders=[peer])
            assert await read_all(four) == FILM

    testing.run(main())


def test_when_nobody_reads_it_pauses_and_goes_on_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 1)

    async def main() -> None:
        async with sharers() as nodes:
            cid = await share(nodes, FILM, 1)
            node, peer = nodes[READER], nodes[1].peer_id
            reading = await node.open(cid, holders=[peer])
            assert await reading.read(0, 10) == FILM[:10]
            reading.close()
            await asyncio.sleep(60)
            (state,) = nodes[1].uploads.states()
            assert state.bytes_sent < len(FILM) / 3
            reading = await node.open(cid, holders=[peer])
            data, took_s = await timed(read_all(reading))
            assert data == FILM
            assert took_s < len(FILM) / CAP + 2

    testing.run(main())


def test_who_goes_away_while_it_is_looked_for_leaves_nothing() -> None:
    async def main() -> None:
        async with sharers() as nodes:
            nodes.partition([0], [1])
            cid = Cid.raw_sha256(bytes(32))
            opening = asyncio.create_task(nodes[READER].open(cid, holders=[nodes[1].peer_id]))
            await asyncio.sleep(0.1)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            await asyncio.sleep(LINGER_S + 1)
            assert streams_of(nodes) == []

    testing.run(main())


def test_the_node_closes_meanwhile() -> None:
    async def main() -> None:
        async with sharers() as nodes:
            cid = await share(nodes, FILM, 1)
            node, peer = nodes[READER], nodes[1].peer_id
            reading = await node.open(cid, holders=[peer])
            waiting = asyncio.create_task(reading.read(len(FILM) - 1, 1))
            await asyncio.sleep(0.01)
            streams = node._running.streams
            await node.close()
            with pytest.raises(Closed):
                await waiting
            with pytest.raises(Closed):
                await streams.open(cid, [peer], only=True)
            reading.close()
            assert streams_of(nodes) == []

    testing.run(main())


def test_what_a_crash_left_is_removed_by_the_next_start() -> None:
    async def main() -> None:
        async with sharers() as nodes:
            cid = await share(nodes, FILM, 1)
            reading = await nodes[READER].open(cid, holders=[nodes[1].peer_id])
            await reading.read(0, 1)
            put(nodes, READER, f"{STREAMS}/99/content", b"left")
            with contextlib.suppress(Exception):
                await nodes.kill(READER)
            put(nodes, READER, f"{STREAMS}/98/content", b"left")
            await nodes.start(READER)
            assert streams_of(nodes) == []

    testing.run(main())


def test_what_cannot_be_removed_does_not_keep_a_node_from_starting() -> None:
    async def main() -> None:
        async with sharers() as nodes:
            put(nodes, READER, f"{STREAMS}/98/content", b"left")
            disk = nodes.runtime(READER).disk
            await nodes[READER].close()
            put(nodes, READER, f"{STREAMS}/98/content", b"left")
            disk.fail_next("remove_tree", errno.EACCES)
            await nodes.start(READER)
            assert streams_of(nodes) == ["98"]

    testing.run(main())


def test_so_many_at_once_and_what_nobody_reads_gives_way() -> None:
    async def main() -> None:
        async with sharers() as nodes:
            node, peer = nodes[READER], nodes[1].peer_id
            for number in range(STREAMS_MAX + 2):
                put(nodes, 1, f"/films/{number}", noise(1000, number))
            await nodes[1].share("/films", "public")
            cids = [one.cid for one in await node.list_files(peer, "films")]
            readings = [await node.open(cid, holders=[peer]) for cid in cids[:STREAMS_MAX]]
            with pytest.raises(LimitReached) as caught:
                await node.open(cids[-1], holders=[peer])
            assert caught.value.limit == "files.streaming.STREAMS_MAX"
            for number in (5, 3):
                readings[number].close()
                await asyncio.sleep(1)
            last = await node.open(cids[-1], holders=[peer])
            assert last.size == 1000
            await asyncio.sleep(1)
            assert len(streams_of(nodes)) == STREAMS_MAX
            again, took_s = await timed(node.open(cids[3], holders=[peer]))
            assert took_s < 0.001  # the fifth gave way, whom nobody reads for longer
            again.close()

    testing.run(main())


# --- from this one alone ----------------------------------------------------------------------------------


def test_from_one_alone_is_another_fetch() -> None:
    async def main() -> None:
        async with sharers(2) as nodes:
            cid = await share(nodes, FILM, 1)
            first = await nodes[READER].open(cid, holders=[nodes[1].peer_id])
            with pytest.raises(ContentUnknown):
                await nodes[READER].open(cid, from_peer=nodes[2].peer_id)
            assert await first.read(0, 5) == FILM[:5]

    testing.run(main())


# --- shared here ------------------------------------------------------------------------------------------


def test_what_is_shared_here_is_read_from_there() -> None:
    async def main() -> None:
        async with sharers() as nodes:
            put(nodes, READER, "/films/deep/film.mkv", FILM)
            await nodes[READER].share("/films", "contacts")
            (listed,) = await nodes[READER].list_files(None, "films/deep")
            reading = await nodes[READER].open(listed.cid)
            assert (reading.size, await read_all(reading)) == (len(FILM), FILM)
            assert await reading.read(len(FILM) - 2, 50) == FILM[-2:]
            assert await reading.read(len(FILM) + 2, 50) == b""
            assert streams_of(nodes) == []
            reading.close()

    testing.run(main())


def test_of_a_share_that_changed_no_wrong_byte_is_read() -> None:
    async def main() -> None:
        async with sharers() as nodes:
            node, disk = nodes[READER], nodes.runtime(READER).disk
            put(nodes, READER, "/films/film.mkv", FILM)
            put(nodes, READER, "/films/other.mkv", FILM[:MIB])
            await node.share("/films", "contacts")
            listed = {one.name: one.cid for one in await node.list_files(None, "films")}
            film = await node.open(listed["film.mkv"])
            other = await node.open(listed["other.mkv"])
            assert await film.read(0, 10) == FILM[:10]
            node.pause_shares()
            await asyncio.sleep(1)
            put(nodes, READER, "/films/film.mkv", FILM[::-1])  # as long, and newer
            with pytest.raises(SourceChanged) as caught:
                await film.read(0, 10)
            assert "film.mkv" in str(caught.value)
            assert "share it again" in caught.value.hint
            disk.remove("/films/other.mkv")
            with pytest.raises(SourceVanished):
                await other.read(0, 10)
            disk.fail_next("open_folder", errno.EIO)
            with pytest.raises(StorageError, match="cannot read"):
                await film.read(0, 10)
            with pytest.raises(WarrenError):  # nobody else has it
                await node.open(listed["film.mkv"])

    testing.run(main())


def test_a_changed_share_is_fetched_from_who_has_it() -> None:
    async def main() -> None:
        async with sharers() as nodes:
            cid = await share(nodes, FILM, READER, 1)
            nodes[READER].pause_shares()
            await asyncio.sleep(1)
            put(nodes, READER, "/films/film.mkv", b"changed")
            reading = await nodes[READER].open(cid, holders=[nodes[1].peer_id])
            assert await read_all(reading) == FILM

    testing.run(main())
