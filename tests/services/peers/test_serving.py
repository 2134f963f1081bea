"""Speed tests of others: who may, how much, and one at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.support import run
from warren.core.errors import Refused
from warren.core.keys import PrivateKey
from warren.services.peers.budget import LEASE_S, WAIT_S, Turns
from warren.services.peers.config import PeersConfig
from warren.services.peers.serving import LOOK_S, RUN_BYTES_MAX, SpeedGate

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.protocols.perf import ServedRun
    from warren.runtime.seam import Clock

ME, ANNA, BEN, EVE, OTHER = (PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(5))


class Run:
    """A run as far as the gate is concerned."""

    def __init__(self, peer: PeerId) -> None:
        self.peer_id = peer
        self.served: list[tuple[int, float]] = []
        self.over = False
        self.refused = False
        self.moved_bytes = 0

    def begin(self, bytes_max: int, seconds_max: float) -> None:
        self.served.append((bytes_max, seconds_max))

    @property
    def begun(self) -> tuple[int, float] | None:
        return self.served[-1] if self.served else None

    def refuse(self) -> None:
        self.refused = self.over = True

    def end(self, moved_bytes: int) -> None:
        self.moved_bytes, self.over = moved_bytes, True


class Time:
    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at


class Stage:
    def __init__(self, **settings: Any) -> None:
        self.time = Time()
        self.turns = Turns(ME)
        self.config = PeersConfig(**settings)
        contacts = {ANNA, BEN}
        self.gate = SpeedGate(self.turns, cast("Clock", self.time), contacts.__contains__, self.config)

    def ask(self, peer: PeerId) -> Run:
        one = Run(peer)
        self.gate.ask(cast("ServedRun", one))
        return one

    def later(self, seconds: float) -> None:
        self.time.at += seconds
        self.gate._look()


def test_contacts_may_and_strangers_may_not() -> None:
    async def main() -> None:
        stage = Stage()
        assert stage.ask(ANNA).begun == (RUN_BYTES_MAX, stage.config.served_seconds_max)
        with pytest.raises(Refused):
            stage.ask(EVE)
        stage.gate.close()

    run(main())


def test_a_second_one_waits_until_the_first_is_through_with_all_its_runs() -> None:
    async def main() -> None:
        stage = Stage()
        first, waiting = stage.ask(ANNA), stage.ask(BEN)
        assert not waiting.begun
        stage.later(3)
        first.end(100)
        second = stage.ask(ANNA)  # at once: nobody has noticed yet that the first is over
        assert second.begun is not None
        second.end(100)
        stage.later(LEASE_S / 2)
        assert waiting.served == []
        stage.later(LEASE_S)
        assert len(waiting.served) == 1
        assert not waiting.refused
        stage.gate.close()

    run(main())


def test_while_this_node_tests_others_wait_and_not_for_ever() -> None:
    async def main() -> None:
        stage = Stage()
        stage.turns.begin_test(OTHER)
        one, other = stage.ask(ANNA), stage.ask(BEN)
        with pytest.raises(Refused):
            stage.ask(BEN)
        other.over = True  # it gave up
        stage.later(WAIT_S - 1)
        assert not one.begun
        assert not stage.ask(BEN).begun
        stage.later(1)
        assert one.refused
        stage.turns.end_test()
        stage.later(LOOK_S)
        stage.gate.close()

    run(main())


def test_runs_count_against_the_day_of_their_peer() -> None:
    async def main() -> None:
        stage = Stage(contact_tests_per_day=2, contact_bytes_per_day=1000)
        one = stage.ask(ANNA)
        assert one.begun == (1000, stage.config.served_seconds_max)
        one.end(400)
        two = stage.ask(ANNA)
        assert two.begun == (600, stage.config.served_seconds_max)
        two.end(600)
        with pytest.raises(Refused, match="no more today"):
            stage.ask(ANNA)
        stage.later(LEASE_S)
        with pytest.raises(Refused, match="no more today"):
            stage.ask(ANNA)
        assert stage.ask(BEN).begun is not None
        stage.gate.close()

    run(main())


def test_strangers_share_what_they_are_granted() -> None:
    async def main() -> None:
        stage = Stage(stranger_tests_per_day=5, stranger_bytes_per_day=1000, stranger_bytes_per_test=700)
        one = stage.ask(EVE)
        assert one.begun == (700, stage.config.served_seconds_max)
        one.end(700)
        stage.later(0)
        stage.later(LEASE_S)
        with pytest.raises(Refused):
            stage.ask(EVE)
        two = stage.ask(OTHER)
        assert two.begun == (300, stage.config.served_seconds_max)
        two.end(300)
        stage.later(0)
        stage.later(LEASE_S)
        with pytest.raises(Refused):
            stage.ask(ME)
        stage.gate.close()

    run(main())


def test_it_looks_by_itself_while_there_is_something_to_see() -> None:
    async def main() -> None:
        stage = Stage()
        first, waiting = stage.ask(ANNA), stage.ask(BEN)
        first.end(1)
        stage.gate._look()
        stage.time.at += LEASE_S
        async with asyncio.timeout(10):
            while waiting.begun is None:  # noqa: ASYNC110 - the gate's own timer makes it true
                await asyncio.sleep(LOOK_S / 4)
        waiting.end(1)
        async with asyncio.timeout(10):
            while stage.gate._timer is not None:  # noqa: ASYNC110 - the gate's own timer makes it true
                await asyncio.sleep(LOOK_S / 4)
        assert stage.turns.may_test(ANNA, stage.time.at + LEASE_S)

    run(main())
