"""Turns of the transfer protocol: told, kept, used, given back, lapsed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.protocols.transfer.fakes import FakeSource, stream_pair
from tests.protocols.transfer.test_exchange import collect, fill, turns
from tests.support import run
from warren.core.errors import ProtocolViolation
from warren.protocols.transfer import server as module
from warren.protocols.transfer.client import TransferClient
from warren.protocols.transfer.messages import Header, Status, encode_header
from warren.protocols.transfer.server import ServerLimits, TransferServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.protocols.transfer.fakes import FakeStream
    from warren.core.peer_id import PeerId


class OneAtATime:
    """Turns of which only one is taken at any time."""

    def __init__(self) -> None:
        self.free = asyncio.Semaphore(1)
        self.begun = 0
        self.unused = 0

    def turn_bytes(self) -> int:
        return 1 << 20

    async def begin(self, peer: PeerId, size: int) -> int:
        await self.free.acquire()
        self.begun += 1
        return self.begun

    def end(self, turn: int, *, sent: bool = True) -> None:
        self.unused += not sent
        self.free.release()


@asynccontextmanager
async def serving(
    count: int,
) -> AsyncIterator[tuple[OneAtATime, list[bytes], list[tuple[TransferClient, FakeStream]]]]:
    source, taken = FakeSource(), OneAtATime()
    digests = fill(source, 4, 10)
    server = TransferServer(source, ServerLimits(), taken)
    pairs = [stream_pair() for _ in range(count)]
    tasks = [asyncio.create_task(server.serve(far.as_stream())) for _, far in pairs]
    try:
        yield taken, digests, [(TransferClient(near.as_stream()), near) for near, _ in pairs]
    finally:
        for near, _ in pairs:
            near.reset()
        await asyncio.gather(*tasks)


async def told(client: TransferClient) -> Header:
    answer = await client.next_answer(5)
    client.release(answer)
    assert answer.header.status is Status.TURN
    return answer.header


def test_a_turn_is_kept_for_what_is_asked_for_next() -> None:
    async def main() -> None:
        async with serving(2) as (taken, digests, ((anna, _), (ben, _))):
            await anna.ask_turn()
            await told(anna)
            await ben.ask_turn()
            await turns()
            assert taken.begun == 1
            await anna.ask_chunks(digests[:1])
            await anna.ask_turn()
            ((header, _),) = await collect(anna)
            assert header.status is Status.OK
            await told(ben)
            assert (taken.begun, taken.unused) == (2, 0)
            await ben.give_turn_back()
            await told(anna)
            assert (taken.begun, taken.unused) == (3, 1)

    run(main())


def test_a_turn_that_is_not_used_lapses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_S", 0.01)

    async def main() -> None:
        async with serving(2) as (taken, digests, ((anna, _), (ben, _))):
            await anna.ask_turn()
            await told(anna)
            await ben.ask_chunks(digests[:1])
            await collect(ben)
            assert (taken.begun, taken.unused) == (2, 1)
            await anna.ask_chunks(digests[:1])  # as if there had been none
            assert (await collect(anna))[0][0].status is Status.OK
            await anna.give_turn_back()  # nor is there now
            await anna.ask_chunks(digests[:1])
            assert (await collect(anna))[0][0].status is Status.OK

    run(main())


def test_who_goes_away_leaves_its_turn_to_others() -> None:
    async def main() -> None:
        async with serving(3) as (taken, digests, ((anna, line), (ben, waiting), (carl, _))):
            await anna.ask_turn()
            await told(anna)
            await ben.ask_turn()
            await carl.ask_chunks(digests[:1])
            await turns()
            waiting.reset()
            line.reset()
            await collect(carl)
            assert taken.begun - taken.unused == 1

    run(main())


def test_how_long_it_waited_is_told() -> None:
    async def main() -> None:
        async with serving(1) as (taken, digests, ((anna, _),)):
            await taken.free.acquire()
            await anna.ask_turn()
            await turns()
            asyncio.get_running_loop().call_later(0.03, taken.free.release)
            assert (await told(anna)).waited_ms >= 20
            await anna.ask_chunks(digests[:1])
            assert (await collect(anna))[0][0].waited_ms >= 20  # that was the last wait
            await anna.ask_turn()
            assert (await told(anna)).waited_ms < 20

    run(main())


@pytest.mark.parametrize("status", [Status.TURN, Status.NOT_FOUND])
def test_a_turn_is_told_to_who_asked_and_nothing_else_is(status: Status) -> None:
    async def main() -> None:
        near, far = stream_pair()
        client = TransferClient(near.as_stream())
        if status is Status.TURN:
            await client.ask_chunks([bytes(32)])
        else:
            await client.ask_turn()
        await far.write(encode_header(Header(1, status, last=True)))
        with pytest.raises(ProtocolViolation):
            await client.next_answer(5)

    run(main())
