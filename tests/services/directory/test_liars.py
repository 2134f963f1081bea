"""Peers that lie or flood: what they do costs themselves, is named in the log, and honest searches go on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.services.directory.town import found, names, town, until
from warren.core.cid import Cid
from warren.core.entry import Entry
from warren.core.errors import LimitReached, Refused
from warren.core.found import Found
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
from warren.protocols.directory.registration import Registration
from warren.services.directory.budgets import CHANGES, Budget, Rates
from warren.services.directory.index.interface import Position
from warren.services.directory.super_peer import MESSAGE_COST
from warren.testing import run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.services.directory.town import Town
    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId
    from warren.protocols.directory.messages import Answer, Call


def entry(name: str) -> Registered:
    return Registered(Entry(name, "file", 5, Cid.raw_sha256(name.encode().ljust(32, b"."))))


def key_of(place: Town, number: int) -> PrivateKey:
    return place.directory(number).registrar._key


async def ask(place: Town, liar: int, call: Call) -> Answer:
    return await place.directory(liar).protocol.ask(place[0].peer_id, call)


def refusal(answer: Answer) -> Reason:
    assert isinstance(answer, RefusedAnswer), answer
    return answer.reason


def test_nobody_registers_or_leases_for_another(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0))
            await place.share(1, "map.txt")
            await place.registered(1, 0)
            await place.registered(2, 0)
            before = place.directory(0).index.position(place[1].peer_id)
            victim, seq = key_of(place, 1), 1 << 60
            forged = Registration(seq, 0, seq, (entry("forged.txt"),), snapshot=True).seal(victim)
            assert refusal(await ask(place, 2, RegistrationCall(forged))) is Reason.BAD
            lease = Lease(victim.peer_id, seq, 60).seal(victim)
            assert refusal(await ask(place, 2, LeaseCall(lease))) is Reason.BAD
            elsewhere = Lease(place[2].peer_id, seq, 60, super_peer=victim.peer_id).seal(key_of(place, 2))
            assert refusal(await ask(place, 2, LeaseCall(elsewhere))) is Reason.BAD
            assert place.directory(0).index.position(place[1].peer_id) == before
            assert await names(place[2], "forged") == []
            assert str(place[2].peer_id) in caplog.text

    with caplog.at_level(logging.WARNING):
        run(scenario())


def test_old_leases_and_registrations_count_for_nothing() -> None:
    async def scenario() -> None:
        async with town("super", "weak") as place:
            await place.connect((1, 0))
            key, me = key_of(place, 1), place[1].peer_id
            far = 1 << 60
            lease = Lease(me, far, 60).seal(key)
            assert isinstance(await ask(place, 1, LeaseCall(lease)), Held)
            assert refusal(await ask(place, 1, LeaseCall(lease))) is Reason.BAD
            first = Registration(far, 0, 5, (entry("a.txt"),), snapshot=True).seal(key)
            held = Held(Position(far, 5))
            assert await ask(place, 1, RegistrationCall(first)) == held
            delta = Registration(far, 5, 6, (entry("b.txt"),), ("a.txt",)).seal(key)
            assert await ask(place, 1, RegistrationCall(delta)) == Held((far, 6))
            again = Registration(far, 4, 5, (entry("a.txt"),)).seal(key)
            assert await ask(place, 1, RegistrationCall(again)) == Held((far, 6))  # done already
            answer = await ask(place, 1, RegistrationCall(first))
            assert (refusal(answer), answer.position) == (Reason.STALE, (far, 6))  # type: ignore[union-attr]
            ahead = Registration(far, 8, 9, (entry("c.txt"),)).seal(key)
            answer = await ask(place, 1, RegistrationCall(ahead))
            assert (refusal(answer), answer.position) == (Reason.GAP, (far, 6))  # type: ignore[union-attr]
            results = await place.directory(0).index.search(Query(terms_of("txt")), me)
            assert [hit.entry.path for hit in results.hits] == ["b.txt"]

    run(scenario())


def test_floods_are_refused_and_others_are_served(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0), (3, 0))
            await place.share(1, "map.txt")
            await place.registered(1, 0)
            flooder = place.directory(2).protocol
            call = QueryCall(Query(terms_of("map")))

            async def flood() -> None:
                for _ in range(1000):
                    async for _hit in flooder.query(place[0].peer_id, call):
                        pass

            with pytest.raises(LimitReached):
                await flood()
            reasons = set()
            for number in range(100):
                lease = Lease(place[2].peer_id, (1 << 60) + number, 60).seal(key_of(place, 2))
                answer = await ask(place, 2, LeaseCall(lease))
                if isinstance(answer, RefusedAnswer):
                    reasons.add(answer.reason)
            assert reasons == {Reason.TOO_OFTEN}
            assert await names(place[3], "map") == ["map.txt"]
            assert caplog.text.count(str(place[2].peer_id)) == 2  # once for each, and not for each message

    with caplog.at_level(logging.WARNING):
        run(scenario())


def test_a_flood_of_registrations_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0))
            await until(lambda: place[1].peer_id in place.directory(0).super_peer.leases)
            far, key = 1 << 60, key_of(place, 1)
            few = Rate(2 * MESSAGE_COST + 10, 1)
            place.directory(0).super_peer._changes = Budget(Rates(few, CHANGES.group, CHANGES.all), 0.0)
            answers = []
            for number in range(1, 5):
                one = Registration(far, 0, number, (entry(f"{number}.txt"),), snapshot=True).seal(key)
                answers.append(await ask(place, 1, RegistrationCall(one)))
            assert [type(one) for one in answers] == [Held, Held, RefusedAnswer, RefusedAnswer]
            assert refusal(answers[-1]) is Reason.TOO_OFTEN
            await place.share(2, "map.txt")
            await place.registered(2, 0)
            assert str(place[1].peer_id) in caplog.text

    with caplog.at_level(logging.WARNING):
        run(scenario())


class Liar:
    """Answers every query with what it likes."""

    def __init__(self, hits: list[Found], times: int) -> None:
        self.hits, self.times = hits, times

    def converse(self, _: object) -> Liar:
        return self

    def end(self) -> None:
        pass

    async def answer(self, _: Call) -> AsyncGenerator[Answer, None]:
        for _time in range(self.times):
            yield HitsAnswer(tuple(self.hits))
        yield End(0, exact=True)


def lie(place: Town, number: int, owner: PeerId, times: int = 1) -> None:
    hits = [Found(owner, entry(f"map-{one}.txt").entry, 1e9, online=True) for one in range(64)]
    place.directory(number).protocol._answerer = Liar(hits, times)


def test_who_is_no_super_peer_cannot_speak_for_others(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with town("weak", "weak", "weak") as place:
            await place.connect((0, 1), (0, 2))
            await place.share(2, "map.txt")
            lie(place, 1, place[2].peer_id)
            assert await names(place[0], "map") == ["map.txt"]
            assert f"{place[1].peer_id} named 64 hits" in caplog.text
            lie(place, 1, place[1].peer_id)
            assert await names(place[0], "old song") == []  # its maps are none

    with caplog.at_level(logging.WARNING):
        run(scenario())


def test_answers_without_end_are_cut_off_and_others_are_heard() -> None:
    async def scenario() -> None:
        async with town("weak", "super", "super") as place:
            await place.connect((0, 1), (0, 2))
            await place.share(2, "map.txt")
            lie(place, 1, place[1].peer_id, times=100_000)
            async with place[0].search("map", limit=500) as search:
                hits = {hit.name async for hit in search}
            assert "map.txt" in hits
            assert len(hits) <= 500
            assert list(search.errors) == [place[1].peer_id]
            # For this node itself nobody can speak.
            lie(place, 1, place[0].peer_id)
            assert [hit.name for hit in await found(place[0], "map")] == ["map.txt"]

    run(scenario())


def test_who_is_no_super_peer_takes_no_registrations() -> None:
    async def scenario() -> None:
        async with town("weak", "weak") as place:
            await place.connect((1, 0))
            lease = Lease(place[1].peer_id, 1, 60).seal(key_of(place, 1))
            answer = await ask(place, 1, LeaseCall(lease))
            assert refusal(answer) is Reason.NO_SUPER_PEER
            assert isinstance(answer, RefusedAnswer)
            assert isinstance(answer.to_error(place[0].peer_id), Refused)

    run(scenario())
