"""Who asked lately: bounded, by lot, and only those of whom the asker may be told."""

from __future__ import annotations

from warren.core.cid import Cid
from warren.core.keys import PrivateKey
from warren.runtime.simulated import World
from warren.services.files.swarm.fellows import ALL_S, LATELY_S, PEERS_MAX, ROOTS_EACH_MAX, ROOTS_MAX, Fellows

PEERS = [PrivateKey.from_seed(n.to_bytes(32)).peer_id for n in range(PEERS_MAX + 1)]
A, B, C = PEERS[:3]


def root_of(number: int) -> Cid:
    return Cid.raw_sha256(number.to_bytes(32))


ROOT = root_of(0)


def fellows() -> Fellows:
    return Fellows(World().runtime("n").entropy)


def some(of: Fellows, *, count: int = PEERS_MAX, now: float = 0.0, root: Cid = ROOT) -> set[object]:
    return set(of.some(root, count, now, lambda _: True))


def test_those_who_asked_lately_are_told_of() -> None:
    of = fellows()
    of.asked(ROOT, A, 0.0)
    of.asked(ROOT, B, 10.0)
    of.asked(root_of(1), C, 10.0)
    assert some(of, now=LATELY_S) == {A, B}
    assert some(of, now=LATELY_S + 5) == {B}
    of.asked(ROOT, A, LATELY_S + 5)
    assert some(of, now=LATELY_S + 11) == {A}
    of.gone(ROOT, A)
    of.gone(root_of(2), A)
    assert some(of, now=LATELY_S + 11) == set()
    assert some(of, root=root_of(2)) == set()


def test_only_some_by_lot_of_those_who_may_be_told_of() -> None:
    of = fellows()
    for peer in PEERS[:20]:
        of.asked(ROOT, peer, 0.0)
    drawn = [of.some(ROOT, 5, 0.0, lambda peer: peer != A) for _ in range(100)]
    assert all(len(set(one)) == 5 for one in drawn)
    assert {peer for one in drawn for peer in one} == set(PEERS[1:20])


def test_peers_and_roots_are_bounded() -> None:
    of = fellows()
    for peer in PEERS:
        of.asked(ROOT, peer, 0.0)
    assert some(of) == set(PEERS[1:])
    for number in range(1, ROOTS_MAX + 1):
        of.asked(root_of(number), PEERS[number % PEERS_MAX], 0.0)
    assert some(of) == set()
    assert some(of, root=root_of(1)) == {B}


def test_one_peer_takes_only_so_many_roots() -> None:
    of = fellows()
    of.asked(ROOT, B, 0.0)
    for number in range(ROOTS_EACH_MAX + 1):
        of.asked(root_of(number), A, 0.0)
    assert some(of) == {B}
    assert some(of, root=root_of(1)) == {A}
    of.asked(root_of(1), A, 0.0)
    of.asked(ROOT, A, 0.0)
    assert some(of, root=root_of(2)) == set()
    assert some(of, root=root_of(1)) == some(of) - {B} == {A}


def test_who_asks_often_is_told_of_newcomers_and_of_all_now_and_then() -> None:
    of = fellows()

    def news(now: float) -> set[object]:
        of.asked(ROOT, A, now)
        return set(of.news(ROOT, A, PEERS_MAX, now, lambda peer: peer != PEERS[9]))

    of.asked(ROOT, B, 0.0)
    of.asked(ROOT, PEERS[9], 0.0)
    assert news(1.0) == {B}
    assert news(2.0) == set()
    of.asked(ROOT, C, 2.5)
    of.asked(ROOT, B, 2.6)
    assert news(3.0) == {C}
    assert news(4.0) == set()
    assert news(1.0 + ALL_S) == {B, C}
