"""Fetches from many holders under the simulator, some of which stall, lie, die or have nothing any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.services.files.swarm.hosts import MIB, Content, Told, hosts
from warren import testing
from warren.core.errors import BadContent, ConnectionFailed, ContentUnknown, SourceChanged
from warren.protocols.transfer.messages import PROTOCOL_ID, Status
from warren.protocols.transfer.server import Part, ServerLimits
from warren.services.files.config import FilesConfig
from warren.services.files.swarm import swarm as module
from warren.services.files.swarm.bits import Bits
from warren.services.files.swarm.rotation import USELESS_S
from warren.services.files.types import Audience, SourceAdded, SourceDropped

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from tests.services.files.swarm.hosts import Hosts
    from warren.core.peer_id import PeerId
    from warren.protocols.transfer.server import ReadJob
    from warren.services.files.types import Fetched, SourceState

RATE = 20e6
CONTENT = Content(64)
SMALL = Content(12, size=1000)


def run(main: Coroutine[None, None, None]) -> None:
    testing.run(main, limit_s=3600)


def of(outcome: Fetched, peer: PeerId) -> SourceState:
    return next(one for one in outcome.sources if one.peer == peer)


def bits(*numbers: int) -> Bits:
    made = Bits()
    for number in numbers:
        made.add(number)
    return made


def test_four_holders_give_four_times_as_much() -> None:
    async def main() -> None:
        async with hosts(CONTENT, 4, bytes_per_s=RATE) as made:
            outcome, took_s = await made.fetch()
            assert took_s < 0.15 + 1.15 * 64 * MIB / (4 * RATE)  # some round trips until all have begun
            shares = [one.bytes_fetched for one in outcome.sources]
            assert sum(shares) == outcome.bytes == 64 * MIB
            assert min(shares) > 0.15 * outcome.bytes
            assert sum(holder.source.sent for holder in made.holders) <= 64 + 8

    run(main())


def test_what_is_outstanding_is_bounded() -> None:
    async def main() -> None:
        config = FilesConfig(outstanding_bytes=64 * MIB)
        async with hosts(CONTENT, 4, bytes_per_s=RATE, config=config) as made:
            for holder in made.holders:
                holder.source.gate.clear()
            transfer = made.fetcher.get(CONTENT.cid, "/downloads", peers=made.peers)
            async with transfer:
                await asyncio.sleep(1)
                assert sum(one.outstanding_bytes for one in transfer.sources()) <= 36 * MIB
                assert {one.state for one in transfer.sources()} == {"active"}

    run(main())


def test_one_stalls_one_lies_one_dies() -> None:
    async def main() -> None:
        async with hosts(CONTENT, 4, bytes_per_s=RATE) as made:
            good, stalling, lying, dying = made.holders
            for number in range(64):
                lying.corrupt(CONTENT, number)
            added: list[SourceAdded] = []
            dropped: list[SourceDropped] = []
            made.network.events.on(SourceAdded, added.append)
            made.network.events.on(SourceDropped, dropped.append)

            def die() -> None:
                if dying.source.sent >= 4:
                    made.world.network.crash("holder3")

            def stall() -> None:
                if stalling.source.sent >= 4:
                    stalling.source.gate.clear()

            dying.source.on_read, stalling.source.on_read = die, stall
            outcome, took_s = await made.fetch()
            left = 64 * MIB / RATE  # were it all of one
            assert took_s < 1.3 * left
            assert of(outcome, good.peer).bytes_fetched > 32 * MIB
            liar = of(outcome, lying.peer)
            assert (liar.state, liar.bytes_fetched) == ("dropped", 0)
            assert "bad data" in liar.note
            assert (lying.peer, True) in [(one.peer, one.lied) for one in dropped]
            assert {one.peer for one in added} == set(made.peers)

    run(main())


def test_one_that_stalls_is_overtaken_and_may_go_on() -> None:
    async def main() -> None:
        async with hosts(CONTENT, 2, bytes_per_s=5e6) as made:
            steady, moody = made.holders
            loop = asyncio.get_running_loop()
            loop.call_later(1, moody.source.gate.clear)
            async with made.fetcher.get(CONTENT.cid, "/downloads", peers=made.peers) as transfer:
                await asyncio.sleep(4)
                states = {one.peer: one for one in transfer.sources()}
                assert (states[steady.peer].state, states[moody.peer].state) == ("active", "stalled")
                before = states[moody.peer].bytes_fetched
                moody.source.gate.set()
                await asyncio.sleep(4)
                states = {one.peer: one for one in transfer.sources()}
                assert states[moody.peer].state == "active"
                assert states[moody.peer].bytes_fetched > before + 8 * MIB
                await transfer.result()

    run(main())


def test_a_liar_of_nodes_is_dropped_and_another_is_asked() -> None:
    async def main() -> None:
        async with hosts(SMALL, 1) as made:
            lying = made.holders[0]
            lying.source.nodes[SMALL.root.cid] = (b"something else", [])
            with pytest.raises(BadContent):
                await made.fetch(only=True)
            other = await made.add()
            outcome, _ = await made.fetch()
            assert of(outcome, lying.peer).state == "dropped"
            assert of(outcome, other.peer).bytes_fetched == 12_000

    run(main())


def test_who_has_it_no_more_is_struck_and_the_rest_goes_on() -> None:
    async def main() -> None:
        async with hosts(SMALL, 3) as made:
            changed, vanished, good = made.holders
            for digest in SMALL.leaves:
                changed.source.chunks[digest] = Part(Status.CHANGED)
                del vanished.source.chunks[digest]
            good.source.gate.clear()
            asyncio.get_running_loop().call_later(1, good.source.gate.set)
            outcome, _ = await made.fetch()
            assert {of(outcome, one.peer).state for one in (changed, vanished)} == {"gone"}
            assert set(made.finder.struck) == {changed.peer, vanished.peer}

    run(main())


def test_the_last_one_says_why_nothing_came() -> None:
    async def main() -> None:
        async with hosts(SMALL, 1) as made:
            for digest in SMALL.leaves:
                made.holders[0].source.chunks[digest] = Part(Status.CHANGED)
            begun = made.world.clock.now()
            with pytest.raises(SourceChanged):
                await made.fetch()
            assert made.world.clock.now() - begun == pytest.approx(FilesConfig().no_source_s, abs=2)
            with pytest.raises(SourceChanged):
                await made.fetch(only=True)
            with pytest.raises(ContentUnknown, match="nobody was found"):
                await made.fetch(peers=())

    run(main())


def test_holders_that_are_found_take_part() -> None:
    async def main() -> None:
        async with hosts(CONTENT, 2, bytes_per_s=RATE) as made:
            first, second = made.peers
            asyncio.get_running_loop().call_later(1, made.finder.queue.put_nowait, first)
            asyncio.get_running_loop().call_later(2, made.finder.queue.put_nowait, second)
            made.finder.queue.put_nowait(made.network.peer_id)
            outcome, took_s = await made.fetch(peers=())
            assert took_s < 1 + 1 + 0.7 * 64 * MIB / RATE
            assert of(outcome, second).bytes_fetched > 16 * MIB

    run(main())


def test_one_that_was_dropped_may_come_back_and_a_liar_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_DELAYS_S", ())

    async def main() -> None:
        config = FilesConfig(no_source_s=300)
        async with hosts(SMALL, 2, config=config) as made:
            broken, lying = made.holders
            for number in range(12):
                lying.corrupt(SMALL, number)
            made.world.network.partition([["holder0"]])
            fetching = asyncio.create_task(made.fetch())
            await asyncio.sleep(50)
            made.world.network.heal()
            made.finder.queue.put_nowait(lying.peer)
            made.finder.queue.put_nowait(broken.peer)
            outcome, _ = await fetching
            assert of(outcome, broken.peer).bytes_fetched == 12_000
            assert lying.source.asked
            assert of(outcome, lying.peer).state == "dropped"

    run(main())


def test_partial_holders_are_polled_and_together_have_it_all() -> None:
    async def main() -> None:
        async with hosts(CONTENT, 0) as made:
            one = await made.add(told=Told(complete=False, bits=bits(*range(40))))
            other = await made.add(told=Told(complete=False, bits=bits(*range(30, 50))))
            loop = asyncio.get_running_loop()
            loop.call_later(3, lambda: other.has(*range(50, 63)))
            loop.call_later(4, lambda: one.has(63))
            outcome, took_s = await made.fetch()
            assert 4 <= took_s < 6
            assert of(outcome, one.peer).complete is False
            assert of(outcome, other.peer).bytes_fetched >= 23 * MIB
            assert made.asked.count(one.peer) >= 4

    run(main())


def test_who_tells_of_something_takes_the_place_of_one_that_has_nothing() -> None:
    async def main() -> None:
        async with hosts(SMALL, 4, config=FilesConfig(sources_max=3)) as made:
            *empty, full = made.holders
            for holder in made.holders:
                holder.told = Told(complete=False)
            async with made.fetcher.get(made.content.cid, "/d", peers=made.peers[:3], name="f") as transfer:
                await asyncio.sleep(1.0)
                assert {one.peer for one in transfer.sources()} == {one.peer for one in empty}
                full.has(*range(12))
                told, full.told = full.told, Told(complete=True)
                assert told is not None
                made.heard_of(full.peer, told)
                begun = made.world.clock.now()
                await transfer.result()
                assert made.world.clock.now() < begun + 0.5
                states = {one.peer: one.state for one in transfer.sources()}
                assert list(states.values()).count("dropped") == 1

    run(main())


def test_who_has_nothing_for_long_makes_room_for_others() -> None:
    async def main() -> None:
        async with hosts(SMALL, 4, config=FilesConfig(sources_max=3)) as made:
            for holder in made.holders[:3]:
                holder.told = Told(complete=False)
            begun = made.world.clock.now()
            async with made.fetcher.get(made.content.cid, "/d", peers=made.peers[:3], name="f") as transfer:
                await asyncio.sleep(1.0)
                made.finder.queue.put_nowait(made.peers[3])
                await transfer.result()
                assert made.world.clock.now() < begun + USELESS_S + 2.0

    run(main())


def test_the_piece_is_taken_that_one_with_everything_says(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[bytes] = []

    async def main() -> None:
        async with hosts(SMALL, 1) as made:
            (holder,) = made.holders
            holder.told = Told(complete=True, fellows=(made.network.peer_id,), lead=19)
            plan = holder.source.plan_chunks

            async def plan_chunks(
                peer: PeerId, digests: Sequence[bytes], *, check: bool
            ) -> Sequence[ReadJob]:
                served.extend(digests)
                return await plan(peer, digests, check=check)

            monkeypatch.setattr(holder.source, "plan_chunks", plan_chunks)
            made.keeps_telling = True
            await made.fetch()
            assert made.turns > 0

    run(main())
    assert SMALL.leaves.index(served[0]) == 19 % 12


def test_one_that_claims_too_much_is_asked_again_and_then_dropped() -> None:
    async def main() -> None:
        async with hosts(SMALL, 0) as made:
            boaster = await made.add(told=Told(complete=False, bits=bits(*range(12))))
            del boaster.source.chunks[SMALL.leaves[3]]
            fetching = asyncio.create_task(made.fetch())
            await asyncio.sleep(5)
            made.finder.queue.put_nowait((await made.add()).peer)
            outcome, _ = await fetching
            assert of(outcome, boaster.peer).note == ""
            assert made.finder.struck == []

    run(main())


def test_fellows_take_part_unless_only_some_are_wanted() -> None:
    async def main() -> None:
        async with hosts(CONTENT, 2, bytes_per_s=RATE, told=True) as made:
            first, second = made.holders
            first.told = Told(complete=True, fellows=(second.peer,))
            outcome, _ = await made.fetch(peers=[first.peer], only=True)
            assert [one.peer for one in outcome.sources] == [first.peer]
            first.told = Told(complete=True, fellows=(second.peer,))
            made.content = other = Content(64, seed=2)
            for holder in made.holders:
                holder.source.chunks.update(other.source().chunks)
                holder.source.nodes.update(other.source().nodes)
            outcome, _ = await made.fetch(peers=[first.peer])
            assert of(outcome, second.peer).bytes_fetched > 16 * MIB

    run(main())


def test_what_is_for_fewer_is_left_alone_while_there_are_others() -> None:
    async def main() -> None:
        async with hosts(SMALL, 2) as made:
            public, private = made.holders
            public.told = Told(complete=True, word=Audience("public"))
            private.told = Told(complete=True)
            loop = asyncio.get_running_loop()
            public.source.gate.clear()
            loop.call_later(1, public.source.gate.set)
            outcome, _ = await made.fetch()
            assert [one.peer for one in outcome.sources] == [public.peer]

    run(main())


@pytest.mark.parametrize("has", [0, 7])
def test_what_is_for_fewer_is_taken_where_others_do_not_have_it(has: int) -> None:
    async def main() -> None:
        async with hosts(SMALL, 2) as made:
            public, private = made.holders
            public.told = Told(complete=False, bits=bits(*range(has)), word=Audience("public"))
            private.told = Told(complete=True)
            outcome, _ = await made.fetch()
            assert of(outcome, public.peer).bytes_fetched == has * 1000
            assert of(outcome, private.peer).bytes_fetched == (12 - has) * 1000

    run(main())


def test_others_are_served_what_is_here_until_it_is_over() -> None:
    async def main() -> None:
        async with hosts(SMALL, 1, told=True) as made:
            made.holders[0].told = Told(complete=True, word=Audience("public"))
            kept = []

            async def look(_: Fetched) -> None:
                (partial,) = made.partials
                kept.append((partial.complete, partial.bits.count, partial.audience))
                assert partial.find_node(SMALL.root.cid) is not None

            made.fetcher._on_fetched = look
            await made.fetch()
            assert kept == [(True, 12, Audience("public"))]
            assert made.partials == []

    run(main())


def test_caps_hold_for_one_fetch_and_for_all() -> None:
    async def main() -> None:
        async with hosts(CONTENT, 2, bytes_per_s=RATE) as made:
            _, took_s = await made.fetch(cap_bytes_per_s=10_000_000)
            assert took_s == pytest.approx(64 * MIB / 10e6, rel=0.15)
        async with hosts(
            CONTENT, 2, bytes_per_s=RATE, config=FilesConfig(down_bytes_per_s=5_000_000)
        ) as made:
            transfer = made.fetcher.get(CONTENT.cid, "/downloads", peers=made.peers)
            async with transfer:
                await asyncio.sleep(5)
                fetched = sum(one.bytes_fetched for one in transfer.sources())
                assert fetched == pytest.approx(25e6, rel=0.2)
                made.fetcher.set_cap(0)
                begun = made.world.clock.now()
                await transfer.result()
                assert made.world.clock.now() - begun < 2 + 1.3 * (64 * MIB - fetched) / (2 * RATE)

    run(main())


def test_a_busy_holder_is_tried_again_and_others_go_on() -> None:
    async def main() -> None:
        async with hosts(CONTENT, 1, bytes_per_s=RATE) as made:
            busy = await made.add(limits=ServerLimits(streams_max=0))
            outcome, took_s = await made.fetch()
            assert took_s < 1.3 * 64 * MIB / RATE
            assert of(outcome, busy.peer).bytes_fetched == 0
            with pytest.raises(ConnectionFailed):
                await stranger_only(made)

    async def stranger_only(made: Hosts) -> None:
        made.world.network.partition([["fetcher"]])
        await made.fetch(peers=made.peers[:1], only=True)

    run(main())


def test_the_only_holder_that_was_busy_serves_us_soon_after_it_has_a_place() -> None:
    async def main() -> None:
        async with hosts(CONTENT, 0, bytes_per_s=RATE) as made:
            holder = await made.add(limits=ServerLimits(streams_per_peer=1))
            held = await made.network.open_stream(holder.peer, PROTOCOL_ID)
            held.write_nowait(b"\x80")  # the beginning of a request takes the place
            await asyncio.sleep(0.1)
            async with made.fetcher.get(made.content.cid, "/downloads", peers=made.peers) as transfer:
                await asyncio.sleep(40)
                assert [source.note for source in transfer.sources()] == [
                    f"{holder.peer} has too many transfers now"
                ]
                freed_at = made.world.clock.now()
                held.reset()
                await transfer.result()
                assert made.world.clock.now() - freed_at < 5 + 1.3 * 64 * MIB / RATE

    run(main())


def test_a_sequential_fetch_comes_in_order() -> None:
    async def main() -> None:
        async with hosts(CONTENT, 2, bytes_per_s=RATE) as made:
            await made.fetch(sequential=True)
            for holder in made.holders:
                asked = [digest for digests, _ in holder.source.asked for digest in digests]
                numbers = [CONTENT.leaves.index(digest) for digest in asked]
                assert len(numbers) > 16
                assert numbers[:16] == sorted(numbers[:16])

    run(main())
