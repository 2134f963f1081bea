"""What is learnt from other holders: of whom they tell, for whom it is, and the tickets they give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support import run
from warren.core.cid import Cid
from warren.core.keys import PrivateKey
from warren.core.ticket import VALID_S
from warren.services.files.holders import exchanged as module
from warren.services.files.holders.exchanged import TICKET_AGAIN_S, Exchanged, Publicity
from warren.services.files.holders.store import Held
from warren.services.files.swarm.bits import Bits
from warren.services.files.swarm.swarms import PeerHolding
from warren.services.files.swarm.tickets import Tickets
from warren.services.files.types import Audience

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from warren.core.peer_id import PeerId

ME, ORIGIN, OTHER = (PrivateKey.from_seed(bytes([number]) * 32) for number in range(1, 4))
ROOT = Cid.raw_sha256(bytes(32))


class Record:
    def __init__(self, kept: Iterable[Held] = ()) -> None:
        self.heard: list[PeerId] = []
        self.kept = list(kept)

    def note(self, root: Cid, peers: list[PeerId]) -> None:
        assert root == ROOT
        self.heard += peers

    def note_ticket(self, ticket: Held) -> None:
        self.kept.append(ticket)

    async def tickets(self) -> list[Held]:
        return self.kept


class Scene:
    def __init__(self, kept: Iterable[Held] = ()) -> None:
        self.now = 1_000_000.0
        self.record = Record(kept)
        self.publicity = Publicity()
        self.tickets = Tickets(ME, lambda: self.now)
        self.exchanged = Exchanged(self.record, self.publicity, self.tickets)  # type: ignore[arg-type]

    def given(self) -> bytes:
        """A ticket of the origin, which it gives each time that it is asked."""
        return Tickets(ORIGIN, lambda: self.now).give(ROOT, ME.peer_id)

    def exchange(self, peer: PrivateKey, word: Audience | None, *fellows: PeerId) -> None:
        self.exchanged(ROOT, peer.peer_id, PeerHolding(True, Bits(), word, fellows=fellows))


def test_who_has_it_and_whom_it_names_is_noted() -> None:
    scene = Scene()
    scene.exchange(ORIGIN, None, OTHER.peer_id)
    assert scene.record.heard == [ORIGIN.peer_id, OTHER.peer_id]
    assert scene.publicity.is_public(ROOT) is None
    scene.exchange(OTHER, Audience("origin", (ORIGIN.peer_id,)))
    assert scene.publicity.is_public(ROOT) is False
    scene.exchange(ORIGIN, Audience("public"))
    scene.exchange(OTHER, Audience("origin", (ORIGIN.peer_id,)))
    assert scene.publicity.is_public(ROOT) is True
    assert scene.record.kept == []


def test_tickets_outlive_a_restart_and_are_written_down_seldom() -> None:
    async def main() -> None:
        scene = Scene()
        word = Audience("origin", (ORIGIN.peer_id,))
        for _ in range(3):
            scene.tickets.keep(scene.given(), ROOT)
            scene.exchange(ORIGIN, word)
        assert [one.expires_at for one in scene.record.kept] == [int(scene.now) + VALID_S]
        scene.now += TICKET_AGAIN_S
        scene.tickets.keep(scene.given(), ROOT)
        scene.exchange(ORIGIN, word)
        assert len(scene.record.kept) == 2
        damaged = Held(ROOT.to_bytes(), ORIGIN.peer_id.to_bytes(), b"no ticket", 1 << 40)
        again = Scene([damaged, scene.record.kept[1]])
        again.now = scene.now
        await again.exchanged.load()
        assert again.tickets.holds(ROOT, ORIGIN.peer_id)

    run(main())


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOTS_MAX", 2)
    publicity = Publicity()
    roots = [Cid.raw_sha256(bytes([number]) * 32) for number in range(3)]
    for root in roots:
        publicity.note(root, public=True)
    assert [publicity.is_public(root) for root in roots] == [None, True, True]

    scene = Scene()
    for number, origin in enumerate((ORIGIN, OTHER, PrivateKey.from_seed(b"4" * 32))):
        sealed = Tickets(origin, lambda: scene.now).give(ROOT, ME.peer_id)
        scene.tickets.keep(sealed, ROOT)
        scene.exchange(origin, Audience("origin", (origin.peer_id,)))
        assert len(scene.record.kept) == number + 1
    assert len(scene.exchanged._kept) == 2
