"""Peers in messages by the names that the user gave them.

In:  the document of an error, the contacts. Out: the same with `anna (…8kx3Qz1B)` where it said the 52
characters of a contact's id, and with `anna` where a hint names it as part of a command. Addresses stay as
they are, so that they can be copied; so do peers that are no contacts.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from warren.core.errors import Closed, InvalidPeerId
from warren.core.peer_id import PeerId

if TYPE_CHECKING:
    from warren.node import Node

_BASE58 = "[1-9A-HJ-NP-Za-km-z]"
_PEER_ID = re.compile(rf"(?<!/p2p/)(?<!/warren/)\b(?:12D3KooW|16Uiu2HA|Qm){_BASE58}{{44,46}}\b")
_TAIL_CHARS = 8


def short(petname: str, peer_id: PeerId) -> str:
    """A contact as messages name it: the petname, and enough of the id to tell two apart."""
    return f"{petname} (…{str(peer_id)[-_TAIL_CHARS:]})"


def called(node: Node, peer_id: PeerId) -> str:
    """A peer as messages name it: a contact in short, another one by its whole id."""
    contact = node.contacts.get(peer_id)
    return str(peer_id) if contact is None else short(contact.petname, peer_id)


def with_names(document: dict[str, Any], node: Node) -> dict[str, Any]:
    """The error document with contacts named."""

    def in_message(found: re.Match[str]) -> str:
        name = _petname(node, found[0])
        return found[0] if name is None else short(name, PeerId.parse(found[0]))

    def in_hint(found: re.Match[str]) -> str:
        name = _petname(node, found[0])
        return found[0] if name is None else shlex.quote(name)

    return {
        **document,
        "message": _PEER_ID.sub(in_message, document["message"]),
        "hint": _PEER_ID.sub(in_hint, document["hint"]),
    }


def _petname(node: Node, text: str) -> str | None:
    try:
        contact = node.contacts.get(PeerId.parse(text))
    except (InvalidPeerId, Closed):  # the node may die before the last answers are out
        return None
    return None if contact is None else contact.petname
