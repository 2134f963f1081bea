"""The peer table as peer exchange sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.protocols.exchange.book import WALL_MS, entry, key, listed
from warren.core.errors import ProtocolViolation
from warren.core.multiaddr import Multiaddr
from warren.core.peer_record import PeerRecord
from warren.core.reach import Reach
from warren.parts import OWNERS_OF_STATE
from warren.protocols.exchange.entry import Entry, Listed, Version
from warren.runtime.migrations import numbered_scripts
from warren.runtime.simulated import World
from warren.services.peers.book import Book
from warren.services.peers.table import PeerTable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warren.core.keys import PrivateKey

ME, ALICE, BOB, CAROL, SOURCE = (key(number) for number in range(1, 6))


def play(main: Callable[[Book, PeerTable], Awaitable[Any]]) -> None:
    async def opened(world: World) -> None:
        runtime = world.runtime("node")
        database = await runtime.open_database(":memory:", numbered_scripts(*OWNERS_OF_STATE))
        table = PeerTable(database, runtime.clock, runtime.entropy, ME)
        await table.load()
        await main(Book(table, runtime.entropy), table)
        await table.close()
        await database.close()

    with World() as world:
        world.run(opened(world))


async def sampled(book: Book, limit: int = 99, *known: Any) -> set[Any]:
    found, _ = await book.sample(limit, lambda peer, version: (peer, version) in known)
    return {one.peer for one in found}


def at_home(reach: Reach, who: PrivateKey, number: int) -> Listed:
    """A record with an address of a local network, told from that far."""
    record = PeerRecord(who.peer_id, number, (Multiaddr.tcp("10.0.0.9", 9),)).seal(who)
    return Listed(who.peer_id, Version(number), Entry(record, told_from=reach))


def test_from_how_near_it_was_told_is_kept_and_the_nearest_holds() -> None:
    async def main(book: Book, table: PeerTable) -> None:
        assert not await book.take(at_home(Reach.NOWHERE, ALICE, 5), SOURCE.peer_id)  # nobody says: from far
        assert not await book.take(at_home(Reach.PUBLIC, BOB, 5), SOURCE.peer_id)
        for reach, expected in ((Reach.PRIVATE, Reach.PRIVATE), (Reach.PUBLIC, Reach.PRIVATE)):
            whole = await book.take(at_home(reach, ALICE, 5), SOURCE.peer_id)
            assert whole == (reach is Reach.PRIVATE)
            kept = {one.peer: one.entry.told_from for one in await book.newest([ALICE.peer_id, BOB.peer_id])}
            assert kept == {ALICE.peer_id: expected, BOB.peer_id: Reach.PUBLIC}
        [alice] = [one for one in (await book.sample(9, lambda *_: False))[0] if one.peer == ALICE.peer_id]
        assert alice.entry.told_from == Reach.PRIVATE
        for peer, count in ((ALICE, 1), (BOB, 0)):
            one = await table.get(peer.peer_id)
            assert one is not None
            assert len(one.addresses) == count
        assert await book.take(listed(CAROL, 0, 5), SOURCE.peer_id)

    play(main)


def test_what_is_taken_is_there_at_once_and_the_newest_of_each_half_stays() -> None:
    async def main(book: Book, table: PeerTable) -> None:
        await book.take(listed(ALICE, 5, 7), SOURCE.peer_id)
        assert await book.newest([ALICE.peer_id, BOB.peer_id]) == [listed(ALICE, 5, 7)]
        await book.take(listed(ALICE, 6), SOURCE.peer_id)
        await book.take(listed(ALICE, 0, 8), SOURCE.peer_id)
        await book.take(listed(ALICE, 4, 2), SOURCE.peer_id)
        assert await book.newest([ALICE.peer_id]) == [listed(ALICE, 6, 8)]
        peer = await table.get(ALICE.peer_id)
        assert peer is not None
        assert peer.sources == ("exchange",)
        await book.take(listed(BOB), BOB.peer_id)
        met = await table.get(BOB.peer_id)
        assert met is not None
        assert met.sources == ("identify",)
        assert peer.state == "new"
        assert peer.addresses

    play(main)


def test_samples_leave_out_what_is_known_and_say_whether_there_is_more() -> None:
    async def main(book: Book, _: PeerTable) -> None:
        for one in (ALICE, BOB, CAROL):
            await book.take(listed(one), SOURCE.peer_id)
        assert await sampled(book) == {ALICE.peer_id, BOB.peer_id, CAROL.peer_id}
        assert await sampled(book, 99, (BOB.peer_id, Version(WALL_MS))) == {ALICE.peer_id, CAROL.peer_id}
        assert await sampled(book, 99, (BOB.peer_id, Version(WALL_MS - 1))) >= {BOB.peer_id}
        for limit, more in ((2, True), (3, False)):
            found, has_more = await book.sample(limit, lambda _, __: False)
            assert (len(found), has_more) == (limit, more)

    play(main)


def test_blocked_and_unreachable_peers_and_oneself_are_not_told_of() -> None:
    async def main(book: Book, table: PeerTable) -> None:
        for one in (ME, ALICE, BOB, CAROL):
            await book.take(listed(one), SOURCE.peer_id)
        await table.block(ALICE.peer_id)
        await table.note_state(BOB.peer_id, "unreachable")
        assert book.is_blocked(ALICE.peer_id)
        assert not book.is_blocked(BOB.peer_id)
        assert await sampled(book) == {CAROL.peer_id}
        assert await book.newest([ME.peer_id, ALICE.peer_id, BOB.peer_id]) == []

    play(main)


def test_versions_are_of_those_heard_of_last() -> None:
    async def main(book: Book, table: PeerTable) -> None:
        await book.take(listed(ALICE, 5, 7), SOURCE.peer_id)
        await book.take(listed(BOB, 2**64 - 1), SOURCE.peer_id)
        await table.seen(CAROL.peer_id)
        assert set(await book.versions(9)) == {
            (ALICE.peer_id, Version(5, 7)),
            (BOB.peer_id, Version(2**64 - 1, 0)),
        }
        assert len(await book.versions(1)) == 1

    play(main)


def test_what_nobody_signed_is_not_taken() -> None:
    async def main(book: Book, _: PeerTable) -> None:
        good = entry(ALICE, 5, 7)
        for bad in (Entry(good.record[:-1] + b"x"), Entry(b"", good.metadata[:-1] + b"x")):
            with pytest.raises(ProtocolViolation):
                await book.take(listed(ALICE)._replace(entry=bad), SOURCE.peer_id)
        assert await book.newest([ALICE.peer_id]) == []

    play(main)
