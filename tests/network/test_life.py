from __future__ import annotations

import asyncio

import pytest

from tests.support import run
from warren.core.errors import ConnectionClosed, IllegalMove
from warren.network.life import Life
from warren.network.states import SocketState as S


class Told(Life):
    def __init__(self) -> None:
        super().__init__()
        self.moves: list[tuple[S, S]] = []

    def _moved(self, old: S, new: S) -> None:
        assert self.state is new
        self.moves.append((old, new))


def test_each_move_is_told_and_those_who_wait_are_woken_when_it_is_theirs() -> None:
    async def main() -> None:
        life = Told()
        connected, opened = (asyncio.ensure_future(w) for w in (life.wait_connected(), life.wait_open()))
        for state in (S.CONNECTING, S.AUTHENTICATING, S.AUTHENTICATED, S.CONNECTED):
            await asyncio.sleep(0)
            assert not connected.done()
            life._move(state)
        await connected
        assert not opened.done()
        life._move(S.OPEN)
        await opened
        await life.wait_connected()
        assert [new for _, new in life.moves][-2:] == [S.CONNECTED, S.OPEN]

    run(main())


def test_who_waits_for_what_will_not_come_learns_why() -> None:
    async def main() -> None:
        for error in (None, ConnectionError("cut")):
            life = Told()
            waiting = asyncio.ensure_future(life.wait_open())
            await asyncio.sleep(0)
            life.error = error
            life._move(S.CLOSING)
            with pytest.raises(ConnectionError if error else ConnectionClosed):
                await waiting

    run(main())


def test_a_move_that_the_table_has_not_changes_nothing() -> None:
    life = Told()
    with pytest.raises(IllegalMove):
        life._move(S.OPEN)
    assert life.state is S.OPENING
    assert life.moves == []
