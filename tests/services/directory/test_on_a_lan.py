"""Whole simulated nodes on one local network: nobody configures anything."""

from __future__ import annotations

from tests.services.directory.town import names, town, until
from warren.services.directory.config import DirectoryConfig
from warren.testing import run


def test_three_nodes_search_each_other_at_once_and_then_through_the_elected_one() -> None:
    async def scenario() -> None:
        async with town("auto", "auto", "auto", lan=True) as place:
            for number in range(3):
                await place.share(number, f"map-{number}.txt")
            await until(lambda: all(len(node.network.peers()) == 2 for node in place.nodes))
            every = [f"map-{number}.txt" for number in range(3)]
            assert not place.supers()
            for node in place.nodes:
                assert await names(node, "map") == every
            await until(lambda: len(place.supers()) == 1)
            (chosen,) = place.supers()
            for number in {0, 1, 2} - {chosen}:
                await place.registered(number, chosen)
                async with place[number].search("map") as search:
                    assert sorted([hit.name async for hit in search]) == every
                assert search.progress.about == 2  # itself and the super-peer

    run(scenario())


def test_after_the_elected_one_is_killed_all_are_found_through_another_within_five_seconds() -> None:
    async def scenario() -> None:
        async with town(*["auto"] * 4, lan=True) as place:
            for number in range(4):
                await place.share(number, f"map-{number}.txt")
            await until(lambda: len(place.supers()) == 1)
            (first,) = place.supers()
            rest = sorted({0, 1, 2, 3} - {first})
            for number in rest:
                await place.registered(number, first)
            place.kill(first)
            left = [f"map-{number}.txt" for number in rest]
            took = await until(
                lambda: (
                    any(place.directory(number).is_super for number in rest)
                    and all(
                        place.directory(number).is_super or place.directory(number).registrar.registered()
                        for number in rest
                    )
                ),
                limit_s=5.0,
            )
            assert took < 5.0
            for number in rest:
                assert await names(place[number], "map", online=True) == left

    run(scenario())


def test_an_elected_one_yields_to_one_that_was_told_to_be_a_super_peer() -> None:
    async def scenario() -> None:
        async with town("auto", "auto", "auto", lan=True) as place:
            await until(lambda: len(place.supers()) == 1)
            (elected,) = place.supers()
            place.roles.append("super")
            await place.start(3)
            await until(lambda: place.supers() == [3], limit_s=120)
            for number in range(3):
                await place.registered(number, 3)
            assert not place.directory(elected).is_super

    run(scenario())


def test_two_nodes_need_no_super_peer() -> None:
    async def scenario() -> None:
        async with town("auto", "auto", lan=True) as place:
            await place.share(0, "map.txt")
            await until(place[1].network.peers)
            assert await names(place[1], "map") == ["map.txt"]
            await until(lambda: place[0].uptime_s > 30)
            assert not place.supers()

    run(scenario())


def test_nodes_that_anybody_can_reach_are_no_super_peers_unless_they_are_to_be() -> None:
    async def scenario() -> None:
        pairs = ((0, 1), (0, 2), (1, 2))
        async with town("auto", "auto", "auto", public=True) as place:
            await place.connect(*pairs)
            await place.share(0, "map.txt")
            assert await names(place[1], "map") == ["map.txt"]
            await until(lambda: place[0].uptime_s > 30)
            assert not place.supers()
        wanted = DirectoryConfig(auto_public=True)
        async with town("auto", "auto", "weak", public=True, directory=wanted) as place:
            await place.connect(*pairs)
            await until(lambda: place.supers() == [0, 1])
            await place.registered(2, 0, 1)

    run(scenario())
