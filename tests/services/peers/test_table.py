"""The table: one entry a peer, addresses with whoever proved them, records that only their peer changes, room
that strangers cannot take, and nothing acknowledged that is lost.
"""

from __future__ import annotations

import asyncio
import base64
import errno
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.services.peers.support import (
    ANNA,
    BOB,
    CAFE,
    CEM,
    DAN,
    EVE,
    HOME,
    ME,
    OFFICE,
    OTHERS,
    Events,
    key_of,
    metadata,
    record,
    records,
    table,
)
from warren import testing
from warren.core.errors import InputError, LimitReached, ProtocolViolation, StorageError
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.reach import Reach, believable
from warren.runtime.simulated import World
from warren.services.peers import store
from warren.services.peers.full_form import read_entry
from warren.services.peers.merge import merge_peer
from warren.services.peers.model import SORTS, Figure, Kept, PeerBlocked, PeerForgotten, PeerUnblocked
from warren.services.peers.table import NOTES_MAX, WRITE_AFTER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from warren.core.peer_id import PeerId
    from warren.runtime.simulated import VirtualLoop
    from warren.services.peers.model import Peer
    from warren.services.peers.table import PeerTable


def run(work: Callable[[PeerTable], Coroutine[object, object, None]], peers_max: int = 1000) -> None:
    async def main() -> None:
        async with table(peers_max=peers_max) as peers:
            await work(peers)

    testing.run(main())


async def found(peers: PeerTable, peer: PeerId) -> Peer:
    one = await peers.get(peer)
    assert one is not None
    return one


def stranger(number: int) -> PrivateKey:
    return PrivateKey.from_seed(b"stranger" + number.to_bytes(24))


def test_what_was_noted_is_read_at_once() -> None:
    async def work(peers: PeerTable) -> None:
        assert await peers.get(ANNA) is None
        await peers.seen(ANNA, HOME.with_peer(ANNA), proven=True, source="dialled")
        await peers.note_latency(ANNA, 0.02, 0.001)
        await asyncio.sleep(1)
        await peers.note_speed(ANNA, 1e6, None)
        await peers.note_speed(ANNA, None, 2e6)
        await peers.note_identity(ANNA, "warren/1", ("dht", "relay"))
        one = await found(peers, ANNA)
        assert (one.addresses, one.state, one.sources, one.agent) == (
            (HOME,),
            "reachable",
            ("dialled",),
            "warren/1",
        )
        assert one.latency is not None
        assert one.last_seen == one.first_seen == one.latency.measured_at
        assert (one.latency.value, one.jitter_s) == (0.02, 0.001)
        assert one.download == Figure(1e6, one.first_seen + 1)
        assert one.upload == Figure(2e6, one.first_seen + 1)
        assert (one.roles, one.public, one.blocked) == (("dht", "relay"), None, False)
        assert await peers.count() == 1

    run(work)


def test_figures_alone_make_no_peer() -> None:
    async def work(peers: PeerTable) -> None:
        await peers.note_latency(ANNA, 0.02, None)
        await peers.note_state(ANNA, "suspect")
        await peers.parted(ANNA)
        assert await peers.count() == 0

    run(work)


def test_this_node_is_not_in_its_table() -> None:
    async def work(peers: PeerTable) -> None:
        await peers.seen(ME.peer_id)
        await peers.heard(ME.peer_id, [HOME], "exchange")
        await peers.note_record(record(ME, 1, HOME), "exchange")
        assert await peers.count() == 0
        with pytest.raises(InputError):
            await peers.block(ME.peer_id)

    run(work)


def test_the_last_state_holds() -> None:
    async def work(peers: PeerTable) -> None:
        await peers.heard(ANNA, [HOME], "mdns")
        assert (await found(peers, ANNA)).state == "new"
        await peers.seen(ANNA)
        await peers.note_state(ANNA, "suspect")
        assert (await found(peers, ANNA)).state == "suspect"
        await peers.seen(ANNA)
        assert (await found(peers, ANNA)).state == "reachable"

    run(work)


# --- addresses ------------------------------------------------------------------------------------------


