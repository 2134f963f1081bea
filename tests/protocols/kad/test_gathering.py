"""The best value of those that come, and providers each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.protocols.kad.peers import address, info, peer
from warren.core.errors import InvalidRecord, MisuseError
from warren.protocols.kad.gathering import Best, Crowd, Provider
from warren.protocols.kad.messages import PeerInfo
from warren.protocols.kad.records import Namespaces, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = b"/n/key"


class Numbers:
    """Values are numbers, and the highest is the best."""

    def validate(self, key: bytes, value: bytes) -> None:
        if not value.isdigit():
            raise InvalidRecord("no number")

    def select(self, key: bytes, values: Sequence[bytes]) -> int:
        return max(range(len(values)), key=lambda at: int(values[at]))


def best(own: bytes | None = None) -> Best:
    return Best(Namespaces({"n": Numbers()}), KEY, own)


def test_the_best_value_wins_and_who_holds_a_worse_one_is_told() -> None:
    found = best()
    for number, value in enumerate([b"2", b"1", b"2", b"3", b"3"]):
        found.offer(Record(KEY, value), info(number))
    assert found.value == b"3"
    assert {one.peer for one in found.behind} == {peer(0), peer(1), peer(2)}


def test_what_does_not_prove_itself_is_nothing() -> None:
    found = best()
    found.offer(Record(KEY, b"lie"), info(1))
    found.offer(Record(b"/n/other", b"9"), info(2))
    assert (found.value, found.behind) == (None, [])


def test_our_own_value_counts_and_need_not_be_corrected() -> None:
    found = best(b"1")
    assert found.value == b"1"
    found.offer(Record(KEY, b"2"), info(1))
    assert (found.value, found.behind) == (b"2", [])


def provider(number: int) -> Provider:
    return Provider(peer(number), (address(number),))


def test_each_provider_is_taken_once_and_no_more_than_asked_for() -> None:
    crowd = Crowd(2)
    taken = [(crowd.take(told), crowd.full) for told in ([info(1)], [info(1), info(2)])]
    assert taken == [([provider(1)], False), ([provider(2)], True)]
    assert crowd.take([info(3)]) == crowd.rest() == []


def test_of_one_answer_only_a_part_is_taken_before_the_others() -> None:
    crowd = Crowd(8)
    assert crowd.take([info(number) for number in range(20)]) == [provider(0), provider(1)]
    assert crowd.take([info(50), info(3)]) == [provider(50), provider(3)]
    assert crowd.rest() == [provider(number) for number in (2, 4, 5, 6)]
    assert crowd.full


def test_a_provider_without_addresses_is_one_too() -> None:
    assert Crowd(1).take([PeerInfo(peer(1))]) == [Provider(peer(1), ())]


def test_none_asked_for_is_a_mistake() -> None:
    with pytest.raises(MisuseError):
        Crowd(0)
