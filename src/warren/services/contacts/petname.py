"""Petnames: what the user calls a contact.

In:  a name that the user chose, or one that a peer claims for itself. Out: a name fit to be typed in a
command.

A petname is unique among the contacts, whatever its case. Refused (or replaced, in a claimed name) is what
another meaning of a command's argument would shadow: the form of a peer id, a bare number (a line of the last
listing), `/` (peer/path), `,` and `:` (lists of peers), a leading `-` (an option), and characters that do not
show (control and direction marks, which make one name look like another).
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from warren.core.errors import InputError, InvalidPeerId
from warren.core.peer_id import PeerId

if TYPE_CHECKING:
    from collections.abc import Callable

PETNAME_CHARS_MAX = 64
_RESERVED = "/,:"
# A SHA2-256 multihash; an Ed25519 key with its headers is longer.
_PEER_ID_BYTES_MIN = 34


def check_petname(text: str) -> str:
    """A petname that the user chose, in normal form. Raises InputError with a hint."""
    name = unicodedata.normalize("NFC", text).strip()
    wrong = _what_is_wrong(name)
    if wrong:
        raise InputError(
            f"{text[:80]!r} cannot be a petname: {wrong}", hint="take for instance anna or anna-work"
        )
    return name


def petname_from(claimed: str, peer: PeerId) -> str:
    """A petname close to what `peer` calls itself."""
    visible = (one if one.isprintable() and one not in _RESERVED else " " for one in claimed)
    words = unicodedata.normalize("NFC", "".join(visible)).split()
    name = "-".join(words).lstrip("-")[:PETNAME_CHARS_MAX]
    return f"peer-{peer.short}" if _what_is_wrong(name) else name


def free_petname(wanted: str, is_taken: Callable[[str], bool]) -> str:
    """`wanted`, or the first of `wanted-2`, `wanted-3`, ... whose key is free."""
    name, number = wanted, 1
    while is_taken(petname_key(name)):
        number += 1
        ending = f"-{number}"
        name = wanted[: PETNAME_CHARS_MAX - len(ending)] + ending
    return name


def petname_key(name: str) -> str:
    """What two petnames share when they differ only in case or in how their characters are composed."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def whole_peer_id(text: str) -> PeerId | None:
    """The peer id that `text` spells out, in either form; None for anything shorter or else."""
    try:
        peer = PeerId.parse(text)
    except InvalidPeerId:
        return None
    # One text in some hundreds is by accident the id of an impossibly short key.
    return peer if len(peer.to_bytes()) >= _PEER_ID_BYTES_MIN else None


def _what_is_wrong(name: str) -> str:
    if _looks_like_peer_id(name):
        return "it looks like a peer id"
    if not 0 < len(name) <= PETNAME_CHARS_MAX:
        return f"it must have 1 to {PETNAME_CHARS_MAX} characters"
    if not name.isprintable():
        return "it holds characters that do not show"
    if any(one in name for one in _RESERVED):
        return "it holds / , or :"
    if name.startswith("-"):
        return "it starts with -"
    return "a number means a line of the last listing" if name.isdecimal() else ""


def _looks_like_peer_id(name: str) -> bool:
    return name.startswith("12D3Koo") or whole_peer_id(name) is not None