def test_an_address_belongs_to_whoever_proved_it_last() -> None:
    async def work(peers: PeerTable) -> None:
        await peers.heard(ANNA, [CAFE, HOME], "mdns", Reach.LINK)
        await peers.seen(ANNA, HOME, proven=True)
        await peers.commit()
        assert (await found(peers, ANNA)).addresses == (HOME, CAFE)
        await asyncio.sleep(1)
        await peers.seen(BOB, HOME, proven=True)
        await peers.heard(BOB, [OFFICE], "mdns", Reach.LINK)
        assert (await found(peers, BOB)).addresses == (HOME, OFFICE)
        kept, _ = await peers.kept_after(0, 10)
        assert [list(one.proven) for one in kept] == [[], [HOME]]
        await peers.seen(DAN, OFFICE, proven=True)
        await peers.seen(EVE, OFFICE, proven=True)
        assert (await found(peers, DAN)).addresses == ()

    run(work)


def test_a_boaster_keeps_few_addresses_and_the_proven_ones() -> None:
    async def work(peers: PeerTable) -> None:
        await peers.seen(ANNA, HOME, proven=True)
        for port in range(100):
            await peers.heard(ANNA, [Multiaddr.tcp("60.0.2.9", 1 + port)], "exchange")
            if port % 10 == 0:
                await peers.commit()
        addresses = (await found(peers, ANNA)).addresses
        assert len(addresses) == 16
        assert addresses[0] == HOME

    run(work)


def test_a_global_address_that_we_dialled_makes_a_peer_public() -> None:
    async def work(peers: PeerTable) -> None:
        await peers.seen(ANNA, HOME, proven=True)  # of documentation: not global
        await peers.seen(BOB, Multiaddr.parse("/ip4/1.1.1.1/tcp/1"), proven=True)
        assert (await found(peers, ANNA)).public is None
        assert (await found(peers, BOB)).public is True

    run(work)


# --- whom to believe ------------------------------------------------------------------------------------

LOOPBACK, LINK, PRIVATE, PUBLIC = TOLD = tuple(
    Multiaddr.tcp(host, 9) for host in ("127.0.0.1", "169.254.0.9", "10.0.0.9", "61.0.0.9")
)
TELLERS = [Reach.LOOPBACK, Reach.LINK, Reach.PRIVATE, Reach.PUBLIC]


async def take_in(peers: PeerTable, entry: dict[str, object]) -> None:
    """Import it."""
    kept, _ = read_entry(entry)
    assert isinstance(kept, Kept)
    await peers.transact(lambda db, room: merge_peer(db, kept, 0.0, room))


async def believed(peers: PeerTable, peer: PeerId) -> set[Multiaddr]:
    return set((await found(peers, peer)).addresses)


@pytest.mark.parametrize("teller", TELLERS)
def test_who_tells_is_believed_about_no_nearer_network_than_its_own(teller: Reach) -> None:
    async def work(peers: PeerTable) -> None:
        expected = set(TOLD[teller - 1 :])
        await peers.heard(ANNA, TOLD, "dht", teller)
        assert await believed(peers, ANNA) == expected
        whole = await peers.note_record(record(key_of(BOB), 1, *TOLD), "exchange", teller)
        assert whole == (teller is Reach.LOOPBACK)
        assert await believed(peers, BOB) == expected
        await peers.note_record(record(key_of(CEM), 1, *TOLD), "exchange", teller)
        assert await believed(peers, CEM) == expected

    run(work)


def test_who_does_not_say_where_from_is_far() -> None:
    async def work(peers: PeerTable) -> None:
        await peers.heard(ANNA, TOLD, "dht")
        await peers.note_record(record(key_of(BOB), 1, *TOLD), "exchange")
        await peers.note_record(record(key_of(CEM), 1, *TOLD), "exchange")
        for peer in (ANNA, BOB, CEM):
            assert await believed(peers, peer) == {PUBLIC}

    run(work)


