"""Which peer is meant: each way to say it, and what is said when it is not clear."""

from __future__ import annotations

import pytest

from warren.core.errors import Ambiguous, PeerUnknown
from warren.core.keys import PrivateKey
from warren.core.peer_id import PeerId
from warren.services.contacts.resolve import CANDIDATES_MAX, COMMON_BEGINNING, resolve_peer

PEERS = [PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(64)]
ANNA, BOB, EVE = PEERS[:3]
PETNAMES = {ANNA: "Anna", BOB: "bob"}


def resolve(text: str, known: list[PeerId] = [EVE], listing: tuple[PeerId, ...] = ()) -> PeerId:  # noqa: B006
    return resolve_peer(text, petnames=PETNAMES, known=known, listing=listing)


def test_all_ed25519_ids_begin_alike() -> None:
    assert all(str(peer).startswith(COMMON_BEGINNING) for peer in PEERS)


def test_a_petname_in_any_case_names_its_contact() -> None:
    assert resolve(" ANNA ") == ANNA
    assert resolve("Bob") == BOB


def test_a_whole_id_names_anybody_in_either_form() -> None:
    stranger = PEERS[9]
    assert resolve(str(stranger)) == stranger
    assert resolve(stranger.to_cid_text()) == stranger


def test_the_beginning_of_an_id_names_who_alone_has_it() -> None:
    assert resolve(str(EVE)[:20]) == EVE
    assert resolve(str(EVE).removeprefix(COMMON_BEGINNING)[:6]) == EVE
    assert resolve(EVE.to_cid_text()[:40].upper()) == EVE
    assert resolve(EVE.short) == EVE


def test_a_beginning_that_several_have_lists_them() -> None:
    with pytest.raises(Ambiguous) as caught:
        resolve(COMMON_BEGINNING)
    assert caught.value.candidates == sorted(
        [f"Anna ({ANNA})", f"bob ({BOB})", str(EVE)],
        key=lambda one: PeerId.parse(one.split("(")[-1].rstrip(")")),
    )
    assert "3 peers" in str(caught.value)
    assert caught.value.hint


def test_the_list_of_candidates_is_bounded() -> None:
    with pytest.raises(Ambiguous) as caught:
        resolve("12D3", known=PEERS)
    assert len(caught.value.candidates) == CANDIDATES_MAX


def test_a_number_names_a_line_of_the_last_listing() -> None:
    assert resolve("2", listing=(EVE, BOB)) == BOB
    for text, complaint in (("0", "no line 0"), ("3", "only 1 to 2"), ("99999999999999999999", "no line")):
        with pytest.raises(PeerUnknown, match=complaint):
            resolve(text, listing=(EVE, BOB))
    with pytest.raises(PeerUnknown, match="no listing"):
        resolve("1")


@pytest.mark.parametrize("text", ["", "carol", "12D3KooWzzzz", "bafzz"])
def test_nobody_is_said_plainly(text: str) -> None:
    with pytest.raises(PeerUnknown) as caught:
        resolve(text)
    assert caught.value.hint
