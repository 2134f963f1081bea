"""By which rules records and announcements are taken in."""

from __future__ import annotations

import pytest

from tests.protocols.kad.peers import address, peer
from tests.protocols.kad.test_gathering import KEY, Numbers
from warren.core.errors import InvalidRecord
from warren.core.keys import PrivateKey
from warren.protocols.kad import rfc3339
from warren.protocols.kad.ipns import IpnsRecord, key_of
from warren.protocols.kad.keeping import Keeping
from warren.protocols.kad.messages import PeerInfo
from warren.protocols.kad.namespaces import namespaces_of
from warren.protocols.kad.records import Namespaces, Record
from warren.protocols.kad.store import Providers, Records, StoreConfig

NOW = 1_767_225_600.0
OWNER = PrivateKey.from_seed(bytes(32))


class Clock:
    def __init__(self) -> None:
        self.seconds, self.ahead_s = 5.0, NOW - 5.0

    def now(self) -> float:
        return self.seconds

    def wall(self) -> float:
        return self.seconds + self.ahead_s


def keeping(clock: Clock | None = None) -> Keeping:
    namespaces = Namespaces({"n": Numbers()})
    return Keeping(Records(), Providers(), namespaces, clock or Clock())


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
    clock.seconds += StoreConfig().provider_addresses_s
    assert kept.providers(b"hash") == [PeerInfo(peer(1))]
    clock.seconds += StoreConfig().provider_expiry_s
    kept.expire()
    assert (kept.record(KEY), kept.providers(b"hash")) == (None, [])


@pytest.mark.parametrize("days", [-900, -3, 3, 900])
def test_a_clock_on_the_wall_that_is_set_makes_nothing_older_or_younger(days: int) -> None:
    clock = Clock()
    kept = keeping(clock)
    kept.keep_record(KEY, b"1", peer(1), "subnet")
    kept.keep_provider(b"hash", peer(1), (address(1),), "subnet")
    clock.seconds += 600.0
    clock.ahead_s += days * 86_400.0
    kept.expire()
    assert kept.record(KEY) == Record(KEY, b"1", clock.wall() - 600.0)
    assert kept.providers(b"hash") == [PeerInfo(peer(1), (address(1),))]
    clock.seconds += StoreConfig().record_expiry_s - 600.0
    kept.expire()
    assert (kept.record(KEY), kept.providers(b"hash")) == (None, [])


def test_a_record_that_seems_to_have_ended_is_not_told_and_not_lost_for_a_clock_that_was_wrong() -> None:
    clock = Clock()
    ends_ns = round((NOW + 3600.0) * rfc3339.NANOSECONDS)
    name = key_of(OWNER.peer_id)
    newer, older = (IpnsRecord(b"/ipfs/bafkqaaa", seq, ends_ns).seal(OWNER) for seq in (2, 1))
    later = IpnsRecord(b"/ipfs/bafkqaaa", 1, ends_ns * 2).seal(OWNER)
    kept = Keeping(Records(), Providers(), namespaces_of("/warren/kad/1.0.0", clock.wall), clock)
    kept.keep_record(name, newer, peer(1), "subnet")
    clock.ahead_s += 2 * 3600.0
    assert kept.record(name) is None
    clock.ahead_s -= 2 * 3600.0
    assert kept.record(name) == Record(name, newer, NOW)
    with pytest.raises(InvalidRecord, match="better"):
        kept.keep_record(name, older, peer(1), "subnet")
    # What has ended stands in nobody's way.
    clock.ahead_s += 2 * 3600.0
    kept.keep_record(name, later, peer(1), "subnet")
    assert kept.record(name) == Record(name, later, clock.wall())