def test_names_are_believed_from_the_user_alone() -> None:
    name = Multiaddr.parse("/dns4/example.org/tcp/9")

    async def work(peers: PeerTable) -> None:
        await peers.heard(ANNA, [name, PUBLIC], "dht", Reach.LOOPBACK)
        assert await peers.note_record(record(key_of(BOB), 1, name, PUBLIC), "exchange", Reach.LOOPBACK)
        await peers.heard(CEM, [name, PUBLIC], "bootstrap", Reach.NOWHERE)
        assert await believed(peers, ANNA) == await believed(peers, BOB) == {PUBLIC}
        assert await believed(peers, CEM) == {name, PUBLIC}

    run(work)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 3),
            st.sampled_from(TELLERS),
            st.sets(st.sampled_from(TOLD)),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_of_all_who_tell_the_nearest_is_believed(
    told: list[tuple[int, Reach, set[Multiaddr], bool]],
) -> None:
    """Whether they tell before or after it was written, and of which version. What who may has told of an
    older version, which came late, may count or not.
    """
    sealed: dict[int, tuple[set[Multiaddr], bytes]] = {}

    async def work(peers: PeerTable) -> None:
        newest, expected, ever = 0, set[Multiaddr](), set[Multiaddr]()
        for number, teller, addresses, written in told:
            named, envelope = sealed.setdefault(
                number, (addresses, record(key_of(ANNA), number, *sorted(addresses)))
            )
            may = set(believable(tuple(named), teller))
            ever |= may
            if number > newest:
                newest, expected = number, expected & named
            if number == newest:
                expected |= set(believable(tuple(named), teller))
            ever |= expected
            await peers.note_record(envelope, "exchange", teller)
            if written:
                await peers.commit()
        if told:
            # A record that nobody read before the next one came may not have ended what was believed.
            assert expected <= await believed(peers, ANNA) <= ever & sealed[newest][0]
            assert await records(peers) == [(sealed[newest][1], None)]

    run(work)


def test_another_record_of_the_same_number_brings_nothing_nearer() -> None:
    async def work(peers: PeerTable) -> None:
        anna = key_of(ANNA)
        for commit in (peers.commit, lambda: asyncio.sleep(0)):
            await peers.note_record(record(anna, 1, PUBLIC), "exchange", Reach.PUBLIC)
            await commit()
            await peers.note_record(record(anna, 1, PUBLIC, PRIVATE), "exchange", Reach.PRIVATE)
            assert await believed(peers, ANNA) == {PUBLIC}
            await peers.forget(ANNA)

    run(work)


def test_where_a_peer_was_met_it_is_believed_to_be_whoever_tells() -> None:
    async def work(peers: PeerTable) -> None:
        await peers.seen(ANNA, PRIVATE, proven=True)
        for number in (1, 2):
            await peers.note_record(record(key_of(ANNA), number, PRIVATE, LINK, PUBLIC), "exchange")
        one = await found(peers, ANNA)
        assert one.addresses == (PRIVATE, PUBLIC)
        assert one.first_hand == (PRIVATE,)
        await peers.seen(BOB, PRIVATE, proven=True)
        assert await believed(peers, ANNA) == {PUBLIC}

    run(work)


def test_all_that_the_user_put_here_is_known_first_hand() -> None:
    async def work(peers: PeerTable) -> None:
        await take_in(peers, {"peer_id": str(ANNA), "addresses": [str(LOOPBACK), str(PUBLIC)]})
        await peers.note_record(record(key_of(ANNA), 1, *TOLD), "exchange")
        one = await found(peers, ANNA)
        assert set(one.first_hand) == set(one.addresses) == {LOOPBACK, PUBLIC}
        await peers.transact(lambda db, room: store.follow_contact(db, BOB, "bob", TOLD, 0.0, room))
        one = await found(peers, BOB)
        assert set(one.first_hand) == set(one.addresses) == set(TOLD)
        await peers.heard(CEM, [PUBLIC], "mdns")
        assert (await found(peers, CEM)).first_hand == ()

    run(work)


