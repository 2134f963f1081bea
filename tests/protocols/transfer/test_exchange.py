"""Client and server on a stream in memory."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.protocols.transfer.fakes import PEER, FakeSource, stream_pair
from tests.support import run
from warren import testing
from warren.core.errors import (
    ConnectionClosed,
    LimitReached,
    ProtocolViolation,
    RequestTimeout,
    StreamReset,
)
from warren.core.framing import frame
from warren.core.keys import PrivateKey
from warren.protocols.transfer.client import MOVES_BYTES_MIN, TransferClient
from warren.protocols.transfer.messages import (
    NODE_PREFIX,
    RAW_PREFIX,
    ChunksRequest,
    Entry,
    Header,
    Kind,
    Listing,
    ListRequest,
    Status,
    TreeRequest,
    encode_header,
    encode_request,
)
from warren.protocols.transfer.server import (
    JOBS_AHEAD_MAX,
    REQUESTS_BYTES_MAX,
    Part,
    ServerLimits,
    TransferServer,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.protocols.transfer.fakes import FakeStream
    from warren.core.errors import (
        WarrenError,
    )
    from warren.protocols.transfer.messages import Request

MIB = 1024 * 1024


@asynccontextmanager
async def serving(
    source: FakeSource, limits: ServerLimits | None = None, step: int = 65_507
) -> AsyncIterator[tuple[FakeStream, FakeStream, TransferServer]]:
    server = TransferServer(source, limits or ServerLimits())
    near, far = stream_pair(step)
    task = asyncio.create_task(server.serve(far.as_stream()))
    try:
        yield near, far, server
    finally:
        near.reset()
        await task


def fill(source: FakeSource, count: int, size: int) -> list[bytes]:
    digests = []
    for number in range(count):
        data = number.to_bytes(4) + bytes(size - 4)
        digests.append(hashlib.sha256(data).digest())
        source.chunks[digests[-1]] = Part(Status.OK, (size,), data)
    return digests


async def turns() -> None:
    """Let everything happen that can happen now."""
    for _ in range(100):
        await asyncio.sleep(0)


async def exhaust(client: TransferClient) -> None:
    """Take answers until that raises."""
    while True:
        client.release(await client.next_answer(5))


async def collect(client: TransferClient) -> list[tuple[Header, bytes]]:
    """All answers until one is the last."""
    found: list[tuple[Header, bytes]] = []
    while not found or not found[-1][0].last:
        answer = await client.next_answer(5)
        found.append((answer.header, bytes(answer.buffer[: answer.size])))
        client.release(answer)
    return found


@pytest.mark.parametrize("step", [1, 7, 65_507])
def test_answers_come_in_the_order_of_the_requests(step: int) -> None:
    async def main() -> None:
        source = FakeSource()
        digests = fill(source, 6, 10)
        source.chunks[digests[2]] = Part(Status.VANISHED)
        nodes = [NODE_PREFIX + bytes([number]) * 32 for number in range(5)]
        source.nodes = {
            nodes[0]: (b"zero", [nodes[1], nodes[3]]),
            nodes[1]: (b"one", [nodes[2]]),
            nodes[2]: (b"two", []),
            nodes[3]: (b"three", []),
        }
        async with serving(source, step=step) as (near, _, _):
            client = TransferClient(near.as_stream())
            await client.ask_chunks(digests[:4])
            await client.ask_tree([nodes[0], nodes[2]])
            await client.ask_chunks(digests[4:], check=True)
            await client.ask_tree([nodes[1], nodes[4], nodes[0]])
            first, second, third, fourth = [await collect(client) for _ in range(4)]
        assert [(header.index, header.status) for header, _ in first] == [
            (0, Status.OK), (1, Status.OK), (2, Status.VANISHED), (3, Status.OK)
        ]  # fmt: skip
        assert [payload for _, payload in first] == [source.chunks[digest].payload for digest in digests[:4]]
        assert [header.lengths for header, _ in second] == [(4, 3, 3, 5, 3)]
        assert second[0][1] == b"zeroonetwothreetwo"
        assert [payload[3] for _, payload in third] == [4, 5]
        assert [(header.status, payload) for header, payload in fourth] == [
            (Status.OK, b"onetwo"), (Status.NOT_FOUND, b"")
        ]  # fmt: skip
        assert [check for _, check in source.asked] == [False, True]

    run(main())


def test_listings() -> None:
    entry = Entry("a", Kind.DIR, 5, RAW_PREFIX + bytes(32))

    async def main() -> None:
        source = FakeSource()
        async with serving(source) as (near, _, _):
            client = TransferClient(near.as_stream())
            assert await client.list_path("x") is None
            source.listing = Listing(entry, (entry,), more=True)
            assert await client.list_path("x") == source.listing

    run(main())


def test_a_long_tree_is_answered_in_parts() -> None:
    async def main() -> None:
        source = FakeSource()
        nodes = [NODE_PREFIX + bytes([number]) * 32 for number in range(40)]
        for number, node in enumerate(nodes):
            source.nodes[node] = (bytes(100_000), nodes[number + 1 : number + 2])
        async with serving(source) as (near, _, _):
            client = TransferClient(near.as_stream())
            await client.ask_tree(nodes[:1])
            answers = await collect(client)
            count = sum(len(header.lengths) for header, _ in answers)
            assert 10 <= count <= 13
            await client.ask_tree(nodes[count : count + 1])
            assert (await collect(client))[0][0].index == 0

    run(main())


def test_many_tiny_nodes_are_more_than_one_answer() -> None:
    async def main() -> None:
        source = FakeSource()
        nodes = [NODE_PREFIX + number.to_bytes(32) for number in range(1500)]
        source.nodes = {node: (b"x", []) for node in nodes}
        source.nodes[nodes[0]] = (b"x", nodes[1:])
        async with serving(source) as (near, _, _):
            client = TransferClient(near.as_stream())
            await client.ask_tree(nodes[:1])
            assert [len(header.lengths) for header, _ in await collect(client)] == [1024, 476]

    run(main())


def test_a_slow_disk_is_read_ahead_of_but_not_without_end() -> None:
    async def main() -> None:
        source = FakeSource()
        digests = fill(source, 30, 100_000)
        source.gate.clear()
        async with serving(source) as (near, _, _):
            client = TransferClient(near.as_stream())
            await client.ask_chunks(digests)
            await turns()
            assert source.reading == JOBS_AHEAD_MAX
            source.gate.set()
            assert len(await collect(client)) == 30
        assert source.reading_max == JOBS_AHEAD_MAX

    run(main())


def test_without_shared_room_each_stream_reads_one_job_at_a_time() -> None:
    async def main() -> None:
        source = FakeSource()
        digests = fill(source, 10, MIB)
        async with serving(source, ServerLimits(ahead_bytes=MIB - 1)) as (near, _, _):
            client = TransferClient(near.as_stream())
            await client.ask_chunks(digests)
            assert len(await collect(client)) == 10
        assert source.reading_max == 1

    run(main())


def test_room_is_given_back_when_a_stream_breaks() -> None:
    async def main() -> None:
        source = FakeSource()
        digests = fill(source, 10, MIB)
        limits = ServerLimits(ahead_bytes=3 * MIB)
        source.gate.clear()
        async with serving(source, limits) as (near, _, server):
            await TransferClient(near.as_stream()).ask_chunks(digests)
            await turns()
            assert source.reading == 4
            assert not server.known.take_ahead(1)
            near.reset()
            source.gate.set()
        assert source.reading == 0
        assert server.known.take_ahead(3 * MIB)

    run(main())


def test_a_reader_that_does_not_read_bounds_memory_and_loses_its_stream() -> None:
    async def main() -> None:
        source = FakeSource()
        digests = fill(source, 100, MIB)
        async with serving(source, ServerLimits(stall_s=0.05)) as (near, far, _):
            near.pause_reading()
            await TransferClient(near.as_stream()).ask_chunks(digests)
            near.pause_reading()
            most = 0
            while far.error is None:
                most = max(most, near.undelivered)
                await asyncio.sleep(0.001)
            assert most < 2 * MIB
            assert source.reading_max <= JOBS_AHEAD_MAX

    run(main())


def test_an_idle_stream_is_closed_and_a_busy_one_is_not() -> None:
    async def main() -> None:
        source = FakeSource()
        digests = fill(source, 1, 10)
        source.gate.clear()
        async with serving(source, ServerLimits(idle_s=0.05)) as (near, far, _):
            client = TransferClient(near.as_stream())
            await client.ask_chunks(digests)
            await asyncio.sleep(0.1)
            assert far.error is None
            source.gate.set()
            await collect(client)
            with pytest.raises(StreamReset):
                await client.next_answer(5)

    run(main())


def test_streams_over_the_limits_are_busy() -> None:
    async def main() -> None:
        source = FakeSource()
        server = TransferServer(source, ServerLimits(streams_per_peer=2))
        tasks: list[asyncio.Task[None]] = []

        async def ask() -> FakeStream:
            near, far = stream_pair()
            tasks.append(asyncio.create_task(server.serve(far.as_stream())))
            assert await TransferClient(near.as_stream()).list_path("") is None
            return near

        one, two = await ask(), await ask()
        with pytest.raises(LimitReached):
            await ask()
        one.close_nowait()
        await tasks[0]
        three = await ask()
        two.reset()
        three.reset()
        await asyncio.gather(*tasks)

    run(main())


def test_requests_wait_in_the_stream_when_too_many() -> None:
    async def main() -> None:
        source = FakeSource()
        digests = fill(source, 1, 10)
        source.gate.clear()
        request = len(encode_request(ChunksRequest(1000, digests)))
        async with serving(source, step=request) as (near, far, _):
            client = TransferClient(near.as_stream(), held_max=10_000)
            for _ in range(4000):
                await client.ask_chunks(digests)
            await turns()
            assert far.paused
            assert far.undelivered > 4000 * (request - 2) - REQUESTS_BYTES_MAX - 10 * request
            source.gate.set()
            for _ in range(4000):
                await collect(client)

    run(main())


@pytest.mark.parametrize("what", ["chunks", "nodes", "listings"])
def test_answers_without_payload_wait_for_the_reader_too(what: str) -> None:
    """Who asks for what is not there and reads no answer would otherwise fill the memory."""

    async def main() -> None:
        source = FakeSource()
        async with serving(source, ServerLimits(stall_s=0.05)) as (near, far, _):
            near.pause_reading()
            requests: dict[str, Request] = {
                "chunks": ChunksRequest(1, [bytes(32)] * 1024),
                "nodes": TreeRequest(1, [NODE_PREFIX + bytes(32)]),
                "listings": ListRequest(1, "nothing"),
            }
            raw = encode_request(requests[what])
            most = 0
            while far.error is None:
                if not far.paused:
                    near.write_nowait(raw * (1 + 20_000 // len(raw)))
                await asyncio.sleep(0.01)
                most = max(most, near.undelivered)
            assert most < MIB

    run(main())


def test_a_run_of_failures_is_written_in_one_piece() -> None:
    async def main() -> None:
        source = FakeSource()
        digests = fill(source, 1, 10)
        source.job = [Part(Status.NOT_FOUND)] * 100 + [source.chunks[digests[0]]] + [Part(Status.VANISHED)]
        async with serving(source) as (near, far, _):
            client = TransferClient(near.as_stream())
            await client.ask_chunks(digests * 102)
            answers = await collect(client)
            assert [header.index for header, _ in answers] == list(range(102))
            assert answers[100][1] == source.chunks[digests[0]].payload
            assert far.writes == 3

    run(main())


def test_a_silent_stream_takes_no_place_and_ends() -> None:
    async def main() -> None:
        source = FakeSource()
        server = TransferServer(source, ServerLimits(streams_max=1, idle_s=0.05))
        silent, gone, asking = stream_pair(), stream_pair(), stream_pair()
        tasks = [asyncio.create_task(server.serve(far.as_stream())) for _, far in (silent, gone, asking)]
        await turns()
        assert await TransferClient(asking[0].as_stream()).list_path("") is None
        gone[0].reset()
        asking[0].close_nowait()
        await asyncio.gather(*tasks)
        assert silent[0].error is not None

    run(main())


def test_strangers_have_places_of_their_own() -> None:
    async def main() -> None:
        source = FakeSource()
        limits = ServerLimits(streams_max=1, strangers_max=2, strangers_per_peer=1)
        server = TransferServer(source, limits)
        tasks = []
        nears = []

        async def ask(seed: int, *, stranger: bool) -> None:
            peer = PrivateKey.from_seed(bytes([seed]) * 32).peer_id
            near, far = stream_pair()
            far.peer_id = peer
            if stranger:
                source.strangers.add(peer)
            tasks.append(asyncio.create_task(server.serve(far.as_stream())))
            nears.append(near)
            assert await TransferClient(near.as_stream()).list_path("") is None

        await ask(1, stranger=True)
        with pytest.raises(LimitReached):
            await ask(1, stranger=True)
        await ask(2, stranger=True)
        with pytest.raises(LimitReached):
            await ask(3, stranger=True)
        await ask(4, stranger=False)
        for near in nears:
            near.reset()
        await asyncio.gather(*tasks)
        await ask(3, stranger=True)
        nears[-1].reset()
        await tasks[-1]

    run(main())


def test_a_stranger_may_be_idle_for_a_short_time_only() -> None:
    async def main() -> None:
        source = FakeSource()
        async with serving(source, ServerLimits(strangers_idle_s=0.02)) as (near, far, _):
            source.strangers.add(far.peer_id)
            client = TransferClient(near.as_stream())
            assert await client.list_path("") is None
            with pytest.raises(StreamReset):
                await client.next_answer(5)

    run(main())


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff" * 10,
        frame(b"\xff"),
        frame(b""),
        frame(bytes(49 * 1024))[:20],
        encode_request(ChunksRequest(1, [b"short"])),
    ],
)
def test_a_malformed_request_costs_the_stream(raw: bytes) -> None:
    async def main() -> None:
        source = FakeSource()
        server = TransferServer(source, ServerLimits())
        near, far = stream_pair()
        task = asyncio.create_task(server.serve(far.as_stream()))
        near.write_nowait(raw)
        await task
        assert isinstance(near.error, StreamReset)

    run(main())


def test_who_ends_its_half_still_gets_its_answers() -> None:
    async def main() -> None:
        source = FakeSource()
        digests = fill(source, 5, MIB)
        server = TransferServer(source, ServerLimits())
        near, far = stream_pair()
        client = TransferClient(near.as_stream())
        await client.ask_chunks(digests)
        near.close_nowait()
        task = asyncio.create_task(server.serve(far.as_stream()))
        assert len(await collect(client)) == 5
        await task
        with pytest.raises(ConnectionClosed, match=r"ended the transfer stream$"):
            await client.next_answer(5)
        with pytest.raises(ConnectionClosed):
            await client.ask_chunks(digests)

    run(main())


# --- a server that misbehaves -----------------------------------------------------------------------------


def header(
    request: int, *lengths: int, status: Status = Status.OK, index: int = 0, last: bool = False
) -> bytes:
    return encode_header(Header(request, status, index, lengths, last)) + bytes(sum(lengths))


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([header(2, 5)], ProtocolViolation),
        ([header(1, 5, index=1)], ProtocolViolation),
        ([header(1, 5), header(1, 5)], ProtocolViolation),
        ([header(1, 1, 1, 1, 1, last=True)], ProtocolViolation),
        ([header(1, 5, last=True)], ProtocolViolation),
        ([header(1, 1, 1, 1)], ProtocolViolation),
        ([header(1, 1, 1, 1, last=True), header(1, 1)], ProtocolViolation),
        ([b"\xff" * 9], ProtocolViolation),
        ([header(1)], ProtocolViolation),
        ([header(1, last=True)], ProtocolViolation),
        ([header(0, status=Status.BUSY, last=True)], LimitReached),
    ],
)
def test_answers_to_what_was_not_asked(answers: list[bytes], error: type[WarrenError]) -> None:
    async def main() -> None:
        near, far = stream_pair()
        client = TransferClient(near.as_stream())
        await client.ask_chunks([bytes(32)] * 3)
        far.write_nowait(b"".join(answers))
        with pytest.raises(error, match=str(PEER)):
            await exhaust(client)
        assert far.error is not None

    run(main())


def test_a_listing_that_fails_is_refused() -> None:
    async def main() -> None:
        near, far = stream_pair()
        client = TransferClient(near.as_stream())
        far.write_nowait(header(1, status=Status.VANISHED, last=True))
        with pytest.raises(ProtocolViolation, match=f"{PEER} breaks.*VANISHED"):
            await client.list_path("")

    run(main())


def test_a_server_that_goes_silent_or_away() -> None:
    async def main() -> None:
        near, far = stream_pair()
        client = TransferClient(near.as_stream())
        await client.ask_chunks([bytes(32)])
        with pytest.raises(RequestTimeout, match=r"nothing for 0\.01 s"):
            await client.next_answer(0.01)
        far.write_nowait(header(1, 100)[:50])
        far.close_nowait()
        with pytest.raises(ConnectionClosed, match="early"):
            await client.next_answer(5)

    run(main())


def test_answers_that_are_not_released_stop_the_reading() -> None:
    async def main() -> None:
        near, far = stream_pair()
        client = TransferClient(near.as_stream(), held_max=2)
        await client.ask_chunks([bytes(32)] * 5)
        for index in range(5):
            far.write_nowait(header(1, MIB, index=index, last=index == 4))
        answers = [await client.next_answer(5), await client.next_answer(5)]
        assert near.paused
        assert near.undelivered >= 3 * MIB
        for answer in answers:
            client.release(answer)
        third = await client.next_answer(5)
        assert third.buffer in [answer.buffer for answer in answers]
        client.release(third)
        for _ in range(2):
            client.release(await client.next_answer(5))
        client.close()
        assert far.error is None

    run(main())


def test_what_is_abandoned_raises_what_it_was_abandoned_for() -> None:
    async def main() -> None:
        near, far = stream_pair()
        client = TransferClient(near.as_stream())
        await client.ask_chunks([bytes(32)])
        waiting = asyncio.create_task(client.next_answer(5))
        await asyncio.sleep(0)
        client.abandon(LimitReached("x"))
        with pytest.raises(LimitReached):
            await waiting
        client.close()
        assert far.error is not None

    run(main())


def test_an_answer_that_comes_slowly_is_waited_for_and_one_that_drips_is_not() -> None:
    async def main() -> None:
        near, far = stream_pair(step=65_507)
        client = TransferClient(near.as_stream())
        await client.ask_chunks([hashlib.sha256(b"slow").digest()])
        payload = b"x" * (3 * MOVES_BYTES_MIN)
        head = encode_header(Header(1, Status.OK, 0, (len(payload),), last=True))
        waiting = asyncio.create_task(client.next_answer(0.2))
        far.write_nowait(head)
        for at in range(0, len(payload), MOVES_BYTES_MIN):
            await asyncio.sleep(0.15)
            far.write_nowait(payload[at : at + MOVES_BYTES_MIN])
        answer = await waiting
        assert answer.size == len(payload)
        client.release(answer)
        await client.ask_chunks([hashlib.sha256(b"drip").digest()])
        far.write_nowait(head[:1])
        with pytest.raises(RequestTimeout, match="sent nothing"):
            await client.next_answer(0.05)
        client.close()

    testing.run(main())
