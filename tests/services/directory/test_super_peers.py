"""Whole simulated nodes with super-peers that were told to be some."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.services.directory.town import found, names, town, until
from warren.services.directory.config import DirectoryConfig
from warren.services.discovery.config import DiscoveryConfig
from warren.testing import run


def test_what_two_share_is_found_through_the_super_peer_and_what_is_unshared_is_gone() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0))
            await place.share(1, "old map.txt")
            await place.share(1, "old song.txt")
            await place.registered(1, 0)
            await place.registered(2, 0)
            assert await names(place[2], "old") == ["old map.txt", "old song.txt"]
            (hit,) = await found(place[2], "map")
            (holder,) = hit.holders
            assert (holder.peer, holder.paths, holder.online) == (place[1].peer_id, ("old map.txt",), True)
            await place[1].unshare("old map.txt")
            await place.registered(1, 0)
            assert await names(place[2], "old") == ["old song.txt"]

    run(scenario())


def test_the_same_content_at_two_peers_is_one_hit() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0), (3, 0))
            for number in (1, 2):
                disk = place.world.runtime(place.nodes.host(number)).disk
                disk.make_dirs("/shared")
                disk.write_whole(f"/shared/map-{number}.txt", b"the same")
                await place[number].share(f"/shared/map-{number}.txt", "public")
                await place.registered(number, 0)
            (hit,) = await found(place[3], "map")
            assert {one.peer for one in hit.holders} == {place[1].peer_id, place[2].peer_id}
            assert sorted(hit.paths) == ["map-1.txt", "map-2.txt"]

    run(scenario())


def test_who_goes_is_found_as_gone_and_who_comes_back_need_not_send_it_again() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0))
            await place.share(1, "map.txt")
            await place.registered(1, 0)
            await place[1].close()
            assert place[1].peer_id not in place.directory(0).super_peer.leases  # it said goodbye
            (hit,) = await found(place[2], "map")
            assert not hit.online
            assert await names(place[2], "map", online=True) == []
            before = place.directory(0).index.position(place[1].peer_id)
            await place.start(1)
            await place.connect((1, 0))
            await place.registered(1, 0)
            (hit,) = await found(place[2], "map")
            assert hit.online
            assert place.directory(0).index.position(place[1].peer_id) == before

    run(scenario())


def test_who_is_killed_counts_as_gone_in_seconds_and_a_silent_one_when_its_lease_ends() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0), (3, 0))
            leases = place.directory(0).super_peer.leases
            for number in (1, 2):
                await place.share(number, f"map-{number}.txt")
                await place.registered(number, 0)
            place.kill(1)
            assert await until(lambda: place[1].peer_id not in leases) < 6.0
            place.nodes.partition([1, 2], [0, 3])  # nobody tells the super-peer that 2 is cut off
            assert await until(lambda: place[2].peer_id not in leases, 90) < 61.0
            assert await names(place[3], "map", online=True) == []
            assert len(await found(place[3], "map")) == 2

    run(scenario())


def test_what_is_changed_while_nobody_is_there_is_applied_once_on_return() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0))
            await place.share(1, "map-a.txt")
            await place.share(1, "map-b.txt")
            await place.registered(1, 0)
            place.nodes.partition([1], [0, 2])
            place.nodes.cut(0, 1)
            await until(lambda: not place[1].network.peers())
            await place[1].unshare("map-a.txt")
            await place.share(1, "map-c.txt")
            await place.nodes[1].close()
            place.nodes.heal()
            await place.start(1)
            assert sorted(await names(place[2], "map")) == ["map-a.txt", "map-b.txt"]
            await place.connect((1, 0))
            await place.registered(1, 0)
            assert await names(place[2], "map") == ["map-b.txt", "map-c.txt"]

    run(scenario())


def test_a_weak_peer_moves_at_once_when_its_super_peer_is_killed() -> None:
    async def scenario() -> None:
        one = DirectoryConfig(super_peers=1)
        async with town("super", "super", "weak", "weak", directory=one) as place:
            await place.connect((2, 0), (2, 1), (3, 1), (3, 0))
            await place.share(2, "map.txt")
            await until(place.directory(2).registrar.registered)
            (first,) = place.directory(2).registrar.registered()
            number = 0 if first == place[0].peer_id else 1
            place.kill(number)
            took = await until(lambda: place.directory(2).registrar.registered() not in ([], [first]), 5.0)
            assert took < 5.0
            assert await names(place[3], "map", online=True) == ["map.txt"]

    run(scenario())


def test_two_super_peers_are_kept_and_either_finds_it() -> None:
    async def scenario() -> None:
        async with town("super", "super", "super", "weak") as place:
            await place.connect((3, 0), (3, 1), (3, 2))
            await place.share(3, "map.txt")
            owner = place[3].peer_id
            await until(lambda: sum(place.directory(n).index.size(owner) for n in range(3)) == 2)
            for number in range(3):
                has_it = place.directory(number).index.size(owner) > 0
                assert await names(place[number], "map") == (["map.txt"] if has_it else [])

    run(scenario())


def test_who_takes_no_part_is_asked_nothing_and_finds_its_own_files() -> None:
    async def scenario() -> None:
        async with town("off", "weak") as place:
            await place.share(0, "map-0.txt")
            await place.share(1, "map-1.txt")
            await place[0].connect(place[1].addresses()[0])
            await until(lambda: place[1].agent_of(place[0].peer_id))
            assert await names(place[0], "map") == ["map-0.txt"]
            assert await names(place[1], "map") == ["map-1.txt"]

    run(scenario())


def test_a_super_peer_that_lost_its_index_is_told_all_again() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0))
            await place.share(1, "map.txt")
            await place.registered(1, 0)
            await place[0].close()
            place.world.runtime(place.nodes.host(0)).disk.remove("/home/warren/directory.db")
            await place.start(0)
            await place.connect((1, 0), (2, 0))
            await place.registered(1, 0)
            assert await names(place[2], "map", online=True) == ["map.txt"]

    run(scenario())


def test_a_weak_peer_that_lost_its_state_is_listed_anew() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0))
            await place.share(1, "map.txt")
            await place.registered(1, 0)
            await place[1].close()
            place.world.runtime(place.nodes.host(1)).disk.remove("/home/warren/state.db")
            await place.start(1)
            await place.share(1, "song.txt")
            await place.connect((1, 0))
            await place.registered(1, 0)
            assert await names(place[2], "map") == []
            assert await names(place[2], "song") == ["song.txt"]

    run(scenario())


def test_one_that_is_registered_with_a_single_super_peer_goes_to_another_it_only_knows_of() -> None:
    async def scenario() -> None:
        discovery = DiscoveryConfig(mdns=False, connections=2)
        async with town("super", "super", "weak", "weak", directory=DirectoryConfig(super_peers=1)) as place:
            place._config = replace(place._config, discovery=discovery)
            await place[2].close()
            await place.start(2)
            await place.connect((2, 1), (3, 1))  # so it knows of 1, and has its table say so
            await place.registered(2, 1)
            await place.connect((2, 0))
            await place.share(2, "map.txt")
            await place.registered(2, 1)
            place.nodes.cut(2, 0)
            await place.connect((3, 0))
            await place.nodes.kill(1)
            took = await until(lambda: place.directory(2).registrar.registered() == [place[0].peer_id], 5.0)
            assert took < 5.0
            assert await names(place[3], "map", online=True) == ["map.txt"]

    run(scenario())


def test_a_super_peer_that_was_away_for_long_is_found_again_in_half_a_minute() -> None:
    async def scenario() -> None:
        async with town("super", "weak") as place:
            place._config = replace(place._config, discovery=DiscoveryConfig(mdns=False, connections=1))
            await place[1].close()
            await place.start(1)
            await place.connect((1, 0))
            await place.registered(1, 0)
            await place.nodes.kill(0)
            await asyncio.sleep(6 * 3600)  # it counts as unreachable by now, and its addresses are forgotten
            await place.start(0)
            took = await until(place.directory(1).registrar.registered)
            assert took < 31.0

    run(scenario())