def test_an_imported_record_is_the_word_of_a_stranger() -> None:
    async def work(peers: PeerTable) -> None:
        sealed = base64.b64encode(record(key_of(ANNA), 1, *TOLD)).decode()
        await take_in(peers, {"peer_id": str(ANNA), "addresses": [str(LINK)], "record": sealed})
        assert await believed(peers, ANNA) == {LINK, PUBLIC}

    run(work)


# --- records --------------------------------------------------------------------------------------------


def test_the_record_with_the_highest_number_holds() -> None:
    async def work(peers: PeerTable) -> None:
        anna = key_of(ANNA)
        for older in (record(anna, 5, HOME), record(anna, 5, CAFE), record(anna, 4, CAFE)):
            await peers.note_record(older, "exchange", Reach.PRIVATE)
            assert await records(peers) == [(record(anna, 5, HOME), None)]
        assert (await found(peers, ANNA)).addresses == (HOME,)
        await peers.note_record(record(anna, 1 << 63, CAFE, OFFICE), "exchange", Reach.PRIVATE)
        assert set((await found(peers, ANNA)).addresses) == {CAFE, OFFICE}
        await peers.note_record(record(anna, 6, HOME), "exchange")
        assert await records(peers) == [(record(anna, 1 << 63, CAFE, OFFICE), None)]
        assert (await found(peers, ANNA)).last_seen is None

    run(work)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5), st.booleans()), max_size=12))
def test_records_in_any_order_leave_the_newest_of_each(order: list[tuple[int, int, bool]]) -> None:
    async def work(peers: PeerTable) -> None:
        highest: dict[PeerId, int] = {}
        for who, seq, at_once in order:
            key = OTHERS[who]
            await peers.note_record(record(key, seq, HOME), "exchange")
            highest[key.peer_id] = max(highest.get(key.peer_id, 0), seq)
            if at_once:
                await peers.commit()
        expected = {record(key_of(peer), seq, HOME) for peer, seq in highest.items()}
        assert {sealed for sealed, _ in await records(peers)} == expected

    run(work)


def test_nobody_changes_the_record_of_another() -> None:
    async def work(peers: PeerTable) -> None:
        forged = record(key_of(ANNA), 9, HOME).replace(HOME.to_bytes(), CAFE.to_bytes())
        with pytest.raises(ProtocolViolation):
            await peers.note_record(forged, "exchange")
        with pytest.raises(ProtocolViolation):
            await peers.note_record(metadata(key_of(ANNA), 9, a="b"), "exchange")
        with pytest.raises(ProtocolViolation):
            await peers.note_metadata(record(key_of(ANNA), 9, HOME))
        assert await peers.count() == 0

    run(work)


def test_a_huge_record_is_not_kept() -> None:
    async def work(peers: PeerTable) -> None:
        many = [Multiaddr.tcp("2001:db8::1", port) for port in range(1, 200)]
        huge = record(key_of(ANNA), 1, *many)
        assert len(huge) > store.RECORD_BYTES_MAX
        await peers.note_record(huge, "exchange")
        assert await peers.count() == 0

    run(work)


def test_metadata_are_kept_of_peers_that_are_known() -> None:
    async def work(peers: PeerTable) -> None:
        anna = key_of(ANNA)
        await peers.note_metadata(metadata(anna, 3, region="east"))
        assert await peers.count() == 0
        await peers.note_record(record(anna, 1, HOME), "exchange")
        await peers.note_metadata(metadata(anna, 2, region="north"))
        assert (await found(peers, ANNA)).metadata == {"region": "north"}
        await peers.note_metadata(metadata(anna, 1, region="south"))
        assert (await found(peers, ANNA)).metadata == {"region": "north"}
        assert await records(peers) == [(record(anna, 1, HOME), metadata(anna, 2, region="north"))]

    run(work)


# --- pages ----------------------------------------------------------------------------------------------


