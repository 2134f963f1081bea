"""Which peer somebody means.

In:  what was typed, the contacts, other known peers, and the peers of the last listing.
Out: one peer id. Pure.

Tried in this order: a line number of the last listing, a petname, a whole peer id in either form, the short
form that listings show, the beginning of a peer id that only one known peer has. All Ed25519 ids begin with
`12D3KooW`, so the beginning may also be given from what follows. Refuses with `Ambiguous`, which lists the
candidates, and `PeerUnknown`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.errors import Ambiguous, PeerUnknown
from warren.services.contacts.petname import petname_key, whole_peer_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from warren.core.peer_id import PeerId

# What every Ed25519 peer id in base58btc begins with: the multihash header and the key type.
COMMON_BEGINNING = "12D3KooW"
# Lists longer than this help nobody choose.
CANDIDATES_MAX = 20


def resolve_peer(
    text: str,
    *,
    petnames: Mapping[PeerId, str],
    known: Iterable[PeerId] = (),
    listing: Sequence[PeerId] = (),
) -> PeerId:
    """The peer that `text` names.

    petnames: the contacts. known: peers that are no contacts but may be meant (connected ones, say).
    listing: the peers of the last listing, numbered from 1. Raises Ambiguous or PeerUnknown.
    """
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return _numbered(int(text[:9]), listing)
    key = petname_key(text)
    for peer, petname in petnames.items():
        if petname_key(petname) == key:
            return peer
    return whole_peer_id(text) or _only(text, petnames, sorted({*petnames, *known}))


def check_unambiguous(text: str, candidates: Sequence[object]) -> None:
    """Raises Ambiguous if `text` fits several."""
    if len(candidates) > 1:
        raise Ambiguous(
            f"{text!r} fits {len(candidates)} peers",
            [str(one) for one in candidates[:CANDIDATES_MAX]],
            hint="type more of the peer id, or a petname",
        )


def _numbered(number: int, listing: Sequence[PeerId]) -> PeerId:
    if 1 <= number <= len(listing):
        return listing[number - 1]
    if not listing:
        raise PeerUnknown(
            f"there is no listing that {number} is a line of", hint="run warren peer list first"
        )
    raise PeerUnknown(f"the last listing has no line {number}, only 1 to {len(listing)}")


def _only(text: str, petnames: Mapping[PeerId, str], peers: Iterable[PeerId]) -> PeerId:
    found = [peer for peer in peers if text and _fits(text, peer)]
    if len(found) == 1:
        return found[0]
    check_unambiguous(text, [_shown(peer, petnames) for peer in found])
    raise PeerUnknown(
        f"no peer goes by {text!r}", hint="warren peer list shows who is known; warren join adds one"
    )


def _fits(text: str, peer: PeerId) -> bool:
    whole = str(peer)
    return (
        whole.startswith((text, COMMON_BEGINNING + text))
        or text == peer.short
        or peer.to_cid_text().startswith(text.lower())
    )


def _shown(peer: PeerId, petnames: Mapping[PeerId, str]) -> str:
    return f"{petnames[peer]} ({peer})" if peer in petnames else str(peer)
