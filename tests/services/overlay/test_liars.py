"""What liars send is dropped, bounded and named; others go on searching."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.directory.town import until
from tests.services.overlay.support import hit, peer
from tests.services.overlay.test_rare_words import with_dht
from tests.services.overlay.test_whole_nodes import NEWS_S, ask, overlay, supers
from warren import testing
from warren.core.errors import WarrenError
from warren.core.framing import frame
from warren.core.query import Query, terms_of
from warren.network.allowance import Rate
from warren.protocols.overlay.messages import Again, Ask, Done, Hits, Join, Summary, decode, encode
from warren.protocols.overlay.protocol import ANSWERS_MAX, PROTOCOL
from warren.services.overlay.bloom import Bloom, difference, empty
from warren.services.overlay.budgets import ASKS, BLAMES_MAX, MESSAGES, SUMMARIES, Budget, Rates

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.services.directory.town import Town
    from warren.network.stream import Stream

QUERY = Query(terms_of("lighthouse"))
LINE = [(0, 1), (1, 2)]


class Liar:
    """Takes the place of the overlay of a node, and joins whoever joins it."""

    def __init__(self, town: Town, number: int, says: Callable[[Ask], list[Any]]) -> None:
        self.node = town[number]
        self.says = says
        self.heard: list[Any] = []
        self.outbound: Stream | None = None
        overlay(town, number)._protocol.stop()
        self.node.network.handle_stream(PROTOCOL, self._serve)

    async def join(self, other: Any) -> None:
        self.outbound = await self.node.network.open_stream(other.peer_id, PROTOCOL)
        self.say(Join())

    def say(self, message: Any) -> None:
        assert self.outbound is not None
        with suppress(WarrenError):
            self.outbound.write_nowait(frame(encode(message)))

    async def _serve(self, stream: Stream) -> None:
        while True:
            message = decode(await stream.read_frame(1 << 21))
            self.heard.append(message)
            if isinstance(message, Ask):
                for one in self.says(message):
                    self.say(one)


async def lying(town: Town, says: Callable[[Ask], list[Any]] = lambda _: []) -> Liar:
    """Node 2 is the liar, and a neighbour of node 1."""
    liar = Liar(town, 2, says)
    await until(lambda: overlay(town, 1).neighbours == (town[0].peer_id,))
    await liar.join(town[1])
    await until(lambda: town[2].peer_id in overlay(town, 1).neighbours)
    return liar


async def honest(town: Town) -> None:
    """Node 1 shares what node 0 searches."""
    await town.share(1, "lighthouse.pdf")
    await asyncio.sleep(NEWS_S)
    assert (await ask(town, 0, "lighthouse", 1))[0] == ["lighthouse.pdf"]


def test_poisoned_and_endless_hits_reach_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with supers(3, LINE) as town:
            liar = await lying(town, lambda one: [
                Hits(one.id, liar.node.peer_id, (hit(1, "casino.exe"),)),
                *(Hits(one.id, liar.node.peer_id, tuple(hit(n) for n in range(40))) for _ in range(50)),
                Done(one.id, one.round, asked=1),
            ])  # fmt: skip
            await honest(town)
            paths, _ = await ask(town, 0, "lighthouse", 3)
            assert paths.count("lighthouse.pdf") >= 1
            assert "casino.exe" not in paths
            assert len(paths) <= QUERY.limit
            await until(lambda: town[2].peer_id not in overlay(town, 1).neighbours)
            assert (await ask(town, 0, "lighthouse", 3))[0] == ["lighthouse.pdf"]

    with caplog.at_level(logging.WARNING, "warren.services.overlay"):
        testing.run(main())
    assert "hits" in caplog.text
    assert "it is no neighbour any more" in caplog.text
    assert len(caplog.records) <= 4


def test_a_flood_of_queries_costs_its_sender(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> str:
        async with supers(3, LINE) as town:
            liar = await lying(town)
            await honest(town)
            for number in range(int(ASKS.peer.burst) + 4):
                liar.say(Ask(number.to_bytes(16), 1, 9, 9, 500, 60_000, QUERY))
            await until(lambda: sum(isinstance(one, Done) and one.refused for one in liar.heard) == 4)
            for number in range(BLAMES_MAX + 100):
                liar.say(Ask(number.to_bytes(16), 1, 9, 9, 500, 60_000, QUERY))
            assert (await ask(town, 0, "lighthouse", 3))[0] == ["lighthouse.pdf"]
            await until(lambda: town[2].peer_id not in overlay(town, 1).neighbours)
            with suppress(WarrenError):
                await liar.join(town[1])
            await asyncio.sleep(5)
            assert overlay(town, 1).neighbours == (town[0].peer_id,)  # it is not let in again
            assert (await ask(town, 0, "lighthouse", 3))[0] == ["lighthouse.pdf"]
            return str(town[2].peer_id)

    with caplog.at_level(logging.WARNING, "warren.services.overlay"):
        liar = testing.run(main())
    assert f"{liar} sends too many queries" in caplog.text


def test_who_searches_without_a_pause_is_taken_for_no_flood(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with supers(3, LINE) as town:
            await honest(town)
            for _ in range(25):
                await asyncio.gather(*(ask(town, 0, f"lighthouse {number}", 3) for number in range(40)))
            assert town[1].peer_id in overlay(town, 0).neighbours
            await asyncio.sleep(10)
            assert (await ask(town, 0, "lighthouse", 3))[0] == ["lighthouse.pdf"]

    with caplog.at_level(logging.WARNING, "warren.services.overlay"):
        testing.run(main())
    assert "too many queries" not in caplog.text


def test_a_replayed_query_is_handled_once() -> None:
    async def main() -> None:
        async with supers(3, LINE) as town:
            liar = await lying(town)
            await honest(town)
            before = len(overlay(town, 0)._routing)
            for _ in range(20):
                liar.say(Ask(bytes(16), 1, 9, 9, 20, 5000, QUERY))
            await until(lambda: sum(isinstance(one, Done) for one in liar.heard) == 20)
            assert sum(one.asked for one in liar.heard if isinstance(one, Done)) == 2
            assert sum(isinstance(one, Hits) for one in liar.heard) == 1
            assert len(overlay(town, 0)._routing) == before + 1
            assert (await ask(town, 0, "lighthouse", 3))[0] == ["lighthouse.pdf"]

    testing.run(main())


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (Summary(0, 1, 1, True, 20, 1, b"no zlib"), "what it must not: overlay: "),
        (Join(), "what it must not: overlay: a neighbour that joins twice"),
    ],
)
def test_who_breaks_the_rules_loses_the_stream_and_at_last_its_place(
    caplog: pytest.LogCaptureFixture, broken: Any, said: str
) -> None:
    async def main() -> str:
        async with supers(3, LINE) as town:
            liar = await lying(town)
            await honest(town)
            for number in range(BLAMES_MAX + 1):
                if number:
                    await liar.join(town[1])
                    await until(lambda: town[2].peer_id in overlay(town, 1).neighbours)
                liar.say(broken)
                await until(lambda: town[2].peer_id not in overlay(town, 1).neighbours)
                assert (await ask(town, 0, "lighthouse", 3))[0] == ["lighthouse.pdf"]
            assert overlay(town, 1)._neighbours.is_banned(town[2].peer_id, town[1].network.clock())
            return str(town[2].peer_id)

    with caplog.at_level(logging.WARNING, "warren.services.overlay"):
        liar = testing.run(main())
    first, last = [record.getMessage() for record in caplog.records]
    assert f"{liar} sends {said}" in first
    assert last.endswith("it is no neighbour any more")


ENDLESS = [
    ("summaries", SUMMARIES, Summary(0, 7, 9, False, 10, 0, b""), "too many summaries"),
    ("summaries", SUMMARIES, Again(), "too many summaries"),
    ("messages", Rates(Rate(50, 5), MESSAGES.group), Done(bytes(16), 1, asked=1), "messages without end"),
    (
        "messages",
        Rates(Rate(50, 5), MESSAGES.group),
        Hits(bytes(16), peer(1), (hit(1),)),
        "messages without end",
    ),
]


@pytest.mark.parametrize(("budget", "rates", "message", "said"), ENDLESS)
def test_a_flood_of_summaries_or_answers_to_nothing_costs_its_sender(
    caplog: pytest.LogCaptureFixture, budget: str, rates: Rates, message: Any, said: str
) -> None:
    async def main() -> str:
        async with supers(3, LINE) as town:
            overlay(town, 1)._budgets[budget] = Budget(rates)
            liar = await lying(town)
            await honest(town)
            for _ in range(BLAMES_MAX + 1):
                with suppress(WarrenError):
                    await liar.join(town[1])
                for _ in range(int(rates.peer.burst) + 10):
                    liar.say(message)
                assert (await ask(town, 0, "lighthouse", 3))[0] == ["lighthouse.pdf"]
            await until(lambda: town[2].peer_id not in overlay(town, 1).neighbours)
            assert overlay(town, 1)._neighbours.is_banned(town[2].peer_id, town[1].network.clock())
            replies = sum(isinstance(one, Again) for one in liar.heard)
            assert replies <= rates.peer.burst + 60 * rates.peer.per_s
            return str(town[2].peer_id)

    with caplog.at_level(logging.WARNING, "warren.services.overlay"):
        liar = testing.run(main())
    assert f"{liar} sends {said}" in caplog.text
    assert "it is no neighbour any more" in caplog.text
    assert len(caplog.records) <= 4


def test_who_says_to_have_everything_draws_queries_and_hides_nothing() -> None:
    async def main() -> None:
        async with supers(3, LINE) as town:
            everything = difference(empty(10), Bloom(10, b"\xff" * 128))
            liar = await lying(town, lambda one: [Done(one.id, one.round, asked=1)])
            liar.say(Summary(0, 1, 1, True, 10, everything.form, everything.data))
            await honest(town)
            for _ in range(5):
                assert (await ask(town, 0, "lighthouse", 3))[0] == ["lighthouse.pdf"]
            asked = [one for one in liar.heard if isinstance(one, Ask)]
            assert 1 <= len(asked) <= 5 * 3  # once a round at most

    testing.run(main())


def test_a_silent_neighbour_holds_up_a_search_no_longer_than_its_deadline() -> None:
    async def main() -> None:
        async with supers(3, LINE) as town:
            await lying(town)
            await honest(town)
            began = asyncio.get_running_loop().time()
            paths, _ = await ask(town, 0, "lighthouse", 3)
            assert paths == ["lighthouse.pdf"]
            assert asyncio.get_running_loop().time() - began < 10

    testing.run(main())


def test_guests_get_what_is_here_and_no_more_than_their_budget(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> str:
        async with supers(3, [(0, 1)]) as town:
            await town.share(0, "lighthouse.pdf")
            await honest(town)
            await town[2].connect(town[0].addresses()[0])
            guest, answered = overlay(town, 2)._protocol, 0
            for number in range(60):
                question = Ask(number.to_bytes(16), 1, 9, 9, 20, 5000, QUERY)
                try:
                    found = [one async for one in guest.ask(town[0].peer_id, question, 5.0)]
                except WarrenError:
                    continue
                answered += 1
                assert [one.responder for one in found] == [town[0].peer_id]
                assert (await ask(town, 1, "lighthouse", 3))[0] == ["lighthouse.pdf"]
            assert 30 <= answered <= 50
            return str(town[2].peer_id)

    with caplog.at_level(logging.WARNING, "warren.services.overlay"):
        guest = testing.run(main())
    assert [record.getMessage() for record in caplog.records] == [
        f"overlay: {guest} asks too often; it is not answered"
    ]


def test_who_says_in_the_dht_to_have_a_rare_word_and_lies_is_named(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> str:
        async with supers(3, [(0, 1)]) as town:
            provided, _ = with_dht(town)
            provided["lighthouse"] = [2]
            liar, asked = town[2], []

            async def poison(stream: Stream) -> None:
                asked.append(question := decode(await stream.read_frame(1 << 21)))
                assert isinstance(question, Ask)
                for _ in range(200):
                    lies = Hits(question.id, liar.peer_id, (hit(1, "casino.exe"),))
                    await stream.write(frame(encode(lies)))

            overlay(town, 2)._protocol.stop()
            liar.network.handle_stream(PROTOCOL, poison)
            await town.share(1, "lighthouse.pdf")
            await asyncio.sleep(NEWS_S)
            paths, _ = await ask(town, 0, "lighthouse", 5)
            assert paths == ["lighthouse.pdf"]
            assert len(asked) == 1
            return str(liar.peer_id)

    with caplog.at_level(logging.WARNING, "warren.services.overlay"):
        liar = testing.run(main())
    assert f"overlay: {liar} sends hits that do not fit the query" in caplog.text
    assert len(caplog.records) <= ANSWERS_MAX


def test_others_go_on_when_a_super_peer_is_none_any_more() -> None:
    async def main() -> None:
        async with supers(3, LINE) as town:
            overlay(town, 2).set_active(False)
            await until(lambda: overlay(town, 1).neighbours == (town[0].peer_id,))
            assert [one async for one in overlay(town, 2).search(QUERY, 3)] == []
            overlay(town, 2).set_active(True)
            await until(lambda: town[2].peer_id in overlay(town, 1).neighbours)
            await town.share(2, "lighthouse.pdf")
            await asyncio.sleep(NEWS_S)
            assert (await ask(town, 0, "lighthouse", 2))[0] == ["lighthouse.pdf"]

    testing.run(main())
