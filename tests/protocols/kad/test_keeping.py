"""By which rules records and announcements are taken in."""

from __future__ import annotations

import pytest

from tests.protocols.kad.peers import address, peer
from tests.protocols.kad.test_gathering import KEY, Numbers
from warren.core.errors import InvalidRecord
from warren.protocols.kad.keeping import Keeping
from warren.protocols.kad.messages import PeerInfo
from warren.protocols.kad.records import Namespaces, Record
from warren.protocols.kad.store import Providers, Records, StoreConfig

NOW = 1_767_225_600.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def wall(self) -> float:
        return self.now


def keeping(clock: Clock | None = None) -> Keeping:
    namespaces = Namespaces({"n": Numbers()})
    return Keeping(Records(), Providers(), namespaces, (clock or Clock()).wall)


def test_a_value_that_proves_itself_is_kept_and_a_better_one_takes_its_place() -> None:
    kept = keeping()
    for value in (b"1", b"2", b"2"):
        assert kept.keep_record(KEY, value, peer(1), "subnet") == Record(KEY, value, NOW)
    assert kept.record(KEY) == Record(KEY, b"2", NOW)


@pytest.mark.parametrize(("key", "value"), [(KEY, b"1"), (KEY, b"lie"), (b"/x/key", b"3"), (b"key", b"3")])
def test_what_is_worse_or_proves_nothing_is_refused(key: bytes, value: bytes) -> None:
    kept = keeping()
    kept.keep_record(KEY, b"2")
    with pytest.raises(InvalidRecord):
        kept.keep_record(key, value, peer(1))
    assert kept.record(KEY) == Record(KEY, b"2", NOW)


def test_announcements_are_kept_and_forgotten_in_time() -> None:
    clock = Clock()
    kept = keeping(clock)
    kept.keep_record(KEY, b"1", peer(1), "subnet")
    kept.keep_provider(b"hash", peer(1), (address(1),), "subnet")
    assert kept.providers(b"hash") == [PeerInfo(peer(1), (address(1),))]
    clock.now += StoreConfig().provider_addresses_s
    assert kept.providers(b"hash") == [PeerInfo(peer(1))]
    clock.now += StoreConfig().provider_expiry_s
    kept.expire()
    assert (kept.record(KEY), kept.providers(b"hash")) == (None, [])