def test_pages_are_sorted_and_whole() -> None:
    async def work(peers: PeerTable) -> None:
        for number in range(25):
            peer = stranger(number).peer_id
            await peers.seen(peer)
            if number % 3:
                await peers.note_latency(peer, (number * 7 % 25) / 1000, None)
            if number % 4:
                await peers.note_speed(peer, number * 11 % 25, number * 13 % 25)
            await asyncio.sleep(1)
        for sort in (None, *SORTS):
            whole = await peers.page(sort, 0, 100)
            parts = [one for start in range(0, 30, 7) for one in await peers.page(sort, start, 7)]
            assert parts == whole
            assert len({one.peer_id for one in whole}) == 25
        nearest = [one.latency.value for one in await peers.page("latency", 0, 100) if one.latency]
        assert nearest == sorted(nearest)
        assert not any(one.latency for one in await peers.page("latency", 16, 100))
        by_speed = {
            "download": await peers.page("download", 0, 100),
            "upload": await peers.page("upload", 0, 100),
        }
        for name, found in by_speed.items():
            fastest = [getattr(one, name) for one in found]
            values = [one.value for one in fastest if one is not None]
            assert values == sorted(values, reverse=True)
            assert fastest[len(values) :] == [None] * 7
        assert (await peers.page("seen", 0, 1))[0].peer_id == stranger(24).peer_id

    run(work)


def test_a_beginning_finds_its_peers() -> None:
    async def work(peers: PeerTable) -> None:
        ids = sorted(stranger(number).peer_id for number in range(200))
        for peer in ids:
            await peers.heard(peer, [HOME], "exchange")
        for text in (str(ids[7]), str(ids[7])[:20], ids[7].to_cid_text()[:30], str(ids[7])[8:20]):
            assert await peers.starting_with(text) == [ids[7]]
        beginning = str(ids[0])[:9]
        assert await peers.starting_with(beginning, limit=500) == [
            peer for peer in ids if str(peer).startswith(beginning)
        ]
        assert len(await peers.starting_with("12D3KooW", limit=5)) == 5
        assert await peers.starting_with("") == []
        assert await peers.starting_with("anna") == []

    run(work)


def test_candidates_can_be_dialled() -> None:
    async def work(peers: PeerTable) -> None:
        await peers.seen(ANNA, HOME, proven=True)
        await asyncio.sleep(1)
        await peers.seen(BOB, CAFE, proven=True)
        await peers.seen(CEM)
        await peers.heard(DAN, [OFFICE], "mdns", Reach.LINK)
        await peers.heard(EVE, [OFFICE], "mdns", Reach.LINK)
        await peers.block(EVE)

        async def ids(limit: int = 9, **options: object) -> list[PeerId]:
            return [one.peer_id for one in await peers.candidates(limit, **options)]  # type: ignore[arg-type]

        assert await ids() == [BOB, ANNA, DAN]
        assert await ids(1) == [BOB]
        assert await ids(1, exclude=[BOB]) == [ANNA]
        assert await ids(states=["new"]) == [DAN]
        await peers.note_state(DAN, "unreachable")
        assert await ids() == [BOB, ANNA]
        assert sorted(await ids(at_random=True)) == sorted([ANNA, BOB])
        assert {(await ids(1, at_random=True))[0] for _ in range(40)} == {ANNA, BOB}

    run(work)


# --- blocking and forgetting ----------------------------------------------------------------------------


def test_a_block_holds_over_a_restart() -> None:
    async def main() -> None:
        world = World(0, loop=_loop())
        events = Events()
        async with table(world, events) as peers:
            await peers.seen(ANNA, HOME, proven=True)
            await peers.block(ANNA)
            await peers.block(BOB)
            await peers.block(BOB)
            assert peers.is_blocked(ANNA)
            assert (await found(peers, ANNA)).blocked
            assert (await found(peers, BOB)).blocked
            before = await found(peers, ANNA)
            await peers.seen(ANNA)
            await peers.note_latency(ANNA, 1.0, None)
            await peers.note_record(record(key_of(ANNA), 1, CAFE), "exchange")
            assert await found(peers, ANNA) == before
        assert events == [PeerBlocked(ANNA), PeerBlocked(BOB)]
        assert events.expelled == [ANNA, BOB, BOB]
        async with table(world, events) as peers:
            assert peers.is_blocked(ANNA)
            assert await peers.unblock(ANNA)
            assert not await peers.unblock(ANNA)
            assert not peers.is_blocked(ANNA)
            assert events[2:] == [PeerUnblocked(ANNA)]
        async with table(world) as peers:
            assert not peers.is_blocked(ANNA)
            assert peers.is_blocked(BOB)
        world.close()

    testing.run(main())


