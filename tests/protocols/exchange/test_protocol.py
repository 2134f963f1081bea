"""The exchange between networks in virtual time: a line in which all come to know all; liars and floods."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.protocols.exchange.book import ADDRESS, WALL_MS, MemoryBook, entry, key, listed
from warren.core.errors import DiskFull, StreamReset
from warren.core.framing import frame
from warren.core.multiaddr import Multiaddr
from warren.core.peer_record import PeerRecord
from warren.core.reach import Reach
from warren.network.network import Network
from warren.protocols.exchange.entry import AGE_MAX_S, Entry, Listed, Version
from warren.protocols.exchange.known import Known
from warren.protocols.exchange.messages import (
    ANSWER_BYTES_MAX,
    CALL_BYTES_MAX,
    NEWS_MAX,
    Answer,
    Ask,
    News,
)
from warren.protocols.exchange.protocol import (
    ANSWERS,
    CHECKS,
    PROTOCOL,
    STREAMS_MAX,
    TIMEOUT_S,
    PeerExchange,
)
from warren.protocols.identify import Identify
from warren.runtime.simulated import World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId
    from warren.network.stream import Stream

PORT = 4101
SUBJECTS = [key(number) for number in range(100, 100 + 400)]


class One:
    """A network with the exchange, its book, and its own record."""

    def __init__(self, world: World, number: int, host: str = "", *, speaks: bool) -> None:
        self.key = key(number)
        host = host or f"192.0.2.{number}"
        self.address = Multiaddr.tcp(host, PORT)
        self.network = Network(world.runtime(f"n{number}", host), self.key)
        self.own = Entry()
        self.book = MemoryBook()
        self.wall = world.clock.wall
        self.identify = Identify(self.network, "warren/test", list, lambda: self.own.record)
        self.exchange = PeerExchange(self.network, self.book, lambda: self.own) if speaks else None

    @property
    def peer_id(self) -> PeerId:
        return self.network.peer_id

    @property
    def knows(self) -> set[PeerId]:
        return set(self.book.kept)

    def sign(self, *addresses: Multiaddr, said: str = "") -> None:
        """Say something new of itself."""
        number = int(self.wall() * 1000)
        record = PeerRecord(self.peer_id, number, addresses or (self.address,))
        self.own = Entry(record.seal(self.key), entry(self.key, 0, number, said).metadata if said else b"")
        self.identify.push()
        if self.exchange is not None:
            self.exchange.announce()

    async def connect(self, other: One) -> None:
        await self.network.connect(other.peer_id, [other.address])

    async def call(self, other: One, data: bytes) -> bytes:
        """Send raw bytes on a stream of the protocol, and return what comes until it ends."""
        stream = await self.network.open_stream(other.peer_id, PROTOCOL)
        stream.write_nowait(data)
        return await _rest(stream)

    async def ask(self, other: One, *known: tuple[PeerId, Version]) -> set[PeerId]:
        stream = await self.network.open_stream(other.peer_id, PROTOCOL)
        stream.write_nowait(frame(Ask(Known.of(known, b"salt")).to_bytes()))
        answer = Answer.from_bytes(await stream.read_frame(ANSWER_BYTES_MAX))
        stream.close_nowait()
        return {PeerRecord.open(one.record).peer_id for one in answer.entries}


async def _rest(stream: Stream) -> bytes:
    parts = []
    while part := await stream.read():
        parts.append(part)
    return b"".join(parts)


def play(
    count: int,
    main: Callable[..., Awaitable[None]],
    *,
    mute: Sequence[int] = (),
    hosts: Sequence[str] = (),
    line: bool = True,
) -> World:
    """Run `main` with networks in a line, each connected with the one before it; the world, when it is over.

    mute: the numbers of those that do not speak the protocol. hosts: where they are, in place of one local
    network. line: False leaves it to `main` who is connected.
    """

    async def running(world: World) -> None:
        where = hosts or [""] * count
        ones = [One(world, at + 1, host, speaks=at + 1 not in mute) for at, host in enumerate(where)]
        async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            exchanges = [tasks.create_task(one.exchange.run()) for one in ones if one.exchange is not None]
            for one in ones:
                await one.network.listen([one.address])
                stack.push_async_callback(one.network.stop)
                one.sign()
            for one, other in pairwise(ones if line else ()):
                await other.connect(one)
            await main(*ones)
            for task in exchanges:
                task.cancel()

    with World() as world:
        world.run(running(world))
        return world


# ---------------------------------------------------------------- from how near
LAN, LAN_TOO, FAR, FAR_TOO = "10.0.0.1", "10.0.0.2", "60.0.0.3", "60.0.0.4"


def told_from(one: One, *others: One) -> list[int]:
    return [one.book.kept[other.peer_id].entry.told_from for other in others]


def test_a_record_counts_as_told_by_the_farthest_through_whom_it_came() -> None:
    async def main(a: One, b: One, c: One) -> None:
        await asyncio.sleep(5)
        assert told_from(a, b, c) == [Reach.PRIVATE, Reach.PUBLIC]
        assert told_from(b, a, c) == [Reach.PRIVATE, Reach.PUBLIC]
        assert told_from(c, a) == [Reach.PUBLIC]

    play(3, main, hosts=[LAN, LAN_TOO, FAR])


def test_in_one_network_all_are_told_from_there() -> None:
    async def main(*ones: One) -> None:
        await asyncio.sleep(5)
        for one in ones:
            assert set(told_from(one, *(other for other in ones if other is not one))) == {Reach.PRIVATE}

    play(5, main)


def test_nobody_learns_that_somebody_else_is_near() -> None:
    async def main(a: One, b: One, c: One) -> None:
        await asyncio.sleep(5)
        for asker, expected in ((a, {b: Reach.PUBLIC, c: Reach.PUBLIC}), (c, {a: Reach.PUBLIC})):
            stream = await asker.network.open_stream(b.peer_id, PROTOCOL)
            stream.write_nowait(frame(Ask(Known()).to_bytes()))
            answer = Answer.from_bytes(await stream.read_frame(ANSWER_BYTES_MAX))
            said = {PeerRecord.open(one.record).peer_id: one.told_from for one in answer.entries}
            assert {peer: said[peer.peer_id] for peer in expected} == expected
            stream.close_nowait()

    play(3, main, hosts=[LAN, LAN_TOO, FAR])


@pytest.mark.parametrize("claim", [0, 1, 3, 4, 9])
@pytest.mark.parametrize(("teller", "most"), [(LAN_TOO, Reach.PRIVATE), (FAR, Reach.PUBLIC)])
def test_nobody_makes_a_record_nearer_than_it_is_itself(teller: str, most: Reach, claim: int) -> None:
    async def main(a: One, b: One) -> None:
        await asyncio.sleep(5)
        subject = SUBJECTS[0]
        one = replace(entry(subject, WALL_MS), told_from=claim)
        await b.call(a, frame(News((one,)).to_bytes()))
        expected = most if claim in (1, 3) else Reach.PUBLIC
        assert a.book.kept[subject.peer_id].entry.told_from == expected

    play(2, main, hosts=[LAN, teller])


def test_what_is_in_doubt_is_asked_of_a_nearer_neighbour_once_and_taken_again_from_it() -> None:
    subject, doubtful, settled = SUBJECTS[0], SUBJECTS[1], SUBJECTS[2]

    def known(one: One, told_from: Reach, *subjects: PrivateKey) -> None:
        for each in subjects:
            addresses = (ADDRESS,) if each is settled else (ADDRESS, Multiaddr.tcp("10.0.0.9", 9))
            record = PeerRecord(each.peer_id, WALL_MS, addresses).seal(each)
            kept = Listed(each.peer_id, Version(WALL_MS), Entry(record, told_from=told_from))
            one.book.put(kept)

    async def main(a: One, b: One, c: One, d: One) -> None:
        known(c, Reach.PUBLIC, subject, doubtful, settled)
        known(b, Reach.PRIVATE, subject, settled)
        known(b, Reach.PUBLIC, doubtful)
        await a.connect(c)
        await asyncio.sleep(5)
        assert told_from(a, c) == [Reach.PUBLIC]
        before = len(a.book.took)
        await a.connect(d)  # as far away
        await asyncio.sleep(5)
        assert subject.peer_id not in [peer for peer, _, _ in a.book.took[before:]]
        await a.connect(b)
        await asyncio.sleep(5)
        assert a.book.kept[subject.peer_id].entry.told_from == Reach.PRIVATE
        assert a.book.kept[doubtful.peer_id].entry.told_from == Reach.PUBLIC
        took = [(peer, source) for peer, _, source in a.book.took]
        assert took.count((subject.peer_id, b.peer_id)) == 1
        assert took.count((settled.peer_id, b.peer_id)) == 0
        b.book.put(*(listed(one) for one in SUBJECTS[3:6]))
        await asyncio.sleep(3600)
        assert [(peer, source) for peer, _, source in a.book.took].count((subject.peer_id, b.peer_id)) == 1
        assert SUBJECTS[3].peer_id in a.knows  # it was asked again meanwhile

    play(4, main, hosts=[LAN, LAN_TOO, FAR, FAR_TOO], line=False)


def test_a_peer_that_comes_nearer_settles_its_own_record() -> None:
    async def main(a: One, b: One, c: One) -> None:
        await a.connect(c)
        await b.connect(c)
        await asyncio.sleep(5)
        assert told_from(a, b) == [Reach.PUBLIC]
        await a.connect(b)
        await asyncio.sleep(5)
        assert told_from(a, b) == [Reach.PRIVATE]

    play(3, main, hosts=[LAN, LAN_TOO, FAR], line=False)


# ---------------------------------------------------------------- spreading


def test_in_a_line_of_five_all_come_to_know_all_and_then_it_is_quiet() -> None:
    deliveries = []

    async def main(*ones: One) -> None:
        await asyncio.sleep(5)
        everybody = {one.peer_id for one in ones}
        for one in ones:
            assert one.knows == everybody - {one.peer_id}
            assert all(PeerRecord.open(kept.entry.record).addrs for kept in one.book.kept.values())
        # What nobody needs is not sent: each heard of each once or twice.
        assert all(len(one.book.took) <= 2 * len(one.knows) for one in ones)
        deliveries.append(ones[0].network.sockets()[0].bytes_in)
        await asyncio.sleep(100)
        deliveries.append(ones[0].network.sockets()[0].bytes_in)

    play(5, main)
    assert deliveries[0] == deliveries[1]


def test_what_a_peer_signs_anew_reaches_the_end_of_the_line_in_a_moment() -> None:
    async def main(*ones: One) -> None:
        await asyncio.sleep(10)
        first, last = ones[0], ones[-1]
        first.sign(ADDRESS, said="hello")
        await asyncio.sleep(5)
        kept = last.book.kept[first.peer_id]
        assert kept.entry == first.own
        assert PeerRecord.open(kept.entry.record).addrs == (ADDRESS,)

    play(5, main)


def test_an_asker_is_told_what_it_does_not_know_and_never_of_itself() -> None:
    async def main(a: One, b: One) -> None:
        await asyncio.sleep(5)
        b.book.put(*(listed(one) for one in SUBJECTS[:50]))
        told = await a.ask(
            b, (SUBJECTS[0].peer_id, Version(WALL_MS)), (SUBJECTS[1].peer_id, Version(WALL_MS - 1))
        )
        assert told == {one.peer_id for one in SUBJECTS[1:50]} | {b.peer_id}

    play(2, main)


def test_who_has_more_than_goes_into_an_answer_is_asked_again() -> None:
    async def main(a: One, b: One, c: One) -> None:
        b.book.put(*(listed(one) for one in SUBJECTS[:300]))
        await c.connect(b)
        await asyncio.sleep(60)
        for one in (a, c):
            assert len(one.knows) == 302
        assert all(source == b.peer_id for _, _, source in a.book.took)

    play(3, main)


def test_a_restarted_node_knows_what_it_knew_and_tells_nobody() -> None:
    async def main(a: One, b: One, c: One) -> None:
        await asyncio.sleep(5)
        before = [len(one.book.took) for one in (a, b, c)]
        b.network.remove_handler(PROTOCOL)
        b.exchange = PeerExchange(b.network, b.book, lambda: b.own)
        task = asyncio.ensure_future(b.exchange.run())
        await asyncio.sleep(5)
        assert [len(one.book.took) for one in (a, b, c)] == before
        task.cancel()

    play(3, main)


def test_peers_that_do_not_speak_it_are_not_asked_but_their_record_is_passed_on() -> None:
    async def main(a: One, b: One, c: One) -> None:
        await asyncio.sleep(5)
        assert a.knows == {b.peer_id, c.peer_id}
        assert c.knows == set()

    play(3, main, mute=[3])


# ---------------------------------------------------------------- who is told what


def test_blocked_peers_are_neither_told_nor_told_of() -> None:
    async def main(a: One, b: One, c: One) -> None:
        await asyncio.sleep(5)
        b.book.put(*(listed(one) for one in SUBJECTS[:2]))
        b.book.blocked.add(SUBJECTS[0].peer_id)
        assert await a.ask(b) == {b.peer_id, c.peer_id, SUBJECTS[1].peer_id}
        b.book.blocked.add(c.peer_id)
        with pytest.raises(StreamReset):
            await c.ask(b)
        took = len(b.book.took)
        assert await a.call(b, frame(News((entry(SUBJECTS[0], WALL_MS + 1),)).to_bytes())) == b""
        assert len(b.book.took) == took

    play(3, main)


def test_old_records_are_passed_on_only_while_their_owner_is_connected() -> None:
    async def main(a: One, b: One, c: One) -> None:
        await asyncio.sleep(5)
        old = WALL_MS - int(AGE_MAX_S * 1000)
        b.book.put(listed(SUBJECTS[0], old), listed(SUBJECTS[1], 7), listed(SUBJECTS[2], old + 60_000))
        assert await a.ask(b) == {b.peer_id, c.peer_id, SUBJECTS[2].peer_id}
        await asyncio.sleep(AGE_MAX_S)
        assert await a.ask(b) == {b.peer_id, c.peer_id}
        await c.network.stop()
        await asyncio.sleep(1)
        assert await a.ask(b) == {b.peer_id}

    play(3, main)


# ---------------------------------------------------------------- liars


def _forged(number: int) -> Entry:
    good = entry(SUBJECTS[0], number).record
    return Entry(good[:-1] + bytes([good[-1] ^ 1]))


def test_a_forged_record_costs_its_stream_and_the_good_ones_beside_it_are_taken() -> None:
    async def main(a: One, b: One) -> None:
        await asyncio.sleep(5)
        news = News((_forged(WALL_MS), entry(SUBJECTS[1], WALL_MS)))
        with pytest.raises(StreamReset):
            await a.call(b, frame(news.to_bytes()))
        assert SUBJECTS[1].peer_id in b.knows
        assert SUBJECTS[0].peer_id not in b.knows
        assert a.network.is_connected(b.peer_id)
        assert SUBJECTS[1].peer_id in await a.ask(b)

    play(2, main)


def test_an_older_record_replayed_changes_nothing_and_goes_nowhere() -> None:
    async def main(a: One, b: One, c: One) -> None:
        await asyncio.sleep(5)
        old = c.own
        c.sign(ADDRESS)
        await asyncio.sleep(5)
        took = len(a.book.took), len(b.book.took)
        assert await a.call(b, frame(News((old,)).to_bytes())) == b""
        await asyncio.sleep(5)
        assert b.book.kept[c.peer_id].entry == c.own
        assert (len(a.book.took), len(b.book.took)) == took

    play(3, main)


@pytest.mark.parametrize(
    "data",
    [
        frame(b""),
        frame(b"\xff" * 10),
        frame(News((Entry(b"x"),) * (NEWS_MAX + 1)).to_bytes()),
        frame(bytes(CALL_BYTES_MAX + 1)),
        b"\xff" * 12,
        frame(News((Entry(entry(SUBJECTS[0], 9).record, entry(SUBJECTS[1], 0, 9).metadata),)).to_bytes()),
    ],
)
def test_what_is_no_call_costs_its_stream_alone(data: bytes) -> None:
    async def main(a: One, b: One) -> None:
        await asyncio.sleep(5)
        with pytest.raises(StreamReset):
            await a.call(b, data)
        assert a.network.is_connected(b.peer_id)
        assert await a.ask(b) == {b.peer_id}

    play(2, main)


def test_who_says_nothing_is_let_go_and_cannot_hold_many_streams() -> None:
    async def main(a: One, b: One) -> None:
        await asyncio.sleep(5)
        silent = [await a.network.open_stream(b.peer_id, PROTOCOL) for _ in range(STREAMS_MAX)]
        for stream in silent:
            stream.write_nowait(b"\x05\x00")
        with pytest.raises(StreamReset):
            await a.ask(b)
        await asyncio.sleep(TIMEOUT_S + 1)
        for stream in silent:
            with pytest.raises(StreamReset):
                await stream.read()
        assert await a.ask(b) == {b.peer_id}

    play(2, main)


def test_a_flood_of_records_is_taken_and_passed_on_within_bounds() -> None:
    async def main(liar: One, b: One, c: One) -> None:
        await asyncio.sleep(5)
        made = [key(number) for number in range(1000, 1000 + 1400)]
        for at in range(0, len(made), NEWS_MAX):
            news = News(tuple(entry(one, WALL_MS) for one in made[at : at + NEWS_MAX]))
            await liar.call(b, frame(news.to_bytes()))
        await asyncio.sleep(10)
        assert CHECKS.burst <= len(b.knows) <= CHECKS.burst + 2 + 40
        assert len(c.knows) < 120
        await c.connect(b)
        assert b.peer_id in await c.ask(b)

    play(3, main, mute=[])


def test_who_asks_without_end_is_not_answered() -> None:
    async def main(a: One, b: One) -> None:
        await asyncio.sleep(300)
        for _ in range(int(ANSWERS.burst)):
            assert await a.ask(b) == {b.peer_id}
        with pytest.raises(StreamReset):
            await a.ask(b)
        await asyncio.sleep(1 / ANSWERS.per_s)
        assert await a.ask(b) == {b.peer_id}

    play(2, main)


def test_a_peer_that_answers_with_rubbish_or_never_delays_nobody() -> None:
    async def main(a: One, b: One, c: One) -> None:
        async def hang(stream: Stream) -> None:
            await asyncio.sleep(1000)

        async def rubbish(stream: Stream) -> None:
            await stream.write(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff")

        a.network.handle_stream(PROTOCOL, hang)
        c.network.handle_stream(PROTOCOL, rubbish)
        a.identify.push()
        c.identify.push()
        c.sign(ADDRESS)
        a.sign(ADDRESS)
        await asyncio.sleep(30)
        assert b.knows == {a.peer_id, c.peer_id}
        assert b.network.is_connected(a.peer_id)

    play(3, main, mute=[1, 3])


def test_a_book_that_fails_loses_what_came_and_nothing_else() -> None:
    async def main(a: One, b: One) -> None:
        await asyncio.sleep(5)

        class Broken(MemoryBook):
            full = True

            async def take(self, one: Listed, source: PeerId) -> bool:
                if self.full:
                    raise DiskFull("full", hint="make room")
                return await super().take(one, source)

        b.network.remove_handler(PROTOCOL)
        book = Broken()
        b.exchange = PeerExchange(b.network, book, lambda: b.own)
        task = asyncio.ensure_future(b.exchange.run())
        data = frame(News((entry(SUBJECTS[0], WALL_MS),)).to_bytes())
        with pytest.raises(StreamReset):
            await a.call(b, data)
        book.full = False
        assert await a.call(b, data) == b""
        assert SUBJECTS[0].peer_id in book.kept
        task.cancel()

    play(2, main)


def test_what_was_learnt_in_two_halves_is_told_whole() -> None:
    async def main(a: One, b: One, c: One) -> None:
        await asyncio.sleep(5)
        for halves in ((WALL_MS, 0), (0, WALL_MS + 1), (WALL_MS + 2, 0)):
            news = News((entry(SUBJECTS[0], *halves),))
            await a.call(b, frame(news.to_bytes()))
            await asyncio.sleep(5)
        kept = c.book.kept[SUBJECTS[0].peer_id]
        assert kept.version == (WALL_MS + 2, WALL_MS + 1)
        assert kept.entry == entry(SUBJECTS[0], WALL_MS + 2, WALL_MS + 1)

    play(3, main)
