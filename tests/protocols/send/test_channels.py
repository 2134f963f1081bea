"""Places in channels: leases, bounds, and what squatters can take."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.protocols.send.channels import ChannelLimits, Channels

PEERS = [PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(40)]
HOME = (Multiaddr.parse("/ip4/192.0.2.1/tcp/1"),)
LIMITS = ChannelLimits(lease_s=100, channel_max=4, peer_max=2, host_max=6, all_max=12)


def put(channels: Channels, channel: int, number: int, host: str | None = None, now: float = 0.0) -> float:
    return channels.put(channel, PEERS[number], HOME, host or f"host{number}", now)


def there(channels: Channels, channel: int, now: float = 0.0) -> list[int]:
    return [PEERS.index(place.peer) for place in channels.find(channel, now)]


def test_who_took_a_place_is_found_until_its_lease_ends() -> None:
    channels = Channels(LIMITS)
    assert put(channels, 4071, 1) == 100
    assert channels.find(4071, 99)[0][:3] == (PEERS[1], HOME, "host1")
    assert not channels.find(4071, 100)
    assert not channels.find(4072, 0)


def test_a_place_that_is_taken_again_is_kept_on_and_stands_first() -> None:
    channels = Channels(LIMITS)
    put(channels, 4071, 1)
    put(channels, 4071, 2)
    assert there(channels, 4071) == [2, 1]
    put(channels, 4071, 1, now=60)
    assert there(channels, 4071, 60) == [1, 2]
    assert there(channels, 4071, 120) == [1]
    assert len(channels) == 2


def test_a_place_is_given_back() -> None:
    channels = Channels(LIMITS)
    put(channels, 4071, 1)
    channels.drop(4071, PEERS[1])
    channels.drop(4071, PEERS[1])
    assert not channels.find(4071, 0)
    assert len(channels) == 0


def test_one_peer_and_one_host_have_so_many_and_no_more() -> None:
    channels = Channels(LIMITS)
    assert [put(channels, channel, 0) for channel in range(3)] == [100, 100, 0]
    channels = Channels(LIMITS)
    assert [put(channels, number, number, "one host") for number in range(8)] == [100] * 6 + [0] * 2


def test_a_full_channel_has_room_for_another_host() -> None:
    """Squatters of one host hold every place; the true sender finds one all the same."""
    channels = Channels(LIMITS)
    for number in range(4):
        put(channels, 4071, number, "squatter")
    assert put(channels, 4071, 9) == 100
    assert there(channels, 4071) == [9, 3, 2, 1]
    for number in range(10, 14):  # and they cannot push it out again
        put(channels, 4071, number, "squatter")
    assert 9 in there(channels, 4071)


def test_whose_lease_is_over_goes_first() -> None:
    channels = Channels(LIMITS)
    put(channels, 4071, 0)
    for number in range(1, 5):
        put(channels, 4071, number, "one host", now=100)
    assert there(channels, 4071, 100) == [4, 3, 2, 1]


def test_there_are_so_many_places_in_all_and_those_of_the_past_make_room() -> None:
    channels = Channels(LIMITS)
    for number in range(12):
        put(channels, number, number)
    assert put(channels, 50, 20) == 0
    assert len(channels) == 12
    assert put(channels, 50, 20, now=100) == 100
    assert len(channels) == 1


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 39), st.integers(0, 3), st.integers(0, 60))
    )
)
def test_no_bound_is_ever_broken(steps: list[tuple[bool, int, int, int, int]]) -> None:
    channels, now = Channels(LIMITS), 0.0
    for is_put, channel, peer, host, passed in steps:
        now += passed
        if is_put:
            channels.put(channel, PEERS[peer], HOME, f"host{host}", now)
        else:
            channels.drop(channel, PEERS[peer])
        places = [(n, place) for n in range(6) for place in channels.find(n, -1)]
        assert len(channels) == len(places) <= LIMITS.all_max
        for counts, most in (
            (Counter(n for n, _ in places), LIMITS.channel_max),
            (Counter(place.peer for _, place in places), LIMITS.peer_max),
            (Counter(place.host for _, place in places), LIMITS.host_max),
        ):
            assert max(counts.values(), default=0) <= most
