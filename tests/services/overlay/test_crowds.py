"""Nobody takes the room of others: neither hits in a list, nor searches at once."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from tests.services.directory.town import found, names, until
from tests.services.directory.town import town as town_of
from tests.services.overlay.support import hit, peer
from tests.services.overlay.test_liars import LINE, Liar, lying
from tests.services.overlay.test_whole_nodes import NEWS_S, ask, overlay, supers
from warren import testing
from warren.core.errors import LimitReached
from warren.core.found import Found
from warren.core.query import Query, terms_of
from warren.network.allowance import Rate
from warren.protocols.directory.messages import End, QueryCall
from warren.protocols.overlay.messages import HITS_MAX, Done, Hits
from warren.services.overlay import searches
from warren.services.overlay.budgets import MESSAGES, Budget, Places, Rates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.services.directory.town import Town
    from warren.core.peer_id import PeerId
    from warren.protocols.overlay.messages import Ask, Message


async def share_many(town: Town, number: int, names: Sequence[str]) -> None:
    """Files of these names, each with a content of its own."""
    disk = town.world.runtime(town.nodes.host(number)).disk
    disk.make_dirs("/shared")
    for name in names:
        disk.write_whole(f"/shared/{name}", name.encode())
    await town[number].share("/shared", "public")


async def far(town: Town, number: int, query: Query, ttl: int = 5) -> list[Found]:
    return [one async for one in overlay(town, number).search(query, ttl) if isinstance(one, Found)]


@pytest.mark.parametrize("edges", [[(0, 1)], [(0, 1), (0, 2)]])
@pytest.mark.parametrize("limit", [10, 20, 50])
def test_as_many_are_found_as_are_wanted_where_there_are_more(
    limit: int, edges: list[tuple[int, int]]
) -> None:
    async def main() -> None:
        async with supers(1 + len(edges), edges) as town:
            await share_many(town, 1, [f"lighthouse {number}.pdf" for number in range(60)])
            await asyncio.sleep(NEWS_S)
            query = Query(terms_of("lighthouse"), limit=limit)
            hits = await far(town, 0, query)
            assert len({one.entry.cid for one in hits}) == len(hits) == limit
            assert len(await found(town[0], "lighthouse", limit=limit)) == limit  # type: ignore[arg-type]

    testing.run(main())


def test_contents_are_counted_and_not_entries() -> None:
    async def main() -> None:
        async with supers(2, [(0, 1)]) as town:
            disk = town.world.runtime(town.nodes.host(1)).disk
            disk.make_dirs("/shared")
            for number in range(30):
                disk.write_whole(f"/shared/lighthouse {number}.pdf", b"the same")
            await share_many(town, 1, [f"lighthouse guide of the coast {number}.pdf" for number in range(10)])
            await asyncio.sleep(NEWS_S)
            hits = await far(town, 0, Query(terms_of("lighthouse"), limit=20))
            assert len({one.entry.cid for one in hits}) == 11

    testing.run(main())


def lies(one: Ask, liar: PeerId) -> list[Message]:
    """As many hits as are wanted, all of which fit."""
    hits = [hit(number, f"lighthouse {number}.pdf") for number in range(one.wanted)]
    parts = [tuple(hits[at : at + HITS_MAX]) for at in range(0, len(hits), HITS_MAX)]
    return [*(Hits(one.id, liar, part) for part in parts), Done(one.id, one.round, asked=1)]


@pytest.mark.parametrize("limit", [10, 50])
@pytest.mark.parametrize(
    "edges",
    [
        pytest.param([(0, 1), (1, 2), (1, 3)], id="both two hops away"),
        pytest.param([(0, 1), (1, 3), (0, 2)], id="the liar is nearer"),
        pytest.param([(0, 1), (1, 4), (4, 3), (0, 2)], id="the liar is much nearer"),
    ],
)
def test_who_makes_up_as_many_hits_as_are_wanted_hides_no_others(
    edges: list[tuple[int, int]], limit: int
) -> None:
    async def main() -> None:
        async with supers(5, edges) as town:
            await town.share(3, "lighthouse of the north.pdf")
            await asyncio.sleep(NEWS_S)
            liar = Liar(town, 2, lambda one: lies(one, town[2].peer_id))
            (beside,) = [a + b - 2 for a, b in edges if 2 in (a, b)]
            await until(lambda: town[2].peer_id not in overlay(town, beside).neighbours)
            await liar.join(town[beside])
            await until(lambda: town[2].peer_id in overlay(town, beside).neighbours)
            await asyncio.sleep(NEWS_S)
            hits = await far(town, 0, Query(terms_of("lighthouse"), limit=limit))
            assert "lighthouse of the north.pdf" in [one.entry.path for one in hits]
            assert len({one.entry.cid for one in hits}) == limit

    testing.run(main())


@pytest.mark.parametrize("asker", [0, 1])
def test_nobody_says_for_this_node_what_it_has(asker: int) -> None:
    async def main() -> None:
        async with supers(3, LINE) as town:
            false = hit(1)._replace(owner=town[asker].peer_id)
            await lying(town, lambda one: [
                Hits(one.id, town[2].peer_id, (false, hit(2))),
                Done(one.id, one.round, asked=1),
            ])  # fmt: skip
            query = Query(terms_of("lighthouse"))
            assert await far(town, asker, query) == [hit(2)]

    testing.run(main())


@pytest.mark.parametrize("bad", ["../lighthouse.pdf", "a//lighthouse.pdf", "size"])
def test_a_bad_hit_is_held_against_its_sender_alone(caplog: pytest.LogCaptureFixture, bad: str) -> None:
    async def main() -> PeerId:
        async with town_of("super", "super", "super", "weak") as town:
            await town.connect((0, 1), (1, 2), (3, 0))
            await until(lambda: len(overlay(town, 1).neighbours) == 2)
            await town.share(1, "lighthouse.pdf")
            await town.registered(3, 0)
            await asyncio.sleep(NEWS_S)
            entry = hit().entry
            one_bad = (
                type(entry)("lighthouse.pdf", "file", (1 << 63) + 5, entry.cid)
                if bad == "size"
                else type(entry)(bad, "file", 1, entry.cid)
            )
            liar = await lying(town, lambda one: [
                Hits(one.id, liar.node.peer_id, (hit()._replace(entry=one_bad),)),
                Done(one.id, one.round, asked=1),
            ])  # fmt: skip
            assert await names(town[3], "lighthouse") == ["lighthouse.pdf"]
            await until(lambda: town[2].peer_id not in overlay(town, 1).neighbours)
            return town[2].peer_id

    with caplog.at_level(logging.WARNING):
        liar = testing.run(main())
    assert [record.getMessage().split(":")[1] for record in caplog.records] == [
        f" {liar} sends what it must not"
    ]


def test_who_does_not_say_what_it_speaks_spends_of_its_group_all_the_same() -> None:
    async def main() -> None:
        async with supers(3, LINE) as town:
            liar = await lying(town)
            overlay(town, 1)._candidates.clear()
            overlay(town, 1)._budgets["messages"] = Budget(Rates(MESSAGES.peer, Rate(10, 0.001)))
            for _ in range(20):
                liar.say(Done(bytes(16), 1))
            await until(lambda: town[2].peer_id not in overlay(town, 1).neighbours)

    testing.run(main())


def test_a_peer_or_group_has_no_more_places_than_are_free() -> None:
    places = Places(8)
    assert [places.enter(peer(1), "a") for _ in range(5)] == [True] * 4 + [False]
    assert not places.enter(peer(2), "a")
    assert [places.enter(peer(3), "b") for _ in range(3)] == [True, True, False]
    assert [places.enter(peer(4), "") for _ in range(2)] == [True, False]
    assert [places.enter(peer(5), "") for _ in range(2)] == [True, False]
    assert not places.enter(peer(6), "c")
    for _ in range(4):
        places.leave(peer(1), "a")
    assert places.enter(peer(2), "a")


def test_who_searches_without_end_gets_the_end_of_an_answer_and_others_their_turn(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(searches, "OF_PEERS_MAX", 4)

    async def main() -> PeerId:
        async with town_of("super", "super", "weak", "weak") as town:
            await town.connect((0, 1), (2, 0), (3, 0))
            await until(lambda: len(overlay(town, 0).neighbours) == 1)
            silent = Liar(town, 1, lambda _: [])
            await until(lambda: not overlay(town, 0).neighbours)
            await silent.join(town[0])
            await until(lambda: overlay(town, 0).neighbours)
            await town.share(0, "lighthouse.pdf")
            await asyncio.sleep(NEWS_S)

            async def answer(number: int) -> bool:
                """Whether an answer comes to its end at once, that is without the other super-peer."""
                call = QueryCall(Query(terms_of("lighthouse")), 3)
                protocol = town.directory(number).protocol
                async with aclosing(protocol.query(town[0].peer_id, call)) as answers:
                    began, all_ = asyncio.get_running_loop().time(), [one async for one in answers]
                assert isinstance(all_[-1], End)
                assert [one.entry.path for one in all_ if isinstance(one, Found)] == ["lighthouse.pdf"]
                return asyncio.get_running_loop().time() < began + 1

            flood = [asyncio.create_task(answer(2)) for _ in range(8)]
            await until(lambda: len(overlay(town, 0)._searches) == 2)
            assert not await answer(3)
            assert sorted([await one for one in flood]) == [False, False, *[True] * 6]
            return town[2].peer_id

    with caplog.at_level(logging.WARNING):
        greedy = testing.run(main())
    assert [record.getMessage() for record in caplog.records] == [
        f"a query of {greedy} is not passed on: too many searches are under way; try again in a moment"
    ]


def test_the_user_of_this_node_does_not_search_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "OWN_MAX", 1)

    async def main() -> None:
        async with supers(2, [(0, 1)]) as town:
            query = Query(terms_of("lighthouse"))
            first = overlay(town, 0).search(query)
            began = asyncio.ensure_future(anext(first, None))
            await asyncio.sleep(0)
            with pytest.raises(LimitReached):
                await far(town, 0, query)
            await began
            await first.aclose()
            assert (await ask(town, 0, "lighthouse", 3))[0] == []

    testing.run(main())
