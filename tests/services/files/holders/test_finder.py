"""Looking for holders while a fetch runs: from all sources at once, best first, again after a while."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from warren import testing as simulated
from warren.core.cid import Cid
from warren.core.errors import ConnectionFailed, StorageError
from warren.core.keys import PrivateKey
from warren.services.files.holders import finder as module
from warren.services.files.holders.finder import AGAIN_S, GONE_S, ROUND_S, Finder, Sighting, Sources
from warren.services.files.holders.ranking import Candidate

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from warren.core.peer_id import PeerId

PEERS = sorted(PrivateKey.from_seed(bytes([number]) * 32).peer_id for number in range(1, 9))
ME = PrivateKey.from_seed(b"m" * 32).peer_id
ROOT = Cid.raw_sha256(bytes(32))


class Asked:
    """A source that finds these, after so many seconds, and counts how often it is asked."""

    def __init__(self, *sightings: Sighting, after_s: float = 0.0, fails: Exception | None = None) -> None:
        self.sightings: Sequence[Sighting] = sightings
        self.after_s = after_s
        self.fails = fails
        self.at: list[float] = []
        self.ended = 0

    async def __call__(self, root: Cid) -> AsyncGenerator[Sighting, None]:
        self.at.append(asyncio.get_running_loop().time())
        try:
            await asyncio.sleep(self.after_s)
            for one in self.sightings:
                yield one
            if self.fails is not None:
                raise self.fails
        finally:
            self.ended += 1


class Struck:
    def __init__(self) -> None:
        self.struck: list[PeerId] = []

    def strike(self, root: Cid, peer: PeerId) -> None:
        self.struck.append(peer)


class Clock:
    def now(self) -> float:
        return asyncio.get_running_loop().time()


async def judge(one: Sighting) -> Candidate:
    return Candidate(one.peer, online=one.online, proven=one.proven)


def make(
    *near: Asked,
    dht: Asked | None = None,
    public: bool | None = None,
    ask_dht: bool = True,
    judging: Any = judge,
) -> Finder:
    return Finder(
        ME,
        Clock(),  # type: ignore[arg-type]
        Struck(),  # type: ignore[arg-type]
        Sources(near, dht),
        judging,
        lambda _: public,
        ask_dht=ask_dht,
    )


async def take(finder: Finder, count: int) -> list[PeerId]:
    """The first so many that are named."""
    found: list[PeerId] = []
    looking = finder.find(ROOT)
    async for peer in looking:
        found.append(peer)
        if len(found) == count:
            break
    await looking.aclose()
    return found


def test_the_best_of_those_who_wait_is_named_first_and_each_once_in_a_round() -> None:
    async def main() -> None:
        near = Asked(*(Sighting(peer, online=peer == PEERS[2]) for peer in PEERS[:3]), Sighting(ME))
        late = Asked(Sighting(PEERS[3], online=True), Sighting(PEERS[0]), after_s=1.0)
        finder = make(near, late)
        looking = finder.find(ROOT)
        found = [await anext(looking) for _ in range(4)]
        assert found == [PEERS[2], PEERS[0], PEERS[1], PEERS[3]]
        assert len(near.at) == 1
        assert await anext(looking) == PEERS[2]  # the next round
        assert near.at[1] - near.at[0] >= AGAIN_S
        await looking.aclose()
        assert near.ended == len(near.at)

    simulated.run(main())


def test_it_is_asked_ever_less_often_and_at_once_when_somebody_comes() -> None:
    async def main() -> None:
        near = Asked()
        finder = make(near)
        looking = asyncio.create_task(take(finder, 1))
        await asyncio.sleep(80)
        gaps = [later - earlier for earlier, later in zip(near.at, near.at[1:], strict=False)]
        assert gaps == pytest.approx([AGAIN_S, 2 * AGAIN_S, 4 * AGAIN_S, 8 * AGAIN_S])
        near.sightings = (Sighting(PEERS[1]),)
        finder.wake()
        before = asyncio.get_running_loop().time()
        assert await looking == [PEERS[1]]
        assert asyncio.get_running_loop().time() - before < 1
        finder.wake()  # nobody looks any more

    simulated.run(main())


def test_a_source_that_fails_hangs_or_never_ends_costs_its_own_answer_alone() -> None:
    async def main() -> None:
        many = Asked(*(Sighting(PEERS[0]) for _ in range(2 * module.FOUND_MAX)), after_s=0.1)
        failing = Asked(Sighting(PEERS[1]), fails=ConnectionFailed("nobody is there"))
        hanging = Asked(Sighting(PEERS[2]), after_s=10 * ROUND_S)
        finder = make(many, failing, hanging)
        assert set(await take(finder, 2)) == {PEERS[0], PEERS[1]}
        looking = finder.find(ROOT)
        for _ in range(4):
            await anext(looking)
        assert many.at[-1] - many.at[-2] == pytest.approx(ROUND_S + AGAIN_S)
        await looking.aclose()
        assert hanging.ended == len(hanging.at)

    simulated.run(main())


def test_a_fault_of_ours_shows() -> None:
    async def broken(one: Sighting) -> Candidate:
        raise KeyError(one)

    async def main() -> None:
        with pytest.raises(KeyError):
            await take(make(Asked(Sighting(PEERS[0])), judging=broken), 1)
        with pytest.raises(ZeroDivisionError):
            await take(make(Asked(fails=ZeroDivisionError())), 1)

    simulated.run(main())


def test_a_peer_table_that_cannot_be_read_costs_the_order_alone() -> None:
    async def broken(one: Sighting) -> Candidate:
        raise StorageError("the disk fails")

    async def main() -> None:
        finder = make(Asked(Sighting(PEERS[0]), Sighting(PEERS[1], online=True)), judging=broken)
        assert await take(finder, 2) == [PEERS[1], PEERS[0]]

    simulated.run(main())


def test_who_said_that_it_has_it_no_more_is_struck_and_left_alone_for_a_while() -> None:
    async def main() -> None:
        finder = make(Asked(Sighting(PEERS[0]), Sighting(PEERS[1])))
        finder.gone(ROOT, PEERS[0])
        assert finder._record.struck == [PEERS[0]]  # type: ignore[attr-defined]
        assert await take(finder, 2) == [PEERS[1]] * 2
        await asyncio.sleep(GONE_S)
        assert await take(finder, 1) == [PEERS[0]]

    simulated.run(main())


def test_who_is_gone_is_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(module, "GONE_MAX", 2)
        finder = make(Asked(*map(Sighting, PEERS[:3])))
        for peer in PEERS[:3]:
            finder.gone(ROOT, peer)
        assert await take(finder, 1) == [PEERS[0]]

    simulated.run(main())


@pytest.mark.parametrize(
    ("public", "ask_dht", "found", "asked"),
    [
        (True, False, True, True),  # strangers may know of it
        (True, False, False, True),
        (False, True, False, False),  # they may not
        (None, True, False, True),  # nobody can say, and nobody has it
        (None, True, True, False),
        (None, False, False, False),
    ],
)
def test_strangers_are_asked_only_for_what_they_may_know_of(
    public: bool | None, ask_dht: bool, found: bool, asked: bool
) -> None:
    async def main() -> None:
        dht = Asked(Sighting(PEERS[7]))
        near = Asked(*([Sighting(PEERS[0])] if found else [Sighting(ME)]))
        finder = make(near, dht=dht, public=public, ask_dht=ask_dht)
        looking = asyncio.create_task(take(finder, 100))
        await asyncio.sleep(1)
        assert bool(dht.at) == asked
        looking.cancel()

    simulated.run(main())


def test_what_turns_out_to_be_public_while_others_are_asked_is_looked_for_in_the_dht() -> None:
    async def main() -> None:
        dht = Asked(Sighting(PEERS[7]))
        finder = make(Asked(Sighting(PEERS[0])), dht=dht, ask_dht=False)
        answers = iter([None])
        finder._is_public = lambda _: next(answers, True)
        assert await take(finder, 2) == [PEERS[0], PEERS[7]]

    simulated.run(main())
