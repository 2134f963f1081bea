"""The limits on attempts at one code: wrong ones are never given back, and no peer uses up what all have."""

from __future__ import annotations

from warren.core.keys import PrivateKey
from warren.network.allowance import Rate
from warren.protocols.send.guesses import Guesses, GuessLimits

LIMITS = GuessLimits(wrong_max=3, peer=Rate(2, 1 / 30), all=Rate(5, 1), peers_max=3)
PEERS = [PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(8)]


def test_after_so_many_wrong_guesses_the_code_is_withdrawn_for_good() -> None:
    guesses = Guesses(LIMITS, 0.0)
    for number in range(3):
        assert not guesses.withdrawn
        guesses.failed()
        assert guesses.wrong == number + 1
    assert guesses.withdrawn
    assert guesses.wrong_max == 3
    assert guesses.begin(PEERS[0], 1e9)
    assert guesses.withdrawn  # time gives nothing back


def test_who_tries_too_often_waits_and_the_others_do_not() -> None:
    guesses = Guesses(LIMITS, 0.0)
    assert [guesses.begin(PEERS[0], 0.0) for _ in range(4)] == [True, True, False, False]
    assert guesses.begin(PEERS[1], 0.0)
    assert not guesses.begin(PEERS[0], 29.0)
    assert guesses.begin(PEERS[0], 31.0)


def test_all_together_begin_no_more_than_they_may() -> None:
    guesses = Guesses(LIMITS, 0.0)
    assert [guesses.begin(peer, 0.0) for peer in PEERS[:6]] == [True] * 5 + [False]
    assert guesses.begin(PEERS[6], 1.0)


def test_who_found_no_room_among_all_has_not_used_up_its_own() -> None:
    guesses = Guesses(LIMITS, 0.0)
    for peer in PEERS[:5]:
        guesses.begin(peer, 0.0)
    assert not guesses.begin(PEERS[5], 0.0)
    assert [guesses.begin(PEERS[5], 2.0) for _ in range(3)] == [True, True, False]


def test_the_usual_limits_leave_one_guess_in_two_hundred_thousand() -> None:
    assert 2**22 / GuessLimits().wrong_max > 200_000
