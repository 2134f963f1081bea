"""Peers that lie or flood: what they do costs themselves, is named in the log, and honest searches go on."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.services.directory.meanwhile import crowd, honest_town, named, while_others_search
from tests.services.directory.town import found, names, town, until
from warren.core.cid import Cid
from warren.core.entry import Entry
from warren.core.errors import LimitReached, Refused, WarrenError
from warren.core.found import Counts, Found
from warren.core.framing import frame
from warren.core.lease import Lease
from warren.core.query import Query, terms_of
from warren.network.allowance import Rate
from warren.protocols.directory.entries import Registered
from warren.protocols.directory.messages import (
    End,
    Held,
    HitsAnswer,
    LeaseCall,
    QueryCall,
    Reason,
    RefusedAnswer,
    RegistrationCall,
)
from warren.protocols.directory.protocol import HITS_READ_MAX, PROTOCOL
from warren.protocols.directory.registration import Registration
from warren.services.directory import super_peer
from warren.services.directory.budgets import CHANGES, QUERIES, Budget, Rates
from warren.services.directory.config import DirectoryConfig
from warren.services.directory.index.interface import Position
from warren.services.directory.super_peer import MESSAGE_COST
from warren.testing import run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.services.directory.town import Town
    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId
    from warren.node import Node
    from warren.protocols.directory.messages import Answer, Call

FAR = 1 << 60
"""A number that no honest peer comes to."""
MAP = QueryCall(Query(terms_of("map")))


@pytest.fixture(autouse=True)
def _warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


def entry(name: str) -> Registered:
    return Registered(Entry(name, "file", 5, Cid.raw_sha256(name.encode().ljust(32, b"."))))


def key_of(place: Town, number: int) -> PrivateKey:
    return place.directory(number).registrar._key


def snapshot(place: Town, number: int, seq: int, *names: str, more: bool = False) -> RegistrationCall:
    """All that a peer shares, as it says."""
    added = tuple(map(entry, names))
    made = Registration(FAR, 0, seq, added, snapshot=True, more=more)
    return RegistrationCall(made.seal(key_of(place, number)))


def lease(place: Town, number: int, seq: int, super_peer: PeerId | None = None) -> LeaseCall:
    made = Lease(place[number].peer_id, seq, 60, super_peer=super_peer)
    return LeaseCall(made.seal(key_of(place, number)))


async def ask(place: Town, liar: int, call: Call) -> Answer:
    return await place.directory(liar).protocol.ask(place[0].peer_id, call)


def refusal(answer: Answer) -> Reason:
    assert isinstance(answer, RefusedAnswer), answer
    return answer.reason


# --- publishing for another, replays ------------------------------------------------------------------------


def test_nobody_registers_or_leases_for_another(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> PeerId:
        async with town("super", "weak", "weak", "weak") as place:
            await honest_town(place)
            before = place.directory(0).index.position(place[1].peer_id)
            forged: list[Call] = [
                snapshot(place, 1, FAR, "forged-map.txt"),
                lease(place, 1, FAR),
                lease(place, 2, FAR, place[1].peer_id),
            ]

            async def forge() -> None:
                for call in forged:
                    assert refusal(await ask(place, 2, call)) is Reason.BAD

            assert await while_others_search(place, 3, forge())
            assert place.directory(0).index.position(place[1].peer_id) == before
            return place[2].peer_id

    liar = run(scenario())
    assert len(named(caplog, liar)) == 1


def test_old_leases_and_registrations_count_for_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> PeerId:
        async with town("super", "weak", "weak", "weak") as place:
            await honest_town(place)
            key, me = key_of(place, 2), place[2].peer_id
            taken = lease(place, 2, FAR)
            assert isinstance(await ask(place, 2, taken), Held)
            first = snapshot(place, 2, 5, "a.txt")
            assert await ask(place, 2, first) == Held(Position(FAR, 5))
            delta = Registration(FAR, 5, 6, (entry("b.txt"),), ("a.txt",)).seal(key)
            assert await ask(place, 2, RegistrationCall(delta)) == Held((FAR, 6))

            async def replay() -> None:
                assert refusal(await ask(place, 2, taken)) is Reason.BAD
                again = Registration(FAR, 4, 5, (entry("a.txt"),)).seal(key)
                assert await ask(place, 2, RegistrationCall(again)) == Held((FAR, 6))  # done already
                ahead = Registration(FAR, 8, 9, (entry("c.txt"),)).seal(key)
                for call, reason in (first, Reason.STALE), (RegistrationCall(ahead), Reason.GAP):
                    answer = await ask(place, 2, call)
                    assert (refusal(answer), answer.position) == (reason, (FAR, 6))  # type: ignore[union-attr]

            assert await while_others_search(place, 3, replay())
            results = await place.directory(0).index.search(Query(terms_of("txt")), me)
            assert sorted(hit.entry.path for hit in results.hits) == ["b.txt", "map.txt"]
            return me

    liar = run(scenario())
    assert named(caplog, liar) == [f"{liar} is refused: a lease that was shown before"]


def test_who_replays_an_old_registration_is_named(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> PeerId:
        async with town("super", "weak") as place:
            await place.connect((1, 0))
            await place.registered(1, 0)
            await ask(place, 1, snapshot(place, 1, 5, "a.txt"))
            assert refusal(await ask(place, 1, snapshot(place, 1, 4, "a.txt"))) is Reason.STALE
            return place[1].peer_id

    liar = run(scenario())
    assert named(caplog, liar) == [f"{liar} is refused: it is older than what is known"]


# --- floods -------------------------------------------------------------------------------------------------


def test_a_flood_of_queries_and_leases_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> PeerId:
        async with town("super", "weak", "weak", "weak") as place:
            await honest_town(place)
            answered: list[bool] = []

            async def query() -> None:
                with suppress(LimitReached):
                    async for _ in place.directory(2).protocol.query(place[0].peer_id, MAP):
                        pass
                    answered.append(True)

            async def flood() -> None:
                for _ in range(1000):
                    await query()
                answers = [await ask(place, 2, lease(place, 2, FAR + number)) for number in range(100)]
                refused = [refusal(one) for one in answers if isinstance(one, RefusedAnswer)]
                assert set(refused) == {Reason.TOO_OFTEN}
                assert len(refused) > 80

            began = asyncio.get_running_loop().time()
            assert await while_others_search(place, 3, flood()) > 5
            took_s = asyncio.get_running_loop().time() - began
            assert len(answered) <= QUERIES.peer.burst + took_s * QUERIES.peer.per_s
            return place[2].peer_id

    liar = run(scenario())
    assert len(named(caplog, liar)) == 2  # once for each, and not for each message


def test_many_identities_of_one_address_share_what_it_may(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> list[PeerId]:
        async with town("super", "weak", "weak", "weak") as place, crowd(place, 2, 8) as liars:
            await honest_town(place)
            budget = Budget(Rates(QUERIES.peer, Rate(50, 1), QUERIES.all), place[0].network.clock())
            place.directory(0)._answering.queries = budget
            answered = []

            async def query(liar: Node) -> None:
                for _ in range(50):
                    with suppress(LimitReached):
                        async for _hit in liar.directory.protocol.query(place[0].peer_id, MAP):
                            pass
                        answered.append(liar.peer_id)

            async def flood() -> None:
                async with asyncio.TaskGroup() as tasks:
                    for liar in liars:
                        tasks.create_task(query(liar))

            assert await while_others_search(place, 3, flood())
            assert 50 <= len(answered) <= 60
            return [liar.peer_id for liar in liars]

    for liar in run(scenario()):
        assert named(caplog, liar) == [f"{liar} asks too often and is refused"]


def test_a_flood_of_registrations_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> PeerId:
        async with town("super", "weak", "weak", "weak") as place:
            await honest_town(place)
            few = Rate(20 * MESSAGE_COST + 10, 1)
            place.directory(0).super_peer._changes = Budget(Rates(few, CHANGES.group, CHANGES.all), 0.0)
            taken = []

            async def flood() -> None:
                for number in range(1, 400):
                    answer = await ask(place, 2, snapshot(place, 2, number, f"{number}.txt"))
                    taken.append(isinstance(answer, Held))
                    assert taken[-1] or refusal(answer) is Reason.TOO_OFTEN

            assert await while_others_search(place, 3, flood()) > 2
            assert sum(taken) <= 22
            await place.share(1, "song.txt")
            await place.registered(1, 0)
            assert await names(place[3], "song") == ["song.txt"]
            return place[2].peer_id

    liar = run(scenario())
    assert named(caplog, liar) == [f"{liar} is refused: registers too much"]


def test_more_entries_than_a_peer_may_have_and_snapshots_without_end_are_refused(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(super_peer, "SNAPSHOT_BYTES_MAX", 4000)

    async def scenario() -> list[PeerId]:
        async with town("super", "weak", "weak", "weak", directory=DirectoryConfig(entries_max=50)) as place:
            await honest_town(place)

            async def stuff() -> None:
                many = [f"{number}.txt" for number in range(51)]
                assert refusal(await ask(place, 2, snapshot(place, 2, 5, *many))) is Reason.FULL
                async with place.directory(3).protocol.talk(place[0].peer_id) as talk:
                    answers = [await talk.ask(snapshot(place, 3, 5, "a.txt", more=True)) for _ in range(40)]
                assert Reason.BUSY in {refusal(one) for one in answers if isinstance(one, RefusedAnswer)}

            assert await while_others_search(place, 1, stuff())
            await until(lambda: place.directory(0).super_peer._waiting.total == 0)
            assert place.directory(0).index.size(place[2].peer_id) == 0
            return [place[2].peer_id, place[3].peer_id]

    stuffer, endless = run(scenario())
    assert named(caplog, stuffer) == [f"{stuffer} is refused: a peer may register 50 entries here"]
    assert named(caplog, endless) == [f"{endless} is refused: a snapshot without an end"]


def test_what_is_no_call_costs_its_stream(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> PeerId:
        async with town("super", "weak", "weak", "weak") as place:
            await honest_town(place)

            async def rave() -> None:
                for _ in range(50):
                    stream = await place[2].network.open_stream(place[0].peer_id, PROTOCOL)
                    with suppress(WarrenError):
                        stream.write_nowait(frame(b"\xff no call"))
                        while await stream.read(1024):
                            pass

            assert await while_others_search(place, 3, rave())
            return place[2].peer_id

    liar = run(scenario())
    (line,) = named(caplog, liar)
    assert "sends what is no call" in line


# --- what is answered ---------------------------------------------------------------------------------------


class Liar:
    """Answers every query with what it likes."""

    def __init__(self, answers: list[Answer], times: int) -> None:
        self.answers, self.times = answers, times

    def converse(self, _: object) -> Liar:
        return self

    def end(self) -> None:
        pass

    async def answer(self, _: Call) -> AsyncGenerator[Answer, None]:
        for _time in range(self.times):
            for one in self.answers:
                yield one
        yield End(0, exact=True)


def lie(place: Town, number: int, *answers: Answer, times: int = 1) -> None:
    place.directory(number).protocol._answerer = Liar([*answers], times)


def maps_of(owner: PeerId) -> HitsAnswer:
    return HitsAnswer(
        tuple(Found(owner, entry(f"map-{one}.txt").entry, 1e9, online=True) for one in range(64))
    )


def test_who_is_no_super_peer_cannot_speak_for_others(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> PeerId:
        async with town("weak", "weak", "weak") as place:
            await place.connect((0, 1), (0, 2))
            await place.share(2, "map.txt")
            lie(place, 1, maps_of(place[2].peer_id))
            for _ in range(3):
                assert await names(place[0], "map") == ["map.txt"]
            return place[1].peer_id

    liar = run(scenario())
    assert named(caplog, liar) == [f"{liar} named 64 hits that nobody asked for, or of others"]


@pytest.mark.parametrize("role", ["weak", "super"])
def test_poisoned_hits_are_dropped(caplog: pytest.LogCaptureFixture, role: str) -> None:
    async def scenario() -> PeerId:
        async with town("weak", role, "weak") as place:
            await place.connect((0, 1), (0, 2))
            await place.share(2, "old song.txt")
            lie(place, 1, maps_of(place[1].peer_id))  # its maps are no songs
            assert await names(place[0], "old song") == (["old song.txt"] if role == "weak" else [])
            await place[0].add_contact(place[2].addresses()[0])
            assert await names(place[0], "old song") == ["old song.txt"]
            return place[1].peer_id

    liar = run(scenario())
    assert named(caplog, liar) == [f"{liar} named 64 hits that nobody asked for, or of others"]


def test_hits_that_are_none_cost_not_the_others_of_the_same_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> PeerId:
        async with town("weak", "super") as place:
            await place.connect((0, 1))
            owner, good = place[1].peer_id, entry("map.txt").entry
            bad = [Entry(path, "file", 1, good.cid) for path in ("../map.txt", "a//map.txt")]
            lie(place, 1, HitsAnswer(tuple(Found(owner, one, 1.0, online=True) for one in (*bad, good))))
            assert await names(place[0], "map") == ["map.txt"]
            return owner

    sender = run(scenario())
    assert named(caplog, sender) == [f"{sender} names 2 hits that are none"]


@pytest.mark.parametrize("what", ["hits", "empty", "counts"])
def test_answers_without_end_are_cut_off_and_others_are_heard(
    caplog: pytest.LogCaptureFixture, what: str
) -> None:
    async def scenario() -> PeerId:
        async with town("weak", "super", "super") as place:
            await place.connect((0, 1), (0, 2))
            await place.share(2, "map.txt")
            liar = place[1].peer_id
            endless: dict[str, Answer] = {
                "hits": maps_of(liar),
                "empty": HitsAnswer(()),
                "counts": Counts(1, 1),
            }
            lie(place, 1, endless[what], times=100_000)
            before = place[0].network.counts().messages
            async with place[0].search("map", limit=500) as search:
                hits = {hit.name async for hit in search}
            assert "map.txt" in hits
            assert len(hits) <= 65
            assert list(search.errors) == [liar]
            assert search.progress.in_time
            taken = sum(place[0].network.counts().messages.values()) - sum(before.values())
            assert taken <= HITS_READ_MAX + 100
            # For this node itself nobody can speak.
            lie(place, 1, maps_of(place[0].peer_id))
            assert [hit.name for hit in await found(place[0], "map")] == ["map.txt"]
            return liar

    liar = run(scenario())
    (line,) = named(caplog, liar)
    assert f"answers with more than {HITS_READ_MAX} hits" in line


def test_who_is_no_super_peer_takes_no_registrations() -> None:
    async def scenario() -> None:
        async with town("weak", "weak") as place:
            await place.connect((1, 0))
            answer = await ask(place, 1, lease(place, 1, 1))
            assert refusal(answer) is Reason.NO_SUPER_PEER
            assert isinstance(answer, RefusedAnswer)
            assert isinstance(answer.to_error(place[0].peer_id), Refused)

    run(scenario())