def test_who_is_forgotten_is_gone_until_met_again() -> None:
    async def work(peers: PeerTable) -> None:
        await peers.seen(ANNA, HOME, proven=True)
        await peers.note_latency(ANNA, 0.1, None)
        assert await peers.forget(ANNA)
        assert not await peers.forget(ANNA)
        await peers.parted(ANNA)
        assert await peers.get(ANNA) is None
        await peers.seen(ANNA)
        assert (await found(peers, ANNA)).latency is None

    run(work)


def test_a_block_outlives_forgetting() -> None:
    async def main() -> None:
        events = Events()
        async with table(None, events) as peers:
            await peers.seen(ANNA, HOME, proven=True)
            await peers.block(ANNA)
            assert await peers.forget(ANNA)
            one = await found(peers, ANNA)
            assert one.blocked
            assert (one.addresses, one.last_seen) == ((), None)
            assert events == [PeerBlocked(ANNA), PeerForgotten(ANNA)]

    testing.run(main())


def test_blocks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BLOCKED_MAX", 2)

    async def work(peers: PeerTable) -> None:
        await peers.block(ANNA)
        await peers.block(BOB)
        await peers.block(ANNA)
        with pytest.raises(LimitReached):
            await peers.block(CEM)
        assert not peers.is_blocked(CEM)

    run(work)


# --- room -----------------------------------------------------------------------------------------------


def test_a_flood_of_strangers_drives_out_only_strangers() -> None:
    async def work(peers: PeerTable) -> None:
        await peers.seen(ANNA, HOME, proven=True)  # met
        await peers.seen(BOB)
        await peers.note_latency(BOB, 0.1, None)  # measured
        await peers.block(CEM)
        await peers.transact(lambda db, room: store.follow_contact(db, DAN, "dan", [OFFICE], 0.0, room))
        for number in range(300):
            await peers.note_record(record(stranger(number), 1, CAFE), "exchange")
            await peers.commit()
        assert await peers.count() <= 100
        assert await peers.get(stranger(299).peer_id) is not None
        assert await peers.get(stranger(0).peer_id) is None
        for peer in (ANNA, BOB, CEM, DAN):
            assert await peers.get(peer) is not None

    run(work, peers_max=100)


def test_whoever_is_met_takes_the_place_of_whoever_is_not_and_not_the_other_way_round() -> None:
    async def work(peers: PeerTable) -> None:
        for number in range(10):
            await peers.heard(stranger(number).peer_id, [HOME], "exchange")
        await peers.commit()
        for number in range(10, 30):
            await peers.seen(stranger(number).peer_id)
            await peers.note_latency(stranger(number).peer_id, 0.1, None)
        await peers.commit()
        assert await peers.count() <= 10
        await peers.heard(ANNA, [HOME], "exchange")
        full = await peers.count() == 10
        assert (await peers.get(ANNA) is None) == full

    run(work, peers_max=10)


def test_when_all_places_are_the_users_nobody_comes_in_and_blocking_says_so() -> None:
    async def work(peers: PeerTable) -> None:
        await peers.block(ANNA)
        await peers.block(BOB)
        await peers.seen(CEM)
        assert await peers.get(CEM) is None
        with pytest.raises(LimitReached, match="full"):
            await peers.block(DAN)
        await peers.transact(lambda db, room: store.follow_contact(db, DAN, "dan", [], 0.0, room))
        assert await peers.count() == 2

    run(work, peers_max=2)


