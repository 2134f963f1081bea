"""What each peer may cost."""

from __future__ import annotations

from tests.protocols.kad.peers import peer
from warren.protocols.kad.quota import PEERS_MAX, Quota


def test_a_burst_is_allowed_and_comes_back_with_time() -> None:
    quota = Quota(per_s=2, burst=10)
    assert [quota.spend(peer(1), 4, 0.0) for _ in range(3)] == [True, True, False]
    assert quota.spend(peer(1), 2, 0.0), "what was refused took nothing"
    assert not quota.spend(peer(1), 4, 1.9)
    assert quota.spend(peer(1), 4, 2.0)


def test_tokens_do_not_pile_up_beyond_the_burst() -> None:
    quota = Quota(per_s=2, burst=10)
    assert quota.spend(peer(1), 10, 0.0)
    assert quota.spend(peer(1), 10, 1e9)
    assert not quota.spend(peer(1), 1, 1e9)


def test_each_peer_has_its_own_and_those_that_asked_last_are_remembered() -> None:
    quota = Quota(per_s=1, burst=1)
    assert all(quota.spend(peer(number), 1, 0.0) for number in range(PEERS_MAX + 10))
    assert not quota.spend(peer(PEERS_MAX), 1, 0.0)
    assert quota.spend(peer(0), 1, 0.0)
