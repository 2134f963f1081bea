"""Which words are so rare that the DHT says who has them. Pure.

In:  our words, how many neighbours may have one, how many we may provide. Out: words; keys of the DHT.

A word that none of eight neighbours has is with few super-peers; one that one of them has may still be. So
all who have a word that is with up to twenty of a thousand say so, nearly, and hardly any who have a common
one, whose key would draw everybody's records to the same few nodes.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from warren.core import multihash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from warren.core.query import Query

RARE_HOLDERS_MAX: Final = 1
"""So many neighbours at most have a rare word."""
RARE_CHARS_MIN: Final = 4
"""Shorter words are not looked for alone."""
_PREFIX: Final = b"warren/word/"


def key_of(word: str) -> bytes:
    """The key under which providers of a word are, a multihash."""
    return multihash.sha2_256(_PREFIX + word.encode())


def rare_words(words: Iterable[str], holders: Callable[[str], int], most: int) -> list[str]:
    """Which to provide: the rarest first, and of those always the same ones."""
    chosen = sorted(rank for word in words if (rank := rank_of(word, holders)) is not None)
    return [word for _, _, word in chosen[:most]]


def rank_of(word: str, holders: Callable[[str], int]) -> tuple[int, bytes, str] | None:
    """How early a word is provided, lower ones first; None: it is not rare."""
    if len(word) < RARE_CHARS_MIN:
        return None
    count = holders(word)
    return (count, _order(word), word) if count <= RARE_HOLDERS_MAX else None


def rarest(query: Query, holders: Callable[[str], int]) -> str | None:
    """The word of a query by which the DHT may know who has it. It must have been given in full."""
    words = [term.word for term in query.terms if len(term.word) >= RARE_CHARS_MIN]
    counted = [(holders(word), -len(word), word) for word in words]
    best = min(counted, default=None)
    return best[2] if best is not None and best[0] <= RARE_HOLDERS_MAX else None


def _order(word: str) -> bytes:
    return hashlib.blake2b(word.encode(), digest_size=8).digest()