def test_the_many_names_of_one_host_drive_out_only_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "HOST_PEERS_MAX", 5)

    async def work(peers: PeerTable) -> None:
        await peers.seen(ANNA, HOME, proven=True)
        for number in range(30):
            await peers.seen(stranger(number).peer_id, host="198.51.100.7")
            await peers.commit()
            await asyncio.sleep(1)
        for number in range(100, 110):
            await peers.seen(stranger(number).peer_id, host="127.0.0.1")
        assert await peers.count() == 1 + 5 + 10
        assert await peers.get(stranger(29).peer_id) is not None
        assert await peers.get(ANNA) is not None

    run(work)


# --- writing --------------------------------------------------------------------------------------------


def test_notes_are_written_in_time_and_at_the_end() -> None:
    async def main() -> None:
        world = World(0, loop=_loop())
        async with table(world) as peers:
            writer = asyncio.ensure_future(peers.run())
            await peers.seen(ANNA)
            async with table(world) as other:
                assert await other.count() == 0
                await asyncio.sleep(WRITE_AFTER_S + 0.1)
                assert await other.count() == 1
            writer.cancel()
            await peers.seen(BOB)
        async with table(world) as peers:
            assert await peers.count() == 2
        world.close()

    testing.run(main())


def test_a_full_disk_loses_nothing_that_was_acknowledged_and_lets_everybody_read() -> None:
    async def main() -> None:
        world = World(0, loop=_loop())
        disk = world.runtime("node").disk
        async with table(world) as peers:
            await peers.block(ANNA)
            await peers.seen(BOB)
            await peers.note_record(record(key_of(CEM), 1, HOME), "exchange")
            disk.fail_next("database", errno.ENOSPC)
            with pytest.raises(StorageError):
                await peers.commit()
            disk.fail_next("database", errno.ENOSPC)
            assert await peers.count() == 1  # without the news
            assert await peers.count() == 3  # which came through in the end
            assert (record(key_of(CEM), 1, HOME), None) in await records(peers)
        world.close()

    testing.run(main())


def test_notes_that_cannot_be_written_are_bounded() -> None:
    async def main() -> None:
        world = World(0, loop=_loop())
        disk = world.runtime("node").disk
        async with table(world, peers_max=5000) as peers:
            for number in range(NOTES_MAX - 1):
                await peers.seen(stranger(number).peer_id)
            disk.fail_next("database", errno.ENOSPC)
            await peers.seen(ANNA)
            assert await peers.count() == NOTES_MAX // 2
            assert await peers.get(ANNA) is not None
            for number in range(NOTES_MAX):
                await peers.seen(stranger(number).peer_id)
            assert not len(peers._notes)
        world.close()

    testing.run(main())


def test_many_tasks_at_once_lose_nothing() -> None:
    async def work(peers: PeerTable) -> None:
        async def one(number: int) -> None:
            key = stranger(number)
            await peers.seen(key.peer_id, HOME)
            await peers.note_record(record(key, 1, CAFE), "identify", Reach.PRIVATE)
            await peers.note_latency(key.peer_id, number / 1000, None)
            if number % 5 == 0:
                await peers.block(key.peer_id)
            if number % 7 == 0:
                await peers.forget(key.peer_id)
            if number % 3 == 0:
                await peers.page("latency", 0, 10)

        async with asyncio.TaskGroup() as tasks:
            for number in range(100):
                tasks.create_task(one(number))
        for number in range(100):
            known = await peers.get(stranger(number).peer_id)
            assert (known is None) == (number % 7 == 0 and number % 5 != 0)
            if number % 5 and number % 7:
                assert known is not None
                assert known.latency is not None
                assert known.latency.value == number / 1000
                assert known.addresses == (CAFE, HOME)

    run(work)


def test_whoever_gives_up_leaves_the_commit_to_the_others() -> None:
    async def work(peers: PeerTable) -> None:
        await peers.seen(BOB)
        hasty = asyncio.ensure_future(peers.block(CEM))
        patient = asyncio.ensure_future(peers.block(DAN))
        await asyncio.sleep(0)
        hasty.cancel()
        await patient
        assert await peers.count() == 3

    run(work)


def _loop() -> VirtualLoop:
    loop: VirtualLoop = asyncio.get_running_loop()  # type: ignore[assignment]
    return loop
