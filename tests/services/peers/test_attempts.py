"""Trying a peer at once: what is reached, what failed, and what says nothing of the peer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.services.directory.town import town
from warren import testing
from warren.services.peers.attempts import Attempts
from warren.testing.nodes import QUIET

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.services.directory.town import Town

TRY_S = 3.0


def attempts(place: Town, number: int) -> Attempts:
    """Those of a node."""
    made = place[number].presence._attempts
    assert isinstance(made, Attempts)
    return made


def play(main: Callable[[Town], Awaitable[None]], people: int = 3) -> None:
    async def running() -> None:
        async with town(*["weak"] * people, public=True, others=replace(QUIET)) as place:
            await place.connect(*((0, other) for other in range(1, people)))
            await main(place)

    testing.run(running())


async def tried(place: Town, number: int, by: int = 0) -> str:
    return await attempts(place, by).attempt(place[number].peer_id, TRY_S)


def test_who_is_connected_and_answers_is_reached() -> None:
    async def main(place: Town) -> None:
        assert await tried(place, 1) == "reached"
        assert place[0].network.is_connected(place[1].peer_id)

    play(main)


def test_who_is_silent_while_another_answers_failed_also_where_nothing_else_is_said() -> None:
    async def main(place: Town) -> None:
        await asyncio.sleep(5)
        place.nodes.partition([1])
        assert await tried(place, 1) == "failed"

    play(main)


def test_who_tries_while_it_is_cut_off_itself_knows_nothing() -> None:
    async def main(place: Town) -> None:
        place.nodes.partition([0])
        assert await tried(place, 1) == "unsure"

    play(main)


def test_one_that_knows_nobody_else_knows_nothing() -> None:
    async def main(place: Town) -> None:
        place.nodes.partition([1])
        assert await tried(place, 1) == "unsure"

    play(main, 2)


def test_whose_address_nobody_knows_was_not_tried() -> None:
    async def main(place: Town) -> None:
        assert await tried(place, 2, by=1) == "unsure"

    play(main)


def test_who_is_not_connected_is_dialled_and_let_go() -> None:
    async def main(place: Town) -> None:
        await place[1].peers.heard(place[2].peer_id, [place[2].addresses()[0]], "test")
        assert await tried(place, 2, by=1) == "reached"
        assert not place[1].network.is_connected(place[2].peer_id)

    play(main)


def test_a_machine_that_refuses_bears_witness_itself() -> None:
    async def main(place: Town) -> None:
        peer = place[1].peer_id
        await place[2].peers.heard(peer, [place[1].addresses()[0]], "test")
        await place[1].close()
        await place[0].close()  # whom alone the last one knew
        assert await attempts(place, 2).attempt(peer, TRY_S) == "failed"

    play(main)


def test_who_is_blocked_is_not_tried() -> None:
    async def main(place: Town) -> None:
        await place[0].peers.block(place[1].peer_id)
        assert await tried(place, 1) == "unsure"

    play(main)


def test_what_came_too_late_says_nothing() -> None:
    async def main(place: Town) -> None:
        place.nodes.partition([1])
        network = place[0].network
        began = network.clock()
        times = iter([began])
        made = Attempts(network, attempts(place, 0)._ping, attempts(place, 0)._table)
        network.clock = lambda: next(times, began + 100)
        assert await made.attempt(place[1].peer_id, TRY_S) == "unsure"

    play(main)
