"""A super-peer that is told who is there at others that share its index."""

from __future__ import annotations

from tests.services.directory.memory_index import MemoryIndex
from tests.services.directory.naive_index import listed, peer
from tests.services.directory.weak_and_super import SUPER, WEAK, Clock
from tests.support import run
from warren.core.lease import Lease
from warren.protocols.directory.messages import Held
from warren.services.directory.config import DirectoryConfig
from warren.services.directory.super_peer import KEEP_S, SuperPeer

OWNER = WEAK.peer_id


def made() -> tuple[SuperPeer, MemoryIndex, Clock]:
    index, clock = MemoryIndex(), Clock()
    super_peer = SuperPeer(index, DirectoryConfig(), SUPER.peer_id, clock.now)
    super_peer.active = True
    return super_peer, index, clock


def test_who_has_a_lease_here_or_elsewhere_is_there_and_others_hear_of_those_here() -> None:
    super_peer, index, _ = made()
    told: list[object] = []
    super_peer.on_valid.append(lambda owner, valid_s: told.append((owner, valid_s)))
    super_peer.on_over.append(told.append)
    super_peer.set_elsewhere(OWNER, there=True)
    assert super_peer.is_online(OWNER)
    assert index.online == {OWNER}
    envelope = Lease(OWNER, 1, 60, 0, SUPER.peer_id).seal(WEAK)
    assert isinstance(super_peer.lease(OWNER, None, envelope), Held)
    super_peer.leave(OWNER)
    assert super_peer.is_online(OWNER)
    assert index.online == {OWNER}
    super_peer.set_elsewhere(OWNER, there=False)
    assert not super_peer.is_online(OWNER)
    assert index.online == set()
    assert told == [(OWNER, 60), OWNER]


def test_who_is_held_offline_by_votes_is_not_there_although_others_have_a_lease() -> None:
    super_peer, index, _ = made()
    super_peer.set_elsewhere(OWNER, there=True)
    super_peer.set_silent(OWNER, silent=True)
    assert not super_peer.is_online(OWNER)
    super_peer.set_elsewhere(OWNER, there=True)
    assert index.online == set()
    # Once it has a lease nowhere that is over, too.
    super_peer.set_elsewhere(OWNER, there=False)
    super_peer.set_elsewhere(OWNER, there=True)
    assert super_peer.is_online(OWNER)


def test_who_is_there_elsewhere_is_not_forgotten() -> None:
    super_peer, index, clock = made()
    gone = peer("gone")

    async def main() -> None:
        for owner in (OWNER, gone):
            await index.replace(owner, 1, 1, [listed("S/report.txt")])
            super_peer.set_elsewhere(owner, there=True)
            super_peer.set_elsewhere(owner, there=False)
        super_peer.set_elsewhere(OWNER, there=True)
        clock.time += KEEP_S
        await super_peer._tidy(clock.now())

    run(main())
    assert index.owners() == [OWNER]
