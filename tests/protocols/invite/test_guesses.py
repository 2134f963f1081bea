"""The limits on wrong codes: per peer and in total."""

from __future__ import annotations

from warren.core.keys import PrivateKey
from warren.protocols.invite.guesses import Guesses, GuessLimits

LIMITS = GuessLimits(per_peer=2, per_peer_refill_s=60, total=4, total_refill_s=1, peers_max=3)
PEERS = [PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(8)]


def test_who_was_wrong_too_often_waits() -> None:
    guesses = Guesses(LIMITS, 0.0)
    assert guesses.wait_s(PEERS[0], 0.0) == 0
    assert guesses.wrong(PEERS[0], 0.0)
    assert guesses.wait_s(PEERS[0], 0.0) == 0
    assert guesses.wrong(PEERS[0], 0.0)
    assert guesses.wait_s(PEERS[0], 0.0) == 60
    assert guesses.wait_s(PEERS[0], 45.0) == 15
    assert guesses.wait_s(PEERS[1], 45.0) == 0
    assert guesses.wait_s(PEERS[0], 60.0) == 0


def test_trying_on_does_not_make_the_wait_endless() -> None:
    guesses = Guesses(LIMITS, 0.0)
    for _ in range(50):
        guesses.wrong(PEERS[0], 0.0)
    assert guesses.wait_s(PEERS[0], 60.0) == 0


def test_a_flood_of_identities_gets_no_answers() -> None:
    guesses = Guesses(LIMITS, 0.0)
    assert [guesses.wrong(peer, 0.0) for peer in PEERS[:6]] == [True] * 4 + [False] * 2
    assert guesses.wrong(PEERS[6], 1.0)
    assert not guesses.wrong(PEERS[7], 1.0)


def test_a_flood_of_identities_fills_no_memory() -> None:
    guesses = Guesses(LIMITS, 0.0)
    for peer in PEERS[:4]:
        guesses.wrong(peer, 0.0)
        guesses.wrong(peer, 0.0)
    assert guesses.wait_s(PEERS[0], 0.0) == 0  # forgotten
    assert guesses.wait_s(PEERS[1], 0.0) > 0
